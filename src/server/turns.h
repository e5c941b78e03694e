/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is. What a turn takes is known only when it is over.
 *
 * Users share the time of the server: whoever has had least of it is next, so that fifty clients of
 * one user are one, and who took long waits until the others have had as much. Nobody saves up what
 * was not used: who comes has had as much as whoever is served at the moment. The field knows this as
 * start-time fair queueing. Who leaves and comes back has had what it had before, until the others have
 * had as much, or all have left.
 *
 * The clients of one user can't be told from each other, but their requests can: the one that has
 * taken least so far is next, so that a short one waits for none that goes on for long (least attained
 * service). Half of the user's time goes to who waits longest instead, so that each goes on.
 *
 * Knows no sockets and no clock.
 */
#ifndef SERVER_TURNS_H
#define SERVER_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/*
 * Users who have left, and have had more than the others. Of more, the one who has had least of it is
 * forgotten.
 */
enum { TURNS_LEFT_MAX = 64 };

struct share {
    uint64_t had_ns;
    uint64_t arrival; /* of those that have had the same, the first that came is next */
    size_t place;     /* in the heap, from 1 on; 0: it does not wait */
};

/* Those who wait: who has had least is the first. */
struct shares {
    struct share **heap;
    size_t count, cap;
    uint64_t arrivals;
};

/* A client's part. */
struct turn {
    struct share share; /* of its user's time, for the request under way */
    struct turns_user *user;
    TAILQ_ENTRY(turn) link;
};

struct turns_user {
    struct share share; /* of the server's time */
    uid_t user;
    uint32_t n_clients;
    struct shares clients;
    TAILQ_HEAD(, turn) in_order; /* the same clients, as they came */
    int64_t out_of_order_ns; /* what those who took least have had more than those who came first */
    LIST_ENTRY(turns_user) link;
};

struct turns {
    struct shares users;
    LIST_HEAD(, turns_user) all_users;
    uint64_t now_ns;  /* what the user of the last turn had had at its start */
    uint32_t n_users; /* also those who have left and are not forgotten */
    uint32_t n_clients;
    uint32_t n_waiting; /* clients */
    /* The turn that has begun. */
    struct turns_user *user; /* NULL: none has */
    struct turn *turn;       /* NULL: the client has gone meanwhile */
    bool in_order, answered;
};

void turns_init(struct turns *turns);
/* When all clients have left. */
void turns_free(struct turns *turns);

/* A client comes and goes; -ENOMEM. It may go while it waits, and in its turn. */
int turns_join(struct turns *turns, struct turn *turn, uid_t user);
void turns_leave(struct turns *turns, struct turn *turn);

/* The client waits for its turn, or does no more; neither fails, and both may be said twice. */
void turns_wait(struct turns *turns, struct turn *turn);
void turns_stop_waiting(struct turns *turns, struct turn *turn);

static inline bool turn_waits(const struct turn *turn)
{
    return turn->share.place;
}

/*
 * What was done for a user outside of turns, as when a client comes or goes, is on the user's account as well.
 * The user may have no client.
 */
void turns_charge(struct turns *turns, uid_t user, uint64_t ns);

/* Whoever is next, who does not wait any more; NULL: nobody waits. */
struct turn *turns_begin(struct turns *turns);
/* The request under way is answered in this turn: what follows is another one. */
void turns_answered(struct turns *turns);
/* The turn is over, and took so long. */
void turns_end(struct turns *turns, uint64_t ns);

#endif
