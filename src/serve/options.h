/* SPDX-License-Identifier: MIT */
/* The options of `vitals serve`: the command line explains them, and the daemon does what they say. */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include "args/cli.h"

struct serve_options {
    const char *run_directory; /* NULL: host_run_directory() */
    const char *user, *group;  /* NULL: "vitals", where there is such a one */
    bool registered_only;      /* nothing is read from the kernel */
    struct cli_texts metrics;  /* addresses of HTTP */
    const char *web_config;    /* a file, or NULL */
    bool metrics_are_public;
};

extern const struct cli_option serve_option_table[];

/* What depends on several of them. 0, or the exit status once the error has been said. */
int serve_options_check(const char *command, const struct serve_options *options);

#endif
