/* SPDX-License-Identifier: MIT */
/* Which kernel runs here, and whether it can be trusted with statistics files. */
#ifndef HOST_KERNEL_VERSION_H
#define HOST_KERNEL_VERSION_H

#include <stdbool.h>

enum { KERNEL_TEXT_MAX = 256 };

struct kernel_version {
    char name[2 * KERNEL_TEXT_MAX]; /* for people: with the release upstream, if it is known */
    unsigned numbers[3];
    bool hides_repairs; /* a distributor's, who keeps the last number 0 */
};

/* As uname() has them: "6.1.0-56-amd64", "#1 SMP ... Debian 6.1.187-1 (2026-11-02)". False: it is none. */
bool kernel_version_parse(const char *release, const char *version,
                          struct kernel_version *ret_kernel);

/*
 * Whether a statistics file keeps its VM. Before Linux 6.5, but for repaired stable releases, one that
 * outlives its VM reads memory that is free.
 */
bool kernel_version_is_repaired(const struct kernel_version *kernel);

#endif
