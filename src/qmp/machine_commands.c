/* SPDX-License-Identifier: MIT */
/* The commands about the machine: what clients ask QEMU before they ask for statistics. */
#include <sys/utsname.h>

#include "qapi_commands.h"
#include "qmp/call.h"
#include "qmp/machine.h"
#include "base/json_write.h"
#include "stats/registry.h"

void qmp_query_uuid(struct qmp_call *call)
{
    const char *uuid = call->session->ctx->options.uuid;

    buf_printf(call->out, "{\"UUID\": \"%s\"}",
               uuid ? uuid : "00000000-0000-0000-0000-000000000000");
}

void qmp_query_kvm(struct qmp_call *call)
{
    bool enabled = registry_has_provider(call->session->ctx, "kvm");

    buf_printf(call->out, "{\"enabled\": %s, \"present\": true}", enabled ? "true" : "false");
}

/* A VM runs on the host's architecture, or KVM would not run it. */
static void put_target(struct buf *out)
{
    struct utsname host;

    uname(&host);
    json_put_string(out, host.machine);
}

void qmp_query_target(struct qmp_call *call)
{
    buf_puts(call->out, "{\"arch\": ");
    put_target(call->out);
    buf_puts(call->out, "}");
}

static void put_cpu(struct buf *out, const struct stats_object *vcpu)
{
    buf_printf(out, "{\"thread-id\": %lld, \"qom-path\": ", (long long)vcpu->thread);
    json_put_string(out, vcpu->path);
    buf_printf(out, ", \"cpu-index\": %lld, \"target\": ", (long long)vcpu->number);
    put_target(out);
    buf_puts(out, "}");
}

int machine_put_cpus(struct buf *out, struct vitals_ctx *ctx)
{
    struct object_list vcpus = {0};
    int err = objects_list(&ctx->objects, "vcpu", &vcpus);
    size_t i;

    if (err)
        return err;
    buf_puts(out, "[");
    for (i = 0; i < vcpus.n; i++) {
        buf_puts(out, i ? ", " : "");
        put_cpu(out, &vcpus.objects[i]);
    }
    buf_puts(out, "]");
    object_list_free(&vcpus);
    return 0;
}

void qmp_query_cpus_fast(struct qmp_call *call)
{
    if (machine_put_cpus(call->out, call->session->ctx))
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
}
