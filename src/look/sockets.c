/* SPDX-License-Identifier: MIT */
/* Finds the sockets that were named, and opens them all. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/at_once.h"
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

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int add_directory(struct look *look, const char *directory)
{
    size_t n_before = look->n_paths;
    struct dirent **entries;
    int n = scandir(directory, &entries, NULL, alphasort), status = 0;

    if (n < 0)
        return look_fail(look, LOOK_HINT_LISTING, "%s: the directory can't be read: %s", directory,
                         strerror(errno));
    for (int i = 0; i < n; i++) {
        char *path = NULL;

        if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
            path = NULL;
        if (path && !is_socket(path))
            free(path);
        else if (status == 0)
            status = look_add_path(look, path);
        free(entries[i]);
    }
    free(entries);
    if (status == 0 && look->n_paths == n_before)
        return look_fail(look, LOOK_HINT_NO_SOCKET, "%s: no socket in this directory", directory);
    return status;
}

static void add_socket(struct look *look, const char *path)
{
    if (is_directory(path))
        add_directory(look, path);
    else
        look_add_path(look, strdup(path));
}

/* A socket that was named twice is one VM, and QEMU would let the second client wait for the first. */
struct identity {
    dev_t device;
    ino_t inode;
    size_t index;
};

static int compare_identities(const void *a, const void *b)
{
    const struct identity *one = a, *other = b;
    int order = (one->device > other->device) - (one->device < other->device);

    if (order == 0)
        order = (one->inode > other->inode) - (one->inode < other->inode);
    return order ? order : (one->index > other->index) - (one->index < other->index);
}

static bool is_same_socket(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Those that can be found, sorted. */
static size_t identify(const struct look *look, struct identity *identities)
{
    size_t n = 0;

    for (size_t i = 0; i < look->n_paths; i++) {
        struct stat st;

        if (stat(look->paths[i], &st) == 0)
            identities[n++] = (struct identity){st.st_dev, st.st_ino, i};
    }
    qsort(identities, n, sizeof(*identities), compare_identities);
    return n;
}

static void close_gaps(struct look *look)
{
    size_t n = 0;

    for (size_t i = 0; i < look->n_paths; i++)
        if (look->paths[i])
            look->paths[n++] = look->paths[i];
    look->n_paths = n;
}

/* The first of each stays. */
static int drop_repeated(struct look *look)
{
    struct identity *identities = calloc(look->n_paths + 1, sizeof(*identities));
    size_t n;

    if (!identities)
        return look_fail(look, NULL, "out of memory");
    n = identify(look, identities);
    for (size_t i = 1; i < n; i++) {
        if (!is_same_socket(&identities[i - 1], &identities[i]))
            continue;
        free(look->paths[identities[i].index]);
        look->paths[identities[i].index] = NULL;
    }
    free(identities);
    close_gaps(look);
    return 0;
}

static void find_named(struct look *look)
{
    const char *path = getenv("VITALS_SOCKET");

    for (size_t i = 0; i < look->options.sockets.n; i++)
        add_socket(look, look->options.sockets.all[i]);
    if (!look->options.sockets.n)
        add_socket(look, path);
}

int look_find_sockets(struct look *look)
{
    find_named(look);
    return drop_repeated(look);
}

/* What came of each socket. */
struct opening {
    const struct look *look;
    struct client **clients;
    struct client_error *errors;
};

static void open_client(void *opaque, size_t i)
{
    struct opening *opening = opaque;

    if (client_open(opening->look->paths[i], look_timeout_ms(&opening->look->options),
                    &opening->clients[i], &opening->errors[i]) < 0)
        opening->clients[i] = NULL;
}

static void take_clients(struct look *look, const struct opening *opening)
{
    struct progress *progress = progress_begin_vms(look->options.command, look->n_sockets);

    at_once(look->n_sockets, open_client, (void *)opening);
    progress_end(progress);
    for (size_t i = 0; i < look->n_sockets; i++) {
        if (opening->clients[i])
            look->vms[look->n_vms++] =
                (struct look_vm){.socket = look->paths[i], .client = opening->clients[i]};
        else
            look_complain(look, &opening->errors[i]);
    }
}

int look_open_vms(struct look *look)
{
    size_t n = look->n_sockets = look->n_paths;
    struct opening opening = {
        .look = look,
        .clients = calloc(n + 1, sizeof(*opening.clients)),
        .errors = calloc(n + 1, sizeof(*opening.errors)),
    };
    bool has_memory;

    look->vms = calloc(n + 1, sizeof(*look->vms));
    has_memory = opening.clients && opening.errors && look->vms;
    if (has_memory)
        take_clients(look, &opening);
    free(opening.clients);
    free(opening.errors);
    if (!has_memory)
        return look_fail(look, NULL, "out of memory");
    return look->n_vms ? 0 : EXIT_FAILURE;
}
