/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a process. They lie in its own memory, and so perhaps in a file of its own file system,
 * which answers when it likes: a thread reads them, and nobody waits for it for long.
 */
#ifndef HOST_ARGUMENTS_H
#define HOST_ARGUMENTS_H

#include <stddef.h>
#include <sys/types.h>

enum {
    ARGUMENTS_MAX = 16384,       /* bytes that are read; what is behind names no VM */
    ARGUMENTS_DEADLINE_MS = 500, /* for one process */
    ARGUMENTS_PENALTY_MS =
        60000, /* so long nothing is read of who took longer: host/slow_processes.h */
    /* Threads that still wait: then nothing more is read of that user's processes, */
    ARGUMENTS_STUCK_OF_USER = 4,
    ARGUMENTS_STUCK_MAX = 64, /* nor of anyone's */
};

/*
 * Each argument ends in a NUL, and so does the text. Returns its size without that last NUL; 0: it could
 * not be read, or not in time.
 */
size_t arguments_read(pid_t pid, char text[ARGUMENTS_MAX + 1]);

#endif
