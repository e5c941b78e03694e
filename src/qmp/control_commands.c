/* SPDX-License-Identifier: MIT */
/* The commands about the session and the VM that any QMP client expects. */
#include "qmp/call.h"
#include "base/count.h"
#include "base/json_write.h"
#include "qapi_commands.h"
#include "qmp/version.h"
#include "stats/ctx.h"

void qmp_qmp_capabilities(struct qmp_call *call)
{
    struct json_object *enable = qmp_argument(call, "enable");

    if (call->session->negotiated) {
        qmp_fail(call, QMP_COMMAND_NOT_FOUND,
                 "Capabilities negotiation is already complete, command ignored");
    } else if (enable && json_object_array_length(enable)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "Capability %s not available",
                 json_object_get_string(json_object_array_get_idx(enable, 0)));
    } else {
        call->session->negotiated = true;
        buf_puts(call->out, "{}");
    }
}

void qmp_query_version(struct qmp_call *call)
{
    qmp_put_version(call->out, call->session->dialect);
}

void qmp_query_commands(struct qmp_call *call)
{
    const struct qapi_schema *schema = call->session->dialect->schema;
    size_t i;

    buf_puts(call->out, "[");
    for (i = 0; i < schema->n_commands; i++)
        buf_printf(call->out, "%s{\"name\": \"%s\"}", i ? ", " : "", schema->commands[i].name);
    buf_puts(call->out, "]");
}

void qmp_query_name(struct qmp_call *call)
{
    const char *name = call->session->ctx->options.name;

    buf_puts(call->out, "{");
    if (name) {
        buf_puts(call->out, "\"name\": ");
        json_put_string(call->out, name);
    }
    buf_puts(call->out, "}");
}

void qmp_query_status(struct qmp_call *call)
{
    static const char *const names[] = {
        [CTX_RUNNING] = "running", [CTX_PAUSED] = "paused", [CTX_PRELAUNCH] = "prelaunch"};
    int state = atomic_load(&call->session->ctx->state);
    ASSERT_COUNT(names, CTX_STATES);

    buf_printf(call->out, "{\"status\": \"%s\", \"singlestep\": false, \"running\": %s}",
               names[state], state == CTX_RUNNING ? "true" : "false");
}
