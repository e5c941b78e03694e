/* SPDX-License-Identifier: MIT */
#include "serve/options.h"

#define AT(member) offsetof(struct serve_options, member)

const struct cli_option serve_option_table[] = {
    {.name = "run-dir",
     .kind = CLI_TEXT,
     .at = AT(run_directory),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "where the sockets are made (default: /run/vitals, or VITALS_RUN_DIR)"},
    {.name = "user",
     .kind = CLI_TEXT,
     .at = AT(user),
     .argument = "NAME",
     .help = "the user to become, if started by root (default: vitals, if there is one)"},
    {.name = "group",
     .kind = CLI_TEXT,
     .at = AT(group),
     .argument = "NAME",
     .help = "the group whose members may use all sockets (default: vitals, if there is one)"},
    {0},
};
