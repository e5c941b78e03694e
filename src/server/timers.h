/* SPDX-License-Identifier: MIT */
/*
 * What happens to the clients and listeners of a server when time has passed. All timers of a kind
 * last as long, so each kind is a list in which the first one is the next: set and cancelled in no
 * time, whatever their number, without an allocation that could fail.
 */
#ifndef SERVER_TIMERS_H
#define SERVER_TIMERS_H

#include <stdint.h>
#include <sys/queue.h>

enum timer_kind {
    TIMER_NOISE_PAUSE,  /* of a transport: its client may speak again */
    TIMER_ACCEPT_PAUSE, /* of a listener: there may be files again */
    TIMER_PART,         /* of a transport: what its reply waits for may be there */
    TIMER_STALL,        /* of a transport: its client has taken nothing for too long */
    TIMER_KINDS,
};

struct timer {
    uint64_t at_ms; /* 0: it is not set */
    void *owner;
    TAILQ_ENTRY(timer) link;
};
TAILQ_HEAD(timer_list, timer);

struct timers {
    int fd;         /* readable when the first one has come */
    uint64_t at_ms; /* for which the fd is set; 0: for none */
    struct timer_list lists[TIMER_KINDS];
};

int timers_init(struct timers *timers); /* -EMFILE, -ENFILE, -ENOMEM */
void timers_free(struct timers *timers);

/* Sets a timer, again if it was set already. */
void timer_set(struct timers *timers, enum timer_kind kind, struct timer *timer);
void timer_cancel(struct timers *timers, enum timer_kind kind, struct timer *timer);

/* The fd was readable: calls what is to be done for each timer that has come. */
void timers_event(struct timers *timers);

#endif
