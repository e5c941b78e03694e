/* SPDX-License-Identifier: MIT */
/* Says what takes long, to a person: a line on stderr if that is a terminal, until it is over. */
#ifndef LOOK_PROGRESS_H
#define LOOK_PROGRESS_H

#include <stddef.h>

/* From when on, in seconds. */
enum { PROGRESS_FROM = 2 };

struct progress;

/*
 * "@command: text, 3 s" from PROGRESS_FROM on, while the caller goes on. NULL: nothing will be said,
 * because nobody would see it, or for lack of memory.
 */
__attribute__((format(printf, 2, 3))) struct progress *progress_begin(const char *command,
                                                                      const char *format, ...);

/* "@command: waiting for 3 VMs, 3 s" */
struct progress *progress_begin_vms(const char *command, size_t n);

/* Takes the line away. NULL does nothing. */
void progress_end(struct progress *progress);

#endif
