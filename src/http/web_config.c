/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http/web_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "http/headers.h"

/* The name of a file, and what names it; NULL: it is not named. */
struct named {
    const char *name;
    const yaml_node_t *node;
};

struct reader {
    yaml_document_t document;
    const char *path; /* NULL: there are no files */
    struct named certificate, key;
    struct web_config *config;
    struct error_text *error;
};

/* ---- files ---------------------------------------------------------------------------------- */

/* With a NUL behind it. */
static int read_bytes(const char *path, char **ret_text, size_t *ret_len)
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
        return err;
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return 0;
}

static int refuse_file(const char *before, const char *path, int err, struct error_text *error)
{
    if (err == -EFBIG)
        return error_set(error, err, "%s%s can't be read: it has more than %d bytes", before, path,
                         WEB_CONFIG_BYTES_MAX);
    return error_set(error, err, "%s%s can't be read: %s", before, path, strerror(-err));
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
        return refuse(reader, node, "%s must have lines of the form 'key: value'", what);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top && !err; pair++) {
        struct member member = {.key = yaml_document_get_node(&reader->document, pair->key),
                                .value = yaml_document_get_node(&reader->document, pair->value)};

        member.name = text_of(member.key);
        if (!member.name)
            err = refuse(reader, member.key, "a key in %s must be a word", what);
        else if (stands_before(reader, node, pair, member.name))
            err = refuse(reader, member.key, "'%s' is given twice in %s: once is right",
                         member.name, what);
        else
            err = take(reader, &member);
    }
    return err;
}

static int refuse_key(const struct reader *reader, const struct member *member, const char *what,
                      const char *known)
{
    return refuse(reader, member->key, "'%s' is not known in %s, which has %s and no other keys",
                  member->name, what, known);
}

/* ---- TLS ------------------------------------------------------------------------------------ */

#define TLS         "tls_server_config"

#define CERTIFICATE "cert_file"
#define KEY         "key_file"

static int take_tls(struct reader *reader, const struct member *member)
{
    bool is_certificate = !strcmp(member->name, CERTIFICATE);
    const char *name = text_of(member->value);

    if (!is_certificate && strcmp(member->name, KEY))
        return refuse_key(reader, member, TLS, CERTIFICATE ", " KEY);
    if (!name || !*name)
        return refuse(reader, member->key, "'%s' in " TLS " must be the name of a file",
                      member->name);
    *(is_certificate ? &reader->certificate : &reader->key) = (struct named){name, member->key};
    return 0;
}

/* Beside the configuration, unless its path is a whole one. */
static char *path_of(const struct reader *reader, const char *name)
{
    const char *slash = strrchr(reader->path, '/');
    int of_directory = slash && name[0] != '/' ? (int)(slash + 1 - reader->path) : 0;
    char *path;

    return asprintf(&path, "%.*s%s", of_directory, reader->path, name) < 0 ? NULL : path;
}

static int read_named(const struct reader *reader, const struct named *named, const char *key,
                      char **ret_text)
{
    char before[ERROR_TEXT_MAX / 2];
    char *path;
    size_t len;
    int err;

    if (!reader->path) {
        *ret_text = strdup(named->name);
        return *ret_text ? 0 : -ENOMEM;
    }
    path = path_of(reader, named->name);
    if (!path)
        return -ENOMEM;
    snprintf(before, sizeof(before), "%s:%zu: '%s': ", reader->path,
             named->node->start_mark.line + 1, key);
    err = read_bytes(path, ret_text, &len);
    if (err)
        refuse_file(before, path, err, reader->error);
    free(path);
    return err;
}

static int take_all_tls(struct reader *reader, const struct member *member)
{
    int err = take_each(reader, member->value, TLS, take_tls);

    if (err)
        return err;
    if (!reader->certificate.name || !reader->key.name)
        return refuse(reader, member->key, "'" TLS "' lacks %s: it needs both files",
                      reader->certificate.name ? KEY
                      : reader->key.name       ? CERTIFICATE
                                               : CERTIFICATE " and " KEY);
    err = read_named(reader, &reader->certificate, CERTIFICATE, &reader->config->certificate);
    return err ? err : read_named(reader, &reader->key, KEY, &reader->config->key);
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

    if (!*member->name || strchr(member->name, ':') || strlen(member->name) > HTTP_LOGIN_MAX)
        return refuse(reader, member->key,
                      "'%s' can't log in: a name in " USERS " has 1 to %d bytes and no ':'",
                      member->name, HTTP_LOGIN_MAX);
    if (!hash || !is_bcrypt(hash, &cost))
        return refuse(reader, member->key,
                      "'%s' needs a password as bcrypt has it, such as 'htpasswd -nB' prints",
                      member->name);
    if (cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX)
        return refuse(reader, member->key, "'%s' has a bcrypt of cost %d: from %d to %d are taken",
                      member->name, cost, BCRYPT_COST_MIN, BCRYPT_COST_MAX);
    if (reader->config->n_users == WEB_CONFIG_USERS_MAX)
        return refuse(reader, member->key, "'%s' is one too many: " USERS " has %d users at most",
                      member->name, WEB_CONFIG_USERS_MAX);
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

/* Prometheus lets everybody in where there are no users. Whoever wrote the key wants a login. */
static int take_all_users(struct reader *reader, const struct member *member)
{
    int err = take_each(reader, member->value, USERS, take_user);

    if (err || reader->config->n_users)
        return err;
    return refuse(reader, member->key,
                  "'" USERS "' has no users: name one, as in 'alice: $2y$10$...', or, to have no "
                  "login, leave the key out");
}

/* ---- the whole ------------------------------------------------------------------------------ */

#define WHOLE "a web configuration"

static int take_section(struct reader *reader, const struct member *member)
{
    if (!strcmp(member->name, TLS))
        return take_all_tls(reader, member);
    if (!strcmp(member->name, USERS))
        return take_all_users(reader, member);
    return refuse_key(reader, member, WHOLE, TLS ", " USERS);
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
        err = take_each(reader, root, WHOLE, take_section);
    yaml_document_delete(&reader->document);
    return err;
}

/* What stands behind it would not be looked at. */
static int check_end(struct reader *reader, yaml_parser_t *parser)
{
    const yaml_node_t *more;
    int err = 0;

    if (!yaml_parser_load(parser, &reader->document))
        return parser->error == YAML_MEMORY_ERROR ? -ENOMEM : refuse_yaml(reader, parser);
    more = yaml_document_get_root_node(&reader->document);
    if (more)
        err = refuse(reader, more, WHOLE " ends before '---'");
    yaml_document_delete(&reader->document);
    return err;
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
    int err = read_bytes(path, &text, &len);

    if (err)
        return refuse_file("", path, err, error);
    err = web_config_parse(path, text, len, ret_config, error);
    free(text);
    if (err || ret_config->certificate || ret_config->n_users)
        return err;
    return error_set(error, -EINVAL,
                     "%s protects nothing: it needs " TLS ", " USERS " or both, or is not to be "
                     "named",
                     path);
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
