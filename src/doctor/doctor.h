/* SPDX-License-Identifier: MIT */
/* The checks of `vitals doctor`, and what they have found. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum finding_status {
    FINDING_OK,
    FINDING_WARNING,
    FINDING_PROBLEM,
    FINDING_ABSENT,
    FINDING_STATUSES,
};

enum { FINDING_TEXT_MAX = 640 };

struct finding {
    const char *check;
    enum finding_status status;
    char text[FINDING_TEXT_MAX]; /* what was found */
    char hint[FINDING_TEXT_MAX]; /* what to do, or empty */
};

struct doctor {
    const char *command;
    const char *root; /* "" or a directory that stands for "/" */
    unsigned timeout_ms;
    const char *const *sockets; /* those that are asked; directories, too */
    size_t n_sockets;
    struct finding *findings;
    size_t n_findings;
};

/* Says so and ends the program. */
__attribute__((noreturn)) void doctor_out_of_memory(const struct doctor *doctor);

/* A new finding. Its hint is empty. */
__attribute__((format(printf, 4, 5))) struct finding *doctor_find(struct doctor *doctor,
                                                                  const char *check,
                                                                  enum finding_status status,
                                                                  const char *format, ...);

__attribute__((format(printf, 2, 3))) void finding_hint(struct finding *finding, const char *format,
                                                        ...);

/* @path below the root. */
enum { DOCTOR_PATH_MAX = 4096, DOCTOR_ROOT_MAX = DOCTOR_PATH_MAX - 256 };
void doctor_path(const struct doctor *doctor, char text[DOCTOR_PATH_MAX], const char *path);

/* KVM, the kernel, the user. */
void doctor_check_host(struct doctor *doctor);

/* Asks the sockets that were named; of those in the usual places only the permissions. */
void doctor_check_sockets(struct doctor *doctor);

#endif
