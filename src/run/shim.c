/* SPDX-License-Identifier: MIT */
/*
 * The shim of `vitals run`: a library of its own, preloaded into a VMM that knows nothing of it. It
 * wraps ioctl(), and where a VM or a vCPU has been made, opens its statistics file, as only the VMM
 * can, and hands it to the process that `vitals run` has left behind.
 *
 * It is a guest in the VMM. It has no thread, keeps no memory and no file: each message has a
 * connection of its own, so nothing is lost when the VMM closes all files, forks or executes, and no
 * file of the VMM's is ever taken for one of the shim's. It never waits. Whatever fails, the VMM sees
 * the result and the errno of its own call.
 *
 * Only system calls are made, by syscall(), which is no point where a thread is cancelled; so it may be
 * called wherever ioctl() may, also in a signal handler and in a child of fork() or vfork().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "run/message.h"

#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD _IO(KVMIO, 0xce)
#endif

#define PUBLIC __attribute__((visibility("default")))

/* Written before main(), and only read from then on: the VMM may change its environment. */
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int (*next_ioctl)(int fd, unsigned long request, ...);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv(RUN_VARIABLE);

    next_ioctl = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    for (unsigned i = 0; path && path[i] && i < RUN_PATH_MAX; i++)
        address.sun_path[i] = path[i];
}

/* An unconnected socket's bytes and the file that goes with them, or nothing. */
static void send_file(int to, struct run_message *message, int file)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {{0}};
    struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control.bytes)};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)(void *)CMSG_DATA(&control.header) = file;
    syscall(SYS_sendmsg, to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The file's only other copy is in the message by then. */
static void tell(struct run_message *message)
{
    int file = (int)syscall(SYS_ioctl, message->fd, KVM_GET_STATS_FD, 0), to;

    if (file < 0)
        return;
    to = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (to >= 0) {
        if (syscall(SYS_connect, to, &address, sizeof(address)) == 0)
            send_file(to, message, file);
        syscall(SYS_close, to);
    }
    syscall(SYS_close, file);
}

static int call(int fd, unsigned long request, void *argument)
{
    return next_ioctl ? next_ioctl(fd, request, argument)
                      : (int)syscall(SYS_ioctl, fd, request, argument);
}

/* What has been made is the VMM's at once, but no other thread of it knows its number yet. */
static int call_and_tell(int fd, unsigned long request, void *argument)
{
    int made = call(fd, request, argument), kept = errno;
    struct run_message message = {.magic = RUN_MAGIC,
                                  .kind = request == KVM_CREATE_VM ? RUN_VM : RUN_VCPU,
                                  .vm_fd = request == KVM_CREATE_VM ? made : fd,
                                  .fd = made};

    if (request == KVM_CREATE_VCPU)
        message.vcpu_id = (uint32_t)(uintptr_t)argument;
    if (made >= 0)
        tell(&message);
    errno = kept;
    return made;
}

/* As libc does: a third argument that was not passed is whatever the register has, and is not used. */
PUBLIC int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if ((request == KVM_CREATE_VM || request == KVM_CREATE_VCPU) && address.sun_path[0])
        return call_and_tell(fd, request, argument);
    return call(fd, request, argument);
}
