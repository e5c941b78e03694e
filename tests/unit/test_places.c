/* SPDX-License-Identifier: MIT */
/* Who loses its place, how many bytes the documents that are read have, and who is cut off for them. */
#include "http/places.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { BYTES_MAX = 100 };

struct world {
    struct places places;
    struct place *reader;
    int fds[2]; /* the server's, and the reader's */
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    places_init(&world->places, 2, BYTES_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, world->fds), 0);
    world->reader = places_enter(&world->places, world, world->fds[0]);
    assert_non_null(world->reader);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    places_leave(&world->places, world->reader);
    places_free(&world->places);
    close(world->fds[0]);
    close(world->fds[1]);
    free(world);
    return 0;
}

static struct http_body *add(struct world *world, size_t len)
{
    struct buf bytes = {.data = malloc(len), .len = len, .cap = len};

    return places_add_body(&world->places, &bytes);
}

static bool is_cut(const struct world *world)
{
    char byte;

    return recv(world->fds[1], &byte, 1, MSG_DONTWAIT) == 0;
}

/* ---- places --------------------------------------------------------------------------------- */

static void count_call(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void leave(struct world *world, struct place *place)
{
    close(place->fd);
    places_leave(&world->places, place);
}

/* Whose other end stays open. */
static struct place *enter(struct world *world, int *ret_peer)
{
    struct place *place;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    place = places_enter(&world->places, world, fds[0]);
    assert_non_null(place);
    *ret_peer = fds[1];
    return place;
}

static void who_has_lost_its_place_waits_for_nothing(void **state)
{
    struct world *world = *state;
    int peers[2];
    struct place *one = enter(world, &peers[0]), *other = enter(world, &peers[1]);

    assert_true(is_cut(world));
    assert_false(places_waits(&world->places, world->reader, NULL, NULL));
    assert_true(places_waits(&world->places, one, NULL, NULL));
    leave(world, one);
    leave(world, other);
    close(peers[0]);
    close(peers[1]);
}

static void what_the_last_one_waits_for_is_given_up(void **state)
{
    struct world *world = *state;
    unsigned calls_of_first = 0, calls_of_last = 0;
    int peers[2];
    struct place *last = enter(world, &peers[0]), *other;

    assert_true(places_waits(&world->places, world->reader, count_call, &calls_of_first));
    assert_true(places_waits(&world->places, last, count_call, &calls_of_last));
    other = enter(world, &peers[1]);
    assert_false(is_cut(world));
    assert_int_equal(calls_of_first, 0);
    assert_int_equal(calls_of_last, 1);
    leave(world, last);
    leave(world, other);
    close(peers[0]);
    close(peers[1]);
}

/* ---- how large one may be ------------------------------------------------------------------- */

static void one_has_a_limit(void **state)
{
    struct world *world = *state;
    struct http_body *body = add(world, BYTES_MAX);

    assert_non_null(body);
    places_free_body(body);
    assert_null(add(world, BYTES_MAX + 1));
}

static void all_have_the_same(void **state)
{
    struct world *world = *state;
    struct http_body *one = add(world, BYTES_MAX / 2), *other = add(world, BYTES_MAX / 2);

    places_reads(&world->places, world->reader, one);
    assert_false(is_cut(world));
    places_free_body(one);
    places_free_body(other);
}

/* ---- giving up ------------------------------------------------------------------------------ */

/* Waits for the first one, which does not fit beside it. */
static void *add_another(void *opaque)
{
    return add(opaque, BYTES_MAX);
}

static void wait_until_given_up(struct world *world, const struct http_body *body)
{
    bool is_given_up = false;

    while (!is_given_up) {
        pthread_mutex_lock(&world->places.lock);
        is_given_up = body->is_given_up;
        pthread_mutex_unlock(&world->places.lock);
        sched_yield();
    }
}

static void has_to_wait(struct world *world, const struct http_body *body)
{
    pthread_mutex_lock(&world->places.lock);
    assert_ptr_equal(world->places.bodies, body);
    assert_null(body->next);
    pthread_mutex_unlock(&world->places.lock);
}

static void who_reads_is_cut_off_for_another(void **state)
{
    struct world *world = *state;
    struct http_body *body = add(world, 1);
    pthread_t thread;
    void *other;

    places_reads(&world->places, world->reader, body);
    assert_int_equal(pthread_create(&thread, NULL, add_another, world), 0);
    wait_until_given_up(world, body);
    assert_true(is_cut(world));
    has_to_wait(world, body);
    places_free_body(body);
    pthread_join(thread, &other);
    places_free_body(other);
}

static void who_comes_to_read_what_was_given_up_is_cut_off(void **state)
{
    struct world *world = *state;
    struct http_body *body = add(world, 1);
    pthread_t thread;
    void *other;

    assert_int_equal(pthread_create(&thread, NULL, add_another, world), 0);
    wait_until_given_up(world, body);
    assert_false(is_cut(world));
    places_reads(&world->places, world->reader, body);
    assert_true(is_cut(world));
    has_to_wait(world, body);
    places_free_body(body);
    pthread_join(thread, &other);
    places_free_body(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_lost_its_place_waits_for_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_last_one_waits_for_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_has_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_have_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_reads_is_cut_off_for_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_to_read_what_was_given_up_is_cut_off, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
