/* SPDX-License-Identifier: MIT */
#include "qmp/call.h"

#include "base/clock.h"

void qmp_fail(struct qmp_call *call, const char *error_class, const char *format, ...)
{
    va_list args;

    call->error_class = error_class;
    buf_reset(&call->bench->error);
    va_start(args, format);
    buf_vprintf(&call->bench->error, format, args);
    va_end(args);
}

bool qmp_has_written_enough(const struct qmp_call *call)
{
    return call->out->len - call->part_start >= QMP_PART;
}

bool qmp_has_worked_enough(const struct qmp_call *call)
{
    return qmp_has_written_enough(call) || clock_now_ns() - call->part_start_ns >= QMP_PART_NS;
}

void qmp_go_on_later(struct qmp_call *call, qmp_handler *go_on, void *state)
{
    call->go_on = go_on;
    call->state = state;
}

void qmp_look_again(struct qmp_call *call, qmp_handler *go_on, void *state)
{
    qmp_go_on_later(call, go_on, state);
    call->waits = true;
}

bool qmp_pass_gate(struct qmp_call *call, const struct qmp_gate *gate)
{
    if (!call->asked_ns)
        call->asked_ns = clock_now_ns();
    call->is_at_gate = !gate->opens(gate->opaque, call->asked_ns);
    return !call->is_at_gate;
}

struct json_object *qmp_argument(const struct qmp_call *call, const char *name)
{
    struct json_object *value = NULL;

    if (call->arguments)
        json_object_object_get_ex(call->arguments, name, &value);
    return value;
}
