/* SPDX-License-Identifier: MIT */
/*
 * An open file that readers in several threads have together. It is closed by the last of them, or for
 * all of them by who must not wait until the others have noticed that they don't need it any more.
 */
#ifndef HOST_SHARED_FILE_H
#define HOST_SHARED_FILE_H

#include <stdbool.h>

struct shared_file;

/* Takes @fd. NULL: no memory, and it stays the caller's. */
struct shared_file *shared_file_new(int fd);
struct shared_file *
shared_file_ref(struct shared_file *file); /* NULL is allowed in all but the last two */
void shared_file_unref(struct shared_file *file);

/* By its only user, instead of the last call: the file stays open, and is the caller's again. */
void shared_file_give_back(struct shared_file *file);

/* The others can go on, but read nothing any more. */
void shared_file_close(struct shared_file *file);

/* The same, by who closes it elsewhere: its fd, or -1 if it is closed. */
int shared_file_take(struct shared_file *file);

/* Whether there is something to read; of a pidfd: the process has ended. False if it is closed. */
bool shared_file_is_ready(struct shared_file *file);

/* Nobody closes it between these: its fd, or -1 if it is closed. For what does not wait. */
int shared_file_begin(struct shared_file *file);
void shared_file_end(struct shared_file *file);

#endif
