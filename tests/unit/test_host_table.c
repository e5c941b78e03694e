/* SPDX-License-Identifier: MIT */
/* The VMs of a host over several passes, of which the records are made here. */
#include "host/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { RECORDS_MAX = 16, ROW = 2 };

/* A counter and a level, for VMs and for vCPUs. */
static const struct vitals_stat stats[ROW] = {
    {.name = "exits", .type = VITALS_CUMULATIVE, .base = 10, .count = 1, .slot = 0},
    {.name = "pages", .type = VITALS_INSTANT, .base = 10, .count = 1, .slot = 1},
};

struct pass {
    struct kvm_record *records[RECORDS_MAX];
    size_t n;
};

struct fixture {
    struct host_table table;
    struct pass pass;
};

static void name_all_alike(pid_t pid, uint64_t start_time, struct identity *ret_identity)
{
    (void)pid;
    (void)start_time;
    *ret_identity = (struct identity){.name = "web", .vmm = "qemu"};
}

static struct stats_schema *new_schema(const char *target)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = "kvm", .target = target,
                                         .stats = stats,        .n_stats = ROW,    .row_len = ROW};
    struct stats_schema *schema;
    struct error_text error;

    check_ok(schema_new(&ops, &error, &schema));
    return schema;
}

static void set_up(struct fixture *f)
{
    struct stats_schema *schemas[KVM_KINDS] = {new_schema("vm"), new_schema("vcpu")};

    f->pass.n = 0;
    host_table_init(&f->table, schemas);
    f->table.identify = name_all_alike;
    for (size_t i = 0; i < KVM_KINDS; i++)
        schema_unref(schemas[i]);
}

/* Of the process 10, here 30, which began at 100; the caller changes what it likes. */
static struct kvm_record *record(struct fixture *f, uint64_t vm, enum kvm_kind kind, uint32_t id,
                                 uint64_t exits)
{
    struct kvm_record *record = calloc(1, sizeof(*record) + ROW * sizeof(uint64_t));

    assert_non_null(record);
    assert_true(f->pass.n < RECORDS_MAX);
    *record = (struct kvm_record){.kind = kind,
                                  .process = 10,
                                  .process_here = 30,
                                  .fd = (uint32_t)f->pass.n,
                                  .start_time = 100,
                                  .vm = vm,
                                  .is_owner = 1,
                                  .vcpu_id = id,
                                  .thread = kind ? 1000 + id : 0,
                                  .thread_here = kind ? 3000 + id : 0};
    record->row[0] = exits;
    record->row[1] = 7;
    f->pass.records[f->pass.n++] = record;
    return record;
}

/* A VM with the vCPUs 0 and 5. */
static void record_vm(struct fixture *f, uint64_t vm, uint64_t exits)
{
    record(f, vm, KVM_KIND_VCPU, 5, exits);
    record(f, vm, KVM_KIND_VM, 0, exits);
    record(f, vm, KVM_KIND_VCPU, 0, exits);
}

/* A pass that is taken in parts; its records are kept until its end. */
struct parts {
    struct host_update update;
    const struct kvm_record *records[RECORDS_MAX];
    struct pass pass;
};

static void move_records(struct fixture *f, const struct kvm_record **records, struct pass *pass)
{
    for (size_t i = 0; i < f->pass.n; i++)
        records[i] = f->pass.records[i];
    *pass = f->pass;
    f->pass.n = 0;
}

static void free_records(struct pass *pass)
{
    for (size_t i = 0; i < pass->n; i++)
        free(pass->records[i]);
}

static void begin_update(struct fixture *f, struct parts *parts, uint64_t begin_ns)
{
    move_records(f, parts->records, &parts->pass);
    check_ok(host_update_begin(&parts->update, &f->table, parts->records, parts->pass.n, begin_ns));
}

static void end_update(struct parts *parts)
{
    check_ok(host_update_end(&parts->update));
    free_records(&parts->pass);
}

