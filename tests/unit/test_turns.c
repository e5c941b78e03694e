/* SPDX-License-Identifier: MIT */
/* Whose turn it is: users share, and each user's clients share what is the user's. */
#include "server/turns.h"

#include <stdlib.h>

#include "check.h"

enum { MS = 1000 * 1000, CROWD = 50, ALICE = 1000, MALLORY = 1001 };

static void join(struct turns *turns, struct turn *turn, uid_t user)
{
    if (turns_join(turns, turn, user))
        abort();
}

static void join_and_wait(struct turns *turns, struct turn *turn, uid_t user)
{
    join(turns, turn, user);
    turns_wait(turns, turn);
}

static void crowd_in(struct turns *turns, struct turn crowd[CROWD], uid_t user)
{
    int i;

    for (i = 0; i < CROWD; i++)
        join_and_wait(turns, &crowd[i], user);
}

/* One turn that takes so long. Who had it waits for the next. */
static struct turn *have_turn(struct turns *turns, uint64_t ns)
{
    struct turn *turn = turns_begin(turns);

    assert_non_null(turn);
    assert_false(turn_waits(turn));
    turns_wait(turns, turn);
    turns_end(turns, ns);
    return turn;
}

/* How many turns others have until @turn has had one of @ns, in which it is answered. */
static int turns_before(struct turns *turns, const struct turn *turn, uint64_t others_ns,
                        uint64_t ns)
{
    struct turn *next;
    int n = 0;

    for (;; n++) {
        next = turns_begin(turns);
        assert_non_null(next);
        if (next == turn)
            turns_answered(turns);
        turns_wait(turns, next);
        turns_end(turns, next == turn ? ns : others_ns);
        if (next == turn)
            return n;
    }
}

static int open_turns(void **state)
{
    struct turns *turns = malloc(sizeof(*turns));

    if (!turns)
        abort();
    turns_init(turns);
    *state = turns;
    return 0;
}

static int close_turns(void **state)
{
    turns_free(*state);
    free(*state);
    return 0;
}

static void all_leave(struct turns *turns, struct turn *first, int n)
{
    int i;

    for (i = 0; i < n; i++)
        turns_leave(turns, &first[i]);
}

static void assert_empty(const struct turns *turns)
{
    assert_int_equal(turns->n_users, 0);
    assert_int_equal(turns->n_waiting, 0);
    assert_int_equal(turns->users.count, 0);
    assert_true(LIST_EMPTY(&turns->all_users));
}

/* ---- one user ------------------------------------------------------------------------------- */

static void without_clients_it_is_nobodys_turn(void **state)
{
    struct turns *turns = *state;
    struct turn turn;

    assert_null(turns_begin(turns));
    join(turns, &turn, ALICE);
    assert_null(turns_begin(turns));
    turns_wait(turns, &turn);
    turns_wait(turns, &turn);
    assert_int_equal(turns->n_waiting, 1);
    turns_stop_waiting(turns, &turn);
    turns_stop_waiting(turns, &turn);
    assert_null(turns_begin(turns));
    turns_leave(turns, &turn);
    assert_empty(turns);
}

static void who_is_alone_has_all_turns(void **state)
{
    struct turns *turns = *state;
    struct turn turn;
    int i;

    join_and_wait(turns, &turn, ALICE);
    for (i = 0; i < 100; i++)
        assert_ptr_equal(have_turn(turns, 50 * MS), &turn);
    turns_leave(turns, &turn);
    assert_empty(turns);
}

static void clients_who_take_the_same_have_one_turn_after_the_other(void **state)
{
    struct turns *turns = *state;
    struct turn crowd[CROWD];
    int i;

    crowd_in(turns, crowd, ALICE);
    for (i = 0; i < 10 * CROWD; i++)
        assert_ptr_equal(have_turn(turns, MS), &crowd[i % CROWD]);
    all_leave(turns, crowd, CROWD);
    assert_empty(turns);
}

