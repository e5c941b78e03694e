/* SPDX-License-Identifier: MIT */
/*
 * Asks each VM again and again in a thread of its own, so that a silent one keeps neither the
 * others waiting nor who looks at them.
 */
#ifndef TOP_WATCH_H
#define TOP_WATCH_H

#include <stdbool.h>

#include "client/client.h"

enum { WATCH_TARGETS = 2 };

struct watch_vm {
    struct client *client;                         /* nobody else may use it meanwhile */
    struct client_request requests[WATCH_TARGETS]; /* of the VM, of its vCPUs; no target: none */
};

/* What a VM has answered last. */
struct watch_result {
    struct client_snapshot *snapshots[WATCH_TARGETS]; /* NULL: not asked for */
    double time;                                      /* seconds since 1970 */
    bool is_lost;                                     /* it failed, and is not asked again */
    struct client_error error;
};

struct watch;

/* 0 or -errno. @vms must stay until the end. */
int watch_start(const struct watch_vm *vms, size_t n, double interval, struct watch **ret_watch);

/* Makes what is under way fail, and waits for the threads. The clients are of no use then. */
void watch_stop(struct watch *watch);

void watch_set(struct watch *watch, double interval, bool is_paused);

/* Readable when there are results. */
int watch_fd(const struct watch *watch);
void watch_clear(struct watch *watch);

/* False: nothing new of this VM. The result is the caller's then: watch_result_free(). */
bool watch_take(struct watch *watch, size_t vm, struct watch_result *ret_result);
void watch_result_free(struct watch_result *result);

#endif
