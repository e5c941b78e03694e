/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "base/count.h"
#include "qmp/dialect.h"
#include "stats/providers.h"

#define MODE_MAX 0777

static const struct {
    const char *name;
    enum vitals_dialect dialect;
} dialects[] = {
    {"grouped", VITALS_DIALECT_GROUPED},
    {"flat", VITALS_DIALECT_FLAT},
};
ASSERT_COUNT(dialects, QMP_DIALECTS);

static int parse_dialect(char *value, struct vitals_listen_options *options,
                         char error[CLI_ERROR_MAX])
{
    size_t len;

    for (size_t i = 0; i < COUNT(dialects); i++) {
        if (strcmp(value, dialects[i].name) == 0) {
            options->dialect = dialects[i].dialect;
            return 0;
        }
    }
    len = (size_t)snprintf(error, CLI_ERROR_MAX, "unknown dialect '%.40s'; there is:", value);
    for (size_t i = 0; i < COUNT(dialects); i++)
        len += (size_t)snprintf(error + len, CLI_ERROR_MAX - len, " %s", dialects[i].name);
    return -EINVAL;
}

static int parse_mode(char *value, struct vitals_listen_options *options, char error[CLI_ERROR_MAX])
{
    char *end;
    unsigned long mode = strtoul(value, &end, 8);

    if (!mode || value[0] < '0' || value[0] > '7' || *end != '\0' || mode > MODE_MAX) {
        snprintf(error, CLI_ERROR_MAX, "mode '%.40s' is no octal number from 1 to 0777", value);
        return -EINVAL;
    }
    options->mode = (mode_t)mode;
    return 0;
}

/* A comma ends the pair, so that colons join the names. */
static int parse_providers(char *value, struct vitals_listen_options *options,
                           char error[CLI_ERROR_MAX])
{
    struct providers *providers;
    struct error_text text;
    int err;

    for (char *colon = value; (colon = strchr(colon, ':'));)
        *colon = ',';
    err = providers_parse(value, &text, &providers);
    if (err) {
        snprintf(error, CLI_ERROR_MAX, "%.*s", CLI_ERROR_MAX - 1, text.text);
        return err;
    }
    providers_unref(providers);
    options->providers = value;
    return 0;
}

static const struct {
    const char *key;
    int (*parse)(char *value, struct vitals_listen_options *options, char error[CLI_ERROR_MAX]);
} keys[] = {
    {"dialect", parse_dialect},
    {"mode", parse_mode},
    {"providers", parse_providers},
};

static int parse_pair(char *pair, struct vitals_listen_options *options, char error[CLI_ERROR_MAX])
{
    char *value = strchr(pair, '=');

    for (size_t i = 0; value && i < COUNT(keys); i++) {
        size_t key_len = (size_t)(value - pair);
        if (strlen(keys[i].key) == key_len && strncmp(pair, keys[i].key, key_len) == 0)
            return keys[i].parse(value + 1, options, error);
    }
    snprintf(error, CLI_ERROR_MAX,
             "'%.40s' is not understood; behind the path there can be dialect=NAME, mode=OCTAL and "
             "providers=NAME:NAME",
             pair);
    return -EINVAL;
}

int cli_parse_qmp(char *text, struct vitals_listen_options *ret_options, char error[CLI_ERROR_MAX])
{
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT};
    int err;

    options.path = strsep(&text, ",");
    if (options.path[0] == '\0') {
        snprintf(error, CLI_ERROR_MAX, "the path is missing");
        return -EINVAL;
    }
    while (text) {
        if ((err = parse_pair(strsep(&text, ","), &options, error)) < 0)
            return err;
    }
    *ret_options = options;
    return 0;
}
