/* SPDX-License-Identifier: MIT */
#include "base/passed_files.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Linux 6.16, include/uapi/asm-generic/socket.h; the C library's headers may be older. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

bool passed_files_refuse(int fd)
{
    int passes = 1, none = 0;
    socklen_t len = sizeof(passes);

    /* An accepted socket has it from the listening one, before its peer could send. */
    if (!getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &passes, &len) && !passes)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none));
    return false;
}

void passed_files_allow(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){1}, sizeof(int));
}

/* Out of band, a byte would be dropped with its files and never be seen. */
void passed_files_expect(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &(int){1}, sizeof(int));
}

/*
 * Without room for them, files are not installed, and that they are there is said by MSG_CTRUNC. What
 * a look lets go of is not the last reference: that one stays in the queue.
 */
static ssize_t peek(int fd, void *bytes, size_t size)
{
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0)
        return -errno;
    return message.msg_flags & MSG_CTRUNC ? -EBADMSG : n;
}

/* What a look has seen is all that is taken: behind it there may be files. */
ssize_t passed_files_receive(int fd, void *bytes, size_t size)
{
    ssize_t n = peek(fd, bytes, size);

    if (n <= 0)
        return n;
    n = recv(fd, bytes, (size_t)n, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

bool passed_files_drain(int fd)
{
    char bytes[16 * 1024];
    ssize_t n;

    shutdown(fd, SHUT_RDWR); /* from here on nothing more comes */
    do {
        n = passed_files_receive(fd, bytes, sizeof(bytes));
    } while (n > 0 || n == -EINTR);
    return n != -EBADMSG;
}

/* ---- sending -------------------------------------------------------------------------------- */

static void attach(struct msghdr *message, void *control, const int *files, size_t n)
{
    struct cmsghdr *header;

    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(n * sizeof(*files));
    header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof(*files)),
                               .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), files, n * sizeof(*files));
}

ssize_t passed_files_send(int fd, const void *bytes, size_t len, const int *files, size_t n)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(PASSED_FILES_MAX * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (n)
        attach(&message, control, files, n);
    sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}
