/* SPDX-License-Identifier: MIT */
/* The threads of `vitals top`: a VM that is lost, and one that is back. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "look/watch.h"

enum { TIMEOUT_MS = 30000, SILENT_MS = 2500 };

#define INTERVAL 0.05

/* A VM, and who watches it. */
struct site {
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
static bool *want(const void *opaque, const struct client *client)
{
    size_t n;
    const struct client_stat *stats = client_stats(client, &n);
    bool *wanted = calloc(n + 1, sizeof(*wanted));

    for (size_t i = 0; i < n; i++)
        wanted[i] = strcmp(stats[i].desc.name, opaque) != 0;
    return wanted;
}

/* What it is given is gone then: nobody says for how long it stays. */
static void start_watch(struct site *site)
{
    static const struct watch_choice choice = {want, "first"};
    char path[sizeof(site->path)];
    struct watch_vm vm = {.path = path, .timeout_ms = TIMEOUT_MS, .wants_vm = true};
    struct client_error error;

    strcpy(path, site->path);
    check_ok(client_open(path, TIMEOUT_MS, &vm.client, &error));
    vm.wanted = want("first", vm.client);
    check_ok(watch_start(&vm, 1, &choice, INTERVAL, &site->watch));
    memset(path, 'x', strlen(path));
    vm = (struct watch_vm){.path = path};
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

/* False: nothing came in that time. */
static bool take(struct site *site, struct watch_result *result, int timeout_ms)
{
    struct pollfd pollfd = {.fd = watch_fd(site->watch), .events = POLLIN};

    if (poll(&pollfd, 1, timeout_ms) <= 0)
        return false;
    watch_clear(site->watch);
    return watch_take(site->watch, 0, result);
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

/* Somebody answers at its path who has nothing to show. */
static void test_a_vm_without_statistics_is_not_back(void **state)
{
    struct site *site = *state;
    struct vitals_listener *other;
    struct watch_result result;

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_site, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_vm_comes_back_with_other_statistics),
        TEST(test_a_vm_without_statistics_is_not_back),
        TEST(test_a_loss_is_told_once),
        TEST(test_a_return_is_told_without_the_loss),
        TEST(test_what_came_before_a_loss_stays),
        TEST(test_the_end_does_not_wait),
        TEST(test_coming_and_going),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
