/* SPDX-License-Identifier: MIT */
/* Bytes from a socket, and the descriptors that were sent with them. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server/internal.h"

/* Whatever they are: a file can make who closes any of its descriptors wait, not only the last one. */
static void close_fds(struct closer *closer, const struct received_fds *received)
{
    uint32_t i;

    for (i = 0; i < received->count; i++)
        closer_take(closer, received->fds[i]);
}

/* The kernel gives no more than there is room for. */
static void note_fds(struct received_fds *received, struct msghdr *message)
{
    struct cmsghdr *header;

    received->count = 0;
    for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        received->count = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(received->fds, CMSG_DATA(header), received->count * sizeof(int));
    }
}

/*
 * A look gives descriptors of its own, so that what recv() lets go of is no last reference.
 */
static ssize_t look(int fd, void *bytes, size_t size, struct closer *closer,
                    struct received_fds *ret_fds)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(SENT_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct received_fds all = {0};
    ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -errno;
    note_fds(&all, &message);
    if (all.count > PROTOCOL_FDS_MAX || message.msg_flags & MSG_CTRUNC) {
        close_fds(closer, &all);
        return -EMSGSIZE;
    }
    *ret_fds = all;
    return n;
}

ssize_t receive_with_fds(int fd, void *bytes, size_t size, struct closer *closer,
                         struct received_fds *ret_fds)
{
    ssize_t n = look(fd, bytes, size, closer, ret_fds);

    if (n <= 0)
        return n;
    n = recv(fd, bytes, (size_t)n, MSG_DONTWAIT);
    if (n >= 0)
        return n;
    n = -errno;
    close_fds(closer, ret_fds);
    return n;
}
