/* SPDX-License-Identifier: MIT */
/* The options of `vitals serve`: the command line explains them, and the daemon does what they say. */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include "args/cli.h"
#include "serve/account.h"

struct serve_options {
    const char *config; /* NULL: SERVE_CONFIG_FILE */
    bool checks_config;
    const char *run_directory;                      /* NULL: host_run_directory() */
    struct account_names names;                     /* NULL: "vitals", where there is such a one */
    const char *owners;                             /* NULL: "people" */
    unsigned long register_clients, register_files; /* 0: the defaults */
    bool registered_only;                           /* nothing is read from the kernel */
    struct cli_texts metrics;                       /* addresses of HTTP */
    const char *web_config;                         /* a file, or NULL */
    bool metrics_are_public;
};

extern const struct cli_option serve_option_table[];

/* Whether it can stand in a file. */
bool serve_option_is_key(const struct cli_option *option);

/* The list that serve_config_merge() has made. */
void serve_options_free(struct serve_options *options);

/* What depends on several of them. 0, or the exit status once the error has been said. */
int serve_options_check(const char *command, const struct serve_options *options);

#endif
