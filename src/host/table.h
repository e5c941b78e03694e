/* SPDX-License-Identifier: MIT */
/*
 * The VMs of this host. A pass over the kernel brings the table up to date: a VM is a struct kvm and
 * the process in whose memory it lives, whoever else holds its files.
 */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include <stdbool.h>

#include "host/vm.h"

struct host_table {
    struct host_vm **vms;     /* the oldest process first */
    struct host_vm **by_name; /* the same */
    size_t n, cap;
    struct host_vm **by_key; /* those of which the kernel's records are all that is known */
    size_t n_by_key;
    struct host_vm **registered; /* the others; those with a key by it, behind those without */
    size_t n_registered, registered_cap;
    struct stats_schema *schemas[KVM_KINDS];
    /* Who it is. The table's own is process_identify(). */
    void (*identify)(pid_t pid, uint64_t start_time, struct identity *ret_identity);
};

/* Takes references to the schemas. */
void host_table_init(struct host_table *table, struct stats_schema *const schemas[KVM_KINDS]);
void host_table_free(struct host_table *table);

/*
 * What has come of a pass so far:
 *
 *      host_update_begin() ──> host_update_take()* ──> host_update_publish()* ──> host_update_end()
 *
 * While records are taken the table has the same VMs. host_table_renew() may come in between; nothing else
 * that changes the table.
 */
struct host_update {
    struct host_table *table;
    const struct kvm_record **records; /* which have not been taken yet, in the order of by_key */
    size_t n_records;
    uint64_t begin_ns;
    struct host_vm **born; /* not published yet */
    struct host_vm **gone;
    size_t n_born, n_gone;
    size_t next; /* in by_key */
    bool has_dropped;
    size_t n_published;              /* of born, the oldest first */
    const struct host_vm *published; /* the last one; NULL: none */
    unsigned n_tried; /* names that VMs before it, of the same process, have found taken */
    int err;
};

/*
 * The @n @records of a pass that began at @begin_ns, which this sorts. They stay until the end. What was
 * renewed since then is newer, and stays as it is. -ENOMEM: nothing has begun.
 */
int host_update_begin(struct host_update *update, struct host_table *table,
                      const struct kvm_record **records, size_t n, uint64_t begin_ns);
bool host_update_take(struct host_update *update); /* those of one VM; false: there are none left */

/*
 * Takes what is left. VMs that are gone leave the table, and are marked: whoever has a reference to one
 * can go on with its last values. Then one that is new enters it by each call; false: none is left.
 */
bool host_update_publish(struct host_update *update);
int host_update_end(
    struct host_update *update); /* what is left of all; -ENOMEM: some are left out */

/*
 * The records of a pass over one process alone, which began at @begin_ns: renews the VMs that are as the
 * last pass over all had them, and writes them to @ret_vms, which has room for @n. What is new, is gone,
 * or is another life is left to the next pass over all. Returns how many.
 */
size_t host_table_renew(struct host_table *table, const struct kvm_record **records, size_t n,
                        uint64_t begin_ns, struct host_vm **ret_vms);

/*
 * A VM that has registered, with its identity, and with the kernel's address if that is known: takes
 * the reference. What the kernel had of it leaves the table: from now on its records say who runs this
 * one. -ENOMEM.
 */
int host_table_add_registered(struct host_table *table, struct host_vm *vm);
void host_table_remove_registered(struct host_table *table, struct host_vm *vm);

/* The VM at the kernel's address @key, registered or not; NULL: there is none. */
struct host_vm *host_table_find(const struct host_table *table, uint64_t key);

#endif
