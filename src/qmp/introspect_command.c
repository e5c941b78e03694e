/* SPDX-License-Identifier: MIT */
/* query-qmp-schema: the generated text, with the values of open enums filled in. */
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

    if (!providers_have(list->shown, value))
        return;
    buf_puts(list->out, list->separator);
    buf_puts(list->out, list->piece->value_prefix);
    buf_puts(list->out, value);
    buf_puts(list->out, list->piece->value_suffix);
    list->separator = ", ";
}

void qmp_query_qmp_schema(struct qmp_call *call)
{
    const struct qapi_schema *schema = call->session->dialect->schema;
    size_t i;

    for (i = 0; i < schema->n_introspection; i++) {
        const struct qapi_introspection *piece = &schema->introspection[i];
        struct value_list list = {
            .out = call->out, .shown = call->session->providers, .piece = piece, .separator = ""};

        buf_puts(call->out, piece->text);
        if (piece->open_enum) /* the providers are the only one */
            registry_each_provider(call->session->ctx, put_value, &list);
    }
}
