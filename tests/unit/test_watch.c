/* SPDX-License-Identifier: MIT */
/* The threads of `vitals top`: a VM that is lost, and one that is back. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "client/local.h"
#include "look/private.h"
#include "look/watch.h"
#include "base/clock.h"

enum { TIMEOUT_MS = 30000, SILENT_MS = 2500 };

#define INTERVAL 0.05

/* A VM, and who watches it. */
struct site {
    struct place place;
    pthread_mutex_t mutex; /* of the keys */
    char keys[4][256];
    size_t n_keys;
    struct vitals_server *server;
    struct vitals_ctx *ctx;
    struct vitals_group *group;
    struct vitals_listener *listener;
    struct fake fake;
    char path[256];
    struct watch *watch;
};

/* ---- the VM --------------------------------------------------------------------------------- */

/* With the statistics "first" and @second. */
static void start_vm(struct site *site, const char *second)
{
    site->fake = (struct fake){.provider = "p", .target = "vm", .names = {"first", second}};
    check_ok(fake_register(site->ctx, &site->fake, &site->group));
    site->listener = listen_at(site->server, site->ctx, site->path);
}

static void end_vm(struct site *site)
{
    check_ok(vitals_listener_close(site->listener));
    check_ok(vitals_unregister(site->group));
}

/* All but the first statistic. */
static int wish(const void *opaque, const struct client *client, struct watch_wish *ret_wish)
{
    size_t n;
    const struct client_stat *stats = client_stats(client, &n);
    bool *wanted = calloc(n + 1, sizeof(*wanted));

    for (size_t i = 0; i < n; i++)
        wanted[i] = strcmp(stats[i].desc.name, opaque) != 0;
    *ret_wish = (struct watch_wish){.wanted = wanted};
    return 0;
}

/* ---- where VMs are -------------------------------------------------------------------------- */

static void refresh(struct place *place, void (*found)(void *opaque, const char *key), void *opaque)
{
    struct site *site = (struct site *)place;

    pthread_mutex_lock(&site->mutex);
    for (size_t i = 0; i < site->n_keys; i++)
        found(opaque, site->keys[i]);
    pthread_mutex_unlock(&site->mutex);
}

static int connect_vm(struct place *place, const char *key, struct client **ret_client,
                      struct client_error *error)
{
    (void)place;
    return client_connect(key, NULL, TIMEOUT_MS, ret_client, error);
}

static bool rejects(struct place *place, const char *key, int err)
{
    (void)place;
    return err == -EPROTO && strstr(key, "stranger");
}

static const struct place_ops ops = {.refresh = refresh, .connect = connect_vm, .rejects = rejects};

static void add_key(struct site *site, const char *name)
{
    pthread_mutex_lock(&site->mutex);
    snprintf(site->keys[site->n_keys++], sizeof(site->keys[0]), "%s", in_dir(name));
    pthread_mutex_unlock(&site->mutex);
}

static const uint64_t read_ns = 1; /* the values of VMs at hand */

static int connect_at_hand(struct place *place, const char *key, struct client **ret_client,
                           struct client_error *error)
{
    const struct client_local local = {
        .ctx = ((struct site *)place)->ctx, .path = key, .time_ns = &read_ns};

    return client_open_local(&local, ret_client, error);
}

static const struct place_ops at_hand = {
    .refresh = refresh, .connect = connect_at_hand, .is_at_hand = true};

static void start_watch(struct site *site)
{
    struct watch_options options = {.place = &site->place,
                                    .wants_vm = true,
                                    .wants_others = true,
                                    .interval = INTERVAL,
                                    .wish = wish,
                                    .opaque = "first"};

    check_ok(watch_start(&options, &site->watch));
    watch_set(site->watch, INTERVAL, false);
}

static int open_site(void **state)
{
    struct site *site = calloc(1, sizeof(*site));

    if (make_dir(state) != 0)
        return -1;
    snprintf(site->path, sizeof(site->path), "%s", in_dir("qmp.sock"));
    check_ok(vitals_server_new(NULL, &site->server));
    check_ok(vitals_server_start(site->server));
    site->ctx = new_ctx();
    site->place.ops = &ops;
    pthread_mutex_init(&site->mutex, NULL);
    add_key(site, "qmp.sock");
    start_vm(site, "second");
    start_watch(site);
    *state = site;
    return 0;
}

