/* SPDX-License-Identifier: MIT */
/* query-qmp-schema: the generated text, with the values of open enums filled in. */
#include <string.h>

#include "qapi_commands.h"
#include "qmp/dialect.h"
#include "stats/registry.h"

struct value_list {
    struct buf *out;
    const struct providers *shown;
    const struct qapi_introspection *piece;
    const char *separator;
};

static void put_value(void *opaque, const char *value)
{
    struct value_list *list = opaque;

    buf_puts(list->out, list->separator);
    buf_puts(list->out, list->piece->value_prefix);
    buf_puts(list->out, value);
    buf_puts(list->out, list->piece->value_suffix);
    list->separator = ", ";
}

static void put_provider(void *opaque, const char *provider)
{
    const struct value_list *list = opaque;

    if (providers_have(list->shown, provider))
        put_value(opaque, provider);
}

/* The contract has named these. */
static void put_target(void *opaque, const char *target)
{
    if (strcmp(target, "vm") && strcmp(target, "vcpu"))
        put_value(opaque, target);
}

static void put_values(struct qmp_call *call, const struct qapi_introspection *piece)
{
    const struct qmp_open_values *values = call->session->dialect->values;
    bool is_target = !strcmp(piece->open_enum, QAPI_STATS_TARGET);
    struct vitals_ctx *ctx = call->session->ctx;
    struct value_list list = {
        .out = call->out,
        .shown = call->session->providers,
        .piece = piece,
        .separator = piece->follows ? ", " : "",
    };

    if (values)
        values->each(call, piece->open_enum, is_target ? put_target : put_value, &list);
    else if (is_target)
        registry_each_target(ctx, list.shown, put_target, &list);
    else
        registry_each_provider(ctx, put_provider, &list);
}

void qmp_query_qmp_schema(struct qmp_call *call)
{
    const struct qapi_schema *schema = call->session->dialect->schema;
    size_t i;

    for (i = 0; i < schema->n_introspection; i++) {
        const struct qapi_introspection *piece = &schema->introspection[i];

        buf_puts(call->out, piece->text);
        if (piece->open_enum)
            put_values(call, piece);
    }
}
