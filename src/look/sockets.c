/* SPDX-License-Identifier: MIT */
/* Finds the sockets that were named, and opens them all. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "look/daemon.h"
#include "look/manager.h"
#include "look/private.h"
#include "look/progress.h"

int look_add_path(struct look *look, char *path)
{
    char **grown = reallocarray(look->paths, look->n_paths + 1, sizeof(*grown));

    if (grown)
        look->paths = grown;
    if (!path || !grown) {
        free(path);
        return look_fail(look, NULL, "out of memory");
    }
    look->paths[look->n_paths++] = path;
    return 0;
}

/* ---- words ---------------------------------------------------------------------------------- */

static bool add_words(struct socket_list *list, const char *text)
{
    struct socket_words words;

    if (!socket_words_split(text, &words))
        return false;
    for (size_t i = 0; i < words.n; i++)
        socket_list_add(list, words.all[i]);
    socket_words_free(&words);
    return true;
}

static bool add_all(struct socket_list *list, const struct look_options *options)
{
    for (size_t i = 0; i < options->sockets.n; i++)
        socket_list_add(list, options->sockets.all[i]);
    if (options->default_socket && !add_words(list, options->default_socket))
        return false;
    return socket_list_drop_repeated(list);
}

static void complain(void *opaque, const struct client_error *error)
{
    look_complain(opaque, error);
}

/* In one line, without an end: "COMMAND: TEXT PATH PATH". */
static void tell(const struct look *look, const char *text, const char *const *paths, size_t n)
{
    struct buf line = {0};

    if (!n || look->is_quiet)
        return;
    buf_printf(&line, "%s: %s", look->options.command, text);
    for (size_t i = 0; i < n; i++)
        buf_printf(&line, " %s", paths[i]);
    buf_append(&line, "", 1);
    if (!line.failed) {
        text_make_plain(line.data);
        fprintf(stderr, "%s\n", line.data);
    }
    buf_free(&line);
}

static void add_of_daemon(struct socket_list *list, const struct host_list *vms)
{
    for (size_t i = 0; i < vms->n; i++)
        socket_list_add_known(list, vms->vms[i].socket);
}

/* All others are not asked for anything. */
static void add_of_fleet(struct socket_list *list, const struct fleet *fleet)
{
    const struct host_list *vms = fleet_vms(fleet);

    for (size_t i = 0; i < vms->n; i++)
        if (fleet_wants(fleet, &vms->vms[i]))
            socket_list_add_known(list, vms->vms[i].socket);
}

/* There may be none. */
static int find_at_daemon(struct look *look)
{
    int status = daemon_open(look);

    if (status)
        return status;
    if (look->fleet)
        add_of_fleet(&look->sockets, look->fleet);
    else
        add_of_daemon(&look->sockets, &look->daemon_vms);
    look->n_sockets = look->sockets.n;
    return 0;
}

#define TELL_LEFT_OUT "no QMP by the name, not asked:"
#define TELL_NO_QMP   "no QMP:"

int look_find_sockets(struct look *look)
{
    struct socket_list *list = &look->sockets;

    list->complain = complain;
    list->opaque = look;
    if (look->daemon)
        return find_at_daemon(look);
    if (!add_all(list, &look->options))
        return look_fail(look, NULL, "out of memory");
    list->complain = NULL;
    tell(look, TELL_LEFT_OUT, (const char *const *)list->left_out, list->n_left_out);
    look->n_sockets = list->n;
    return list->n ? 0 : EXIT_FAILURE;
}

/* ---- sockets as a place that is watched ----------------------------------------------------- */

struct socket_place {
    struct place place;
    struct look *look;
    pthread_mutex_t mutex;       /* of all below */
    struct socket_list list;     /* as it was found last */
    struct socket_list rejected; /* found, but no QMP */
    struct host_list daemon_vms; /* as they were told last */
};

