# SPDX-License-Identifier: MIT
"""How often a daemon reads all VMs of the host: a library that is preloaded counts what it asks of the kernel."""

import mmap
import struct
import subprocess

from support.programs import PRELOADED, words_of

LINKS = 256  # more than the numbers of files that a daemon has when it begins

SOURCE = b"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static uint32_t *counts;
static long (*next)(long, ...);
__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("PASSES"), O_RDWR);
    counts = mmap(0, 1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
}
long syscall(long number, ...)
{
    long all[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        all[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_bpf && all[0] == BPF_ITER_CREATE)
        counts[((const union bpf_attr *)all[1])->iter_create.link_fd % 256]++;
    return next(number, all[0], all[1], all[2], all[3], all[4], all[5]);
}
"""


class Passes:
    """Of one daemon, which is to be started with the words of `around` before it."""

    def __init__(self, programs):
        source, library, counts = programs.write("passes.c", SOURCE), programs.path("passes.so"), programs.path("passes")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        programs.write("passes", bytes(4 * LINKS))
        with open(counts, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4 * LINKS)
        self.around = ["env", f"LD_PRELOAD={library}", f"PASSES={counts}", *words_of(PRELOADED)]

    def by_link(self):
        return struct.unpack(f"{LINKS}I", self.memory)

    def since(self, before):
        """
        How many passes there have been since by_link() said so. Of the links that were used one is of VMs and one of threads, each
        once a pass; others are of something else that was asked for.
        """
        return min(now - then for now, then in zip(self.by_link(), before, strict=True) if now > then)

    def stop(self):
        self.memory.close()