static void update(struct fixture *f)
{
    struct parts parts;

    begin_update(f, &parts, 1);
    end_update(&parts);
}

/* The same of one process alone. Returns how many VMs it renews. */
static size_t renew_at(struct fixture *f, struct host_vm *ret_vms[RECORDS_MAX], uint64_t begin_ns)
{
    const struct kvm_record *records[RECORDS_MAX];
    struct pass pass;
    size_t n;

    move_records(f, records, &pass);
    n = host_table_renew(&f->table, records, pass.n, begin_ns, ret_vms);
    free_records(&pass);
    return n;
}

static size_t renew(struct fixture *f, struct host_vm *ret_vms[RECORDS_MAX])
{
    return renew_at(f, ret_vms, 1);
}

static void tear_down(struct fixture *f)
{
    host_table_free(&f->table);
}

static void a_vm_has_its_vcpus_in_the_order_of_ids(void **state)
{
    struct fixture f;
    struct host_vm *vm;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    assert_int_equal(f.table.n, 1);
    vm = f.table.vms[0];
    assert_string_equal(vm->name, "web");
    assert_int_equal(vm->process, 10);
    assert_int_equal(vm->pid, 30);
    assert_int_equal(vm->row[0], 3);
    assert_int_equal(vm->n_vcpus, 2);
    assert_string_equal(vm->vcpus[0].path, "/kvm/vcpu[0]");
    assert_string_equal(vm->vcpus[1].path, "/kvm/vcpu[5]");
    assert_int_equal(vm->vcpus[1].thread, 1005);
    assert_int_equal(vm->vcpus[1].thread_here, 3005);
    tear_down(&f);
}

static void a_host_may_have_no_vm(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    update(&f);
    assert_int_equal(f.table.n, 0);
    tear_down(&f);
}

static void it_goes_on_while_it_is_there(void **state)
{
    struct fixture f;
    struct host_vm *vm;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    vm = host_vm_ref(f.table.vms[0]);
    record_vm(&f, 0xff, 4);
    update(&f);
    assert_ptr_equal(f.table.vms[0], vm);
    assert_int_equal(vm->vcpus[0].row[0], 4);
    update(&f);
    assert_int_equal(f.table.n, 0);
    assert_true(vm->is_gone);
    assert_int_equal(vm->vcpus[0].row[0], 4); /* its last values */
    host_vm_unref(vm);
    tear_down(&f);
}

/* Two passes, the second of which @change makes differ. Returns whether it is the same life. */
static bool is_same_life(void (*change)(struct kvm_record *record))
{
    struct fixture f;
    struct host_vm *vm;
    bool is_same;

    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    vm = host_vm_ref(f.table.vms[0]);
    record_vm(&f, 0xff, 3);
    for (size_t i = 0; i < f.pass.n; i++)
        change(f.pass.records[i]);
    update(&f);
    assert_int_equal(f.table.n, 1);
    is_same = f.table.vms[0] == vm;
    assert_int_equal(vm->is_gone, !is_same);
    host_vm_unref(vm);
    tear_down(&f);
    return is_same;
}

static void change_nothing(struct kvm_record *record)
{
    (void)record;
}

static void change_level(struct kvm_record *record)
{
    record->row[1] = 1;
}

static void change_process(struct kvm_record *record)
{
    record->process = 11;
}

static void change_start(struct kvm_record *record)
{
    record->start_time = 101;
}

static void change_creator(struct kvm_record *record)
{
    record->creator = 12;
}

static void change_counter_of_vm(struct kvm_record *record)
{
    record->row[0] = record->kind == KVM_KIND_VM ? 2 : 3;
}

static void change_counter_of_vcpu(struct kvm_record *record)
{
    record->row[0] = record->kind == KVM_KIND_VCPU && record->vcpu_id == 5 ? 2 : 3;
}

