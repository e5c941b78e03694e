/* SPDX-License-Identifier: MIT */
/*
 * What is read of the host for requests: nothing that they are told is older than they are.
 *
 * A request at a VM's socket has the VM's process read, which takes little, and on its user's account.
 * Where that would take longer than a pass over the whole host, or can't be done, the request waits for
 * one, which serves all that have come before it begins.
 */
#ifndef SERVE_READS_H
#define SERVE_READS_H

#include "host/host.h"
#include "qmp/session.h"

struct reads {
    struct host *host;
    const struct vitals_server *server;
    const struct vitals_server *register_server; /* whose clients wait for passes, too */
    struct qmp_gate gate; /* of requests about all VMs, and of VMs that register */
    uint64_t pass_ns;     /* when the last pass over the host began, */
    uint64_t took_ns;     /* and what it took */
    uint64_t alone_ns;    /* what those over a process take */
    uint64_t wanted_ns;   /* a request has waited for a pass since then; 0: none does */
    bool is_crowded;      /* and so do all that come */
};

/* The gate of one VM. */
struct vm_gate {
    struct qmp_gate gate;
    struct reads *reads;
    struct host_vm *vm;
};

/* All stay as long as it is used. */
void reads_init(struct reads *reads, struct host *host, const struct vitals_server *server,
                const struct vitals_server *register_server);
void vm_gate_init(struct vm_gate *gate, struct reads *reads, struct host_vm *vm);

/* A pass over the host has begun at @begin_ns, took so much, and is over. */
void reads_passed(struct reads *reads, uint64_t begin_ns, uint64_t took_ns);

/* Requests wait for a pass, and it would serve all that have come. */
bool reads_want_pass(const struct reads *reads);

/* What the host says of a VM's state is what the VM's clients are told. */
void reads_tell_state(const struct host_vm *vm);

#endif