static int close_site(void **state)
{
    struct site *site = *state;

    if (site->watch)
        watch_stop(site->watch);
    vitals_server_free(site->server);
    check_ok(vitals_ctx_free(site->ctx));
    free(site);
    return remove_dir(state);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* False: nothing came in that time. Each turn makes the descriptor readable, too. */
static bool take_of(struct site *site, size_t slot, struct watch_result *result, int timeout_ms)
{
    struct pollfd pollfd = {.fd = watch_fd(site->watch), .events = POLLIN};
    uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000;

    while (clock_now_ns() < end) {
        if (slot < watch_count(site->watch) && watch_take(site->watch, slot, result))
            return true;
        poll(&pollfd, 1, 10);
        watch_clear(site->watch);
    }
    return false;
}

static bool take(struct site *site, struct watch_result *result, int timeout_ms)
{
    return take_of(site, 0, result, timeout_ms);
}

/* Takes samples until the VM is lost. */
static void take_loss(struct site *site)
{
    struct watch_result result = {0};

    while (!result.is_lost) {
        watch_result_free(&result);
        assert_true(take(site, &result, TIMEOUT_MS));
    }
    assert_contains(result.error.text, site->path);
    watch_result_free(&result);
}

/* The name of the only statistic that is wanted. */
static const char *stat_of(const struct watch_result *result)
{
    const struct client_snapshot *snapshot = result->sample.of_vm;

    assert_non_null(snapshot);
    assert_null(result->sample.of_vcpus);
    assert_int_equal(snapshot->n_objects, 1);
    assert_int_equal(snapshot->objects[0].n_values, 1);
    return snapshot->objects[0].values[0].stat->desc.name;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_a_vm_comes_back_with_other_statistics(void **state)
{
    struct site *site = *state;
    struct watch_result before, after;
    const char *name;

    assert_true(take(site, &before, TIMEOUT_MS));
    name = stat_of(&before);
    assert_string_equal(name, "second");
    watch_result_free(&before);
    end_vm(site);
    take_loss(site);
    start_vm(site, "third");
    assert_true(take(site, &after, TIMEOUT_MS));
    assert_true(after.is_back && after.has_sample && !after.is_lost);
    assert_string_equal(stat_of(&after), "third");
    assert_string_equal(name, "second"); /* is still there */
    watch_result_free(&after);
    assert_true(take(site, &after, TIMEOUT_MS));
    assert_false(after.is_back);
    watch_result_free(&after);
    end_vm(site);
}

/* Takes results until the descriptions are others. */
static void take_news(struct site *site, struct watch_result *result)
{
    uint64_t end = clock_now_ns() + TIMEOUT_MS * UINT64_C(1000000);

    do {
        watch_result_free(result);
        assert_true(clock_now_ns() < end);
        assert_true(take(site, result, TIMEOUT_MS));
        assert_false(result->is_back || result->is_lost);
        assert_string_equal(stat_of(result), "second");
    } while (!result->is_renewed);
}

static const char *const disks[] = {"d0", NULL};

/* The first disk comes, and leaves. It is no other VM, so nothing is told but the descriptions. */
static void check_news(struct site *site, const char *name)
{
    struct fake late = {
        .provider = "late", .target = "disk", .names = {name}, .objects = disks, .base = 7};
    struct watch_result result = {0};
    const struct client_object *disk;
    struct vitals_group *group;
    const char *second;

    assert_true(take(site, &result, TIMEOUT_MS));
    second = stat_of(&result);
    check_ok(fake_register(site->ctx, &late, &group));
    take_news(site, &result);
    assert_int_equal(result.sample.of_others->n_objects, 1);
    disk = &result.sample.of_others->objects[0];
    assert_string_equal(disk->path, "d0");
    assert_string_equal(disk->values[0].stat->desc.name, name);
    assert_int_equal(disk->values[0].values[0], 7);
    assert_string_equal(second, "second"); /* is still there */
    watch_result_free(&result);
    assert_true(take(site, &result, TIMEOUT_MS));
    assert_false(result.is_renewed || result.is_back);
    watch_result_free(&result);
    check_ok(vitals_unregister(group));
}

static void test_statistics_that_are_new(void **state)
{
    struct site *site = *state;

    check_news(site, "third");
    check_news(site, "fourth");
    end_vm(site);
}

/* A provider that is there again may measure in another unit. */
static void test_statistics_that_are_described_anew(void **state)
{
    struct site *site = *state;
    struct fake late = {.provider = "late", .target = "disk", .names = {"time"}, .objects = disks};
    struct vitals_group_ops described = fake_ops(&late);
    struct vitals_stat seconds = {
        .name = "time", .type = VITALS_CUMULATIVE, .unit = VITALS_SECONDS, .base = 10, .count = 1};
    struct watch_result result = {0};
    struct vitals_group *group;

    check_news(site, "time");
    described.stats = &seconds;
    check_ok(vitals_register(site->ctx, &described, &group));
    take_news(site, &result);
    assert_int_equal(result.sample.of_others->objects[0].values[0].stat->desc.unit, VITALS_SECONDS);
    watch_result_free(&result);
    check_ok(vitals_unregister(group));
    end_vm(site);
}

/* Nobody can connect any more: what is known goes on. */
static void test_statistics_that_can_not_be_had(void **state)
{
    struct site *site = *state;
    struct fake late = {.provider = "late", .target = "disk", .names = {"third"}, .objects = disks};
    struct watch_result result;
    struct vitals_group *group;

    assert_true(take(site, &result, TIMEOUT_MS));
    watch_result_free(&result);
    assert_int_equal(unlink(site->path), 0);
    check_ok(fake_register(site->ctx, &late, &group));
    for (double end = (double)clock_now_ns() / 1e9 + 2 * WATCH_NEWS_SECONDS;
         (double)clock_now_ns() / 1e9 < end;) {
        assert_true(take(site, &result, TIMEOUT_MS));
        assert_true(result.has_sample);
        assert_false(result.is_back || result.is_lost || result.is_renewed);
        assert_string_equal(stat_of(&result), "second");
        watch_result_free(&result);
    }
    check_ok(vitals_unregister(group));
    end_vm(site);
}

static void test_statistics_at_hand_that_are_new(void **state)
{
    struct site *site = *state;

    watch_stop(site->watch);
    site->place.ops = &at_hand;
    start_watch(site);
    check_news(site, "third");
    end_vm(site);
}

/* Somebody answers at its path who has nothing to show. */
static void test_a_vm_without_statistics_is_not_back(void **state)
{
    struct site *site = *state;
    struct vitals_listener *other;
    struct watch_result result;

    assert_true(take(site, &result, TIMEOUT_MS));
    assert_true(result.has_sample);
    watch_result_free(&result);
    end_vm(site);
    take_loss(site);
    other = listen_at(site->server, site->ctx, site->path);
    assert_false(take(site, &result, SILENT_MS));
    check_ok(vitals_listener_close(other));
    start_vm(site, "third");
    assert_true(take(site, &result, TIMEOUT_MS));
    assert_true(result.is_back && result.has_sample);
    assert_string_equal(stat_of(&result), "third");
    watch_result_free(&result);
    end_vm(site);
}

static void test_a_loss_is_told_once(void **state)
{
    struct site *site = *state;
    struct watch_result result;

    end_vm(site);
    take_loss(site);
    assert_false(take(site, &result, SILENT_MS));
}

/* Nobody looked while the VM was lost. */
static void test_a_return_is_told_without_the_loss(void **state)
{
    struct site *site = *state;
    struct watch_result result;

    assert_true(take(site, &result, TIMEOUT_MS));
    watch_result_free(&result);
    end_vm(site);
    start_vm(site, "third");
    while (site->fake.collects < 2)
        sleep_ms(10);
    assert_true(take(site, &result, TIMEOUT_MS));
    assert_true(result.is_back && !result.is_lost);
    watch_result_free(&result);
    end_vm(site);
}

/* What it had answered is not lost with it. */
static void test_what_came_before_a_loss_stays(void **state)
{
    struct site *site = *state;
    struct pollfd sample = {.fd = watch_fd(site->watch), .events = POLLIN};
    struct pollfd return_ = {.events = POLLIN};
    struct watch_result result;

    while (site->fake.collects < 2)
        assert_int_equal(poll(&sample, 1, TIMEOUT_MS), 1);
    end_vm(site);
    return_.fd = listening_fd(site->path);
    assert_int_equal(poll(&return_, 1, TIMEOUT_MS), 1); /* it has lost the VM, so it connects */
    close(return_.fd);
    assert_true(watch_take(site->watch, 0, &result));
    assert_true(result.is_lost && result.has_sample);
    assert_string_equal(stat_of(&result), "second");
    watch_result_free(&result);
}

/* It is in the middle of connecting again, to somebody who never greets. */
static void test_the_end_does_not_wait(void **state)
{
    struct site *site = *state;
    struct pollfd pollfd = {.events = POLLIN};
    struct timespec begin, end;

    end_vm(site);
    take_loss(site);
    pollfd.fd = listening_fd(site->path);
    assert_int_equal(poll(&pollfd, 1, TIMEOUT_MS), 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    watch_stop(site->watch);
    site->watch = NULL;
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec < TIMEOUT_MS / 1000 / 2);
    close(pollfd.fd);
}

static void test_coming_and_going(void **state)
{
    struct site *site = *state;
    struct watch_result result;
    unsigned n_back = 0;

    end_vm(site);
    for (unsigned i = 0; n_back < 2; i++) {
        start_vm(site, i % 2 ? "even" : "odd");
        while (site->fake.collects < 3)
            sleep_ms(5);
        assert_true(take(site, &result, TIMEOUT_MS));
        n_back += result.is_back;
        watch_result_free(&result);
        end_vm(site);
    }
}

/* Nobody listened when the watch began. */
static void test_a_vm_that_appears(void **state)
{
    struct site *site = *state;
    struct vitals_listener *listener;
    struct watch_result result;

    add_key(site, "late.sock");
    assert_true(take_of(site, 1, &result, TIMEOUT_MS));
    assert_true(result.is_lost && !result.has_sample && result.since > 0);
    assert_contains(result.error.text, "no such file");
    watch_result_free(&result);
    listener = listen_at(site->server, site->ctx, in_dir("late.sock"));
    assert_true(take_of(site, 1, &result, TIMEOUT_MS));
    assert_true(result.has_sample && !result.is_lost);
    assert_string_equal(stat_of(&result), "second");
    watch_result_free(&result);
    check_ok(vitals_listener_close(listener));
    end_vm(site);
}

/* It is heard of as long as its key is found, and the others don't wait for it. */
static void test_a_silent_vm_is_late(void **state)
{
    struct site *site = *state;
    struct watch_result result;
    int fd = listening_fd(in_dir("silent.sock"));

    add_key(site, "silent.sock");
    while (watch_count(site->watch) < 2)
        sleep_ms(5);
    while (watch_silence(site->watch, 1) == 0)
        sleep_ms(5);
    assert_false(watch_has_heard_all(site->watch));
    watch_wait(site->watch, watch_turn(site->watch).number + 1);
    assert_true(watch_silence(site->watch, 1) > WATCH_LATE_SECONDS);
    assert_false(watch_take(site->watch, 1, &result));
    assert_true(take_of(site, 0, &result, TIMEOUT_MS));
    watch_result_free(&result);
    close(fd);
    end_vm(site);
}

/* As long as it is all that there is, there is nothing to show without it. */
static void test_a_single_vm_is_waited_for(void **state)
{
    struct site *site = *state;
    struct watch *watch;
    struct watch_options options = {.place = &site->place, .interval = INTERVAL, .wish = wish};
    int fd = listening_fd(in_dir("silent.sock"));

    watch_stop(site->watch);
    site->watch = NULL;
    site->n_keys = 0;
    add_key(site, "silent.sock");
    check_ok(watch_start(&options, &watch));
    while (watch_turn(watch).number == 0 || watch_silence(watch, 0) < WATCH_LATE_SECONDS + 0.2)
        sleep_ms(10);
    assert_false(watch_is_over(watch, 1));
    close(fd);
    watch_wait(watch, 1);
    watch_stop(watch);
    end_vm(site);
}

static void test_what_is_no_vm_is_forgotten(void **state)
{
    struct site *site = *state;
    int fd = listening_fd(in_dir("stranger.sock")), peer;
    struct watch_result result;

    add_key(site, "stranger.sock");
    peer = accept(fd, NULL, NULL);
    assert_int_equal(write(peer, "hello\n", 6), 6);
    while (watch_count(site->watch) < 2 || watch_key(site->watch, 1))
        sleep_ms(5);
    assert_true(take_of(site, 0, &result, TIMEOUT_MS));
    watch_result_free(&result);
    assert_false(take_of(site, 1, &result, 5 * 50));
    assert_true(watch_has_heard_all(site->watch));
    close(peer);
    close(fd);
    end_vm(site);
}

/* Who looks is woken once for all of them, as all values are of one moment. */
static void test_vms_at_hand_are_told_of_together(void **state)
{
    struct site *site = *state;
    struct pollfd pollfd;
    struct watch_options options = {
        .place = &site->place, .wants_vm = true, .wish = wish, .opaque = "first"};
    struct watch_result result;
    uint64_t n_signals;

    watch_stop(site->watch);
    site->place.ops = &at_hand;
    add_key(site, "second");
    add_key(site, "third");
    check_ok(watch_start(&options, &site->watch));
    pollfd = (struct pollfd){.fd = watch_fd(site->watch), .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, TIMEOUT_MS), 1);
    assert_true(watch_is_over(site->watch, 1));
    assert_int_equal(watch_count(site->watch), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(watch_take(site->watch, i, &result));
        assert_true(result.has_sample);
        watch_result_free(&result);
    }
    assert_int_equal(read(pollfd.fd, &n_signals, sizeof(n_signals)), sizeof(n_signals));
    assert_int_equal(n_signals, 1);
    end_vm(site);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_site, close_site)

/* ---- a place of sockets --------------------------------------------------------------------- */

struct asked {
    struct place *place;
    bool is_rejected;
};

/* As the thread of a VM may that begins at once. */
static void reject(void *opaque, const char *key)
{
    struct asked *asked = opaque;

    asked->is_rejected = asked->place->ops->rejects(asked->place, key, -EPROTO);
}

/* Else it would be missed, which nobody has said to be a VM. */
static void test_what_is_found_is_known_to_be_found(void **state)
{
    const char *directory = strdup(in_dir("")), *path = in_dir("a.sock");
    struct look look = {.options = {.command = "test", .sockets = {.all = &directory, .n = 1}}};
    struct asked asked = {.place = look_make_socket_place(&look)};
    int fd = listening_fd(path);

    (void)state;
    assert_non_null(asked.place);
    asked.place->ops->refresh(asked.place, reject, &asked);
    assert_true(asked.is_rejected);
    asked.place->ops->free(asked.place);
    close(fd);
    free((char *)directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_vm_comes_back_with_other_statistics),
        TEST(test_statistics_that_are_new),
        TEST(test_statistics_that_are_described_anew),
        TEST(test_statistics_that_can_not_be_had),
        TEST(test_statistics_at_hand_that_are_new),
        TEST(test_a_vm_without_statistics_is_not_back),
        TEST(test_a_loss_is_told_once),
        TEST(test_a_return_is_told_without_the_loss),
        TEST(test_what_came_before_a_loss_stays),
        TEST(test_the_end_does_not_wait),
        cmocka_unit_test_setup_teardown(test_what_is_found_is_known_to_be_found, make_dir,
                                        remove_dir),
        TEST(test_coming_and_going),
        TEST(test_a_vm_that_appears),
        TEST(test_a_silent_vm_is_late),
        TEST(test_a_single_vm_is_waited_for),
        TEST(test_what_is_no_vm_is_forgotten),
        TEST(test_vms_at_hand_are_told_of_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