static void another_life_is_told(void **state)
{
    (void)state;
    assert_true(is_same_life(change_nothing));
    assert_true(is_same_life(change_level));
    assert_false(is_same_life(change_process));
    assert_false(is_same_life(change_start));
    assert_false(is_same_life(change_creator));
    assert_false(is_same_life(change_counter_of_vm));
    assert_false(is_same_life(change_counter_of_vcpu));
}

static void what_others_hold_is_no_vm(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    record(&f, 0xff, KVM_KIND_VCPU, 0, 3)->process = 99;
    f.pass.records[3]->is_owner = 0;
    record(&f, 0xaa, KVM_KIND_VM, 0, 3)->is_owner = 0;
    update(&f);
    assert_int_equal(f.table.n, 1);
    assert_int_equal(f.table.vms[0]->pid, 30);
    assert_int_equal(f.table.vms[0]->n_vcpus, 2);
    tear_down(&f);
}

static void vcpus_come_and_go(void **state)
{
    struct fixture f;
    struct host_vm *vm;
    struct object_list list = {0};

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    vm = f.table.vms[0];
    record(&f, 0xff, KVM_KIND_VM, 0, 3);
    record(&f, 0xff, KVM_KIND_VCPU, 5, 3);
    record(&f, 0xff, KVM_KIND_VCPU, 2, 3);
    update(&f);
    assert_ptr_equal(f.table.vms[0], vm);
    check_ok(objects_list(&vm->ctx->objects, "vcpu", &list));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.objects[0].number, 2);
    assert_int_equal(list.objects[0].thread, 3002);
    assert_string_equal(list.objects[1].path, "/kvm/vcpu[5]");
    object_list_free(&list);
    tear_down(&f);
}

static void a_vm_may_have_vcpus_alone(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    record(&f, 0xff, KVM_KIND_VCPU, 0, 3)->row_error = -14;
    update(&f);
    assert_int_equal(f.table.n, 1);
    assert_false(f.table.vms[0]->has_row);
    assert_false(f.table.vms[0]->vcpus[0].has_row);
    tear_down(&f);
}

static void of_two_with_a_name_the_older_keeps_it(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    record(&f, 0xaa, KVM_KIND_VM, 0, 3)->start_time = 200;
    f.pass.records[0]->process = 20;
    f.pass.records[0]->process_here = 40;
    record(&f, 0xbb, KVM_KIND_VM, 0, 3);
    record(&f, 0x11, KVM_KIND_VM, 0, 3)->start_time = 200;
    f.pass.records[2]->process = 20;
    f.pass.records[2]->process_here = 40;
    update(&f);
    assert_int_equal(f.table.n, 3);
    assert_string_equal(f.table.vms[0]->name, "web");
    assert_int_equal(f.table.vms[0]->pid, 30);
    assert_string_equal(f.table.vms[1]->name, "web@40");
    assert_string_equal(f.table.vms[2]->name, "web@40.2");

    /* The older one ends: nobody gets another name. */
    record(&f, 0xaa, KVM_KIND_VM, 0, 3)->start_time = 200;
    f.pass.records[0]->process = 20;
    f.pass.records[0]->process_here = 40;
    update(&f);
    assert_int_equal(f.table.n, 1);
    assert_string_equal(f.table.vms[0]->name, "web@40");
    tear_down(&f);
}

static void a_name_that_is_free_is_given_again(void **state)
{
    const char *const names[] = {"web", "web@30", "web@30.2", "web@30.3"};
    struct fixture f;

    (void)state;
    set_up(&f);
    for (uint64_t vm = 1; vm <= 4; vm++)
        record(&f, vm, KVM_KIND_VM, 0, 3);
    update(&f);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(f.table.vms[i]->name, names[i]);
    for (uint64_t vm = 1; vm <= 6; vm++)
        if (vm != 2)
            record(&f, vm, KVM_KIND_VM, 0, 3);
    update(&f);
    assert_int_equal(f.table.n, 5);
    assert_string_equal(f.table.vms[3]->name, "web@30");
    assert_string_equal(f.table.vms[4]->name, "web@30.4");
    tear_down(&f);
}

