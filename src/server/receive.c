/* SPDX-License-Identifier: MIT */
/* Bytes from a socket, and the descriptors that were sent with them. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server/internal.h"

static void close_fds(const struct received_fds *received)
{
    uint32_t i;

    for (i = 0; i < received->count; i++)
        close(received->fds[i]);
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

ssize_t receive_with_fds(int fd, void *bytes, size_t size, struct received_fds *ret_fds)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(ret_fds->fds))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof(ret_fds->fds))};
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -errno;
    note_fds(ret_fds, &message);
    if (message.msg_flags & MSG_CTRUNC) {
        close_fds(ret_fds);
        return -EMSGSIZE;
    }
    return n;
}
