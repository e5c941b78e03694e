/* SPDX-License-Identifier: MIT */
/* What vCPUs do, over several passes. */
#include "host/state.h"

#include <stdlib.h>

#include "check.h"

#define SECOND UINT64_C(1000000000)

static const struct vitals_stat stats[] = {
    {.name = "exits", .base = 10, .count = 1, .slot = 0},
    {.name = "blocking", .type = VITALS_INSTANT, .base = 10, .count = 1, .slot = 1},
};

struct fixture {
    uint64_t row[2];
    struct host_vcpu vcpu;
    struct host_vm vm;
};

/* A vCPU that is outside of the kernel. */
static void set_up(struct fixture *f)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = "kvm", .target = "vcpu",
                                         .stats = stats,        .n_stats = 2,      .row_len = 2};
    struct error_text error;

    *f = (struct fixture){.vcpu = {.thread = 42, .has_row = true, .has_sched_row = true}};
    f->vcpu.row = f->row;
    f->vm.vcpus = &f->vcpu;
    f->vm.n_vcpus = 1;
    check_ok(schema_new(&ops, &error, &f->vm.schemas[KVM_KIND_VCPU]));
    f->vm.halted_stat = schema_find(f->vm.schemas[KVM_KIND_VCPU], "blocking");
}

static void tear_down(struct fixture *f)
{
    schema_unref(f->vm.schemas[KVM_KIND_VCPU]);
}

static void check_states(struct fixture *f, uint64_t now_ns, enum host_state of_vcpu,
                         enum host_state of_vm)
{
    host_state_update(&f->vm, now_ns);
    assert_int_equal(host_vcpu_state(&f->vm, &f->vcpu), of_vcpu);
    assert_int_equal(host_vm_state(&f->vm), of_vm);
}

static void each_state_is_seen_at_once_but_paused(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    f.vcpu.thread = 0;
    check_states(&f, SECOND, HOST_NEVER_RAN, HOST_NEVER_RAN);
    f.vcpu.thread = 42;
    check_states(&f, 2 * SECOND, HOST_OUTSIDE, HOST_OUTSIDE);
    f.vcpu.is_running = true;
    check_states(&f, 3 * SECOND, HOST_RUNNING, HOST_RUNNING);
    f.row[1] = 1;
    check_states(&f, 4 * SECOND, HOST_HALTED, HOST_RUNNING);
    tear_down(&f);
}

static void outside_for_long_without_cpu_time_is_paused(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    check_states(&f, SECOND, HOST_OUTSIDE, HOST_OUTSIDE);
    check_states(&f, SECOND + HOST_PAUSED_AFTER_NS - 1, HOST_OUTSIDE, HOST_OUTSIDE);
    check_states(&f, SECOND + HOST_PAUSED_AFTER_NS, HOST_PAUSED, HOST_PAUSED);
    f.vcpu.sched_row[SCHED_RUN]++;
    check_states(&f, 3 * SECOND, HOST_OUTSIDE, HOST_OUTSIDE);
    check_states(&f, 4 * SECOND, HOST_PAUSED, HOST_PAUSED);
    f.vcpu.is_running = true;
    check_states(&f, 5 * SECOND, HOST_RUNNING, HOST_RUNNING);
    tear_down(&f);
}

/* Nothing is known of its CPU time then. */
static void without_sched_nothing_is_called_paused(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    f.vcpu.has_sched_row = false;
    check_states(&f, SECOND, HOST_OUTSIDE, HOST_OUTSIDE);
    check_states(&f, 9 * SECOND, HOST_OUTSIDE, HOST_OUTSIDE);
    tear_down(&f);
}

static void a_guest_without_exits_is_running(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    f.vcpu.is_running = true;
    for (uint64_t now = 1; now < 600; now += 60)
        check_states(&f, now * SECOND, HOST_RUNNING, HOST_RUNNING);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_seen_at_once_but_paused),
        cmocka_unit_test(outside_for_long_without_cpu_time_is_paused),
        cmocka_unit_test(without_sched_nothing_is_called_paused),
        cmocka_unit_test(a_guest_without_exits_is_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
