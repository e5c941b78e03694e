/* SPDX-License-Identifier: MIT */
/* What went wrong with one socket, for a person. */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H

struct client_error {
    char text[512]; /* one line that names the socket, fit for a terminal */
    char hint[256]; /* what to do about it, or empty */
};

/* Returns -@err. @hint may be NULL. */
__attribute__((format(printf, 4, 5))) int client_fail(struct client_error *error, int err,
                                                      const char *hint, const char *format, ...);

#endif