/* Also where they are of one user. */
static void a_short_request_waits_for_one_turn_of_long_ones(void **state)
{
    struct turns *turns = *state;
    struct turn crowd[CROWD], little;
    int i;

    crowd_in(turns, crowd, ALICE);
    for (i = 0; i < 3 * CROWD; i++)
        have_turn(turns, 20 * MS);
    join_and_wait(turns, &little, ALICE);
    for (i = 0; i < 1000; i++)
        assert_true(turns_before(turns, &little, 20 * MS, MS / 10) <= 1);
    all_leave(turns, crowd, CROWD);
    turns_leave(turns, &little);
    assert_empty(turns);
}

/* Short ones that never end take no more than half of the time. */
static void long_requests_go_on(void **state)
{
    struct turns *turns = *state;
    struct turn little, crowd[CROWD];
    uint64_t of_little = 0, of_crowd = 0;
    int i;

    join_and_wait(turns, &little, ALICE);
    crowd_in(turns, crowd, ALICE);
    for (i = 0; i < CROWD; i++)
        crowd[i].share.had_ns = 100 * MS;
    while (of_crowd < 10 * CROWD * 20ull * MS) {
        of_crowd += 20ull * MS * (uint64_t)turns_before(turns, &little, 20 * MS, MS);
        of_little += MS;
        assert_in_range(of_crowd + 20 * MS - of_little, 0, 40 * MS);
    }
    for (i = 0; i < CROWD; i++)
        assert_int_equal(crowd[i].share.had_ns, (100 + 10 * 20) * MS);
    turns_leave(turns, &little);
    all_leave(turns, crowd, CROWD);
    assert_empty(turns);
}

/* One that comes anew for each request waits behind those who came before, and so do they all. */
static void newcomers_do_not_push_back_who_waits(void **state)
{
    struct turns *turns = *state;
    struct turn crowd[CROWD], honest, newcomer;
    int i;

    crowd_in(turns, crowd, ALICE);
    join_and_wait(turns, &honest, ALICE);
    for (i = 0; i < CROWD; i++) {
        assert_ptr_equal(have_turn(turns, 20 * MS), &crowd[i]);
        turns_leave(turns, &crowd[i]);
        join_and_wait(turns, &crowd[i], ALICE);
    }
    assert_ptr_equal(have_turn(turns, MS), &honest);
    join_and_wait(turns, &newcomer, ALICE);
    assert_ptr_equal(have_turn(turns, MS), &crowd[0]);
    all_leave(turns, crowd, CROWD);
    turns_leave(turns, &honest);
    turns_leave(turns, &newcomer);
    assert_empty(turns);
}

/* ---- several -------------------------------------------------------------------------------- */

static void fifty_clients_of_one_user_are_one(void **state)
{
    struct turns *turns = *state;
    struct turn crowd[CROWD], honest;
    int i;

    crowd_in(turns, crowd, MALLORY);
    for (i = 0; i < 20; i++)
        have_turn(turns, MS);
    join_and_wait(turns, &honest, ALICE);
    assert_int_equal(turns_before(turns, &honest, MS, MS), 0);
    for (i = 0; i < 100; i++)
        assert_true(turns_before(turns, &honest, MS, MS) <= 1);
    all_leave(turns, crowd, CROWD);
    turns_leave(turns, &honest);
    assert_empty(turns);
}

static void who_took_long_waits_until_others_have_had_as_much(void **state)
{
    struct turns *turns = *state;
    struct turn hog, honest;
    int i;

    join_and_wait(turns, &hog, MALLORY);
    assert_ptr_equal(have_turn(turns, 50 * MS), &hog);
    join_and_wait(turns, &honest, ALICE);
    for (i = 0; i < 50; i++)
        assert_ptr_equal(have_turn(turns, MS), &honest);
    assert_ptr_equal(have_turn(turns, 50 * MS),
                     &hog); /* who came first, now that they have had the same */
    turns_leave(turns, &hog);
    turns_leave(turns, &honest);
    assert_empty(turns);
}

