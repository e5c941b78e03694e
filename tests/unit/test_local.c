/* SPDX-License-Identifier: MIT */
/* A client of a context in its own process: what it sees is what a query would bring. */
#include "client/local.h"

#include <string.h>

#include "check.h"
#include "fake.h"

static const char *const vcpus[] = {"/vcpu[7]", "/vcpu[2]", NULL};

/* A VM with two providers, and vCPUs that were added the other way round. */
struct vm {
    struct vitals_ctx *ctx;
    struct fake of_vm, of_vcpus, others;
    struct vitals_group *group;
    uint64_t time_ns;
    unsigned releases;
};

static void count_release(void *opaque)
{
    ((struct vm *)opaque)->releases++;
}

static void set_up(struct vm *vm)
{
    *vm = (struct vm){
        .of_vm = {.provider = "kvm", .target = "vm", .names = {"pages", "faults"}, .base = 1000},
        .of_vcpus = {.provider = "kvm",
                     .target = "vcpu",
                     .names = {"exits", "halts"},
                     .objects = vcpus},
        .others = {.provider = "own",
                   .target = "vcpu",
                   .names = {"exits"},
                   .objects = vcpus,
                   .base = 500},
        .time_ns = 77,
    };
    vm->ctx = new_ctx();
    check_ok(fake_register(vm->ctx, &vm->of_vm, NULL));
    check_ok(fake_register(vm->ctx, &vm->of_vcpus, &vm->group));
    vm->others.names[0] = "misses";
    check_ok(fake_register(vm->ctx, &vm->others, NULL));
    check_ok(vitals_object_add(vm->group, vcpus[0], 7));
    check_ok(vitals_object_add(vm->group, vcpus[1], 2));
}

static struct client *open_vm(struct vm *vm)
{
    const struct client_local local = {
        .ctx = vm->ctx,
        .path = "web1",
        .time_ns = &vm->time_ns,
        .origin = {.way = "kernel", .pid = 42, .uid = 1, .vmm = "qemu"},
        .release = count_release,
        .opaque = vm};
    struct client *client;
    struct client_error error;

    check_ok(client_open_local(&local, &client, &error));
    return client;
}

static void tear_down(struct vm *vm, struct client *client)
{
    assert_int_equal(vm->releases, 0);
    client_free(client);
    assert_int_equal(vm->releases, 1);
    check_ok(vitals_ctx_free(vm->ctx));
}

static struct client_snapshot *query(struct client *client, const char *target, const bool *wanted,
                                     const char *const *paths, size_t n_paths)
{
    const struct client_request request = {target, wanted, paths, n_paths};
    struct client_snapshot *snapshot;
    struct client_error error;

    check_ok(client_query(client, &request, &snapshot, &error));
    return snapshot;
}

static void what_there_is_comes_from_the_context(void **state)
{
    static const char *const names[] = {"pages", "faults", "exits", "halts", "misses"};
    struct vm vm;
    struct client *client;
    const struct client_stat *stats;
    const struct client_vcpu *numbered;
    size_t n;

    (void)state;
    set_up(&vm);
    client = open_vm(&vm);
    stats = client_stats(client, &n);
    assert_int_equal(n, N_ELEMENTS(names));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(stats[i].desc.name, names[i]);
        assert_string_equal(stats[i].target, i < 2 ? "vm" : "vcpu");
        assert_string_equal(stats[i].provider, i < 4 ? "kvm" : "own");
    }
    numbered = client_vcpus(client, &n);
    assert_int_equal(n, 2);
    assert_int_equal(numbered[0].index, 2);
    assert_int_equal(numbered[1].index, 7);
    assert_string_equal(client_path(client), "web1");
    assert_string_equal(client_vm_name(client), "web1"); /* the context has no name */
    assert_int_equal(client_peer(client), CLIENT_LOCAL);
    assert_int_equal(client_origin(client)->pid, 42);
    tear_down(&vm, client);
}

