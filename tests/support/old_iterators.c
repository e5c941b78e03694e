/* SPDX-License-Identifier: MIT */
/*
 * A kernel before Linux 6.1, as far as libbpf can tell: a link of an iterator goes over all processes,
 * whichever one is asked for. To be preloaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARGUMENTS = 6 };

long syscall(long number, ...)
{
    static long (*next)(long number, ...);
    long arguments[ARGUMENTS];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < ARGUMENTS; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (!next)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_bpf && arguments[0] == BPF_LINK_CREATE) {
        union bpf_attr attr = {0};

        memcpy(&attr, (const void *)arguments[1], (size_t)arguments[2]);
        attr.link_create.iter_info = 0;
        attr.link_create.iter_info_len = 0;
        return next(number, arguments[0], &attr, arguments[2]);
    }
    return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}
