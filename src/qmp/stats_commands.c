/* SPDX-License-Identifier: MIT */
/* query-stats and query-stats-schemas: the dialect of the socket answers. */
#include "qmp/dialect.h"
#include "qapi_commands.h"

void qmp_query_stats(struct qmp_call *call)
{
    call->session->dialect->query_stats(call);
}

void qmp_query_stats_schemas(struct qmp_call *call)
{
    struct json_object *provider = qmp_argument(call, "provider");
    const struct schemas_question question = {
        .provider = provider ? json_object_get_string(provider) : NULL,
        .help = json_object_get_boolean(qmp_argument(call, "help")),
        .failures = json_object_get_boolean(qmp_argument(call, "failures")),
    };

    call->session->dialect->query_schemas(call, &question);
}
