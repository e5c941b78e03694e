/* SPDX-License-Identifier: MIT */
/*
 * The objects of a context by target: the path of each, its number, the thread of the host that runs
 * it. Providers add and remove them; an object that several have is one, and goes with the last.
 *
 * A number is given once. It stays with the path when the object is gone, so that one that returns
 * has it again. The next free number is one above all that were ever given.
 */
#ifndef STATS_OBJECTS_H
#define STATS_OBJECTS_H

#include <pthread.h>

#include "base/arena.h"
#include "base/error.h"
#include "vitals/stats.h"

enum {
    /*
     * Objects of a target that are gone and still known. Of more, the one that is gone for longest
     * is forgotten: it returns like a new one. No other gets its number but by asking for it.
     */
    OBJECTS_GONE_MAX = 1024,
    OBJECT_TARGETS_MAX = 64, /* targets that have, or had, objects */
};

struct object_table; /* the objects of one target */

struct objects {
    pthread_mutex_t lock; /* all below; no other lock is taken while it is held */
    struct object_table *tables;
    uint64_t changes;
};

struct stats_object {
    const char *path;
    int64_t number;
    int64_t thread; /* -1: not known */
};

/* What a provider says of an object that it has. */
struct object_claim {
    const void *owner; /* the provider */
    const char *target, *path;
    int64_t number; /* or VITALS_NUMBER_ANY */
    int64_t thread; /* taken if nobody else has the object; -1: not known */
};

void objects_init(struct objects *objects);
void objects_free(struct objects *objects);

/*
 * -EEXIST: the owner has the object already, or the number is another object's, or the object has
 * another number. A number that was asked for follows who asks for it once its object is gone: KVM's
 * ids are such. -E2BIG: too many targets; -ENOMEM.
 */
int objects_add(struct objects *objects, const struct object_claim *claim,
                struct error_text *error);

/* -ENOENT: the owner has no such object. */
int objects_remove(struct objects *objects, const void *owner, const char *target, const char *path,
                   struct error_text *error);
void objects_remove_all(struct objects *objects, const void *owner);

/* -ENOENT: there is no such object. */
int objects_set_thread(struct objects *objects, const char *target, const char *path,
                       int64_t thread, struct error_text *error);

/* -1: not known, or there is no such object. */
int64_t objects_thread(struct objects *objects, const char *target, const char *path);

/* The objects of one context and target as they were at one moment, by number. All zeros at first. */
struct object_list {
    struct stats_object *objects;
    size_t n, cap;
    struct arena paths;
    uint64_t changes; /* how many there had been */
};

/* Brings the list up to date, which costs almost nothing if it is. -ENOMEM: it is empty then. */
int objects_list(struct objects *objects, const char *target, struct object_list *list);
void object_list_free(struct object_list *list);

#endif
