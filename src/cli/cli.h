/* SPDX-License-Identifier: MIT */
/* What the verbs of the command line share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>

#include "vitals/qmp.h"

#define EXIT_USAGE    2 /* beside EXIT_SUCCESS and EXIT_FAILURE */
#define CLI_ERROR_MAX 200

/* Verbs. argv[0] is "vitals VERB"; the result is the exit status. */
int cmd_demo(int argc, char **argv);
int cmd_schemas(int argc, char **argv);
int cmd_stats(int argc, char **argv);

/* Says on stderr how to get help. Returns EXIT_USAGE. */
int cli_try_help(const char *command);

/* The same, after the line "@command: text". */
__attribute__((format(printf, 2, 3))) int cli_usage_error(const char *command, const char *format,
                                                          ...);

/*
 * The edit distance: letters to insert, drop or replace to get from one word to the other. Neither
 * has more than CLI_WORD_MAX bytes.
 */
#define CLI_WORD_MAX 63
size_t cli_count_typos(const char *a, const char *b);

/*
 * Parses the value of --qmp, PATH[,key=value]..., into pieces of @text, which it changes. Returns
 * 0, or -EINVAL with a text in @error.
 */
int cli_parse_qmp(char *text, struct vitals_listen_options *ret_options, char error[CLI_ERROR_MAX]);

#endif
