/* SPDX-License-Identifier: MIT */
#include "qmp/call.h"

void qmp_fail(struct qmp_call *call, const char *error_class, const char *format, ...)
{
    va_list args;

    call->error_class = error_class;
    buf_reset(&call->bench->error);
    va_start(args, format);
    buf_vprintf(&call->bench->error, format, args);
    va_end(args);
}

void qmp_send_early(struct qmp_call *call)
{
    struct qmp_workbench *bench = call->bench;

    if (!bench->send_early || call->out->failed || call->out->len < bench->send_at)
        return;
    bench->send_early(bench->send_opaque, call->out);
    bench->sent_early = true;
    bench->send_at = call->out->len + SEND_EARLY_AT;
}

struct json_object *qmp_argument(const struct qmp_call *call, const char *name)
{
    struct json_object *value = NULL;

    if (call->arguments)
        json_object_object_get_ex(call->arguments, name, &value);
    return value;
}
