/* SPDX-License-Identifier: MIT */
/* Where VMs come from: they come and go while somebody looks. */
#ifndef LOOK_PLACE_H
#define LOOK_PLACE_H

#include <stdbool.h>

#include "client/client.h"

struct place;

struct place_ops {
    /*
     * Which VMs there are now: calls @found for each, with what tells it from the others of this
     * place (a socket's path), mostly in the same order. Once for each turn, from one thread.
     */
    void (*refresh)(struct place *place, void (*found)(void *opaque, const char *key),
                    void *opaque);
    /*
     * Does not wait. Any thread calls it, also for a VM that is not there any more. The client still
     * has to be introduced, unless the VMs are at hand.
     */
    int (*connect)(struct place *place, const char *key, struct client **ret_client,
                   struct client_error *error);
    /*
     * A VM that has never answered can't be opened, because of @err: whether it is none, and is to be
     * forgotten as long as it is found. NULL: no.
     */
    bool (*rejects)(struct place *place, const char *key, int err);
    /*
     * refresh() has brought the values of all VMs up to date at one moment, and asking one never
     * waits for it: all are asked from the thread that refreshes. Else each VM has a thread of its own,
     * so that a silent one keeps no other waiting.
     */
    bool is_at_hand;
    /* From another thread: what waits inside of this place fails now. NULL: nothing does. */
    void (*interrupt)(struct place *place);
    /* Once, soon after the begin: says what a person should know of it. NULL: nothing. */
    void (*tell)(struct place *place);
    void (*free)(struct place *place);
};

/* The first member of what a place is. It must stay until nothing watches it any more. */
struct place {
    const struct place_ops *ops;
};

#endif
