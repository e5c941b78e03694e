/* SPDX-License-Identifier: MIT */
/* What came between two samples, where the samples do not fit. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "look/sampler.h"

/* ---- two samples of a vCPU ------------------------------------------------------------------ */

enum { BUCKETS = 3 };

static const struct client_stat stats[] = {
    {.desc.name = "exits",
     .provider = "kvm",
     .target = "vcpu",
     .desc.type = VITALS_CUMULATIVE,
     .desc.base = 10},
    {.desc.name = "waits",
     .provider = "kvm",
     .target = "vcpu",
     .desc.type = VITALS_LOG_HIST,
     .desc.base = 10},
};

struct values {
    uint64_t exits, waits[BUCKETS];
    size_t n_waits;
    bool is_reversed;
};

static void take(struct values *sample, uint64_t time_ns, struct client_snapshot *snapshot)
{
    struct client_value *values = calloc(2, sizeof(*values));

    values[0] = (struct client_value){&stats[0], &sample->exits, 1};
    values[1] = (struct client_value){&stats[1], sample->waits, sample->n_waits};
    *snapshot = (struct client_snapshot){
        .n_objects = 1, .time_ns = time_ns, .is_reversed = sample->is_reversed};
    snapshot->objects = calloc(1, sizeof(*snapshot->objects));
    snapshot->objects[0] = (struct client_object){
        .target = "vcpu", .path = "/a", .values = values, .n_values = N_ELEMENTS(stats)};
}

static void release(struct client_snapshot *snapshot)
{
    free(snapshot->objects[0].values);
    free(snapshot->objects);
}

static void write_down(void *opaque, const struct row *row)
{
    size_t len = strlen(opaque);

    snprintf((char *)opaque + len, 64 - len, "%s %s %llu; ", row->stat->name,
             row->is_reset ? "reset" : "delta",
             row->deltas ? (unsigned long long)row->deltas[0] : 0);
}

static void check_deltas(struct values before, struct values now, const char *expected)
{
    char text[64] = "", vm_name[] = "vm", path[] = "a.sock";
    struct client_snapshot snapshot_before, snapshot_now;
    struct sampler_vm vm = {.name = vm_name, .socket = path, .is_here = true};
    struct look look = {0};
    struct sampler sampler = {.look = &look, .vms = &vm, .n_vms = 1};

    take(&before, 1, &snapshot_before);
    take(&now, 2, &snapshot_now);
    series_take(&vm.values, &(struct sample){.of_vcpus = &snapshot_before});
    series_take(&vm.values, &(struct sample){.of_vcpus = &snapshot_now});
    sampler_each(&sampler, true, write_down, text);
    assert_string_equal(text, expected);
    series_free(&vm.values);
    release(&snapshot_before);
    release(&snapshot_now);
}

static void test_deltas(void **state)
{
    const struct values sample = {1, {1, 2, 3}, BUCKETS, true};

    (void)state;
    check_deltas(sample, (struct values){5, {3, 2, 3}, BUCKETS, true},
                 "exits delta 4; waits delta 2; ");
    check_deltas(sample, (struct values){0, {3, 2, 2}, BUCKETS, true},
                 "exits reset 0; waits reset 0; ");
}

/* Buckets say nothing where their number or their order is not that of the sample before. */
static void test_histograms_that_do_not_fit(void **state)
{
    const struct values sample = {1, {1, 2, 3}, BUCKETS, true};

    (void)state;
    check_deltas(sample, (struct values){5, {3, 2, 3}, BUCKETS - 1, true}, "exits delta 4; ");
    check_deltas(sample, (struct values){5, {3, 2, 3}, BUCKETS, false}, "exits delta 4; ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deltas),
        cmocka_unit_test(test_histograms_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
