/* SPDX-License-Identifier: MIT */
/*
 * Asks each VM again and again in a thread of its own, so that a silent one keeps neither the
 * others waiting nor who looks at them. One that fails is tried again, until it is back.
 */
#ifndef LOOK_WATCH_H
#define LOOK_WATCH_H

#include <stdbool.h>

#include "look/source.h"

struct watch_vm {
    const char *path; /* of its socket */
    unsigned timeout_ms;
    struct client *client; /* open; the watch takes it over */
    bool *wanted;          /* for each of its statistics; also taken over */
    bool wants_vm, wants_vcpus, wants_others;
};

/*
 * What is wanted of a VM that is back, whose statistics may be others: one for each, from malloc().
 * NULL: no memory. The threads call it, all at a time.
 */
struct watch_choice {
    bool *(*want)(const void *opaque, const struct client *client);
    const void *opaque;
};

/*
 * What a VM has answered last. The descriptions of its statistics stay until one is taken that
 * @is_back, and then until watch_take() is called for this VM once more.
 */
struct watch_result {
    struct sample sample;
    double time;         /* seconds since 1970 */
    const char *vm_name; /* stays as the descriptions do */
    bool is_back;        /* was lost, and is another now for all that is known; has a sample */
    bool has_sample;     /* also when it was lost after that */
    bool is_lost;        /* it failed; it is tried again, and heard of when it is back */
    struct client_error error;
};

struct watch;

/* 0 or -errno. The clients are taken over also then. @vms and the paths are copied. */
int watch_start(const struct watch_vm *vms, size_t n, const struct watch_choice *choice,
                double interval, struct watch **ret_watch);

/* Makes what is under way fail, and waits for the threads. No description stays. */
void watch_stop(struct watch *watch);

void watch_set(struct watch *watch, double interval, bool is_paused);

/* Readable when there are results. */
int watch_fd(const struct watch *watch);
void watch_clear(struct watch *watch);

/* False: nothing new of this VM. The result is the caller's then: watch_result_free(). */
bool watch_take(struct watch *watch, size_t vm, struct watch_result *ret_result);
void watch_result_free(struct watch_result *result);

#endif
