/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http/web_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_document_t document;
    const char *path;              /* NULL: there are no files */
    const char *certificate, *key; /* names of files */
    struct web_config *config;
    struct error_text *error;
};

/* ---- files ---------------------------------------------------------------------------------- */

/* With a NUL behind it. */
static int read_file(const char *path, char **ret_text, size_t *ret_len, struct error_text *error)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(WEB_CONFIG_BYTES_MAX + 1) : NULL;
    size_t len = text ? fread(text, 1, WEB_CONFIG_BYTES_MAX + 1, file) : 0;
    int err = !file || (text && ferror(file)) ? -errno : text ? 0 : -ENOMEM;

    if (file)
        fclose(file);
    if (!err && len > WEB_CONFIG_BYTES_MAX)
        err = -EFBIG;
    if (err) {
        free(text);
        return error_set(error, err, "%s can't be read: %s", path, strerror(-err));
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return 0;
}

/* Beside the configuration, unless its path is a whole one. */
static int read_named(const struct reader *reader, const char *name, char **ret_text)
{
    const char *slash = reader->path ? strrchr(reader->path, '/') : NULL;
    int of_directory = slash && name[0] != '/' ? (int)(slash + 1 - reader->path) : 0;
    char *path;
    size_t len;
    int err;

    if (!reader->path) {
        *ret_text = strdup(name);
        return *ret_text ? 0 : -ENOMEM;
    }
    if (asprintf(&path, "%.*s%s", of_directory, reader->path, name) < 0)
        return -ENOMEM;
    err = read_file(path, ret_text, &len, reader->error);
    free(path);
    return err;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
refuse(const struct reader *reader, const yaml_node_t *node, const char *format, ...)
{
    char text[ERROR_TEXT_MAX / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(reader->error, -EINVAL, "%s:%zu: %s", reader->path ? reader->path : "-",
                     node->start_mark.line + 1, text);
}

/* NULL: it is no scalar, or has a NUL in it. */
static const char *text_of(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    return strlen((const char *)node->data.scalar.value) == node->data.scalar.length
               ? (const char *)node->data.scalar.value
               : NULL;
}

static bool is_empty(const yaml_node_t *node)
{
    const char *text = text_of(node);

    return text && (!*text || !strcmp(text, "~") || !strcmp(text, "null")) &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

struct member {
    const char *name;
    const yaml_node_t *key, *value;
};

/* What takes a member of a mapping. */
typedef int member_taker(struct reader *reader, const struct member *member);

static bool stands_before(struct reader *reader, const yaml_node_t *mapping,
                          const yaml_node_pair_t *pair, const char *name)
{
    for (const yaml_node_pair_t *each = mapping->data.mapping.pairs.start; each < pair; each++) {
        const char *text = text_of(yaml_document_get_node(&reader->document, each->key));

        if (text && !strcmp(text, name))
            return true;
    }
    return false;
}

static int take_each(struct reader *reader, const yaml_node_t *node, const char *what,
                     member_taker *take)
{
    int err = 0;

    if (is_empty(node))
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return refuse(reader, node, "%s must be a list of keys with values", what);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top && !err; pair++) {
        struct member member = {.key = yaml_document_get_node(&reader->document, pair->key),
                                .value = yaml_document_get_node(&reader->document, pair->value)};

        member.name = text_of(member.key);
        if (!member.name)
            err = refuse(reader, member.key, "a key of %s is no text", what);
        else if (stands_before(reader, node, pair, member.name))
            err = refuse(reader, member.key, "'%s' is given twice", member.name);
        else
            err = take(reader, &member);
    }
    return err;
}

static int refuse_key(const struct reader *reader, const struct member *member, const char *what)
{
    return refuse(reader, member->key, "'%s' is not known in %s", member->name, what);
}

/* ---- TLS ------------------------------------------------------------------------------------ */

#define TLS "tls_server_config"

static int take_tls(struct reader *reader, const struct member *member)
{
    bool is_certificate = !strcmp(member->name, "cert_file");
    const char *name = text_of(member->value);

    if (!is_certificate && strcmp(member->name, "key_file"))
        return refuse_key(reader, member, TLS);
    if (!name || !*name)
        return refuse(reader, member->value, "'%s' must be the name of a file", member->name);
    if (is_certificate)
        reader->certificate = name;
    else
        reader->key = name;
    return 0;
}

static int take_all_tls(struct reader *reader, const struct member *member)
{
    int err = take_each(reader, member->value, TLS, take_tls);

    if (err)
        return err;
    if (!reader->certificate || !reader->key)
        return refuse(reader, member->key, TLS " needs cert_file and key_file");
    err = read_named(reader, reader->certificate, &reader->config->certificate);
    return err ? err : read_named(reader, reader->key, &reader->config->key);
}

/* ---- users ---------------------------------------------------------------------------------- */

#define USERS "basic_auth_users"

/* $2y$10$ and 53 characters. */
static bool is_bcrypt(const char *hash, int *ret_cost)
{
    static const char characters[] =
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { HEAD = 7, REST = 53 };

    if (strlen(hash) != HEAD + REST || strncmp(hash, "$2", 2) || !strchr("aby", hash[2]) ||
        hash[3] != '$' || strspn(hash + 4, "0123456789") != 2 || hash[6] != '$')
        return false;
    *ret_cost = (hash[4] - '0') * 10 + hash[5] - '0';
    return strspn(hash + HEAD, characters) == REST;
}

static int check_user(const struct reader *reader, const struct member *member)
{
    const char *hash = text_of(member->value);
    int cost = 0;

    if (!*member->name || strchr(member->name, ':'))
        return refuse(reader, member->key, "a name in " USERS " is empty, or has a ':'");
    if (!hash || !is_bcrypt(hash, &cost))
        return refuse(reader, member->value,
                      "'%s' needs a password as bcrypt has it, such as 'htpasswd -nB' prints",
                      member->name);
    if (cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX)
        return refuse(reader, member->value,
                      "'%s' has a bcrypt of cost %d: from %d to %d are taken", member->name, cost,
                      BCRYPT_COST_MIN, BCRYPT_COST_MAX);
    if (reader->config->n_users == WEB_CONFIG_USERS_MAX)
        return refuse(reader, member->key, "more than %d users", WEB_CONFIG_USERS_MAX);
    return 0;
}

static int take_user(struct reader *reader, const struct member *member)
{
    struct web_config *config = reader->config;
    int err = check_user(reader, member);
    struct web_user *users;

    if (err)
        return err;
    users = reallocarray(config->users, config->n_users + 1, sizeof(*users));
    if (!users)
        return -ENOMEM;
    config->users = users;
    users[config->n_users++] =
        (struct web_user){strdup(member->name), strdup(text_of(member->value))};
    return users[config->n_users - 1].name && users[config->n_users - 1].hash ? 0 : -ENOMEM;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int take_section(struct reader *reader, const struct member *member)
{
    if (!strcmp(member->name, TLS))
        return take_all_tls(reader, member);
    if (!strcmp(member->name, USERS))
        return take_each(reader, member->value, USERS, take_user);
    return refuse_key(reader, member, "a web configuration");
}

static int refuse_yaml(const struct reader *reader, const yaml_parser_t *parser)
{
    return error_set(reader->error, -EINVAL, "%s:%zu: this is no YAML: %s",
                     reader->path ? reader->path : "-", parser->problem_mark.line + 1,
                     parser->problem ? parser->problem : "it can't be read");
}

static int read_document(struct reader *reader, yaml_parser_t *parser)
{
    yaml_node_t *root;
    int err = 0;

    if (!yaml_parser_load(parser, &reader->document))
        return parser->error == YAML_MEMORY_ERROR ? -ENOMEM : refuse_yaml(reader, parser);
    root = yaml_document_get_root_node(&reader->document);
    if (root)
        err = take_each(reader, root, "a web configuration", take_section);
    yaml_document_delete(&reader->document);
    return err;
}

/* What stands behind it would not be looked at. */
static int check_end(struct reader *reader, yaml_parser_t *parser)
{
    bool has_more;

    if (!yaml_parser_load(parser, &reader->document))
        return parser->error == YAML_MEMORY_ERROR ? -ENOMEM : refuse_yaml(reader, parser);
    has_more = yaml_document_get_root_node(&reader->document);
    yaml_document_delete(&reader->document);
    if (has_more)
        return error_set(reader->error, -EINVAL, "%s: more than one document",
                         reader->path ? reader->path : "-");
    return 0;
}

int web_config_parse(const char *path, const char *text, size_t len, struct web_config *ret_config,
                     struct error_text *error)
{
    struct web_config config = {0};
    struct reader reader = {.path = path, .config = &config, .error = error};
    yaml_parser_t parser;
    int err;

    error_set(error, 0, "out of memory");
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    err = read_document(&reader, &parser);
    if (!err)
        err = check_end(&reader, &parser);
    yaml_parser_delete(&parser);
    if (err)
        web_config_free(&config);
    else
        *ret_config = config;
    return err;
}

int web_config_read(const char *path, struct web_config *ret_config, struct error_text *error)
{
    char *text;
    size_t len;
    int err = read_file(path, &text, &len, error);

    if (err)
        return err;
    err = web_config_parse(path, text, len, ret_config, error);
    free(text);
    return err;
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void web_config_free(struct web_config *config)
{
    for (size_t i = 0; i < config->n_users; i++) {
        free(config->users[i].name);
        free_secret(config->users[i].hash);
    }
    free(config->users);
    free(config->certificate);
    free_secret(config->key);
    *config = (struct web_config){0};
}
