/* SPDX-License-Identifier: MIT */
#include "serve/options.h"

#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct serve_options, member)

/* Not of the files themselves. */
#define CONFIG       "config"
#define CHECK_CONFIG "check-config"

const struct cli_option serve_option_table[] = {
    {.name = CONFIG,
     .kind = CLI_TEXT,
     .at = AT(config),
     .argument = "FILE",
     .words = CLI_FILES,
     .help = "where the other options can stand as well, each as a line KEY = VALUE (default: "
             "/etc/vitals/serve.conf, if there is one); and the files of conf.d beside it"},
    {.name = CHECK_CONFIG,
     .kind = CLI_FLAG,
     .at = AT(checks_config),
     .help = "say what is wrong in these files, and end"},
    {.name = "run-dir",
     .kind = CLI_TEXT,
     .at = AT(run_directory),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "where the sockets are made (default: /run/vitals, or VITALS_RUN_DIR)"},
    {.name = "user",
     .kind = CLI_TEXT,
     .at = AT(names.user),
     .argument = "NAME",
     .help = "the user to become, if started by root (default: vitals, if there is one)"},
    {.name = "group",
     .kind = CLI_TEXT,
     .at = AT(names.group),
     .argument = "NAME",
     .help = "the group whose members may use all sockets (default: vitals, if there is one)"},
    {.name = "owners",
     .kind = CLI_TEXT,
     .at = AT(owners),
     .argument = "WHO",
     .choices = "people none",
     .is_open = true,
     .help =
         "which users may use the sockets of their own VMs: people, by /etc/login.defs; none; or "
         "the uids MIN-MAX (default: people)"},
    {.name = "register-clients",
     .kind = CLI_COUNT,
     .at = AT(register_clients),
     .argument = "N",
     .help = "connections to register.sock that a user may have (default: 1024)"},
    {.name = "register-files",
     .kind = CLI_COUNT,
     .at = AT(register_files),
     .argument = "N",
     .help = "files of registered VMs that a user may have here (default: a quarter of all)"},
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

bool serve_option_is_key(const struct cli_option *option)
{
    return strcmp(option->name, CONFIG) != 0 && strcmp(option->name, CHECK_CONFIG) != 0;
}

void serve_options_free(struct serve_options *options)
{
    free(options->metrics.all);
    options->metrics = (struct cli_texts){0};
}

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
