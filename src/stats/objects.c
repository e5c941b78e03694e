/* SPDX-License-Identifier: MIT */
#include "stats/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { OBJECTS_MIN = 8 };

struct object {
    int64_t number;      /* -1: none yet */
    bool number_is_said; /* somebody asked for this one */
    int64_t thread;
    const void **owners; /* none: the object is gone */
    size_t n_owners, owners_cap;
    TAILQ_ENTRY(object) gone;
    char path[];
};

struct object_table {
    struct object_table *next;
    struct object **by_path, **by_number; /* both have all, also those that are gone */
    size_t n, cap;
    TAILQ_HEAD(, object) gone; /* the one that is gone for longest first */
    size_t n_gone;
    int64_t next_number;
    uint64_t changes; /* those of all targets at the last change here */
    char target[];
};

/* ---- finding -------------------------------------------------------------------------------- */

static struct object_table *find_table(const struct objects *objects, const char *target)
{
    struct object_table *table = objects->tables;

    while (table && strcmp(table->target, target))
        table = table->next;
    return table;
}

/* Where @path stands in by_path, or would stand. */
static size_t place_of_path(const struct object_table *table, const char *path)
{
    size_t low = 0, high = table->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(table->by_path[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t place_of_number(const struct object_table *table, int64_t number)
{
    size_t low = 0, high = table->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->by_number[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct object *find_path(const struct object_table *table, const char *path)
{
    size_t i = place_of_path(table, path);

    return i < table->n && !strcmp(table->by_path[i]->path, path) ? table->by_path[i] : NULL;
}

static struct object *find_number(const struct object_table *table, int64_t number)
{
    size_t i = place_of_number(table, number);

    return i < table->n && table->by_number[i]->number == number ? table->by_number[i] : NULL;
}

/* NULL: there is none now. */
static struct object *find_present(const struct objects *objects, const char *target,
                                   const char *path)
{
    struct object_table *table = find_table(objects, target);
    struct object *object = table ? find_path(table, path) : NULL;

    return object && object->n_owners ? object : NULL;
}

/* ---- memory --------------------------------------------------------------------------------- */

static int new_table(struct objects *objects, const char *target, struct error_text *error,
                     struct object_table **ret_table)
{
    struct object_table **end = &objects->tables, *table;
    size_t n = 0, size = strlen(target) + 1;

    for (; *end; end = &(*end)->next)
        n++;
    if (n == OBJECT_TARGETS_MAX)
        return error_set(error, -E2BIG, "target '%s' is one too many: %d have objects", target,
                         OBJECT_TARGETS_MAX);
    table = calloc(1, sizeof(*table) + size);
    if (!table)
        return error_set(error, -ENOMEM, "no memory for the objects of target '%s'", target);
    memcpy(table->target, target, size);
    TAILQ_INIT(&table->gone);
    *ret_table = *end = table;
    return 0;
}

static int reserve(struct object_table *table)
{
    size_t cap = table->cap ? table->cap * 2 : OBJECTS_MIN;
    struct object **by_path, **by_number;

    if (table->n < table->cap)
        return 0;
    by_path = realloc(table->by_path, cap * sizeof(struct object *));
    if (by_path)
        table->by_path = by_path;
    by_number = realloc(table->by_number, cap * sizeof(struct object *));
    if (by_number)
        table->by_number = by_number;
    if (!by_path || !by_number)
        return -ENOMEM;
    table->cap = cap;
    return 0;
}

static struct object *new_object(const char *path)
{
    size_t size = strlen(path) + 1;
    struct object *object = calloc(1, sizeof(*object) + size);

    if (!object)
        return NULL;
    object->number = -1;
    memcpy(object->path, path, size);
    return object;
}

static void free_object(struct object *object)
{
    if (object)
        free(object->owners);
    free(object);
}

static int add_owner(struct object *object, const void *owner)
{
    size_t cap = object->owners_cap ? object->owners_cap * 2 : 1;
    const void **owners;

    if (object->n_owners == object->owners_cap) {
        owners = realloc(object->owners, cap * sizeof(*owners));
        if (!owners)
            return -ENOMEM;
        object->owners = owners;
        object->owners_cap = cap;
    }
    object->owners[object->n_owners++] = owner;
    return 0;
}

/* ---- in and out of a table ------------------------------------------------------------------ */

static void insert(struct object **array, size_t n, size_t place, struct object *object)
{
    memmove(&array[place + 1], &array[place], (n - place) * sizeof(struct object *));
    array[place] = object;
}

static void take(struct object **array, size_t n, size_t place)
{
    memmove(&array[place], &array[place + 1], (n - place - 1) * sizeof(struct object *));
}

static void put_in(struct object_table *table, struct object *object)
{
    insert(table->by_path, table->n, place_of_path(table, object->path), object);
    insert(table->by_number, table->n, place_of_number(table, object->number), object);
    table->n++;
}

/* Takes out an object that is gone. */
static void take_out(struct object_table *table, struct object *object)
{
    TAILQ_REMOVE(&table->gone, object, gone);
    table->n_gone--;
    take(table->by_path, table->n, place_of_path(table, object->path));
    take(table->by_number, table->n, place_of_number(table, object->number));
    table->n--;
}

static void forget(struct object_table *table, struct object *object)
{
    take_out(table, object);
    free_object(object);
}

/* ---- adding --------------------------------------------------------------------------------- */

static size_t find_owner(const struct object *object, const void *owner)
{
    size_t i = 0;

    while (i < object->n_owners && object->owners[i] != owner)
        i++;
    return i;
}

/* Another provider has the object. */
static int join(struct object *object, const struct object_claim *claim, struct error_text *error)
{
    if (find_owner(object, claim->owner) < object->n_owners)
        return error_set(error, -EEXIST, "'%s' of target '%s' was added already", claim->path,
                         claim->target);
    if (claim->number != VITALS_NUMBER_ANY && claim->number != object->number)
        return error_set(error, -EEXIST, "'%s' can't have number %lld: it has %lld", claim->path,
                         (long long)claim->number, (long long)object->number);
    if (add_owner(object, claim->owner))
        return error_set(error, -ENOMEM, "no memory for '%s'", claim->path);
    return 0;
}

static int check_number(const struct object_table *table, const struct object_claim *claim,
                        struct error_text *error)
{
    const struct object *holder =
        claim->number == VITALS_NUMBER_ANY ? NULL : find_number(table, claim->number);

    if (!holder || !strcmp(holder->path, claim->path))
        return 0;
    if (!holder->n_owners && holder->number_is_said)
        return 0;
    return error_set(error, -EEXIST, "'%s' can't have number %lld: it is that of '%s'", claim->path,
                     (long long)claim->number, holder->path);
}

static void give_number(struct object_table *table, struct object *object, int64_t said)
{
    struct object *holder = said == VITALS_NUMBER_ANY ? NULL : find_number(table, said);

    if (holder)
        forget(table, holder);
    if (said != VITALS_NUMBER_ANY) {
        object->number = said;
        object->number_is_said = true;
    } else if (object->number < 0) {
        object->number = table->next_number;
    }
    if (object->number >= table->next_number)
        table->next_number = object->number + 1;
}

static int add(struct object_table *table, const struct object_claim *claim,
               struct error_text *error)
{
    struct object *known = find_path(table, claim->path), *object;
    int err;

    if (known && known->n_owners)
        return join(known, claim, error);
    err = check_number(table, claim, error);
    if (err)
        return err;
    object = known ? known : new_object(claim->path);
    if (!object || reserve(table) || add_owner(object, claim->owner)) {
        if (!known)
            free_object(object);
        return error_set(error, -ENOMEM, "no memory for '%s'", claim->path);
    }
    if (known)
        take_out(table, known);
    give_number(table, object, claim->number);
    object->thread = claim->thread;
    put_in(table, object);
    return 0;
}

int objects_add(struct objects *objects, const struct object_claim *claim, struct error_text *error)
{
    struct object_table *table;
    int err = 0;

    pthread_mutex_lock(&objects->lock);
    table = find_table(objects, claim->target);
    if (!table)
        err = new_table(objects, claim->target, error, &table);
    if (!err)
        err = add(table, claim, error);
    if (!err)
        table->changes = ++objects->changes;
    pthread_mutex_unlock(&objects->lock);
    return err;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* False: it has no such owner. */
static bool remove_owner(struct object_table *table, struct object *object, const void *owner)
{
    size_t i = find_owner(object, owner);

    if (i == object->n_owners)
        return false;
    object->owners[i] = object->owners[--object->n_owners];
    if (object->n_owners)
        return true;
    TAILQ_INSERT_TAIL(&table->gone, object, gone);
    table->n_gone++;
    return true;
}

static void forget_oldest(struct object_table *table)
{
    while (table->n_gone > OBJECTS_GONE_MAX)
        forget(table, TAILQ_FIRST(&table->gone));
}

int objects_remove(struct objects *objects, const void *owner, const char *target, const char *path,
                   struct error_text *error)
{
    struct object_table *table;
    struct object *object;
    bool was_there;

    pthread_mutex_lock(&objects->lock);
    table = find_table(objects, target);
    object = table ? find_path(table, path) : NULL;
    was_there = object && remove_owner(table, object, owner);
    if (was_there) {
        forget_oldest(table);
        table->changes = ++objects->changes;
    }
    pthread_mutex_unlock(&objects->lock);
    return was_there ? 0
                     : error_set(error, -ENOENT, "'%s' of target '%s' was not added", path, target);
}

void objects_remove_all(struct objects *objects, const void *owner)
{
    struct object_table *table;

    pthread_mutex_lock(&objects->lock);
    for (table = objects->tables; table; table = table->next) {
        for (size_t i = 0; i < table->n; i++)
            if (remove_owner(table, table->by_path[i], owner))
                table->changes = ++objects->changes;
        forget_oldest(table);
    }
    pthread_mutex_unlock(&objects->lock);
}

/* ---- threads -------------------------------------------------------------------------------- */

int objects_set_thread(struct objects *objects, const char *target, const char *path,
                       int64_t thread, struct error_text *error)
{
    struct object *object;

    pthread_mutex_lock(&objects->lock);
    object = find_present(objects, target, path);
    if (object) {
        object->thread = thread;
        find_table(objects, target)->changes = ++objects->changes;
    }
    pthread_mutex_unlock(&objects->lock);
    return object ? 0 : error_set(error, -ENOENT, "target '%s' has no '%s'", target, path);
}

int64_t objects_thread(struct objects *objects, const char *target, const char *path)
{
    const struct object *object;
    int64_t thread;

    pthread_mutex_lock(&objects->lock);
    object = find_present(objects, target, path);
    thread = object ? object->thread : -1;
    pthread_mutex_unlock(&objects->lock);
    return thread;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void empty(struct object_list *list)
{
    list->n = 0;
    list->changes = 0;
    arena_reset(&list->paths);
}

static int reserve_list(struct object_list *list, size_t n)
{
    struct stats_object *objects;

    if (n <= list->cap)
        return 0;
    objects = realloc(list->objects, n * sizeof(*objects));
    if (!objects)
        return -ENOMEM;
    list->objects = objects;
    list->cap = n;
    return 0;
}

static int copy_object(struct object_list *list, const struct object *object)
{
    size_t size = strlen(object->path) + 1;
    char *path = arena_alloc(&list->paths, size);

    if (!path)
        return -ENOMEM;
    memcpy(path, object->path, size);
    list->objects[list->n++] =
        (struct stats_object){.path = path, .number = object->number, .thread = object->thread};
    return 0;
}

static int copy_table(struct object_list *list, const struct object_table *table)
{
    int err = reserve_list(list, table->n - table->n_gone);

    for (size_t i = 0; !err && i < table->n; i++)
        if (table->by_number[i]->n_owners)
            err = copy_object(list, table->by_number[i]);
    if (err)
        empty(list);
    else
        list->changes = table->changes;
    return err;
}

int objects_list(struct objects *objects, const char *target, struct object_list *list)
{
    const struct object_table *table;
    int err = 0;

    pthread_mutex_lock(&objects->lock);
    table = find_table(objects, target);
    if (!table || list->changes != table->changes)
        empty(list);
    if (table && list->changes != table->changes)
        err = copy_table(list, table);
    pthread_mutex_unlock(&objects->lock);
    return err;
}

void object_list_free(struct object_list *list)
{
    free(list->objects);
    arena_free(&list->paths);
    *list = (struct object_list){0};
}

/* ---- all of them ---------------------------------------------------------------------------- */

void objects_init(struct objects *objects)
{
    *objects = (struct objects){0};
    pthread_mutex_init(&objects->lock, NULL);
}

static void free_table(struct object_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        free_object(table->by_path[i]);
    free(table->by_path);
    free(table->by_number);
    free(table);
}

void objects_free(struct objects *objects)
{
    while (objects->tables) {
        struct object_table *table = objects->tables;

        objects->tables = table->next;
        free_table(table);
    }
    pthread_mutex_destroy(&objects->lock);
}
