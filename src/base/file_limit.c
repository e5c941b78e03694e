/* SPDX-License-Identifier: MIT */
#include "base/file_limit.h"

#include <sys/resource.h>

void file_limit_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

bool file_limit_leaves(int fd, unsigned share)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true;
    return (rlim_t)fd < limit.rlim_cur - limit.rlim_cur / share;
}
