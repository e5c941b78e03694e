/* SPDX-License-Identifier: MIT */
/*
 * What VM a process runs, by what can be seen of the process from outside: its command line, its
 * control group, its program. All of it is a stranger's text: whoever starts a VMM chooses it, so
 * it names a VM to people and proves nothing.
 */
#ifndef HOST_IDENTITY_H
#define HOST_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

/* With the NUL. A longer name is cut, at a whole character. */
enum { IDENTITY_NAME_MAX = 128, IDENTITY_UUID_MAX = 37, IDENTITY_VMM_MAX = 32 };

/* As /proc has it; NULL and 0 where it could not be read. */
struct process_text {
    pid_t pid;
    const char *command_line; /* arguments, each ended by a NUL */
    size_t command_line_size;
    const char *cgroup;  /* lines of HIERARCHY:CONTROLLERS:PATH */
    const char *program; /* the kernel's short name of the process */
};

struct identity {
    char name[IDENTITY_NAME_MAX]; /* plain text, never empty */
    char uuid[IDENTITY_UUID_MAX]; /* in its usual form, or empty */
    char vmm[IDENTITY_VMM_MAX];   /* "qemu", "firecracker", ..., else the program's name */
};

/*
 * The name is that of the command line; else of a systemd machine or a pod, or the short id of a
 * container; else PROGRAM-PID.
 */
void identity_read(const struct process_text *process, struct identity *ret_identity);

#endif
