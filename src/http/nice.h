/* SPDX-License-Identifier: MIT */
#ifndef HTTP_NICE_H
#define HTTP_NICE_H

#include <sys/resource.h>

/* This thread leaves CPUs to others, and so do those that it makes. One that does so even more stays as it is. */
static inline void be_nice(int nice)
{
    if (getpriority(PRIO_PROCESS, 0) < nice)
        setpriority(PRIO_PROCESS, 0, nice);
}

#endif
