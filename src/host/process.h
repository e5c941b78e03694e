/* SPDX-License-Identifier: MIT */
/* What /proc says of a process, as a text for people. */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include <stdbool.h>
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

/*
 * The effective user of the process @pid, also where it has made itself undumpable: of its files in
 * /proc, root's then, its own directory alone stays its. False: it is gone.
 */
bool process_user(pid_t pid, uid_t *ret_uid);

/* The process that has the thread @tid; 0: it is gone. */
pid_t process_of_thread(pid_t tid);

/*
 * The number, here, of the thread that is @number to the process @pid itself, which may have a pid
 * namespace of its own. 0: it has no such thread. @looks: how many threads may be looked at, and
 * after the call, how many still; where it gets to 0, the thread is not known.
 */
pid_t process_find_thread(pid_t pid, int64_t number, unsigned *looks);

/*
 * Whether @number is, to the process @peer and here, a process of the user @uid. One with a pid
 * namespace of its own has other numbers, so nothing is @peer's then.
 */
bool process_is_users(pid_t peer, int64_t number, uid_t uid);

/* When a thread of the process began, in ticks since the host did. False: there is none. */
bool process_thread_start(pid_t pid, pid_t tid, uint64_t *ret_ticks);

/* When the process began, in ns since the host did, as process_identify() takes it; 0: there is none. */
uint64_t process_start_ns(pid_t pid);

#endif
