/* SPDX-License-Identifier: MIT */
#include "host/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch.h"
#include "host/process.h"

enum { RECORDS_FETCHED = 4 };

void host_table_init(struct host_table *table, struct stats_schema *const schemas[KVM_KINDS])
{
    *table = (struct host_table){.identify = process_identify};
    for (size_t i = 0; i < KVM_KINDS; i++)
        table->schemas[i] = schema_ref(schemas[i]);
}

void host_table_free(struct host_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        table->vms[i]->is_gone = true;
        host_vm_unref(table->vms[i]);
    }
    for (size_t i = 0; i < KVM_KINDS; i++)
        schema_unref(table->schemas[i]);
    free(table->vms);
    free(table->by_key);
    free(table->by_name);
    free(table->registered);
}

/* ---- records of one VM ---------------------------------------------------------------------- */

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By VM; what its owner has open first; the VM's own file, then vCPUs by id. */
static int compare_records(const void *a, const void *b)
{
    const struct kvm_record *one = *(const struct kvm_record *const *)a;
    const struct kvm_record *other = *(const struct kvm_record *const *)b;
    int order = compare(one->vm, other->vm);

    if (!order)
        order = compare(other->is_owner, one->is_owner);
    if (!order)
        order = compare(one->kind, other->kind);
    if (!order)
        order = compare(one->vcpu_id, other->vcpu_id);
    return order ? order : compare(one->fd, other->fd);
}

static bool is_same_object(const struct kvm_record *a, const struct kvm_record *b)
{
    return a->vm == b->vm && a->kind == b->kind && a->vcpu_id == b->vcpu_id;
}

/* In their order, without what others than the owner hold, and what the owner holds twice. */
static size_t choose_records(const struct kvm_record **records, size_t n)
{
    size_t n_chosen = 0;

    if (n)
        qsort(records, n, sizeof(*records), compare_records);
    for (size_t i = 0; i < n; i++)
        if (records[i]->is_owner &&
            !(n_chosen && is_same_object(records[n_chosen - 1], records[i])))
            records[n_chosen++] = records[i];
    return n_chosen;
}

static struct host_records records_of_next(const struct kvm_record **records, size_t n)
{
    struct host_records of_vm = {.records = records, .n = 1};

    while (of_vm.n < n && records[of_vm.n]->vm == records[0]->vm)
        of_vm.n++;
    return of_vm;
}