/* Who comes anew for each request takes along what it has had. */
static void who_comes_back_has_had_what_it_had(void **state)
{
    struct turns *turns = *state;
    struct turn hog, honest;
    int i, n;

    join_and_wait(turns, &honest, ALICE);
    have_turn(turns, MS);
    for (i = 0; i < 10; i++) {
        join_and_wait(turns, &hog, MALLORY);
        n = turns_before(turns, &hog, MS, 50 * MS);
        assert_in_range(n, i ? 49 : 0, i ? 50 : 2);
        turns_leave(turns, &hog);
    }
    turns_leave(turns, &honest);
    assert_empty(turns);
}

/* One that leaves in its turn has that one on its account, too. */
static void so_has_who_left_in_its_turn(void **state)
{
    struct turns *turns = *state;
    struct turn hog, honest;

    join_and_wait(turns, &hog, MALLORY);
    join_and_wait(turns, &honest, ALICE);
    assert_ptr_equal(turns_begin(turns), &hog);
    turns_leave(turns, &hog);
    turns_end(turns, 50 * MS);
    join_and_wait(turns, &hog, MALLORY);
    assert_int_equal(turns_before(turns, &hog, MS, MS), 50);
    turns_leave(turns, &hog);
    turns_leave(turns, &honest);
    assert_empty(turns);
}

/* Who comes and goes without a request has had time all the same. */
static void what_is_done_outside_of_turns_counts(void **state)
{
    struct turns *turns = *state;
    struct turn mallory, honest;

    join_and_wait(turns, &honest, ALICE);
    have_turn(turns, 100 * MS);
    have_turn(turns, MS);
    turns_charge(turns, MALLORY, 30 * MS); /* before it has a client */
    join_and_wait(turns, &mallory, MALLORY);
    turns_charge(turns, MALLORY, 20 * MS);                       /* while one waits */
    assert_int_equal(turns_before(turns, &mallory, MS, MS), 49); /* of 50, ALICE has had one */
    turns_stop_waiting(turns, &mallory);
    turns_charge(turns, MALLORY, 10 * MS);
    turns_wait(turns, &mallory);
    assert_int_equal(turns_before(turns, &mallory, MS, MS), 11);
    turns_leave(turns, &mallory);
    turns_charge(turns, MALLORY, 10 * MS); /* its last one has gone */
    join_and_wait(turns, &mallory, MALLORY);
    assert_int_equal(turns_before(turns, &mallory, MS, MS), 11);
    turns_leave(turns, &mallory);
    turns_leave(turns, &honest);
    assert_empty(turns);
}

static void so_many_who_came_and_went_are_known(void **state)
{
    struct turns *turns = *state;
    struct turn stays;
    uid_t i;

    turns_charge(turns, MALLORY, MS);
    assert_empty(turns); /* nobody is there to whom it would matter */
    join(turns, &stays, ALICE);
    for (i = 0; i < 2 * TURNS_LEFT_MAX; i++)
        turns_charge(turns, 2000 + i, MS);
    assert_int_equal(turns->n_users, 1 + TURNS_LEFT_MAX);
    turns_leave(turns, &stays);
    assert_empty(turns);
}

/* One turn of so long, and it leaves. */
static void come_and_go(struct turns *turns, uid_t user, uint64_t ns)
{
    struct turn turn;

    join_and_wait(turns, &turn, user);
    assert_ptr_equal(turns_begin(turns), &turn);
    turns_end(turns, ns);
    turns_leave(turns, &turn);
}

static bool knows(const struct turns *turns, uid_t uid)
{
    const struct turns_user *user;

    LIST_FOREACH(user, &turns->all_users, link)
    {
        if (user->user == uid)
            return true;
    }
    return false;
}

static void who_left_is_forgotten_once_others_have_had_as_much(void **state)
{
    struct turns *turns = *state;
    struct turn honest;
    int i;

    join(turns, &honest, ALICE);
    come_and_go(turns, MALLORY, 10 * MS);
    turns_wait(turns, &honest);
    for (i = 0; i < 10; i++)
        have_turn(turns, MS);
    come_and_go(turns, MALLORY + 1, MS);
    assert_true(knows(turns, MALLORY)); /* the last of these began at 9 ms */
    have_turn(turns, MS);
    come_and_go(turns, MALLORY + 2, MS);
    assert_false(knows(turns, MALLORY));
    turns_leave(turns, &honest);
    assert_empty(turns);
}

