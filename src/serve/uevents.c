/* SPDX-License-Identifier: MIT */
#include "serve/uevents.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's own; udev repeats them to another one. */
enum { GROUP_OF_KERNEL = 1 };

int uevents_open(void)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = GROUP_OF_KERNEL};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    int err;

    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

bool uevent_is_of_vm(const char *message, size_t len)
{
    static const char device[] = "change@/devices/virtual/misc/kvm";
    const char *end = message + len;
    bool is_of_vm = false;

    if (!len || message[len - 1] != '\0' || strcmp(message, device) != 0)
        return false;
    for (const char *line = message; line < end && !is_of_vm; line += strlen(line) + 1)
        is_of_vm = !strcmp(line, "EVENT=create") || !strcmp(line, "EVENT=destroy");
    return is_of_vm;
}

bool uevents_take(int fd)
{
    char message[UEVENT_BYTES_MAX];
    bool is_of_vm = false;

    for (int i = 0; i < UEVENTS_AT_A_TIME; i++) {
        struct sockaddr_nl sender = {0};
        socklen_t size = sizeof(sender);
        ssize_t len =
            recvfrom(fd, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&sender, &size);

        if (len < 0)
            return is_of_vm || errno == ENOBUFS;
        if (sender.nl_pid == 0) /* the kernel itself */
            is_of_vm |= uevent_is_of_vm(message, (size_t)len);
    }
    return is_of_vm;
}
