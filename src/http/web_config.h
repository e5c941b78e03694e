/* SPDX-License-Identifier: MIT */
/*
 * Prometheus's web configuration file, as far as it is about who may read:
 *
 *      tls_server_config:
 *        cert_file: server.crt
 *        key_file: server.key
 *      basic_auth_users:
 *        prometheus: $2y$10$...
 *
 * What is not known here is refused: it would be a protection that is not there. So is a configuration
 * that protects nothing, by which Prometheus lets everybody in.
 */
#ifndef HTTP_WEB_CONFIG_H
#define HTTP_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
    WEB_CONFIG_BYTES_MAX = 64 * 1024, /* of the file, and of a certificate or key */
    WEB_CONFIG_USERS_MAX = 64,
    BCRYPT_COST_MIN = 4,
    BCRYPT_COST_MAX = 15, /* takes a second or two: each login would */
};

struct web_user {
    char *name, *hash;
};

struct web_config {
    char *certificate, *key; /* PEM; NULL: no TLS */
    struct web_user *users;
    size_t n_users; /* 0: no login */
};

/*
 * Reads it and the files that it names. -errno; the text has the file, the line, the key, and what would
 * be right.
 */
int web_config_read(const char *path, struct web_config *ret_config, struct error_text *error);

/* The same of a text. Files that it names are not read if @path is NULL: their names are kept. */
int web_config_parse(const char *path, const char *text, size_t len, struct web_config *ret_config,
                     struct error_text *error);
void web_config_free(struct web_config *config);

#endif
