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

uint32_t file_limit_part(unsigned share)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / share > INT32_MAX)
        return INT32_MAX;
    return (uint32_t)(limit.rlim_cur / share);
}

bool file_limit_leaves(int fd, uint32_t n)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) < 0 || (rlim_t)fd + n < limit.rlim_cur;
}