/* ---- those that have registered ------------------------------------------------------------- */

static struct host_vm *register_vm(struct fixture *f, uint64_t key, uid_t uid)
{
    struct host_vm *vm = host_vm_alloc(f->table.schemas);

    assert_non_null(vm);
    vm->is_registered = true;
    vm->key = key;
    vm->uid = uid;
    vm->identity = (struct identity){.name = "told"};
    check_ok(host_table_add_registered(&f->table, vm));
    return vm;
}

static void record_vm_of(struct fixture *f, uint64_t key, uint32_t uid)
{
    record(f, key, KVM_KIND_VM, 0, 1)->uid = uid;
}

static void one_that_registers_is_one_with_the_kernels(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    register_vm(&f, 0xff, 1000);
    register_vm(&f, 0xfe, 0); /* root may register anybody's */
    record_vm_of(&f, 0xff, 1000);
    record_vm_of(&f, 0xfe, 1000);
    update(&f);
    assert_int_equal(f.table.n, 2);
    assert_true(f.table.vms[0]->is_registered && f.table.vms[0]->is_in_records);
    assert_true(f.table.vms[1]->is_registered && f.table.vms[1]->is_in_records);
    tear_down(&f);
}

/* Whoever has its file may be quicker than the first pass that sees it, and whose it is. */
static void another_users_does_not_stay_registered(void **state)
{
    struct fixture f;
    struct host_vm *vm;

    (void)state;
    set_up(&f);
    vm = host_vm_ref(register_vm(&f, 0xff, 1001));
    record_vm_of(&f, 0xff, 1000);
    update(&f);
    assert_true(vm->is_gone);
    assert_int_equal(f.table.n, 1);
    assert_int_equal(f.table.n_registered, 0);
    assert_string_equal(f.table.vms[0]->name, "web");
    assert_int_equal(f.table.vms[0]->uid, 1000);
    assert_ptr_equal(host_table_find(&f.table, 0xff), f.table.vms[0]);
    host_table_remove_registered(&f.table, vm); /* as its connection ends */
    assert_int_equal(f.table.n, 1);
    host_vm_unref(vm);
    tear_down(&f);
}

/* ---- one process alone ---------------------------------------------------------------------- */

static void one_process_has_its_vms_renewed(void **state)
{
    struct host_vm *renewed[RECORDS_MAX], *other;
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    record_vm(&f, 0xdd, 3);
    record(&f, 0xee, KVM_KIND_VM, 0, 3)->process = 11;
    update(&f);
    other = host_table_find(&f.table, 0xee);
    record_vm(&f, 0xff, 5);
    record_vm(&f, 0xdd, 6);
    assert_int_equal(renew(&f, renewed), 2);
    assert_ptr_equal(renewed[0], host_table_find(&f.table, 0xdd));
    assert_ptr_equal(renewed[1], host_table_find(&f.table, 0xff));
    assert_int_equal(renewed[0]->row[0], 6);
    assert_int_equal(renewed[1]->vcpus[1].row[0], 5);
    assert_int_equal(f.table.n, 3);
    assert_false(other->is_gone);
    assert_int_equal(other->row[0], 3);
    tear_down(&f);
}

static void vcpus_of_one_process_come_and_go(void **state)
{
    struct host_vm *renewed[RECORDS_MAX];
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    record(&f, 0xff, KVM_KIND_VM, 0, 4);
    record(&f, 0xff, KVM_KIND_VCPU, 7, 1);
    assert_int_equal(renew(&f, renewed), 1);
    assert_int_equal(renewed[0]->n_vcpus, 1);
    assert_string_equal(renewed[0]->vcpus[0].path, "/kvm/vcpu[7]");
    tear_down(&f);
}

