/* SPDX-License-Identifier: MIT */
/* Rows that a VMM keeps in a memory file, read while it changes them. */
#define _GNU_SOURCE
#include "host/own_stats.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ask.h"
#include "check.h"
#include "fake.h"

enum { NUMBERS = 512, ROUNDS = 2000 };

struct site {
    _Atomic(uint64_t) *row; /* mapped: the sequence, the first numbers, the second ones */
    struct own_stats *own;
    struct shared_file *file;
    atomic_bool stops;
};

static int make_memory(size_t size)
{
    int fd = memfd_create("rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_false(own_stats_is_memory(fd));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_true(own_stats_is_memory(fd));
    return fd;
}

static int set_up(void **state)
{
    const struct vitals_stat stat = {
        .name = "numbers", .type = VITALS_LOG_HIST, .base = 10, .count = NUMBERS};
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = "own",
                                         .target = "vm",        .stats = &stat,
                                         .n_stats = 1,          .row_len = NUMBERS};
    size_t size = (1 + 2 * NUMBERS) * sizeof(uint64_t);
    struct site *site = calloc(1, sizeof(*site));
    struct error_text error;
    int fd = make_memory(size);

    if (!site)
        abort();
    site->row = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(site->row, MAP_FAILED);
    site->file = shared_file_new(fd);
    check_ok(own_stats_new(&ops, site->file, 0, 0, &error, &site->own));
    *state = site;
    return 0;
}

static int tear_down(void **state)
{
    struct site *site = *state;

    own_stats_unref(site->own);
    shared_file_unref(site->file);
    munmap((void *)site->row, (1 + 2 * NUMBERS) * sizeof(uint64_t));
    free(site);
    return 0;
}

/* As a VMM that is never in the middle of what is read. */
static void write_row(struct site *site, uint64_t value)
{
    uint64_t sequence = site->row[0];
    _Atomic(uint64_t) *numbers = &site->row[1 + ((sequence + 1) & 1) * NUMBERS];

    for (int i = 0; i < NUMBERS; i++)
        atomic_store_explicit(&numbers[i], value, memory_order_relaxed);
    atomic_store(&site->row[0], sequence + 1);
}

static void *keep_writing(void *opaque)
{
    struct site *site = opaque;

    for (uint64_t value = 1; !site->stops; value++)
        write_row(site, value);
    return NULL;
}

static int collect(void *opaque, struct vitals_sink *sink)
{
    own_stats_collect(((struct site *)opaque)->own, sink);
    return 0;
}

struct seen {
    struct vitals_ctx *ctx;
    struct stats_collection collection;
    struct stats_request request;
};

static void begin(struct seen *seen, struct site *site)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .collect = collect, .opaque = site};

    memset(seen, 0, sizeof(*seen));
    seen->ctx = new_ctx();
    check_ok(registry_add(seen->ctx, &ops, site->own->schema, NULL));
    seen->request = (struct stats_request){.target = "vm", .all_stats = true, .all_objects = true};
}

/* NULL: the row was left out. */
static const uint64_t *look(struct seen *seen)
{
    check_ok(stats_collect(&seen->collection, seen->ctx, &seen->request));
    return seen->collection.n_parts && seen->collection.parts[0].n_rows
               ? seen->collection.parts[0].rows[0]
               : NULL;
}

static void end(struct seen *seen)
{
    stats_collection_free(&seen->collection);
    check_ok(vitals_ctx_free(seen->ctx));
}

static void a_row_is_of_one_moment(void **state)
{
    struct site *site = *state;
    pthread_t thread;
    struct seen seen;
    int n_whole = 0;

    begin(&seen, site);
    assert_int_equal(pthread_create(&thread, NULL, keep_writing, site), 0);
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t *row = look(&seen);

        n_whole += row != NULL;
        for (int i = 1; row && i < NUMBERS; i++)
            if (row[i] != row[0])
                fail_msg("number %d is %llu, number 0 is %llu", i, (unsigned long long)row[i],
                         (unsigned long long)row[0]);
    }
    site->stops = true;
    pthread_join(thread, NULL);
    assert_non_null(look(&seen));
    end(&seen);
    (void)n_whole; /* how many depends on how busy the machine is */
}

/* Stopped, or killed, while it changes a row: the one before is there. */
static void who_is_in_the_middle_of_it_keeps_nobody(void **state)
{
    struct site *site = *state;
    struct seen seen;

    begin(&seen, site);
    write_row(site, 4);
    write_row(site, 5);
    site->row[1 + NUMBERS] = 6;
    assert_int_equal(look(&seen)[0], 5);
    write_row(site, 7);
    assert_int_equal(look(&seen)[0], 7);
    end(&seen);
}

/* Numbers that are independent of each other need no sequence. */
static void a_sequence_may_stay_0(void **state)
{
    struct site *site = *state;
    struct seen seen;

    begin(&seen, site);
    for (uint64_t value = 0; value < 3; value++) {
        site->row[1] = value;
        assert_int_equal(look(&seen)[0], value);
    }
    end(&seen);
}

static void a_file_that_is_closed_has_no_row(void **state)
{
    struct site *site = *state;
    struct seen seen;

    begin(&seen, site);
    assert_non_null(look(&seen));
    shared_file_close(site->file);
    assert_null(look(&seen));
    end(&seen);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_row_is_of_one_moment),
        WITH(who_is_in_the_middle_of_it_keeps_nobody),
        WITH(a_sequence_may_stay_0),
        WITH(a_file_that_is_closed_has_no_row),
    };

    return cmocka_run_group_tests_name("a VMM's own statistics", tests, NULL, NULL);
}
