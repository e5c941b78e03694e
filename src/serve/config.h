/* SPDX-License-Identifier: MIT */
/*
 * The files of the daemon: /etc/vitals/serve.conf, and then those of conf.d beside it whose names end in
 * ".conf", in the order of their names. Lines are
 *
 *      KEY = VALUE
 *
 * with the names of options as keys; what is behind a '#' or ';' that begins a line is not read. There is
 * nothing in it but single values and one list, for which YAML has many more ways to be misread: 'no' and
 * '0777', names that need quotes, indentation. A list is a key that is given several times.
 */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include "base/error.h"
#include "serve/options.h"

#define SERVE_CONFIG_FILE "/etc/vitals/serve.conf"

enum {
    SERVE_CONFIG_BYTES_MAX = 64 * 1024, /* of a file */
    SERVE_CONFIG_WHERE_MAX = 320,       /* of a text; a longer one is cut */
};

struct serve_setting {
    const struct cli_option *option;
    char *value;
    size_t file; /* in files */
    unsigned line;
};

struct serve_config {
    char **files; /* that were read */
    size_t n_files;
    struct serve_setting *settings; /* in their order: the last of a key counts, but for lists */
    size_t n;
};

/*
 * @path NULL: SERVE_CONFIG_FILE, which may be missing. -errno; the text has the file, the line, the key,
 * and what would be right.
 */
int serve_config_read(const char *path, struct serve_config *ret_config, struct error_text *error);
void serve_config_free(struct serve_config *config);

/*
 * @ret_options: as @given on the command line, and all else as the files have it. Its texts are those of
 * both; its list is to be freed by serve_options_free(). -ENOMEM.
 */
int serve_config_merge(const struct serve_config *config, const struct serve_options *given,
                       struct serve_options *ret_options);

/* Where a value is from, for messages: "FILE:LINE: KEY", or "--KEY" if it was @given. */
void serve_config_where(const struct serve_config *config, const struct serve_options *given,
                        const char *key, char ret_text[SERVE_CONFIG_WHERE_MAX]);

/* The same of one setting. */
void serve_setting_where(const struct serve_config *config, const struct serve_setting *setting,
                         char ret_text[SERVE_CONFIG_WHERE_MAX]);

#endif
