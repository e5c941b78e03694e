/* SPDX-License-Identifier: MIT */
#include "serve/host_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/json_write.h"
#include "host/state.h"
#include "host/vm_json.h"
#include "qapi_host.h"
#include "qmp/dialect.h"
#include "server/speak.h"
#include "stats/name_set.h"
#include "stats/registry.h"

/* ---- query-vms ------------------------------------------------------------------------------ */

static const char *state_of(const struct host_vm *vm)
{
    static const char *const names[] = {
        [HOST_NEVER_RAN] = "never-ran", [HOST_RUNNING] = "running", [HOST_HALTED] = "running",
        [HOST_OUTSIDE] = "outside",     [HOST_PAUSED] = "paused",
    };
    ASSERT_COUNT(names, HOST_PAUSED + 1);

    return names[host_vm_state(vm)];
}

static void put_sockets(struct buf *out, const struct vm_sockets *sockets,
                        const struct vm_entry *entry)
{
    static const char *const members[] = {
        [VM_SOCKET_GROUPED] = "grouped", [VM_SOCKET_FLAT] = "flat"};
    const char *separator = "";
    char path[PATH_MAX];
    ASSERT_COUNT(members, VM_SOCKETS);

    buf_puts(out, ", \"sockets\": {");
    for (size_t i = 0; i < VM_SOCKETS; i++) {
        if (!entry->listeners[i])
            continue;
        vm_socket_path(sockets, entry, i, path);
        buf_printf(out, "%s\"%s\": ", separator, members[i]);
        json_put_string(out, path);
        separator = ", ";
    }
    buf_puts(out, "}");
}

static void put_vm(struct buf *out, const struct vm_sockets *sockets, const struct vm_entry *entry,
                   double boot_time)
{
    const struct host_vm *vm = entry->vm;

    buf_puts(out, "{");
    host_vm_put_identity(out, vm, state_of(vm));
    buf_printf(out, ", \"since\": %lld", (long long)(boot_time + (double)vm->start_time / 1e9));
    put_sockets(out, sockets, entry);
    buf_puts(out, "}");
}

void qmp_query_vms(struct qmp_call *call)
{
    const struct vm_sockets *sockets = call->session->opaque;
    double boot_time = clock_boot_time();

    buf_puts(call->out, "[");
    for (size_t i = 0; i < sockets->n; i++) {
        buf_puts(call->out, i ? ", " : "");
        put_vm(call->out, sockets, &sockets->entries[i], boot_time);
    }
    buf_puts(call->out, "]");
}

/* ---- the socket ----------------------------------------------------------------------------- */

static bool has_value(const struct vm_sockets *sockets, size_t i, const char *enum_name,
                      const char *value)
{
    struct vitals_ctx *ctx;

    if (i >= sockets->n)
        return false;
    ctx = sockets->entries[i].vm->ctx;
    return strcmp(enum_name, QAPI_STATS_TARGET) ? registry_has_provider(ctx, value)
                                                : registry_has_target(ctx, NULL, value);
}

/* A request may name many, each again and again. What a VMM has of its own is nowhere else, mostly. */
static bool accept_value(const struct qmp_session *session, const char *enum_name,
                         const char *value)
{
    struct vm_sockets *sockets = session->opaque;

    if (has_value(sockets, 0, enum_name, value) ||
        has_value(sockets, sockets->asked_last, enum_name, value))
        return true;
    for (int own = 1; own >= 0; own--)
        for (size_t i = 0; i < sockets->n; i++) {
            if (!sockets->entries[i].vm->n_own != !own || !has_value(sockets, i, enum_name, value))
                continue;
            sockets->asked_last = i;
            return true;
        }
    return false;
}

/* Of many VMs of strangers, that are told in the introspection. */
enum { VALUES_MAX = 1024 };

struct values {
    struct name_set *told; /* NULL: no memory */
    size_t n;
    void (*fn)(void *opaque, const char *value);
    void *opaque;
};

static void tell_value(void *opaque, const char *value)
{
    struct values *values = opaque;

    if (!values->told || values->n == VALUES_MAX || !name_set_add(values->told, NULL, value))
        return;
    values->n++;
    values->fn(values->opaque, value);
}

static void each_value(struct qmp_call *call, const char *enum_name,
                       void (*fn)(void *opaque, const char *value), void *opaque)
{
    const struct vm_sockets *sockets = call->session->opaque;
    struct values values = {
        .told = name_set_new(&call->bench->arena, VALUES_MAX), .fn = fn, .opaque = opaque};

    for (size_t i = 0; i < sockets->n; i++) {
        if (!strcmp(enum_name, QAPI_STATS_TARGET))
            registry_each_target(sockets->entries[i].vm->ctx, NULL, tell_value, &values);
        else
            registry_each_provider(sockets->entries[i].vm->ctx, tell_value, &values);
    }
}

static const struct qmp_open_values open_values = {.accept = accept_value, .each = each_value};
static const struct qmp_dialect dialect = {
    .schema = &host_schema, .qemu_major = 7, .values = &open_values};

static int listen_at(const struct vm_sockets *sockets, int fd, struct host_socket *host_socket)
{
    char path[PATH_MAX];
    const struct vitals_listen_options options = {
        VITALS_LISTEN_OPTIONS_INIT,
        .path = fd < 0 ? path : NULL,
        .fd = fd,
        .mode = run_directory_socket_mode(sockets->directory),
    };

    if (snprintf(path, sizeof(path), "%s/host.sock", sockets->directory->path) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return vitals_server_listen(sockets->server, host_socket->ctx, &options,
                                &host_socket->listener);
}

int host_socket_open(const struct vm_sockets *sockets, int fd, struct host_socket *ret_socket)
{
    struct host_socket host_socket = {.sockets = sockets};
    int err = vitals_ctx_new(NULL, &host_socket.ctx);

    if (!err)
        err = listen_at(sockets, fd, &host_socket);
    if (err) {
        vitals_ctx_free(host_socket.ctx);
        return err;
    }
    host_socket.speech = (struct listener_speech){.dialect = &dialect, .opaque = (void *)sockets};
    *ret_socket = host_socket;
    listener_speak(ret_socket->listener, &ret_socket->speech);
    listener_set_gate(ret_socket->listener, &sockets->reads->gate);
    return 0;
}

void host_socket_close(struct host_socket *socket)
{
    vitals_listener_close(socket->listener);
    vitals_ctx_free(socket->ctx);
    *socket = (struct host_socket){0};
}
