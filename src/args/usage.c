/* SPDX-License-Identifier: MIT */
/* What is wrong with a command line. */
#include <stdarg.h>
#include <stdio.h>

#include "args/cli.h"

int cli_try_help(const char *command)
{
    fprintf(stderr, "Try '%s --help'.\n", command);
    return EXIT_USAGE;
}

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return cli_try_help(command);
}
