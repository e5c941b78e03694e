/* SPDX-License-Identifier: MIT */
#include "qmp/stats_arguments.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

static int read_strings(struct qmp_call *call, struct json_object *array, const char ***ret_strings,
                        size_t *ret_count)
{
    size_t n = json_object_array_length(array), i;
    const char **strings = arena_alloc(&call->bench->arena, n * sizeof(*strings));

    if (!strings)
        return -ENOMEM;
    for (i = 0; i < n; i++)
        strings[i] = json_object_get_string(json_object_array_get_idx(array, i));
    *ret_strings = strings;
    *ret_count = n;
    return 0;
}

int stats_read_objects(struct qmp_call *call, struct stats_request *request)
{
    struct json_object *objects;

    request->target = json_object_get_string(qmp_argument(call, "target"));
    objects = qmp_argument(call, strcmp(request->target, "vcpu") ? "objects" : "vcpus");
    request->providers = call->session->providers;
    request->since_ns = clock_now_ns();
    request->all_objects = !objects;
    return objects ? read_strings(call, objects, &request->objects, &request->n_objects) : 0;
}

int stats_read_filter(struct qmp_call *call, struct json_object *object, const char *names,
                      struct stats_filter *filter)
{
    struct json_object *value;
    const char **fields;

    *filter = (struct stats_filter){.all_fields = true};
    if (json_object_object_get_ex(object, "provider", &value))
        filter->provider = json_object_get_string(value);
    if (!json_object_object_get_ex(object, names, &value))
        return 0;
    filter->all_fields = false;
    if (read_strings(call, value, &fields, &filter->n_fields))
        return -ENOMEM;
    filter->fields = fields;
    return 0;
}