/* While the daemon does not answer, its VMs are not found; and they are not, where it has ended. */
static void refresh_daemon_vms(struct socket_place *sockets, struct socket_list *list)
{
    struct host_list vms = {0}, before;
    struct client_error error;

    if (daemon_list(sockets->look, &vms, &error) < 0)
        vms = (struct host_list){0};
    add_of_daemon(list, &vms);
    pthread_mutex_lock(&sockets->mutex);
    before = sockets->daemon_vms;
    sockets->daemon_vms = vms;
    pthread_mutex_unlock(&sockets->mutex);
    host_list_free(&before);
}

static void refresh(struct place *place, void (*found)(void *opaque, const char *key), void *opaque)
{
    struct socket_place *sockets = (struct socket_place *)place;
    struct socket_list list = {0}, before;

    if (sockets->look->daemon)
        refresh_daemon_vms(sockets, &list);
    else
        add_all(&list, &sockets->look->options);
    pthread_mutex_lock(&sockets->mutex);
    before = sockets->list;
    sockets->list = list;
    pthread_mutex_unlock(&sockets->mutex);
    socket_list_free(&before);
    for (size_t i = 0; i < list.n; i++) /* the thread of a new one asks at once which it is */
        found(opaque, list.all[i].path);
}

bool look_is_no_qmp(int err)
{
    return err == -EPROTO || err == -EPROTOTYPE || err == -EMSGSIZE || err == -E2BIG;
}

/* Under the mutex. */
static bool is_named(const struct socket_place *sockets, const char *path)
{
    for (size_t i = 0; i < sockets->list.n; i++)
        if (!strcmp(sockets->list.all[i].path, path))
            return sockets->list.all[i].is_named;
    return true;
}

static int connect_socket(struct place *place, const char *key, struct client **ret_client,
                          struct client_error *error)
{
    struct socket_place *sockets = (struct socket_place *)place;
    unsigned timeout_ms = look_timeout_ms(&sockets->look->options);
    client_check *check;
    int err;

    pthread_mutex_lock(&sockets->mutex);
    check = manager_check_of(is_named(sockets, key));
    pthread_mutex_unlock(&sockets->mutex);
    err = client_connect(key, check, timeout_ms, ret_client, error);
    if (err)
        return err;
    pthread_mutex_lock(&sockets->mutex);
    daemon_tell(&sockets->daemon_vms, key, *ret_client);
    pthread_mutex_unlock(&sockets->mutex);
    return 0;
}

/* Nobody has said that it is one. */
static bool rejects(struct place *place, const char *key, int err)
{
    struct socket_place *sockets = (struct socket_place *)place;
    bool is;

    pthread_mutex_lock(&sockets->mutex);
    is = !sockets->look->daemon && look_is_no_qmp(err) && !is_named(sockets, key);
    if (is)
        socket_list_leave_out(&sockets->rejected, key);
    pthread_mutex_unlock(&sockets->mutex);
    return is;
}

static void tell_of_place(struct place *place)
{
    struct socket_place *sockets = (struct socket_place *)place;

    pthread_mutex_lock(&sockets->mutex);
    tell(sockets->look, TELL_NO_QMP, (const char *const *)sockets->rejected.left_out,
         sockets->rejected.n_left_out);
    pthread_mutex_unlock(&sockets->mutex);
}

static void free_place(struct place *place)
{
    struct socket_place *sockets = (struct socket_place *)place;

    socket_list_free(&sockets->list);
    socket_list_free(&sockets->rejected);
    host_list_free(&sockets->daemon_vms);
    pthread_mutex_destroy(&sockets->mutex);
    free(sockets);
}

static const struct place_ops ops = {.refresh = refresh,
                                     .connect = connect_socket,
                                     .rejects = rejects,
                                     .tell = tell_of_place,
                                     .free = free_place};

struct place *look_make_socket_place(struct look *look)
{
    struct socket_place *sockets = calloc(1, sizeof(*sockets));

    if (!sockets)
        return NULL;
    sockets->place.ops = &ops;
    sockets->look = look;
    pthread_mutex_init(&sockets->mutex, NULL);
    return &sockets->place;
}

