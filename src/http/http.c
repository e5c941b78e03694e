/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http/http.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/library_thread.h"
#include "http/address.h"
#include "http/exchange.h"
#include "http/nice.h"
#include "http/web_config.h"

/*
 * Those that are cut off are there until their thread has seen it, which takes ten new ones at a time; of
 * those that wait for a login, until they have their answer.
 */
enum { CONNECTIONS_SPARE = 16 + LOGINS_WAITING_MAX };

struct listener {
    struct http_address address;
    char *path; /* what address.path is, if it is a unix socket */
    int fd;
    struct socket_file file;
    struct http_rules rules;
    struct MHD_Daemon *daemon;
};

struct http {
    struct listener listeners[HTTP_ADDRESSES_MAX];
    size_t n_listeners;
    struct web_config config;
    struct http_site site;
    struct http_shared shared;
    char text[PATH_MAX];
};

/* ---- preparing ------------------------------------------------------------------------------ */

static int check_public(const struct web_config *config, const struct http_options *options,
                        const char *text, const struct http_address *address,
                        struct error_text *error)
{
    bool is_kept = config->certificate && config->n_users;

    if (address->is_loopback || is_kept || options->is_public)
        return 0;
    return error_set(
        error, -EPERM,
        "%s is reached from other hosts, so it needs TLS and a login (--web-config), or "
        "--metrics-public",
        text);
}

/* The text of options may go. */
static int keep_path(struct listener *listener, struct error_text *error)
{
    listener->path = strdup(listener->address.path);
    listener->address.path = listener->path;
    return listener->path ? 0 : error_set(error, -ENOMEM, "out of memory");
}

static int read_config(const struct http_options *options, struct web_config *config,
                       struct error_text *error)
{
    if (options->n_addresses > HTTP_ADDRESSES_MAX)
        return error_set(error, -E2BIG, "there are more than %d addresses", HTTP_ADDRESSES_MAX);
    return options->web_config ? web_config_read(options->web_config, config, error) : 0;
}

static int read_address(const struct web_config *config, const struct http_options *options,
                        const char *text, struct http_address *ret_address,
                        struct error_text *error)
{
    int err = http_address_parse(text, ret_address, error);

    return err ? err : check_public(config, options, text, ret_address, error);
}

int http_check(const struct http_options *options, struct error_text *error)
{
    struct web_config config = {0};
    struct http_address address;
    int err = read_config(options, &config, error);

    for (size_t i = 0; i < options->n_addresses && !err; i++)
        err = read_address(&config, options, options->addresses[i], &address, error);
    web_config_free(&config);
    return err;
}

static int add_listener(struct http *http, const struct http_options *options, const char *text,
                        struct error_text *error)
{
    struct listener *listener = &http->listeners[http->n_listeners];
    int err;

    *listener = (struct listener){.fd = -1, .file.directory = -1};
    err = read_address(&http->config, options, text, &listener->address, error);
    if (err)
        return err;
    listener->rules = (struct http_rules){
        .checks_host = listener->address.is_loopback && !listener->address.path,
    };
    http->n_listeners++;
    if (listener->address.path)
        return keep_path(listener, error);
    listener->fd = http_address_listen(&listener->address, error);
    return listener->fd < 0 ? listener->fd : 0;
}

int http_prepare(const struct http_options *options, struct http **ret_http,
                 struct error_text *error)
{
    struct http *http = calloc(1, sizeof(*http));
    int err = http ? 0 : error_set(error, -ENOMEM, "out of memory");

    if (!err)
        err = read_config(options, &http->config, error);
    for (size_t i = 0; i < options->n_addresses && !err; i++)
        err = add_listener(http, options, options->addresses[i], error);
    if (err)
        http_stop(http);
    else
        *ret_http = http;
    return err;
}

/* ---- starting ------------------------------------------------------------------------------- */

static int open_file(struct listener *listener, mode_t mode, struct error_text *error)
{
    if (listener->fd >= 0)
        return 0;
    listener->fd = http_address_listen_at_path(&listener->address, mode, &listener->file, error);
    return listener->fd < 0 ? listener->fd : 0;
}

static struct MHD_Daemon *start_daemon(struct http *http, struct listener *listener)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, http->config.certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, http->config.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}},
        {MHD_OPTION_END, 0, NULL},
    };

    if (http->config.certificate)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_handle, NULL, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin,
        &listener->rules, MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_CONNECTION_LIMIT,
        HTTP_CONNECTIONS_MAX + CONNECTIONS_SPARE, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)EXCHANGE_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
        exchange_note_connection, &listener->rules, MHD_OPTION_NOTIFY_COMPLETED, exchange_end, NULL,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static int start_listener(struct http *http, struct listener *listener, struct error_text *error)
{
    listener->rules.shared = &http->shared;
    listener->daemon = start_daemon(http, listener);
    if (listener->daemon)
        return 0;
    return error_set(error, -EINVAL,
                     http->config.certificate
                         ? "HTTP can't be started: cert_file and key_file of --web-config must be "
                           "a certificate and its key, as PEM"
                         : "HTTP can't be started");
}

static int start_all(struct http *http, mode_t mode, struct error_text *error)
{
    int err;

    err = exchange_share(&http->site, &http->config, &http->shared);
    if (err)
        return error_set(error, err, "HTTP can't be started: %s", strerror(-err));
    for (size_t i = 0; i < http->n_listeners && !err; i++)
        err = open_file(&http->listeners[i], mode, error);
    for (size_t i = 0; i < http->n_listeners && !err; i++)
        err = start_listener(http, &http->listeners[i], error);
    return err;
}

struct starting {
    struct http *http;
    mode_t mode;
    struct error_text *error;
    int err;
};

/* What it starts has its blocked signals and its weight: those of libmicrohttpd can't be asked for otherwise. */
static void *run_start(void *opaque)
{
    struct starting *starting = opaque;

    be_nice(HTTP_NICE);
    starting->err = start_all(starting->http, starting->mode, starting->error);
    return NULL;
}

int http_start(struct http *http, const struct http_site *site, mode_t mode,
               struct error_text *error)
{
    struct starting starting = {.http = http, .mode = mode, .error = error};
    pthread_t thread;
    int err;

    http->site = *site;
    err = -library_thread_create(&thread, NULL, run_start, &starting);
    if (err)
        return error_set(error, err, "HTTP can't be started: %s", strerror(-err));
    pthread_join(thread, NULL);
    return starting.err;
}

const char *http_address_at(struct http *http, size_t i)
{
    char text[HTTP_ADDRESS_TEXT_MAX];

    if (i >= http->n_listeners)
        return NULL;
    if (http->listeners[i].address.path)
        return http->listeners[i].address.path;
    http_address_text(&http->listeners[i].address, text);
    snprintf(http->text, sizeof(http->text), "%s://%s/",
             http->config.certificate ? "https" : "http", text);
    return http->text;
}

/* ---- stopping ------------------------------------------------------------------------------- */

static void close_listener(struct listener *listener)
{
    if (listener->file.directory >= 0)
        socket_file_remove(&listener->file);
    if (listener->daemon)
        MHD_stop_daemon(listener->daemon); /* which closes the socket */
    else if (listener->fd >= 0)
        close(listener->fd);
    free(listener->path);
}

/* Nobody may be suspended when a daemon of libmicrohttpd is stopped. */
void http_stop(struct http *http)
{
    if (!http)
        return;
    exchange_end_shared(&http->shared);
    for (size_t i = 0; i < http->n_listeners; i++)
        close_listener(&http->listeners[i]);
    exchange_free_shared(&http->shared);
    web_config_free(&http->config);
    free(http);
}
