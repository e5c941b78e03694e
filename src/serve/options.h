/* SPDX-License-Identifier: MIT */
/* The options of `vitals serve`: the command line explains them, and the daemon does what they say. */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include "args/cli.h"

struct serve_options {
    const char *run_directory; /* NULL: host_run_directory() */
    const char *user, *group;  /* NULL: "vitals", where there is such a one */
};

extern const struct cli_option serve_option_table[];

#endif
