/* SPDX-License-Identifier: MIT */
/*
 * Asks VMs turn by turn: each that a place has, all at once, and a silent one keeps neither the
 * others waiting nor who looks at them. One that fails is tried again until it is back; one that
 * appears is asked from then on.
 *
 * Each VM has a slot, a small number. A slot is given to another VM only after somebody has been
 * told that its VM has left.
 */
#ifndef LOOK_WATCH_H
#define LOOK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "look/place.h"
#include "look/source.h"

/* A VM that its place does not have any more is shown for so long. */
#define WATCH_LEAVE_SECONDS 30.0

/* A VM whose answer takes longer is late: the others are shown without it. */
#define WATCH_LATE_SECONDS 1.0

/* So often a VM is asked whether it has other statistics by now. */
#define WATCH_NEWS_SECONDS 3.0

/* QEMU serves one client at a time: between two turns that are so far apart it is let go. */
#define WATCH_LET_GO_SECONDS 2.0

enum { WATCH_UNWANTED = 1 }; /* the VM is another than those that are meant */

/* What is wanted of a VM; all from malloc(). */
struct watch_wish {
    bool *wanted; /* for each of its statistics */
    char **paths; /* of the wanted vCPUs; NULL: all */
    size_t n_paths;
};

void watch_wish_free(struct watch_wish *wish);

struct watch_options {
    struct place *place;
    bool wants_vm, wants_vcpus, wants_others;
    const char *const *objects; /* of other targets; NULL: all */
    size_t n_objects;
    bool shows_help; /* what statistics say of themselves is asked for */
    bool holds;      /* never lets a VM go between two turns */
    double interval;
    /*
     * What is wanted of a VM that was connected to: 0, -ENOMEM, or WATCH_UNWANTED, which is then
     * forgotten as long as its place has it. Threads call it, all at a time.
     */
    int (*wish)(const void *opaque, const struct client *client, struct watch_wish *ret_wish);
    const void *opaque;
};

/*
 * What became of a VM since it was asked for last. The descriptions of its statistics stay until a
 * result is taken that @is_back or @is_renewed, and then until watch_take() is called for this slot
 * once more.
 */
struct watch_result {
    const char *key; /* as the place says; stays until the VM has left */
    struct sample sample;
    double time;                        /* of the sample, seconds since 1970 */
    const char *vm_name;                /* with a sample; stays as the descriptions do */
    const char *path;                   /* the same; to be shown */
    const struct client_origin *origin; /* the same */
    bool is_back;    /* was lost, and is another now for all that is known; has a sample */
    bool is_renewed; /* was not lost, but its descriptions are others; has a sample */
    bool has_sample; /* also when it was lost after that */
    bool is_lost;    /* it failed; it is tried again, and heard of when it is back */
    int err;         /* why, -errno; -ESRCH: it is known to be no more */
    bool has_left;   /* its place has not had it for long; nothing more comes of it */
    double since;    /* lost: when it had been asked, seconds since 1970 */
    struct client_error error;
};

struct watch_turn {
    uint64_t number; /* from 1 on */
    double time;     /* when it began, seconds since 1970 */
};

struct watch;

/* Takes the first turn; the others only after watch_set(). 0 or -errno. */
int watch_start(const struct watch_options *options, struct watch **ret_watch);

/* Makes what is under way fail, and waits for the threads. No description stays. */
void watch_stop(struct watch *watch);

void watch_set(struct watch *watch, double interval, bool is_paused);

/* Readable when a turn begins, and when there are results. */
int watch_fd(const struct watch *watch);
void watch_clear(struct watch *watch);

/* Slots are numbered from 0 on; some may be empty. Grows only. */
size_t watch_count(struct watch *watch);

/* False: nothing new of this slot. The result is the caller's then: watch_result_free(). */
bool watch_take(struct watch *watch, size_t slot, struct watch_result *ret_result);
void watch_result_free(struct watch_result *result);

/* The VM of a slot; NULL: it is empty. Stays until it is known to have left. */
const char *watch_key(struct watch *watch, size_t slot);

/* For how long the VM has not answered what it was asked, in seconds. 0: it has, or it is lost. */
double watch_silence(struct watch *watch, size_t slot);

/* The turn that has begun last. */
struct watch_turn watch_turn(struct watch *watch);

/*
 * Whether all VMs have answered in the turn @number or later, but for those that are lost. Where at
 * least one has, the late ones don't count.
 */
bool watch_is_over(struct watch *watch, uint64_t number);

/* Whether all VMs have answered at some time, or are lost. */
bool watch_has_heard_all(struct watch *watch);

/* Waits until the turn @number or a later one is over. */
void watch_wait(struct watch *watch, uint64_t number);

/*
 * Calls @visit for each VM that has answered in the first turn, or is unwanted, before any other
 * turn: the clients stay, and nobody else uses them, until watch_set().
 */
void watch_visit(struct watch *watch,
                 void (*visit)(void *opaque, const char *key, struct client *client), void *opaque);

#endif
