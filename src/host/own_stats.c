/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/own_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/paths.h"

/* ---- files ---------------------------------------------------------------------------------- */

/*
 * Only files of memory have seals. A file of tmpfs that has a name can't be sealed against shrinking.
 * Neither call asks the file's own file system anything.
 */
bool own_stats_is_memory(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS), flags = fcntl(fd, F_GETFL);

    return seals >= 0 && seals & F_SEAL_SHRINK && flags >= 0 && (flags & O_ACCMODE) != O_WRONLY;
}

static uint64_t size_of(struct shared_file *file)
{
    struct stat st;
    int err = fstat(shared_file_begin(file), &st);

    shared_file_end(file);
    return err ? 0 : (uint64_t)st.st_size;
}

static uint64_t least_row_size(const struct stats_schema *schema)
{
    return (1 + 2 * (uint64_t)schema->row_len) * sizeof(uint64_t);
}

/* Of a row that lies in the file, nothing overflows: its end is one of off_t. */
static int lay_out(struct own_stats *own, uint64_t size, struct error_text *error)
{
    uint64_t least = least_row_size(own->schema);

    if (!own->row_size)
        own->row_size = least;
    if (own->offset % sizeof(uint64_t) || own->row_size % sizeof(uint64_t))
        return error_set(error, -EINVAL, "offset and row-size must be multiples of 8");
    if (own->row_size < least)
        return error_set(error, -EINVAL, "row-size is %llu, must be at least %llu",
                         (unsigned long long)own->row_size, (unsigned long long)least);
    own->n_rows = size < own->offset ? 0 : (size - own->offset) / own->row_size;
    if (!own->n_rows)
        return error_set(error, -EINVAL,
                         "the file has %llu bytes, and no room for a row of %llu from byte %llu on",
                         (unsigned long long)size, (unsigned long long)own->row_size,
                         (unsigned long long)own->offset);
    return 0;
}

/* ---- making --------------------------------------------------------------------------------- */

int own_stats_new(const struct vitals_group_ops *ops, struct shared_file *file, uint64_t offset,
                  uint64_t row_size, struct error_text *error, struct own_stats **ret_own)
{
    struct own_stats *own = calloc(1, sizeof(*own));
    int err;

    if (!own)
        return error_set(error, -ENOMEM, "no memory for statistics");
    atomic_init(&own->users, 1);
    own->file = shared_file_ref(file);
    own->offset = offset;
    own->row_size = row_size;
    err = schema_new(ops, error, &own->schema);
    if (!err)
        err = lay_out(own, size_of(file), error);
    if (err)
        own_stats_unref(own);
    else
        *ret_own = own;
    return err;
}

struct own_stats *own_stats_ref(struct own_stats *own)
{
    atomic_fetch_add(&own->users, 1);
    return own;
}

void own_stats_unref(struct own_stats *own)
{
    if (!own || atomic_fetch_sub(&own->users, 1) > 1)
        return;
    for (size_t i = 0; i < own->n_objects; i++)
        free(own->objects[i].path);
    free(own->objects);
    schema_unref(own->schema);
    shared_file_unref(own->file);
    free(own);
}

/* Of the same file, without objects, and room for some. */
static struct own_stats *copy(const struct own_stats *own, size_t room)
{
    struct own_stats *new = malloc(sizeof(*new));

    if (!new)
        return NULL;
    *new = *own;
    atomic_init(&new->users, 1);
    new->n_objects = 0;
    new->objects = calloc(room + 1, sizeof(*new->objects));
    schema_ref(new->schema);
    shared_file_ref(new->file);
    if (new->objects)
        return new;
    own_stats_unref(new);
    return NULL;
}

static bool append(struct own_stats *own, const struct own_object *object)
{
    char *path = strdup(object->path);

    if (path)
        own->objects[own->n_objects++] = (struct own_object){.path = path, .row = object->row};
    return path;
}

static bool append_all(struct own_stats *own, const struct own_object *objects, size_t n)
{
    size_t i = 0;

    while (i < n && append(own, &objects[i]))
        i++;
    return i == n;
}

/* ---- objects -------------------------------------------------------------------------------- */

static int check_object(const struct own_stats *own, const struct own_object *object,
                        struct error_text *error)
{
    size_t len = strlen(object->path);

    if (len < 1 || len > VITALS_OBJECT_MAX)
        return error_set(error, -EINVAL, "an object's path has %zu bytes, must have 1 to %d", len,
                         VITALS_OBJECT_MAX);
    if (object->row >= own->n_rows)
        return error_set(error, -EINVAL, "row %llu is beyond the end of the file, which has %llu",
                         (unsigned long long)object->row, (unsigned long long)own->n_rows);
    return 0;
}

