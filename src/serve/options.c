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
    {.name = "registered-only",
     .kind = CLI_FLAG,
     .at = AT(registered_only),
     .help = "show only VMs whose VMMs register them, which needs no privilege"},
    {.name = "metrics",
     .kind = CLI_TEXTS,
     .at = AT(metrics),
     .argument = "ADDRESS",
     .help = "serve statistics by HTTP, for Prometheus and for browsers, at 127.0.0.1:PORT or at "
             "unix:PATH; several can be given (default: nowhere)"},
    {.name = "web-config",
     .kind = CLI_TEXT,
     .at = AT(web_config),
     .argument = "FILE",
     .words = CLI_FILES,
     .help = "TLS and logins for --metrics, as Prometheus's web configuration files have them"},
    {.name = "metrics-public",
     .at = AT(metrics_are_public),
     .help = "let all who reach an address of --metrics read it, also from other hosts"},
    {0},
};

int serve_options_check(const char *command, const struct serve_options *options)
{
    if (options->metrics.n)
        return 0;
    if (options->web_config)
        return cli_usage_error(command, "--web-config needs --metrics");
    if (options->metrics_are_public)
        return cli_usage_error(command, "--metrics-public needs --metrics");
    return 0;
}