static void so_many_who_left_are_known(void **state)
{
    struct turns *turns = *state;
    struct turn stays;
    uid_t i;

    join(turns, &stays, ALICE);
    for (i = 0; i < TURNS_LEFT_MAX; i++)
        come_and_go(turns, 2000 + i, (i == 7 ? 1 : 100) * MS);
    assert_int_equal(turns->n_users, 1 + TURNS_LEFT_MAX);
    assert_true(knows(turns, 2007));
    come_and_go(turns, 3000, 100 * MS);
    assert_int_equal(turns->n_users, 1 + TURNS_LEFT_MAX);
    assert_false(knows(turns, 2007)); /* had least */
    assert_true(knows(turns, 3000));
    turns_leave(turns, &stays);
    assert_empty(turns);
}

static void each_user_has_the_same(void **state)
{
    enum { USERS = 7, TURNS = 7000 };
    struct turns *turns = *state;
    struct turn clients[USERS][3];
    uint64_t had[USERS] = {0}, longest = 0, ns;
    int i, user;

    for (user = 0; user < USERS; user++)
        for (i = 0; i < 3; i++)
            join_and_wait(turns, &clients[user][i], (uid_t)user);
    srand(1);
    for (i = 0; i < TURNS; i++) {
        struct turn *turn = turns_begin(turns);

        user = (int)turn->user->user;
        ns = (uint64_t)(rand() % (1 + 10 * user)) * MS;
        longest = ns > longest ? ns : longest;
        had[user] += ns;
        turns_wait(turns, turn);
        turns_end(turns, ns);
    }
    for (user = 1; user < USERS; user++)
        assert_in_range(had[user] + longest - had[0], 0, 2 * longest);
    for (user = 0; user < USERS; user++)
        all_leave(turns, clients[user], 3);
    assert_empty(turns);
}

static void nobody_saves_up_time(void **state)
{
    struct turns *turns = *state;
    struct turn busy, idle;
    int i;

    join(turns, &idle, ALICE);
    join_and_wait(turns, &busy, MALLORY);
    for (i = 0; i < 1000; i++)
        have_turn(turns, MS);
    turns_wait(turns, &idle);
    for (i = 0; i < 100; i++)
        assert_true(turns_before(turns, &busy, MS, MS) <= 2);
    turns_leave(turns, &busy);
    turns_leave(turns, &idle);
    assert_empty(turns);
}

static void a_turn_that_takes_no_time_ends_too(void **state)
{
    struct turns *turns = *state;
    struct turn first, second;

    join_and_wait(turns, &first, ALICE);
    join_and_wait(turns, &second, MALLORY);
    assert_ptr_equal(have_turn(turns, 0), &first);
    assert_ptr_equal(have_turn(turns, 0), &second);
    assert_ptr_equal(have_turn(turns, 0), &first);
    turns_leave(turns, &first);
    turns_leave(turns, &second);
    assert_empty(turns);
}

/* ---- those who go --------------------------------------------------------------------------- */

static void a_client_may_go_in_its_turn(void **state)
{
    struct turns *turns = *state;
    struct turn goes, stays;

    join_and_wait(turns, &goes, ALICE);
    join_and_wait(turns, &stays, ALICE);
    assert_ptr_equal(turns_begin(turns), &goes);
    turns_leave(turns, &goes);
    turns_end(turns, 10 * MS);
    assert_int_equal(stays.user->share.had_ns, 10 * MS); /* its user's time all the same */
    assert_ptr_equal(turns_begin(turns), &stays);
    turns_leave(turns, &stays);
    turns_end(turns, MS);
    assert_empty(turns);
}

static void those_who_wait_may_go(void **state)
{
    struct turns *turns = *state;
    struct turn crowd[CROWD];
    int i;

    crowd_in(turns, crowd, MALLORY);
    for (i = 0; i < CROWD; i += 2)
        turns_leave(turns, &crowd[i]);
    for (i = 1; i < CROWD; i += 2)
        assert_ptr_equal(have_turn(turns, MS), &crowd[i]);
    for (i = 1; i < CROWD; i += 2)
        turns_leave(turns, &crowd[i]);
    assert_empty(turns);
}

