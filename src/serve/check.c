/* SPDX-License-Identifier: MIT */
#include "serve/check.h"

#include <errno.h>
#include <string.h>

#include "base/count.h"
#include "host/run_path.h"
#include "http/address.h"
#include "http/http.h"
#include "http/web_config.h"
#include "serve/run_directory.h"

/* ---- the values of keys --------------------------------------------------------------------- */

static int check_user(const char *value, struct error_text *error)
{
    const struct passwd *user;

    return account_look_up_user(value, &user, error);
}

static int check_group(const char *value, struct error_text *error)
{
    const struct group *group;

    return account_look_up_group(value, &group, error);
}

static int check_owners(const char *value, struct error_text *error)
{
    struct person_range people;

    if (account_read_people(value, "", &people))
        return 0;
    return error_set(error, -EINVAL, "'%s' is neither people nor none, nor uids such as 1000-60000",
                     value);
}

static int check_address(const char *value, struct error_text *error)
{
    struct http_address address;

    return *value ? http_address_parse(value, &address, error) : 0;
}

static int check_web_config(const char *value, struct error_text *error)
{
    struct web_config config = {0};
    int err = web_config_read(value, &config, error);

    if (!err)
        web_config_free(&config);
    return err;
}

/* What privileges were needed for may be out of reach by the time of a change. */
static const struct check {
    const char *key;
    int (*check)(const char *value, struct error_text *error);
    enum serve_moment until;
} checks[] = {
    {"user", check_user, SERVE_START},
    {"group", check_group, SERVE_CHANGE},
    {"owners", check_owners, SERVE_CHANGE},
    {"metrics", check_address, SERVE_START},
    {"web-config", check_web_config, SERVE_START},
};

static int check_setting(const struct serve_config *config, const struct serve_setting *setting,
                         enum serve_moment moment, struct error_text *error)
{
    char where[SERVE_CONFIG_WHERE_MAX];
    struct error_text why;
    int err = 0;

    for (size_t i = 0; i < COUNT(checks) && !err; i++)
        if (!strcmp(checks[i].key, setting->option->name) && moment <= checks[i].until)
            err = checks[i].check(setting->value, &why);
    serve_setting_where(config, setting, where);
    return err ? error_set(error, err, "%s: %s", where, why.text) : 0;
}

/* ---- what several say together -------------------------------------------------------------- */

static const struct serve_setting *find(const struct serve_config *config, const char *key)
{
    for (size_t i = 0; i < config->n; i++)
        if (!strcmp(config->settings[i].option->name, key))
            return &config->settings[i];
    return NULL;
}

/* Said of the command line by serve_options_check(). */
static int check_needs(const struct serve_config *config, const struct serve_options *options,
                       const char *key, struct error_text *error)
{
    const struct serve_setting *setting = find(config, key);
    char where[SERVE_CONFIG_WHERE_MAX];

    if (!setting || options->metrics.n)
        return 0;
    serve_setting_where(config, setting, where);
    return error_set(error, -EINVAL, "%s: it needs 'metrics', such as metrics = 127.0.0.1:9555",
                     where);
}

/* Addresses are looked at together with others. */
static int check_given(const struct serve_options *given, const struct serve_options *options,
                       enum serve_moment moment, struct error_text *error)
{
    const char *const values[] = {given->names.user, given->names.group, given->owners, NULL,
                                  options->metrics.n ? given->web_config : NULL};
    struct error_text why;
    int err = 0;

    ASSERT_COUNT(values, COUNT(checks));
    for (size_t i = 0; i < COUNT(checks) && !err; i++)
        if (values[i] && moment <= checks[i].until && checks[i].check(values[i], &why))
            err = error_set(error, -EINVAL, "--%s: %s", checks[i].key, why.text);
    return err;
}

/* What addresses need together, wherever they stand. */
static int check_http(const struct serve_config *config, const struct serve_options *given,
                      const struct serve_options *options, struct error_text *error)
{
    const struct http_options http = {.addresses = options->metrics.all,
                                      .n_addresses = options->metrics.n,
                                      .web_config = options->web_config,
                                      .is_public = options->metrics_are_public};
    char where[SERVE_CONFIG_WHERE_MAX];
    struct error_text why;
    int err = http.n_addresses ? http_check(&http, &why) : 0;

    if (!err)
        return 0;
    serve_config_where(config, given, "metrics", where);
    return error_set(error, err, "%s: %s", where, why.text);
}

static int check_run_directory(const struct serve_config *config, const struct serve_options *given,
                               const struct serve_options *options, struct error_text *error)
{
    const char *path = options->run_directory ? options->run_directory : host_run_directory();
    char where[SERVE_CONFIG_WHERE_MAX];

    if (run_directory_has_room(path))
        return 0;
    serve_config_where(config, given, "run-dir", where);
    return error_set(error, -ENAMETOOLONG, "%s: %s: too long for the paths of sockets", where,
                     path);
}

static int check_start(const struct serve_config *config, const struct serve_options *given,
                       const struct serve_options *options, struct error_text *error)
{
    int err = check_needs(config, options, "web-config", error);

    if (!err && options->metrics_are_public)
        err = check_needs(config, options, "metrics-public", error);
    if (!err)
        err = check_http(config, given, options, error);
    return err ? err : check_run_directory(config, given, options, error);
}

int serve_check(const struct serve_config *config, const struct serve_options *given,
                const struct serve_options *options, enum serve_moment moment,
                struct error_text *error)
{
    int err = 0;

    for (size_t i = 0; i < config->n && !err; i++)
        err = check_setting(config, &config->settings[i], moment, error);
    if (!err)
        err = check_given(given, options, moment, error);
    if (!err && moment == SERVE_START)
        err = check_start(config, given, options, error);
    return err;
}
