/* SPDX-License-Identifier: MIT */
/* The commands about the machine: what clients ask QEMU before they ask for statistics. */
#include <sys/utsname.h>

#include "qapi_commands.h"
#include "qmp/call.h"
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

struct cpu_list {
    struct buf *out;
    unsigned n;
};

static void put_cpu(void *opaque, const struct stats_object *object)
{
    struct cpu_list *list = opaque;

    buf_printf(list->out, "%s{\"thread-id\": %lld, \"qom-path\": ", list->n ? ", " : "",
               (long long)object->thread);
    json_put_string(list->out, object->path);
    buf_printf(list->out, ", \"cpu-index\": %u, \"target\": ", list->n++);
    put_target(list->out);
    buf_puts(list->out, "}");
}

void qmp_query_cpus_fast(struct qmp_call *call)
{
    struct cpu_list list = {.out = call->out};

    buf_puts(call->out, "[");
    registry_each_object(call->session->ctx, "vcpu", put_cpu, &list);
    buf_puts(call->out, "]");
}
