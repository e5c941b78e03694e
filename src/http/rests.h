/* SPDX-License-Identifier: MIT */
/*
 * What takes long in one call of a library, a bcrypt or a document that is compressed, with rests. It is not
 * enough that its thread is nice: where the scheduler has groups (units of systemd, sessions), what the
 * thread used is charged to the group, and the other threads of the process have to wait for it. After one
 * slice of 4 ms that was 16 ms, beside others who kept all CPUs busy (docs/measurements.md).
 */
#ifndef HTTP_RESTS_H
#define HTTP_RESTS_H

enum {
    RESTS_AFTER_NS = 1000000, /* that the thread had a CPU */
    RESTS_MS = 1,             /* how long each is */
};

/*
 * From here to rests_end() this thread rests now and then, whatever it calls: in a handler of SIGRTMIN, which
 * no other part of the program may use. Where the system has no timer left there are no rests.
 */
void rests_begin(void);
void rests_end(void);

#endif