/* What differs from the last pass over all is for the next one, and stays as it was until then. */
static void which_vms_there_are_is_for_a_pass_over_all(void **state)
{
    struct host_vm *renewed[RECORDS_MAX], *vm;
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    vm = f.table.vms[0];
    assert_int_equal(renew(&f, renewed), 0); /* it is gone */
    record_vm(&f, 0xff, 2);                  /* another life */
    record_vm(&f, 0xee, 3);                  /* a new one */
    assert_int_equal(renew(&f, renewed), 0);
    record(&f, 0xff, KVM_KIND_VM, 0, 4)->start_time = 101;
    assert_int_equal(renew(&f, renewed), 0);
    record(&f, 0xff, KVM_KIND_VM, 0, 4)->is_owner = 0;
    assert_int_equal(renew(&f, renewed), 0);
    assert_int_equal(f.table.n, 1);
    assert_ptr_equal(f.table.vms[0], vm);
    assert_false(vm->is_gone);
    assert_int_equal(vm->row[0], 3);
    tear_down(&f);
}

static void a_registered_vm_is_told_who_runs_it(void **state)
{
    struct host_vm *renewed[RECORDS_MAX], *vm;
    struct fixture f;

    (void)state;
    set_up(&f);
    vm = register_vm(&f, 0xff, 1000);
    record_vm_of(&f, 0xff, 1000);
    assert_int_equal(renew(&f, renewed), 0); /* no pass over all has met it */
    record_vm_of(&f, 0xff, 1000);
    update(&f);
    record_vm_of(&f, 0xff, 1001);
    assert_int_equal(renew(&f, renewed), 0);
    record_vm_of(&f, 0xff, 1000);
    assert_int_equal(renew(&f, renewed), 1);
    assert_ptr_equal(renewed[0], vm);
    assert_int_equal(vm->process, 10);
    tear_down(&f);
}

/* ---- a pass in parts ------------------------------------------------------------------------ */

static void a_table_changes_when_all_records_are_taken(void **state)
{
    struct host_vm *ended, *stays;
    struct parts parts;
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xaa, 3);
    record_vm(&f, 0xee, 3);
    update(&f);
    ended = host_vm_ref(host_table_find(&f.table, 0xaa));
    stays = host_table_find(&f.table, 0xee);
    record_vm(&f, 0xff, 1);
    record_vm(&f, 0xcc, 1);
    record_vm(&f, 0xee, 4);
    begin_update(&f, &parts, 2);
    while (host_update_take(&parts.update)) {
        assert_int_equal(f.table.n, 2);
        assert_false(ended->is_gone);
        assert_ptr_equal(host_table_find(&f.table, 0xaa), ended);
        assert_null(host_table_find(&f.table, 0xcc));
    }
    assert_int_equal(stays->row[0], 4);
    for (size_t n = 2; host_update_publish(&parts.update); n++) {
        assert_true(ended->is_gone);
        assert_int_equal(f.table.n, n);
        assert_null(host_table_find(&f.table, 0xaa));
        assert_ptr_equal(host_table_find(&f.table, 0xee), stays);
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(host_table_find(&f.table, f.table.vms[i]->key), f.table.vms[i]);
    }
    end_update(&parts);
    assert_int_equal(f.table.n, 3);
    assert_int_equal(f.table.vms[1]->key, 0xff); /* whose file is the first */
    assert_non_null(host_table_find(&f.table, 0xcc));
    host_vm_unref(ended);
    tear_down(&f);
}

