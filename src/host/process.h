/* SPDX-License-Identifier: MIT */
/* What /proc says of a process, as a text for people. */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "host/identity.h"

/* Bytes of each file that are read; what is behind names no VM. */
enum { PROCESS_TEXT_MAX = 16384 };

/*
 * The identity of the process @pid that began @start_time ns after the host did. Another process that
 * has its number by now, or one that can't be read, has no more than a number.
 */
void process_identify(pid_t pid, uint64_t start_time, struct identity *ret_identity);

#endif