/* Where a VM of this key is among them, or would be. */
static size_t place_of_key(struct host_vm *const *vms, size_t n, uint64_t key)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (vms[middle]->key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* Where @name is in by_name, or would be. */
static size_t find_name(const struct host_table *table, const char *name)
{
    size_t low = 0, high = table->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(table->by_name[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_taken(const struct host_table *table, const char *name)
{
    size_t i = find_name(table, name);

    return i < table->n && !strcmp(table->by_name[i]->name, name);
}

/* One after the other, until one is free: NAME, NAME@PID, NAME@PID.2 and so on. */
static void put_name(const struct host_vm *vm, unsigned n_tried, char name[HOST_NAME_MAX])
{
    const char *wanted = vm->identity.name;

    if (n_tried == 0)
        snprintf(name, HOST_NAME_MAX, "%s", wanted);
    else if (n_tried == 1)
        snprintf(name, HOST_NAME_MAX, "%s@%d", wanted, (int)vm->pid);
    else
        snprintf(name, HOST_NAME_MAX, "%s@%d.%u", wanted, (int)vm->pid, n_tried);
}

/*
 * The older one keeps a name, so nobody can rename a neighbour. @n_tried: those that the VM before
 * it, of the same process, has found taken.
 */
static void choose_name(const struct host_table *table, const struct host_vm *vm, unsigned *n_tried,
                        char name[HOST_NAME_MAX])
{
    do
        put_name(vm, (*n_tried)++, name);
    while (is_taken(table, name));
}

/* ---- those that have registered ------------------------------------------------------------- */

static size_t registered_place(const struct host_table *table, uint64_t key)
{
    return place_of_key(table->registered, table->n_registered, key);
}

static struct host_vm *find_registered(const struct host_table *table, uint64_t key)
{
    size_t i = registered_place(table, key);

    return key && i < table->n_registered && table->registered[i]->key == key ? table->registered[i]
                                                                              : NULL;
}

/* ---- what is new ---------------------------------------------------------------------------- */

static int compare_ages(const void *a, const void *b)
{
    const struct host_vm *one = *(struct host_vm *const *)a, *other = *(struct host_vm *const *)b;
    int order = compare(one->start_time, other->start_time);

    if (!order)
        order = compare((uint64_t)one->process, (uint64_t)other->process);
    return order ? order : compare(one->fd, other->fd);
}

static int grow(struct host_vm ***vms, size_t cap)
{
    struct host_vm **grown = reallocarray(*vms, cap, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    *vms = grown;
    return 0;
}

static int reserve(struct host_table *table, size_t n)
{
    size_t cap = n > 2 * table->cap ? n : 2 * table->cap;

    if (n <= table->cap)
        return 0;
    if (grow(&table->vms, cap) || grow(&table->by_key, cap) || grow(&table->by_name, cap))
        return -ENOMEM;
    table->cap = cap;
    return 0;
}

/* There is room for it. */
static void add(struct host_table *table, struct host_vm *vm)
{
    size_t i = find_name(table, vm->name);

    memmove(&table->by_name[i + 1], &table->by_name[i], (table->n - i) * sizeof(table->by_name[0]));
    table->by_name[i] = vm;
    table->vms[table->n++] = vm;
}

static bool is_same_process(const struct host_vm *a, const struct host_vm *b)
{
    return a->process == b->process && a->start_time == b->start_time;
}

static int compare_key(const void *key, const void *vm)
{
    return compare(*(const uint64_t *)key, (*(struct host_vm *const *)vm)->key);
}

static struct host_vm *find_by_key(const struct host_table *table, uint64_t key)
{
    struct host_vm **found = table->n_by_key ? bsearch(&key, table->by_key, table->n_by_key,
                                                       sizeof(*table->by_key), compare_key)
                                             : NULL;

    return found ? *found : NULL;
}

struct host_vm *host_table_find(const struct host_table *table, uint64_t key)
{
    struct host_vm *vm = find_registered(table, key);

    return vm ? vm : find_by_key(table, key);
}

/* ---- what is gone --------------------------------------------------------------------------- */

/* Keeps the order. Returns how many are left. */
static size_t leave_out_gone(struct host_vm **vms, size_t n)
{
    size_t n_left = 0;

    for (size_t i = 0; i < n; i++)
        if (!vms[i]->is_gone)
            vms[n_left++] = vms[i];
    return n_left;
}

static void drop_gone(struct host_table *table)
{
    size_t n = 0;

    table->n_by_key = leave_out_gone(table->by_key, table->n_by_key);
    table->n_registered = leave_out_gone(table->registered, table->n_registered);
    leave_out_gone(table->by_name, table->n);
    for (size_t i = 0; i < table->n; i++) {
        if (table->vms[i]->is_gone)
            host_vm_unref(table->vms[i]);
        else
            table->vms[n++] = table->vms[i];
    }
    table->n = n;
}

static int reserve_registered(struct host_table *table)
{
    size_t cap = table->registered_cap ? 2 * table->registered_cap : 8;

    if (table->n_registered < table->registered_cap)
        return 0;
    if (grow(&table->registered, cap))
        return -ENOMEM;
    table->registered_cap = cap;
    return 0;
}

static void drop_former(struct host_table *table, uint64_t key)
{
    struct host_vm *former = find_by_key(table, key);

    if (!former)
        return;
    former->is_gone = true;
    drop_gone(table);
}

int host_table_add_registered(struct host_table *table, struct host_vm *vm)
{
    char name[HOST_NAME_MAX];
    unsigned n_tried = 0;
    int err = reserve(table, table->n + 1);
    size_t i;

    if (!err)
        err = reserve_registered(table);
    if (err)
        return err;
    drop_former(table, vm->key);
    choose_name(table, vm, &n_tried, name);
    err = host_vm_publish(vm, name, table->n ? table->vms[0] : NULL);
    if (err)
        return err;
    add(table, vm);
    i = registered_place(table, vm->key);
    memmove(&table->registered[i + 1], &table->registered[i],
            (table->n_registered - i) * sizeof(table->registered[0]));
    table->registered[i] = vm;
    table->n_registered++;
    return 0;
}

void host_table_remove_registered(struct host_table *table, struct host_vm *vm)
{
    vm->is_gone = true;
    drop_gone(table);
}

/* ---- a pass --------------------------------------------------------------------------------- */

static void drop(struct host_update *update, struct host_vm *vm)
{
    update->gone[update->n_gone++] = vm;
}

/* Those before @key have no record any more. */
static void end_before(struct host_update *update, uint64_t key)
{
    struct host_table *table = update->table;

    while (update->next < table->n_by_key && table->by_key[update->next]->key < key)
        drop(update, table->by_key[update->next++]);
}

/* So it is as these records say, or is newer than they are. */
static bool is_newer(const struct host_update *update, const struct host_vm *vm,
                     const struct kvm_record *first)
{
    return vm->records_ns > update->begin_ns && host_vm_is_same_life(vm, first);
}

static struct host_vm *find_former(struct host_update *update, const struct host_records *records)
{
    struct host_table *table = update->table;
    struct host_vm *vm;

    end_before(update, records->records[0]->vm);
    if (update->next == table->n_by_key ||
        table->by_key[update->next]->key != records->records[0]->vm)
        return NULL;
    vm = table->by_key[update->next++];
    if (is_newer(update, vm, records->records[0]) || host_vm_goes_on(vm, records))
        return vm;
    drop(update, vm);
    return NULL;
}

static bool is_users(const struct host_vm *vm, const struct kvm_record *first)
{
    return vm->uid == 0 || vm->uid == first->uid;
}

/*
 * Who registers a VM is asked whose it is, but a VM that no pass has seen yet is nobody's: this is the
 * first that shows its user.
 */
static struct host_vm *find_meant(struct host_update *update, const struct kvm_record *first)
{
    struct host_vm *vm = find_registered(update->table, first->vm);

    if (!vm || is_users(vm, first))
        return vm;
    drop(update, vm);
    return NULL;
}

static void forget_threads(struct host_vm *vm)
{
    for (size_t i = 0; i < vm->n_vcpus; i++)
        vm->vcpus[i].thread = 0;
}

/* What runs it is told anew. */
static void meet(struct host_vm *vm, const struct host_records *records)
{
    forget_threads(vm);
    host_vm_meet(vm, records);
}

static int take_registered(const struct host_update *update, struct host_vm *vm,
                           const struct host_records *records)
{
    vm->is_met = true;
    if (!vm->is_in_records || !is_newer(update, vm, records->records[0]))
        meet(vm, records);
    return 0;
}

static int take_born(struct host_update *update, const struct host_records *records)
{
    struct host_vm *vm = host_vm_new(records, update->table->schemas);

    if (!vm)
        return -ENOMEM;
    update->born[update->n_born++] = vm;
    return host_vm_take(vm, records);
}

static int take(struct host_update *update, const struct host_records *records)
{
    struct host_vm *vm = find_meant(update, records->records[0]);

    if (vm)
        return take_registered(update, vm, records);
    vm = find_former(update, records);
    if (!vm)
        return take_born(update, records);
    return is_newer(update, vm, records->records[0]) ? 0 : host_vm_take(vm, records);
}

static int reserve_update(struct host_update *update, size_t n_records)
{
    update->born = calloc(n_records + 1, sizeof(*update->born));
    update->gone = calloc(update->table->n + 1, sizeof(*update->gone));
    if (update->born && update->gone)
        return 0;
    free(update->born);
    free(update->gone);
    return -ENOMEM;
}

int host_update_begin(struct host_update *update, struct host_table *table,
                      const struct kvm_record **records, size_t n, uint64_t begin_ns)
{
    int err;

    *update = (struct host_update){.table = table, .records = records, .begin_ns = begin_ns};
    err = reserve_update(update, n);
    if (err)
        return err;
    update->n_records = choose_records(records, n);
    for (size_t i = 0; i < table->n_registered; i++)
        table->registered[i]->is_met = false;
    return 0;
}

/* That of the VM which is mostly the next one. */
static void fetch_next(const struct host_update *update, size_t n_now)
{
    const struct host_table *table = update->table;
    size_t size =
        sizeof(struct kvm_record) + table->schemas[KVM_KIND_VCPU]->row_len * sizeof(uint64_t);

    for (size_t i = n_now; i < n_now + RECORDS_FETCHED && i < update->n_records; i++)
        fetch(update->records[i], size);
    if (update->next + 1 < table->n_by_key)
        host_vm_fetch_rows(table->by_key[update->next + 1]);
}

bool host_update_take(struct host_update *update)
{
    struct host_records of_vm;
    int err;

    if (!update->n_records)
        return false;
    of_vm = records_of_next(update->records, update->n_records);
    fetch_next(update, of_vm.n);
    err = take(update, &of_vm);
    if (err)
        update->err = err;
    update->records += of_vm.n;
    update->n_records -= of_vm.n;
    return true;
}

/* Those that have registered are told of what runs them in each pass. */
static void forget_unmet(struct host_table *table)
{
    for (size_t i = 0; i < table->n_registered; i++) {
        struct host_vm *vm = table->registered[i];

        if (vm->is_met)
            continue;
        vm->is_in_records = false;
        vm->process = 0;
        forget_threads(vm);
    }
}

/* There is room for it. */
static void add_by_key(struct host_table *table, struct host_vm *vm)
{
    size_t i = place_of_key(table->by_key, table->n_by_key, vm->key);

    memmove(&table->by_key[i + 1], &table->by_key[i],
            (table->n_by_key - i) * sizeof(table->by_key[0]));
    table->by_key[i] = vm;
    table->n_by_key++;
}

/* One process can have very many. */
static void identify(struct host_update *update, struct host_vm *vm)
{
    const struct host_vm *before = update->published;

    if (before && is_same_process(before, vm)) {
        vm->identity = before->identity;
        return;
    }
    update->table->identify(vm->pid, vm->start_time, &vm->identity);
    update->n_tried = 0;
}

static int publish(struct host_update *update, struct host_vm *vm)
{
    struct host_table *table = update->table;
    char name[HOST_NAME_MAX];
    int err = reserve(table, table->n + 1);

    if (err)
        return err;
    identify(update, vm);
    choose_name(table, vm, &update->n_tried, name);
    err = host_vm_publish(vm, name, table->n ? table->vms[0] : NULL);
    if (err)
        return err;
    add(table, vm);
    add_by_key(table, vm);
    update->published = vm;
    return 0;
}

static void drop_and_sort(struct host_update *update)
{
    if (update->has_dropped)
        return;
    while (host_update_take(update))
        ;
    end_before(update, UINT64_MAX);
    forget_unmet(update->table);
    for (size_t i = 0; i < update->n_gone; i++)
        update->gone[i]->is_gone = true;
    drop_gone(update->table);
    if (update->n_born)
        qsort(update->born, update->n_born, sizeof(*update->born), compare_ages);
    update->has_dropped = true;
}

bool host_update_publish(struct host_update *update)
{
    struct host_vm *vm;
    int err;

    drop_and_sort(update);
    if (update->n_published == update->n_born)
        return false;
    vm = update->born[update->n_published++];
    err = publish(update, vm);
    if (err) {
        host_vm_unref(vm);
        update->err = err;
    }
    return true;
}

int host_update_end(struct host_update *update)
{
    while (host_update_publish(update))
        ;
    free(update->born);
    free(update->gone);
    return update->err;
}

/* ---- one process alone ---------------------------------------------------------------------- */

static bool is_met_again(const struct host_vm *vm, const struct kvm_record *first)
{
    return vm->is_in_records && host_vm_is_same_life(vm, first) && is_users(vm, first);
}

static bool goes_on(const struct host_vm *vm, const struct host_records *records)
{
    return vm->is_registered ? is_met_again(vm, records->records[0]) : host_vm_goes_on(vm, records);
}

static bool renew(struct host_vm *vm, const struct host_records *records, uint64_t begin_ns)
{
    if (!goes_on(vm, records))
        return false;
    vm->records_ns = begin_ns;
    if (!vm->is_registered)
        return !host_vm_take(vm, records);
    meet(vm, records);
    return true;
}

size_t host_table_renew(struct host_table *table, const struct kvm_record **records, size_t n,
                        uint64_t begin_ns, struct host_vm **ret_vms)
{
    size_t n_renewed = 0;

    n = choose_records(records, n);
    while (n) {
        struct host_records of_vm = records_of_next(records, n);
        struct host_vm *vm = host_table_find(table, records[0]->vm);

        if (vm && renew(vm, &of_vm, begin_ns))
            ret_vms[n_renewed++] = vm;
        records += of_vm.n;
        n -= of_vm.n;
    }
    return n_renewed;
}