/* All paths of both, each once. */
static int check_paths(const struct own_stats *own, const struct own_object *objects, size_t n,
                       struct error_text *error)
{
    struct path_table paths = {0};
    int err = 0;

    for (size_t i = 0; i < own->n_objects + n && !err; i++) {
        bool is_old = i < own->n_objects;
        const struct own_object *object = is_old ? &own->objects[i] : &objects[i - own->n_objects];

        err = is_old ? 0 : check_object(own, object, error);
        if (!err && paths_find(&paths, object->path) >= 0)
            err = error_set(error, -EEXIST, "'%.200s' has a row already", object->path);
        if (!err && paths_add(&paths, object->path))
            err = error_set(error, -ENOMEM, "no memory for objects");
    }
    paths_free(&paths);
    return err;
}

int own_stats_add(const struct own_stats *own, const struct own_object *objects, size_t n,
                  struct error_text *error, struct own_stats **ret_own)
{
    struct own_stats *new;
    int err;

    if (strcmp(own->schema->target, "vm") == 0)
        return error_set(error, -EINVAL, "target 'vm' has no objects");
    if (n > OWN_OBJECTS_MAX - own->n_objects)
        return error_set(error, -E2BIG, "statistics of a target have at most %d objects",
                         OWN_OBJECTS_MAX);
    err = check_paths(own, objects, n, error);
    if (err)
        return err;
    new = copy(own, own->n_objects + n);
    if (!new || !append_all(new, own->objects, own->n_objects) || !append_all(new, objects, n)) {
        own_stats_unref(new);
        return error_set(error, -ENOMEM, "no memory for objects");
    }
    *ret_own = new;
    return 0;
}

/* Marks those that are to go. Returns the first path that none has, or NULL. */
static const char *mark(const struct own_stats *own, const char *const *paths, size_t n,
                        bool is_to_go[OWN_OBJECTS_MAX])
{
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        while (at < own->n_objects && strcmp(own->objects[at].path, paths[i]))
            at++;
        if (at == own->n_objects || is_to_go[at])
            return paths[i];
        is_to_go[at] = true;
    }
    return NULL;
}

int own_stats_remove(const struct own_stats *own, const char *const *paths, size_t n,
                     struct error_text *error, struct own_stats **ret_own)
{
    bool is_to_go[OWN_OBJECTS_MAX] = {false};
    const char *missing = mark(own, paths, n, is_to_go);
    struct own_stats *new;

    if (missing)
        return error_set(error, -ENOENT, "'%.200s' has no row", missing);
    new = copy(own, own->n_objects);
    for (size_t i = 0; new &&i < own->n_objects; i++) {
        if (is_to_go[i] || append(new, &own->objects[i]))
            continue;
        own_stats_unref(new);
        new = NULL;
    }
    if (!new)
        return error_set(error, -ENOMEM, "no memory for objects");
    *ret_own = new;
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool read_at(int fd, void *bytes, size_t size, uint64_t at)
{
    return pread(fd, bytes, size, (off_t)at) == (ssize_t)size;
}

/* -EAGAIN: it was changed each time; -EIO: it can't be read. */
static int read_row(const struct own_stats *own, int fd, uint64_t index, uint64_t *row)
{
    uint64_t at = own->offset + index * own->row_size, sequence, later;
    size_t size = own->schema->row_len * sizeof(*row);

    for (int i = 0; i < OWN_READS_MAX; i++) {
        if (!read_at(fd, &sequence, sizeof(sequence), at) ||
            !read_at(fd, row, size, at + sizeof(sequence) + (sequence & 1) * size) ||
            !read_at(fd, &later, sizeof(later), at))
            return -EIO;
        if (later == sequence)
            return 0;
    }
    return -EAGAIN;
}

static void give(const struct own_stats *own, struct vitals_sink *sink, const char *path,
                 uint64_t index)
{
    uint64_t *row = vitals_row(sink, path);
    int err;

    if (!row)
        return;
    err = read_row(own, shared_file_begin(own->file), index, row);
    shared_file_end(own->file);
    if (err)
        vitals_row_fail(sink, err);
}

void own_stats_collect(const struct own_stats *own, struct vitals_sink *sink)
{
    if (strcmp(own->schema->target, "vm") == 0)
        give(own, sink, NULL, 0);
    for (size_t i = 0; i < own->n_objects; i++)
        give(own, sink, own->objects[i].path, own->objects[i].row);
}
