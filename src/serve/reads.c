/* SPDX-License-Identifier: MIT */
#include "serve/reads.h"

#include "base/clock.h"
#include "host/state.h"
#include "server/speak.h"
#include "stats/ctx.h"

/* As much is read of single processes whatever a pass over the host takes. */
#define ALONE_NS UINT64_C(500000)

/* And never more in a turn, for which all others wait. */
#define ALONE_MAX_NS UINT64_C(5000000)

/* ---- states --------------------------------------------------------------------------------- */

/* One that never ran has not been paused. */
static enum ctx_state state_of(const struct host_vm *vm)
{
    switch (host_vm_state(vm)) {
    case HOST_PAUSED:
        return CTX_PAUSED;
    case HOST_NEVER_RAN:
        return CTX_PRELAUNCH;
    default:
        return CTX_RUNNING;
    }
}

void reads_tell_state(const struct host_vm *vm)
{
    ctx_set_state(vm->ctx, state_of(vm));
}

/* ---- one VM --------------------------------------------------------------------------------- */

static bool is_read(const struct reads *reads, const struct host_vm *vm, uint64_t asked_ns)
{
    return reads->pass_ns >= asked_ns || vm->read_ns >= asked_ns;
}

/* What takes half as long as the host is read with it. */
static bool is_cheap(const struct reads *reads, uint64_t ns)
{
    return ns <= ALONE_NS || ns <= reads->took_ns / 2;
}

/* As many as wait for a turn may want a process each. */
static bool is_crowd(const struct reads *reads)
{
    return !is_cheap(reads, reads->alone_ns * server_n_waiting(reads->server));
}

static bool reads_vm(struct reads *reads, struct host_vm *vm)
{
    if (!host_reads_vms(reads->host) || vm->taken_ns > ALONE_MAX_NS ||
        !is_cheap(reads, vm->taken_ns))
        return false;
    reads->is_crowded |= is_crowd(reads);
    if (reads->is_crowded || host_read_vm(reads->host, vm))
        return false;
    reads->alone_ns = (7 * reads->alone_ns + vm->taken_ns) / 8;
    return true;
}

static bool waits(struct reads *reads)
{
    if (!reads->wanted_ns)
        reads->wanted_ns = clock_now_ns();
    return false;
}

static bool opens(void *opaque, uint64_t asked_ns)
{
    const struct vm_gate *gate = opaque;

    if (!is_read(gate->reads, gate->vm, asked_ns) && !reads_vm(gate->reads, gate->vm))
        return waits(gate->reads);
    reads_tell_state(gate->vm);
    return true;
}

void vm_gate_init(struct vm_gate *gate, struct reads *reads, struct host_vm *vm)
{
    *gate = (struct vm_gate){.gate = {.opens = opens, .opaque = gate}, .reads = reads, .vm = vm};
}

/* ---- all ------------------------------------------------------------------------------------ */

static bool opens_for_all(void *opaque, uint64_t asked_ns)
{
    struct reads *reads = opaque;

    return reads->pass_ns >= asked_ns || waits(reads);
}

void reads_init(struct reads *reads, struct host *host, const struct vitals_server *server,
                const struct vitals_server *register_server)
{
    *reads = (struct reads){.host = host,
                            .server = server,
                            .register_server = register_server,
                            .gate = {.opens = opens_for_all, .opaque = reads}};
}

void reads_passed(struct reads *reads, uint64_t begin_ns, uint64_t took_ns)
{
    reads->pass_ns = begin_ns;
    reads->took_ns = took_ns;
    reads->wanted_ns = 0;
    reads->is_crowded = false;
}

/* More come as long as some wait for a turn; but nobody waits for long because of others. */
bool reads_want_pass(const struct reads *reads)
{
    bool more_come = server_n_waiting(reads->server) || server_n_waiting(reads->register_server);

    return reads->wanted_ns && (!more_come || clock_now_ns() - reads->wanted_ns >= reads->took_ns);
}
