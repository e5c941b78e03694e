/* SPDX-License-Identifier: MIT */
/* The sockets of each VM of the host: vms/NAME/qmp.sock, grouped, and vms/NAME/qemu.sock, flat. */
#ifndef SERVE_VM_SOCKETS_H
#define SERVE_VM_SOCKETS_H

#include "host/host.h"
#include "serve/log.h"
#include "serve/reads.h"
#include "serve/run_directory.h"
#include "vitals/qmp.h"

enum vm_socket_kind { VM_SOCKET_GROUPED, VM_SOCKET_FLAT, VM_SOCKETS };

struct vm_entry {
    struct host_vm *vm;             /* a reference */
    char name[SOCKET_NAME_MAX + 1]; /* of its directory; its own for life; empty: it has none yet */
    struct vm_gate *gate;           /* of its clients' requests */
    struct vitals_listener *listeners[VM_SOCKETS]; /* NULL: could not be made yet */
    int err;         /* why not, which was said; -EMFILE: it waits for files; or 0 */
    uint64_t number; /* grows from each to the next; from 1 on */
};

struct vm_sockets {
    const struct run_directory *directory;
    struct vitals_server *server;
    struct reads *reads;
    struct person_range people;
    struct vm_entry *entries; /* in the order of host_vms() */
    size_t n, cap;
    bool retries; /* what could not be made, from this entry on: */
    size_t next;
    size_t n_waiting; /* for files: there are not enough for all */
    uint64_t last_number;
    struct serve_seldom failures, strangers; /* said: no sockets; who can't be let in */
    size_t
        asked_last; /* the VM in which a value of a request was found last: where others are, mostly */
};

/* All three stay until it is closed. */
void vm_sockets_init(struct vm_sockets *sockets, const struct run_directory *directory,
                     struct vitals_server *server, struct reads *reads, struct person_range people);

/* All are gone, with their directories. */
void vm_sockets_close(struct vm_sockets *sockets);

/*
 * After a pass: VMs that are gone lose their sockets, and those that have none get some. What can't be
 * made is said once for each VM, if not of too many, and tried again by the update that follows vm_sockets_retry().
 * Where there are not files for all, users share them: see vm_shares.h. True: it is later than @until_ns of
 * CLOCK_MONOTONIC, and there is more to do, by another call before the host changes.
 */
bool vm_sockets_update(struct vm_sockets *sockets, const struct host *host, uint64_t until_ns);
void vm_sockets_retry(struct vm_sockets *sockets);

/* Others may use them from now on: the group of the directory's account, and these owners. */
void vm_sockets_allow(struct vm_sockets *sockets, struct person_range people);

/*
 * The first with a number above @number: who comes back later finds the one that follows, whichever have come and
 * gone. NULL: there is none.
 */
const struct vm_entry *vm_sockets_after(const struct vm_sockets *sockets, uint64_t number);

/* Where it is, or would be. */
void vm_socket_path(const struct vm_sockets *sockets, const struct vm_entry *entry,
                    enum vm_socket_kind kind, char path[PATH_MAX]);

#endif