/* ---- opening all of them -------------------------------------------------------------------- */

/* What came of each socket. */
struct opening {
    const struct look *look;
    struct client **clients;
    struct client_error *errors;
    int *errs;
};

/* What the verb shows beside the statistics. */
static int read_more(const struct look *look, struct client *client, struct client_error *error)
{
    int err = look->shows_help ? client_read_help(client, error) : 0;

    return err || !look->shows_failures ? err : client_read_failures(client, error);
}

static void open_client(void *opaque, size_t i)
{
    struct opening *opening = opaque;
    const struct look *look = opening->look;
    const struct found_socket *found = &look->sockets.all[i];

    opening->errs[i] = look->fleet ? fleet_open_vm(look->fleet, found->path, &opening->clients[i],
                                                   &opening->errors[i])
                                   : client_open(found->path, manager_check_of(found->is_named),
                                                 look_timeout_ms(&look->options),
                                                 &opening->clients[i], &opening->errors[i]);
    if (opening->errs[i] >= 0) {
        opening->errs[i] = read_more(look, opening->clients[i], &opening->errors[i]);
        if (opening->errs[i] < 0)
            client_free(opening->clients[i]);
    }
    if (opening->errs[i] < 0)
        opening->clients[i] = NULL;
    else if (!look->fleet)
        daemon_tell(&look->daemon_vms, found->path, opening->clients[i]);
}

/* Nobody has said that it is one, as a daemon does: it is no failure where others answer. */
static bool is_excused(const struct opening *opening, size_t i)
{
    return opening->errs[i] < 0 && !opening->look->daemon &&
           !opening->look->sockets.all[i].is_named && look_is_no_qmp(opening->errs[i]);
}

static bool has_ended(const struct opening *opening, size_t i)
{
    return look_has_ended(opening->look, opening->errs[i]);
}

static void tell_what_is_no_qmp(const struct opening *opening)
{
    const struct look *look = opening->look;
    const char **paths = calloc(look->n_sockets + 1, sizeof(*paths));
    size_t n = 0;

    for (size_t i = 0; paths && i < look->n_sockets; i++)
        if (is_excused(opening, i))
            paths[n++] = look->sockets.all[i].path;
    tell(look, TELL_NO_QMP, paths, n);
    free(paths);
}

static void lose(struct look *look, size_t i, const struct client_error *error)
{
    look->lost[look->n_lost++] = look->sockets.all[i].path;
    look_complain(look, error);
}

static void take_clients(struct look *look, const struct opening *opening)
{
    struct progress *progress = progress_begin_vms(look->options.command, look->n_sockets);

    look_each_vm(look, look->n_sockets, open_client, (void *)opening);
    progress_end(progress);
    for (size_t i = 0; i < look->n_sockets; i++) {
        if (opening->clients[i])
            look->vms[look->n_vms++] = (struct look_vm){.socket = look->sockets.all[i].path,
                                                        .client = opening->clients[i]};
        else if (!is_excused(opening, i) && !has_ended(opening, i))
            lose(look, i, &opening->errors[i]);
    }
    tell_what_is_no_qmp(opening);
}

int look_open_vms(struct look *look)
{
    size_t n = look->n_sockets;
    struct opening opening = {
        .look = look,
        .clients = calloc(n + 1, sizeof(*opening.clients)),
        .errors = calloc(n + 1, sizeof(*opening.errors)),
        .errs = calloc(n + 1, sizeof(*opening.errs)),
    };
    bool has_memory;

    look->vms = calloc(n + 1, sizeof(*look->vms));
    look->lost = calloc(n + 1, sizeof(*look->lost));
    has_memory = opening.clients && opening.errors && opening.errs && look->vms && look->lost;
    if (has_memory)
        take_clients(look, &opening);
    free(opening.clients);
    free(opening.errors);
    free(opening.errs);
    if (!has_memory)
        return look_fail(look, NULL, "out of memory");
    return look->n_vms || (look->daemon && !look->has_failed) ? 0 : EXIT_FAILURE;
}
