/* SPDX-License-Identifier: MIT */
#include "server/turns.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- those who share: a binary heap --------------------------------------------------------- */

static int reserve(struct shares *shares, size_t n)
{
    size_t cap = shares->cap ? shares->cap : 4;
    struct share **heap;

    while (cap < n)
        cap *= 2;
    if (cap == shares->cap)
        return 0;
    heap = realloc(shares->heap, cap * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    shares->heap = heap;
    shares->cap = cap;
    return 0;
}

static bool is_before(const struct share *a, const struct share *b)
{
    return a->had_ns != b->had_ns ? a->had_ns < b->had_ns : a->arrival < b->arrival;
}

static void put(struct shares *shares, size_t place, struct share *share)
{
    shares->heap[place - 1] = share;
    share->place = place;
}

/* From @place, which is free, towards the first. */
static void rise(struct shares *shares, size_t place, struct share *share)
{
    for (; place > 1 && is_before(share, shares->heap[place / 2 - 1]); place /= 2)
        put(shares, place, shares->heap[place / 2 - 1]);
    put(shares, place, share);
}

/* From @place, which is free, towards the last. */
static void sink(struct shares *shares, size_t place, struct share *share)
{
    size_t child;

    for (; (child = 2 * place) <= shares->count; place = child) {
        if (child < shares->count && is_before(shares->heap[child], shares->heap[child - 1]))
            child++;
        if (!is_before(shares->heap[child - 1], share))
            break;
        put(shares, place, shares->heap[child - 1]);
    }
    put(shares, place, share);
}

static void enter(struct shares *shares, struct share *share)
{
    if (share->place)
        return;
    share->arrival = shares->arrivals++;
    rise(shares, ++shares->count, share);
}

static void leave(struct shares *shares, struct share *share)
{
    size_t place = share->place;
    struct share *last;

    if (!place)
        return;
    share->place = 0;
    last = shares->heap[--shares->count];
    if (last == share)
        return;
    if (place > 1 && is_before(last, shares->heap[place / 2 - 1]))
        rise(shares, place, last);
    else
        sink(shares, place, last);
}

static void set_had(struct shares *shares, struct share *share, uint64_t ns)
{
    size_t place = share->place;

    share->had_ns = ns;
    if (place > 1 && is_before(share, shares->heap[place / 2 - 1]))
        rise(shares, place, share);
    else if (place)
        sink(shares, place, share);
}

/* ---- users and clients ---------------------------------------------------------------------- */

static struct turns_user *user_of(struct share *share)
{
    return (struct turns_user *)((char *)share - offsetof(struct turns_user, share));
}

static struct turn *turn_of(struct share *share)
{
    return (struct turn *)((char *)share - offsetof(struct turn, share));
}

void turns_init(struct turns *turns)
{
    *turns = (struct turns){0};
    LIST_INIT(&turns->all_users);
}

void turns_free(struct turns *turns)
{
    free(turns->users.heap);
}

static struct turns_user *add_user(struct turns *turns, uid_t uid)
{
    struct turns_user *user;

    if (reserve(&turns->users, turns->n_users + 1))
        return NULL;
    user = calloc(1, sizeof(*user));
    if (!user)
        return NULL;
    user->user = uid;
    TAILQ_INIT(&user->in_order);
    LIST_INSERT_HEAD(&turns->all_users, user, link);
    turns->n_users++;
    return user;
}

static bool has_left(const struct turns *turns, const struct turns_user *user)
{
    return !user->n_clients && user != turns->user;
}

static void forget(struct turns *turns, struct turns_user *user)
{
    LIST_REMOVE(user, link);
    turns->n_users--;
    free(user->clients.heap);
    free(user);
}

/* NULL: too few have left. */
static struct turns_user *find_one_too_many(const struct turns *turns)
{
    struct turns_user *user, *least = NULL;
    uint32_t n = 0;

    LIST_FOREACH(user, &turns->all_users, link)
    {
        if (!has_left(turns, user))
            continue;
        n++;
        if (!least || user->share.had_ns < least->share.had_ns)
            least = user;
    }
    return n > TURNS_LEFT_MAX ? least : NULL;
}

/*
 * Of those who have left, whoever has had more than the others is kept: one that comes anew for each
 * request has no more time than one that stays.
 */
static void forget_who_left(struct turns *turns)
{
    struct turns_user *user, *next;

    for (user = LIST_FIRST(&turns->all_users); user; user = next) {
        next = LIST_NEXT(user, link);
        if (has_left(turns, user) && (!turns->n_clients || user->share.had_ns <= turns->now_ns))
            forget(turns, user);
    }
    user = find_one_too_many(turns);
    if (user)
        forget(turns, user);
}

static struct turns_user *find_user(struct turns *turns, uid_t uid)
{
    struct turns_user *user;

    LIST_FOREACH(user, &turns->all_users, link)
    {
        if (user->user == uid)
            return user;
    }
    forget_who_left(turns);
    return add_user(turns, uid);
}

int turns_join(struct turns *turns, struct turn *turn, uid_t uid)
{
    struct turns_user *user = find_user(turns, uid);

    if (!user)
        return -ENOMEM;
    if (reserve(&user->clients, user->n_clients + 1)) {
        forget_who_left(turns);
        return -ENOMEM;
    }
    user->n_clients++;
    turns->n_clients++;
    *turn = (struct turn){.user = user};
    return 0;
}

void turns_leave(struct turns *turns, struct turn *turn)
{
    struct turns_user *user = turn->user;

    turns_stop_waiting(turns, turn);
    if (turns->turn == turn)
        turns->turn = NULL;
    user->n_clients--;
    turns->n_clients--;
    if (!user->n_clients)
        forget_who_left(turns);
}

/* Nobody saves up time: who comes has had as much as whoever is served at the moment. */
static void catch_up(const struct turns *turns, struct turns_user *user)
{
    if (!user->share.place && user != turns->user && user->share.had_ns < turns->now_ns)
        user->share.had_ns = turns->now_ns;
}

void turns_wait(struct turns *turns, struct turn *turn)
{
    struct turns_user *user = turn->user;

    if (turn_waits(turn))
        return;
    catch_up(turns, user);
    enter(&turns->users, &user->share);
    enter(&user->clients, &turn->share);
    TAILQ_INSERT_TAIL(&user->in_order, turn, link);
    turns->n_waiting++;
}

void turns_stop_waiting(struct turns *turns, struct turn *turn)
{
    struct turns_user *user = turn->user;

    if (!turn_waits(turn))
        return;
    leave(&user->clients, &turn->share);
    TAILQ_REMOVE(&user->in_order, turn, link);
    if (!user->clients.count)
        leave(&turns->users, &user->share);
    turns->n_waiting--;
}

void turns_charge(struct turns *turns, uid_t uid, uint64_t ns)
{
    struct turns_user *user = find_user(turns, uid);

    if (!user)
        return;
    catch_up(turns, user);
    set_had(&turns->users, &user->share, user->share.had_ns + ns);
    if (has_left(turns, user))
        forget_who_left(turns);
}

struct turn *turns_begin(struct turns *turns)
{
    struct turns_user *user;

    if (!turns->users.count)
        return NULL;
    user = user_of(turns->users.heap[0]);
    turns->user = user;
    turns->now_ns = user->share.had_ns;
    turns->in_order = user->out_of_order_ns > 0;
    turns->turn = turns->in_order ? TAILQ_FIRST(&user->in_order) : turn_of(user->clients.heap[0]);
    turns->answered = false;
    turns_stop_waiting(turns, turns->turn);
    return turns->turn;
}

void turns_answered(struct turns *turns)
{
    turns->answered = true;
}

void turns_end(struct turns *turns, uint64_t ns)
{
    struct turns_user *user = turns->user;
    struct turn *turn = turns->turn;

    ns += !ns; /* who takes no time does not stay the next for ever */
    set_had(&turns->users, &user->share, user->share.had_ns + ns);
    user->out_of_order_ns += turns->in_order ? -(int64_t)ns : (int64_t)ns;
    if (turn)
        set_had(&user->clients, &turn->share, turns->answered ? 0 : turn->share.had_ns + ns);
    turns->turn = NULL;
    turns->user = NULL;
    if (!user->n_clients)
        forget_who_left(turns);
}
