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

/* ---- spare memory --------------------------------------------------------------------------- */

enum { MIB = 1024 * 1024, SPARE_BYTES_MAX = 16 * MIB };

static void *written_in(struct buf *bytes, size_t len)
{
    assert_true(buf_reserve(bytes, len));
    bytes->len = len;
    return bytes->data;
}

/* A document of so many bytes that nobody reads any more. Where it was. */
static void *make_one(struct places *places, size_t len)
{
    struct buf bytes = places_take_spare(places);
    void *data = written_in(&bytes, len);
    struct http_body *body = places_add_body(places, &bytes);

    assert_non_null(body);
    places_free_body(body);
    return data;
}

static void the_next_document_has_the_memory_of_the_last(void **state)
{
    struct places places;
    struct buf bytes;
    void *data;

    (void)state;
    places_init(&places, 1, SPARE_BYTES_MAX);
    data = make_one(&places, 2 * MIB);
    assert_ptr_equal(make_one(&places, 2 * MIB), data);
    bytes = places_take_spare(&places);
    assert_ptr_equal(bytes.data, data);
    assert_int_equal(bytes.len, 0);
    places_give_back(&places, &bytes);
    assert_null(bytes.data);
    assert_ptr_equal(places.spare.data, data);
    places_free(&places);
}

static void only_one_is_kept_and_that_is_the_largest(void **state)
{
    struct places places;
    struct buf of[3] = {0};
    void *data[3];

    (void)state;
    places_init(&places, 1, SPARE_BYTES_MAX);
    for (size_t i = 0; i < N_ELEMENTS(of); i++) {
        of[i] = places_take_spare(&places);
        data[i] = written_in(&of[i], ((size_t[]){2, 3, 1})[i] * MIB);
    }
    for (size_t i = 0; i < N_ELEMENTS(of); i++) {
        places_give_back(&places, &of[i]);
        assert_null(of[i].data);
        assert_ptr_equal(places.spare.data, data[i ? 1 : 0]);
    }
    places_free(&places);
}

static void what_is_small_or_very_large_is_not_kept(void **state)
{
    struct places places;

    (void)state;
    places_init(&places, 1, 2 * PLACES_SPARE_MAX);
    make_one(&places, PLACES_SPARE_MIN / 2);
    assert_null(places.spare.data);
    make_one(&places, PLACES_SPARE_MAX + 1);
    assert_null(places.spare.data);
    make_one(&places, PLACES_SPARE_MIN);
    assert_non_null(places.spare.data);
    places_free(&places);
}

/* It makes room, before anybody is cut off. */
static void what_is_spare_counts_with_the_documents(void **state)
{
    struct places places;
    struct buf first = {0}, other;
    struct http_body *body;

    (void)state;
    places_init(&places, 1, SPARE_BYTES_MAX);
    first = places_take_spare(&places);
    written_in(&first, 4 * MIB);
    body = places_add_body(&places, &first);
    make_one(&places, 8 * MIB);
    assert_non_null(places.spare.data);
    other = (struct buf){.data = malloc(12 * MIB), .len = 12 * MIB, .cap = 12 * MIB};
    places_free_body(places_add_body(&places, &other));
    assert_null(places.spare.data);
    assert_false(body->is_given_up);
    places_free_body(body);
    places_free(&places);
}

struct addition {
    struct places *places;
    struct buf bytes;
};

static void *add_to(void *opaque)
{
    struct addition *addition = opaque;

    return places_add_body(addition->places, &addition->bytes);
}

/* What is given up for a document could be spare, and there is no room for both. */
static void what_was_waited_for_does_not_become_spare(void **state)
{
    struct places places;
    struct addition addition = {.places = &places};
    struct http_body *body;
    bool is_given_up = false;
    pthread_t thread;
    void *other;

    (void)state;
    places_init(&places, 1, SPARE_BYTES_MAX);
    addition.bytes = places_take_spare(&places);
    written_in(&addition.bytes, 8 * MIB);
    body = places_add_body(&places, &addition.bytes);
    addition.bytes = places_take_spare(&places);
    written_in(&addition.bytes, 16 * MIB);
    assert_int_equal(pthread_create(&thread, NULL, add_to, &addition), 0);
    while (!is_given_up) {
        pthread_mutex_lock(&places.lock);
        is_given_up = body->is_given_up;
        pthread_mutex_unlock(&places.lock);
        sched_yield();
    }
    places_free_body(body);
    pthread_join(thread, &other);
    places_free_body(other);
    places_free(&places);
}

static void what_is_spare_for_long_is_let_go(void **state)
{
    struct places places;
    struct buf bytes;
    struct http_body *body;

    (void)state;
    places_init(&places, 1, SPARE_BYTES_MAX);
    assert_false(places_let_go(&places, 0));
    bytes = places_take_spare(&places);
    written_in(&bytes, 2 * MIB);
    body = places_add_body(&places, &bytes);
    assert_true(places_let_go(&places, UINT64_MAX)); /* it is still read */
    places_free_body(body);
    assert_true(places_let_go(&places, places.spare_since_ns + PLACES_SPARE_NS - 1));
    assert_non_null(places.spare.data);
    assert_false(places_let_go(&places, places.spare_since_ns + PLACES_SPARE_NS));
    assert_null(places.spare.data);
    places_free(&places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_lost_its_place_waits_for_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_last_one_waits_for_is_given_up, set_up, tear_down),
        cmocka_unit_test(the_next_document_has_the_memory_of_the_last),
        cmocka_unit_test(only_one_is_kept_and_that_is_the_largest),
        cmocka_unit_test(what_is_small_or_very_large_is_not_kept),
        cmocka_unit_test(what_is_spare_counts_with_the_documents),
        cmocka_unit_test(what_was_waited_for_does_not_become_spare),
        cmocka_unit_test(what_is_spare_for_long_is_let_go),
        cmocka_unit_test_setup_teardown(one_has_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_have_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_reads_is_cut_off_for_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_to_read_what_was_given_up_is_cut_off, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
