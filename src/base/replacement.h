/* SPDX-License-Identifier: MIT */
/* Standard output to a path: a file is replaced as a whole, anything else is written into. */
#ifndef BASE_REPLACEMENT_H
#define BASE_REPLACEMENT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct replacement {
    int directory;   /* of the file behind all links; what is done there is done to names in it */
    char *target;    /* its name; NULL: what is there is no regular file */
    char *temporary; /* beside it, with another name */
    mode_t mode;
    bool holds_signals;
    sigset_t mask; /* as it was before */
};

/*
 * Standard output goes there from now on. 0 or -errno. A signal that ends the program waits until
 * replacement_end() where there is a temporary file, so that none is left behind.
 */
int replacement_begin(struct replacement *ret_replacement, const char *path);

/* The same, always to a new file that takes the place of whatever has this path: no link is followed. */
int replacement_begin_here(struct replacement *ret_replacement, const char *path);

/*
 * All is written. It has the file's name now, in the directory that was there at the begin, or the old
 * file is as it was. 0 or -errno; -ESTALE: somebody has put another file in the place of this one.
 */
int replacement_end(struct replacement *replacement);

/* Not all could be written: what there was is as it was. */
void replacement_abandon(struct replacement *replacement);

#endif