/* ---- whatever happens ----------------------------------------------------------------------- */

static void check_order(const struct shares *shares)
{
    size_t i;

    for (i = 0; i < shares->count; i++) {
        const struct share *share = shares->heap[i], *parent = shares->heap[(i + 1) / 2 - !!i];

        assert_int_equal(share->place, i + 1);
        assert_true(!i || parent->had_ns <= share->had_ns);
    }
}

static void check_all(const struct turns *turns)
{
    const struct turns_user *user;
    const struct turn *turn;
    size_t waiting = 0, in_order;

    check_order(&turns->users);
    assert_true(!turns->users.count || turns->users.heap[0]->had_ns >= turns->now_ns);
    LIST_FOREACH(user, &turns->all_users, link)
    {
        in_order = 0;
        TAILQ_FOREACH(turn, &user->in_order, link)
        {
            in_order++;
        }
        check_order(&user->clients);
        assert_int_equal(in_order, user->clients.count);
        waiting += user->clients.count;
        assert_int_equal(!!user->share.place, !!user->clients.count);
    }
    assert_int_equal(turns->n_waiting, waiting);
}

static void change(struct turns *turns, struct turn *turn)
{
    switch (turn->user ? rand() % 6 : 5) {
    case 0:
        turns_leave(turns, turn);
        turn->user = NULL;
        break;
    case 1:
        turns_stop_waiting(turns, turn);
        break;
    case 5:
        if (!turn->user)
            join(turns, turn, (uid_t)(rand() % 5));
        break;
    default:
        turns_wait(turns, turn);
    }
}

static void the_order_holds_whatever_happens(void **state)
{
    enum { CLIENTS = 40, STEPS = 20000 };
    struct turns *turns = *state;
    struct turn clients[CLIENTS] = {0};
    int i;

    srand(2);
    for (i = 0; i < STEPS; i++) {
        change(turns, &clients[rand() % CLIENTS]);
        check_all(turns);
        if (rand() % 2 && turns_begin(turns)) {
            change(turns, &clients[rand() % CLIENTS]);
            if (rand() % 4 == 0)
                turns_answered(turns);
            turns_end(turns, (uint64_t)(rand() % 5));
            check_all(turns);
        }
    }
    for (i = 0; i < CLIENTS; i++)
        if (clients[i].user)
            turns_leave(turns, &clients[i]);
    assert_empty(turns);
}

#define WITH_TURNS(test) cmocka_unit_test_setup_teardown(test, open_turns, close_turns)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TURNS(without_clients_it_is_nobodys_turn),
        WITH_TURNS(who_is_alone_has_all_turns),
        WITH_TURNS(clients_who_take_the_same_have_one_turn_after_the_other),
        WITH_TURNS(a_short_request_waits_for_one_turn_of_long_ones),
        WITH_TURNS(long_requests_go_on),
        WITH_TURNS(newcomers_do_not_push_back_who_waits),
        WITH_TURNS(fifty_clients_of_one_user_are_one),
        WITH_TURNS(who_took_long_waits_until_others_have_had_as_much),
        WITH_TURNS(who_comes_back_has_had_what_it_had),
        WITH_TURNS(so_has_who_left_in_its_turn),
        WITH_TURNS(what_is_done_outside_of_turns_counts),
        WITH_TURNS(so_many_who_came_and_went_are_known),
        WITH_TURNS(who_left_is_forgotten_once_others_have_had_as_much),
        WITH_TURNS(so_many_who_left_are_known),
        WITH_TURNS(each_user_has_the_same),
        WITH_TURNS(nobody_saves_up_time),
        WITH_TURNS(a_turn_that_takes_no_time_ends_too),
        WITH_TURNS(a_client_may_go_in_its_turn),
        WITH_TURNS(those_who_wait_may_go),
        WITH_TURNS(the_order_holds_whatever_happens),
    };

    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
