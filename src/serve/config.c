/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "serve/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args/suggestion.h"
#include "base/count.h"

#define DROP_INS "conf.d"
#define SUFFIX   ".conf"

struct reader {
    struct serve_config *config;
    struct error_text *error;
    unsigned line;
};

/* ---- values --------------------------------------------------------------------------------- */

static bool read_flag(const char *text, bool *ret_flag)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcasecmp(text, words[i]) != 0)
            continue;
        *ret_flag = i % 2;
        return true;
    }
    return false;
}

static bool read_count(const char *text, unsigned long *ret_count)
{
    char *end;

    errno = 0;
    *ret_count = strtoul(text, &end, 10);
    return isdigit((unsigned char)text[0]) && !*end && !errno && *ret_count >= 1 &&
           *ret_count < ULONG_MAX;
}

/* What would be right; NULL: it is. */
static const char *expected(const struct cli_option *option, const char *value)
{
    unsigned long count;
    bool flag;

    if (option->kind == CLI_FLAG)
        return read_flag(value, &flag) ? NULL : "yes or no";
    if (option->kind == CLI_COUNT)
        return read_count(value, &count) ? NULL : "a number from 1 on";
    if (option->kind == CLI_TEXTS) /* without a value: forget those before */
        return NULL;
    return *value ? NULL : option->argument;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int fail(const struct reader *reader, int err, const char *key, const char *text)
{
    const struct serve_config *config = reader->config;
    const char *file = config->files[config->n_files - 1];

    if (key)
        return error_set(reader->error, err, "%s:%u: '%s' %s", file, reader->line, key, text);
    return error_set(reader->error, err, "%s:%u: %s", file, reader->line, text);
}

static const struct cli_option *find_key(const char *key)
{
    for (const struct cli_option *option = serve_option_table; option->name; option++)
        if (serve_option_is_key(option) && !strcmp(option->name, key))
            return option;
    return NULL;
}

/* With the name that may have been meant, or else with all. */
static int refuse_key(const struct reader *reader, const char *key)
{
    struct suggestion suggestion = {.meant = key};
    char text[ERROR_TEXT_MAX] = "is no key; there are:";
    size_t len = strlen(text);

    for (const struct cli_option *option = serve_option_table; option->name; option++) {
        if (!serve_option_is_key(option))
            continue;
        if (strlen(key) <= CLI_WORD_MAX)
            suggestion_consider(&suggestion, option->name);
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", option->name);
    }
    if (suggestion.name)
        snprintf(text, sizeof(text), "is no key; did you mean '%s'?", suggestion.name);
    return fail(reader, -EINVAL, key, text);
}

static const struct serve_setting *find_in_file(const struct serve_config *config,
                                                const struct cli_option *option)
{
    for (size_t i = config->n; i > 0; i--) {
        const struct serve_setting *setting = &config->settings[i - 1];

        if (setting->option == option && setting->file == config->n_files - 1)
            return setting;
    }
    return NULL;
}

static int check_setting(const struct reader *reader, const struct cli_option *option,
                         const char *value)
{
    const struct serve_setting *other =
        option->kind == CLI_TEXTS ? NULL : find_in_file(reader->config, option);
    const char *wanted = expected(option, value);
    char text[ERROR_TEXT_MAX];

    if (wanted)
        snprintf(text, sizeof(text), "expects %s, and not '%s'", wanted, value);
    else if (other)
        snprintf(text, sizeof(text), "is in line %u already", other->line);
    return wanted || other ? fail(reader, -EINVAL, option->name, text) : 0;
}

static int add_setting(const struct reader *reader, const struct cli_option *option,
                       const char *value)
{
    struct serve_config *config = reader->config;
    struct serve_setting *settings =
        reallocarray(config->settings, config->n + 1, sizeof(*settings));
    char *copy = strdup(value);

    if (settings)
        config->settings = settings;
    if (!settings || !copy) {
        free(copy);
        return fail(reader, -ENOMEM, NULL, "out of memory");
    }
    settings[config->n++] = (struct serve_setting){
        .option = option, .value = copy, .file = config->n_files - 1, .line = reader->line};
    return 0;
}

/* Without the white space around it. */
static char *strip(char *text)
{
    size_t len;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static int read_line(const struct reader *reader, char *line)
{
    char *key = strip(line), *value = strchr(key, '=');
    const struct cli_option *option;
    int err;

    if (!*key || *key == '#' || *key == ';')
        return 0;
    if (!value)
        return fail(reader, -EINVAL, key, "is no line of the form KEY = VALUE");
    *value = '\0';
    key = strip(key);
    value = strip(value + 1);
    option = find_key(key);
    if (!option)
        return refuse_key(reader, key);
    err = check_setting(reader, option, value);
    return err ? err : add_setting(reader, option, value);
}

static int read_lines(struct reader *reader, char *text)
{
    int err = 0;

    while (text && !err) {
        reader->line++;
        err = read_line(reader, strsep(&text, "\n"));
    }
    return err;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* With a NUL behind it; a file that could be waited for is none. */
static int load(const char *path, char text[SERVE_CONFIG_BYTES_MAX + 2])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = 1;
    size_t len = 0;
    struct stat st;
    int err = fd < 0 || fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;

    while (!err && n > 0 && len <= SERVE_CONFIG_BYTES_MAX) {
        n = read(fd, text + len, SERVE_CONFIG_BYTES_MAX + 1 - len);
        if (n < 0)
            err = -errno;
        len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    text[len] = '\0';
    return err ? err : len > SERVE_CONFIG_BYTES_MAX ? -EFBIG : strlen(text) < len ? -EILSEQ : 0;
}

static int fail_file(const char *path, int err, struct error_text *error)
{
    const char *why = err == -EFBIG    ? "more than 65536 bytes"
                      : err == -EILSEQ ? "it has a NUL"
                      : err == -EINVAL ? "it is no regular file"
                                       : strerror(-err);

    return error_set(error, err, "%s can't be read: %s", path, why);
}

static int add_file(struct serve_config *config, const char *path)
{
    char **files = reallocarray(config->files, config->n_files + 1, sizeof(*files));

    if (!files)
        return -ENOMEM;
    config->files = files;
    files[config->n_files] = strdup(path);
    return files[config->n_files] ? (int)++config->n_files : -ENOMEM;
}

static int read_file(struct serve_config *config, const char *path, bool is_optional,
                     struct error_text *error)
{
    struct reader reader = {.config = config, .error = error};
    char *text = malloc(SERVE_CONFIG_BYTES_MAX + 2);
    int err = text ? load(path, text) : -ENOMEM;

    if (err == -ENOENT && is_optional) {
        free(text);
        return 0;
    }
    if (!err && add_file(config, path) < 0)
        err = -ENOMEM;
    if (err)
        fail_file(path, err, error);
    else
        err = read_lines(&reader, text);
    free(text);
    return err;
}

static int is_drop_in(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > strlen(SUFFIX) &&
           !strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX);
}

/* In the order of bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct serve_config *config, const char *directory,
                         struct error_text *error)
{
    struct dirent **entries;
    char path[PATH_MAX];
    int n = scandir(directory, &entries, is_drop_in, by_name), err = 0;

    if (n < 0)
        return errno == ENOENT ? 0 : fail_file(directory, -errno, error);
    for (int i = 0; i < n; i++) {
        if (!err && snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name) >=
                        (int)sizeof(path))
            err = fail_file(directory, -ENAMETOOLONG, error);
        if (!err)
            err = read_file(config, path, false, error);
        free(entries[i]);
    }
    free(entries);
    return err;
}

int serve_config_read(const char *path, struct serve_config *ret_config, struct error_text *error)
{
    struct serve_config config = {0};
    const char *file = path ? path : SERVE_CONFIG_FILE, *slash = strrchr(file, '/');
    char *directory;
    int err;

    if (asprintf(&directory, "%.*s" DROP_INS, slash ? (int)(slash + 1 - file) : 0, file) < 0)
        return error_set(error, -ENOMEM, "out of memory");
    err = read_file(&config, file, !path, error);
    if (!err)
        err = read_drop_ins(&config, directory, error);
    free(directory);
    if (err)
        serve_config_free(&config);
    else
        *ret_config = config;
    return err;
}

void serve_config_free(struct serve_config *config)
{
    for (size_t i = 0; i < config->n; i++)
        free(config->settings[i].value);
    for (size_t i = 0; i < config->n_files; i++)
        free(config->files[i]);
    free(config->settings);
    free(config->files);
    *config = (struct serve_config){0};
}

/* ---- beside the command line ---------------------------------------------------------------- */

static bool is_given(const struct cli_option *option, const struct serve_options *given)
{
    const void *value = (const char *)given + option->at;

    switch (option->kind) {
    case CLI_FLAG:
        return *(const bool *)value;
    case CLI_TEXT:
        return *(const char *const *)value;
    case CLI_TEXTS:
        return ((const struct cli_texts *)value)->n;
    case CLI_COUNT:
        return *(const unsigned long *)value;
    default:
        return false;
    }
}

static int add_text(struct cli_texts *texts, const char *text)
{
    if (*text)
        return cli_add_text("vitals serve", texts, text) ? -ENOMEM : 0;
    texts->n = 0;
    return 0;
}

static int apply(const struct serve_setting *setting, struct serve_options *options)
{
    void *value = (char *)options + setting->option->at;

    switch (setting->option->kind) {
    case CLI_FLAG:
        read_flag(setting->value, value);
        return 0;
    case CLI_TEXT:
        *(const char **)value = setting->value;
        return 0;
    case CLI_TEXTS:
        return add_text(value, setting->value);
    case CLI_COUNT:
        read_count(setting->value, value);
        return 0;
    default:
        return 0;
    }
}

int serve_config_merge(const struct serve_config *config, const struct serve_options *given,
                       struct serve_options *ret_options)
{
    struct serve_options options = *given;
    int err = 0;

    options.metrics = (struct cli_texts){0};
    for (size_t i = 0; i < given->metrics.n && !err; i++)
        err = add_text(&options.metrics, given->metrics.all[i]);
    for (size_t i = 0; i < config->n && !err; i++)
        if (!is_given(config->settings[i].option, given))
            err = apply(&config->settings[i], &options);
    if (err)
        serve_options_free(&options);
    else
        *ret_options = options;
    return err;
}

void serve_setting_where(const struct serve_config *config, const struct serve_setting *setting,
                         char ret_text[SERVE_CONFIG_WHERE_MAX])
{
    snprintf(ret_text, SERVE_CONFIG_WHERE_MAX, "%s:%u: %s", config->files[setting->file],
             setting->line, setting->option->name);
}

void serve_config_where(const struct serve_config *config, const struct serve_options *given,
                        const char *key, char ret_text[SERVE_CONFIG_WHERE_MAX])
{
    const struct cli_option *option = find_key(key);

    snprintf(ret_text, SERVE_CONFIG_WHERE_MAX, "--%s", key);
    for (size_t i = 0; i < config->n; i++)
        if (config->settings[i].option == option && !is_given(option, given))
            serve_setting_where(config, &config->settings[i], ret_text);
}