static void values_are_those_of_the_rows(void **state)
{
    static const bool all[] = {true, true, true, true, true};
    struct vm vm;
    struct client *client;
    struct client_snapshot *snapshot;

    (void)state;
    set_up(&vm);
    client = open_vm(&vm);
    snapshot = query(client, "vm", all, NULL, 0);
    assert_int_equal(snapshot->time_ns, 77);
    assert_int_equal(snapshot->n_objects, 1);
    assert_null(snapshot->objects[0].path);
    assert_int_equal(snapshot->objects[0].n_values, 2);
    assert_int_equal(snapshot->objects[0].values[1].values[0], 1001);
    client_snapshot_free(snapshot);

    snapshot = query(client, "vcpu", all, NULL, 0);
    assert_int_equal(snapshot->n_objects, 2); /* by number, not as they came */
    assert_string_equal(snapshot->objects[0].path, "/vcpu[2]");
    assert_int_equal(snapshot->objects[0].cpu_index, 2);
    assert_int_equal(snapshot->objects[0].n_values, 3);
    assert_int_equal(snapshot->objects[0].values[0].values[0], 10);
    assert_int_equal(snapshot->objects[0].values[2].values[0], 510);
    assert_int_equal(snapshot->objects[1].values[1].values[0], 1);
    client_snapshot_free(snapshot);
    tear_down(&vm, client);
}

static void only_what_is_wanted_is_there(void **state)
{
    static const bool one[] = {false, false, false, true, false};
    const char *const path[] = {"/vcpu[7]"};
    struct vm vm;
    struct client *client;
    struct client_snapshot *snapshot;

    (void)state;
    set_up(&vm);
    client = open_vm(&vm);
    snapshot = query(client, "vm", one, NULL, 0);
    assert_int_equal(snapshot->n_objects, 0);
    client_snapshot_free(snapshot);
    snapshot = query(client, "vcpu", one, path, 1);
    assert_int_equal(snapshot->n_objects, 1);
    assert_int_equal(snapshot->objects[0].cpu_index, 7);
    assert_int_equal(snapshot->objects[0].n_values, 1);
    assert_string_equal(snapshot->objects[0].values[0].stat->desc.name, "halts");
    client_snapshot_free(snapshot);
    snapshot = query(client, "vcpu", one, path, 0); /* none of them */
    assert_int_equal(snapshot->n_objects, 0);
    client_snapshot_free(snapshot);
    tear_down(&vm, client);
}

static void vcpus_come_and_go(void **state)
{
    static const bool all[] = {true, true, true, true, true};
    static const char *const fewer[] = {"/vcpu[2]", NULL};
    struct vm vm;
    struct client *client;
    size_t n;

    (void)state;
    set_up(&vm);
    client = open_vm(&vm);
    vm.of_vcpus.objects = vm.others.objects = fewer;
    check_ok(vitals_object_remove(vm.group, "/vcpu[7]"));
    client_snapshot_free(query(client, "vcpu", all, NULL, 0));
    client_vcpus(client, &n);
    assert_int_equal(n, 1);
    check_ok(vitals_object_add(vm.group, "/vcpu[7]", VITALS_NUMBER_ANY));
    client_snapshot_free(query(client, "vcpu", all, NULL, 0));
    assert_int_equal(client_vcpus(client, &n)[1].index, 7);
    assert_int_equal(n, 2);
    tear_down(&vm, client);
}

/* A device, and one that stands where a vCPU does. */
static void other_targets_are_there_too(void **state)
{
    static const char *const devices[] = {"/disk", "/vcpu[7]", NULL};
    static const bool all[] = {true, true, true, true, true, true};
    struct fake disk = {
        .provider = "own", .target = "disk", .names = {"reads"}, .objects = devices};
    struct vm vm;
    struct client *client;
    struct client_snapshot *snapshot;
    size_t n;

    (void)state;
    set_up(&vm);
    check_ok(fake_register(vm.ctx, &disk, NULL));
    client = open_vm(&vm);
    assert_string_equal(client_stats(client, &n)[5].target, "disk");
    assert_int_equal(n, 6);
    snapshot = query(client, CLIENT_OTHER_TARGETS, all, NULL, 0);
    assert_int_equal(snapshot->n_objects, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(snapshot->objects[i].path, devices[i]);
        assert_string_equal(snapshot->objects[i].target, "disk");
        assert_int_equal(snapshot->objects[i].cpu_index, -1);
        assert_int_equal(snapshot->objects[i].n_values, 1);
    }
    client_snapshot_free(snapshot);
    tear_down(&vm, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_there_is_comes_from_the_context),
        cmocka_unit_test(values_are_those_of_the_rows),
        cmocka_unit_test(only_what_is_wanted_is_there),
        cmocka_unit_test(vcpus_come_and_go),
        cmocka_unit_test(other_targets_are_there_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