/* What the pass has of it is older, and no counter has fallen. */
static void what_was_read_alone_meanwhile_is_newer(void **state)
{
    struct host_vm *renewed[RECORDS_MAX], *vm;
    struct parts parts;
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xff, 3);
    update(&f);
    vm = host_vm_ref(f.table.vms[0]);
    record_vm(&f, 0xff, 5);
    begin_update(&f, &parts, 10);
    record(&f, 0xff, KVM_KIND_VM, 0, 6);
    record(&f, 0xff, KVM_KIND_VCPU, 5, 6);
    assert_int_equal(renew_at(&f, renewed, 20), 1);
    end_update(&parts);
    assert_ptr_equal(f.table.vms[0], vm);
    assert_int_equal(f.table.n, 1);
    assert_int_equal(vm->row[0], 6);
    assert_int_equal(vm->n_vcpus, 1);

    record_vm(&f, 0xff, 5); /* a pass that begins later */
    begin_update(&f, &parts, 30);
    end_update(&parts);
    assert_true(vm->is_gone);
    host_vm_unref(vm);
    tear_down(&f);
}

static void it_may_have_ended_or_be_another_all_the_same(void **state)
{
    struct host_vm *renewed[RECORDS_MAX], *vms[2];
    struct parts parts;
    struct fixture f;

    (void)state;
    set_up(&f);
    record_vm(&f, 0xaa, 3);
    record_vm(&f, 0xff, 3);
    update(&f);
    for (size_t i = 0; i < 2; i++)
        vms[i] = host_vm_ref(f.table.vms[i]);
    record_vm(&f, 0xaa, 4);
    record_vm(&f, 0xff, 4);
    assert_int_equal(renew_at(&f, renewed, 20), 2);
    record(&f, 0xff, KVM_KIND_VM, 0, 5)->start_time = 101;
    begin_update(&f, &parts, 10);
    end_update(&parts);
    assert_int_equal(f.table.n, 1);
    assert_true(vms[0]->is_gone && vms[1]->is_gone);
    for (size_t i = 0; i < 2; i++)
        host_vm_unref(vms[i]);
    tear_down(&f);
}

/* Also where the kernel shows it no more: it is known until the end of the pass. */
static void who_runs_a_registered_vm_is_known_all_the_time(void **state)
{
    struct host_vm *renewed[RECORDS_MAX], *vm;
    struct parts parts;
    struct fixture f;

    (void)state;
    set_up(&f);
    vm = register_vm(&f, 0xff, 1000);
    record_vm_of(&f, 0xff, 1000);
    update(&f);
    begin_update(&f, &parts, 10);
    assert_true(vm->is_in_records);
    record_vm_of(&f, 0xff, 1000);
    assert_int_equal(renew_at(&f, renewed, 20), 1);
    end_update(&parts);
    assert_false(vm->is_in_records);
    assert_int_equal(vm->process, 0);
    assert_int_equal(f.table.n, 1);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vm_has_its_vcpus_in_the_order_of_ids),
        cmocka_unit_test(a_host_may_have_no_vm),
        cmocka_unit_test(it_goes_on_while_it_is_there),
        cmocka_unit_test(another_life_is_told),
        cmocka_unit_test(what_others_hold_is_no_vm),
        cmocka_unit_test(vcpus_come_and_go),
        cmocka_unit_test(a_vm_may_have_vcpus_alone),
        cmocka_unit_test(of_two_with_a_name_the_older_keeps_it),
        cmocka_unit_test(a_name_that_is_free_is_given_again),
        cmocka_unit_test(one_that_registers_is_one_with_the_kernels),
        cmocka_unit_test(another_users_does_not_stay_registered),
        cmocka_unit_test(one_process_has_its_vms_renewed),
        cmocka_unit_test(vcpus_of_one_process_come_and_go),
        cmocka_unit_test(which_vms_there_are_is_for_a_pass_over_all),
        cmocka_unit_test(a_registered_vm_is_told_who_runs_it),
        cmocka_unit_test(a_table_changes_when_all_records_are_taken),
        cmocka_unit_test(what_was_read_alone_meanwhile_is_newer),
        cmocka_unit_test(it_may_have_ended_or_be_another_all_the_same),
        cmocka_unit_test(who_runs_a_registered_vm_is_known_all_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
