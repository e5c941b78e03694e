/* SPDX-License-Identifier: MIT */
/*
 * The commands of host.sock about the statistics of many VMs. A reply is written in parts, one VM after the
 * other; meanwhile passes go on, and VMs come and go: between two parts only the number of one is known.
 */
#include <errno.h>
#include <string.h>

#include "base/json_write.h"
#include "qapi_host.h"
#include "qmp/grouped.h"
#include "qmp/machine.h"
#include "serve/vm_sockets.h"
#include "stats/name_set.h"

/* ---- which VMs ------------------------------------------------------------------------------ */

/* The VMs that there were when the request had come, as far as they are wanted. */
struct vm_walk {
    const struct vm_sockets *sockets;
    struct name_set *wanted; /* their names; NULL: all */
    uint64_t number;         /* of the VM under way, or of the last one */
    uint64_t end;            /* those behind it came later */
};

static bool wants(const struct vm_walk *walk, const struct vm_entry *entry)
{
    return !walk->wanted || name_set_has(walk->wanted, NULL, entry->vm->name);
}

/* NULL: there is none. */
static const struct vm_entry *next_vm(struct vm_walk *walk)
{
    const struct vm_entry *entry;

    do {
        entry = vm_sockets_after(walk->sockets, walk->number);
        if (!entry || entry->number > walk->end)
            return NULL;
        walk->number = entry->number;
    } while (!wants(walk, entry));
    return entry;
}

/* Of the VM with this number. NULL: it has ended. */
static struct vitals_ctx *find_ctx(const struct vm_walk *walk, uint64_t number)
{
    const struct vm_entry *entry = vm_sockets_after(walk->sockets, number - 1);

    return entry && entry->number == number ? entry->vm->ctx : NULL;
}

static void refuse_unknown(struct qmp_call *call, const struct vm_sockets *sockets,
                           struct json_object *names)
{
    struct name_set *known = name_set_new(&call->bench->arena, sockets->n);
    const char *name = "";

    for (size_t i = 0; known && i < sockets->n; i++)
        name_set_add(known, NULL, sockets->entries[i].vm->name);
    for (size_t i = 0; known && i < json_object_array_length(names); i++) {
        name = json_object_get_string(json_object_array_get_idx(names, i));
        if (!name_set_has(known, NULL, name))
            break;
    }
    if (known)
        qmp_fail(call, QMP_GENERIC_ERROR, "There is no VM of the name '%s'", name);
    else
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
}

/* False: the call has failed. */
static bool read_names(struct qmp_call *call, struct vm_walk *walk, struct json_object *names)
{
    size_t n = json_object_array_length(names), n_names = 0, n_found = 0;

    walk->wanted = name_set_new(&call->bench->arena, n);
    if (!walk->wanted) {
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++)
        n_names += name_set_add(walk->wanted, NULL,
                                json_object_get_string(json_object_array_get_idx(names, i)));
    for (size_t i = 0; i < walk->sockets->n; i++)
        n_found += wants(walk, &walk->sockets->entries[i]);
    if (n_found < n_names)
        refuse_unknown(call, walk->sockets, names);
    return n_found == n_names;
}

static bool begin_walk(struct qmp_call *call, struct vm_walk *ret_walk)
{
    const struct vm_sockets *sockets = call->session->opaque;
    struct json_object *names = qmp_argument(call, "vms");

    *ret_walk = (struct vm_walk){.sockets = sockets, .end = sockets->last_number};
    return !names || read_names(call, ret_walk, names);
}

/* In the arena. NULL: the call has failed. */
static void *begin_state(struct qmp_call *call, size_t size)
{
    void *state = arena_alloc(&call->bench->arena, size);

    if (state)
        memset(state, 0, size);
    else
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
    call->state = state;
    return state;
}

/* The end of a part: as @result says, which is that of what writes parts. */
static void end_part(struct qmp_call *call, int result, qmp_handler *go_on)
{
    if (result < 0)
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
    else if (!result)
        qmp_go_on_later(call, go_on, call->state);
    else
        buf_puts(call->out, "]");
}

static void begin_vm(struct qmp_call *call, const char **separator, const char *name,
                     const char *member)
{
    buf_puts(call->out, *separator);
    *separator = ", ";
    buf_puts(call->out, "{\"name\": ");
    json_put_string(call->out, name);
    buf_printf(call->out, ", \"%s\": ", member);
}

/* ---- query-vms-stats ------------------------------------------------------------------------ */

struct stats_query {
    struct vm_walk walk;
    struct grouped_query grouped;
    bool is_inside; /* of a VM: more of it follows */
    const char *separator;
};

static int put_rest_of_vm(struct qmp_call *call, struct stats_query *query)
{
    return grouped_put_more(call, &query->grouped, find_ctx(&query->walk, query->walk.number));
}

/* The same as of grouped_put(); 2: there is no other VM. */
static int put_next_vm(struct qmp_call *call, struct stats_query *query)
{
    const struct vm_entry *entry = next_vm(&query->walk);

    if (!entry)
        return 2;
    begin_vm(call, &query->separator, entry->vm->name, "stats");
    return grouped_put(call, &query->grouped, entry->vm->ctx);
}

static int put_stats(struct qmp_call *call, struct stats_query *query)
{
    int result = 1;

    while (result == 1 && !call->out->failed) {
        if (!query->is_inside && qmp_has_worked_enough(call))
            return 0;
        result = query->is_inside ? put_rest_of_vm(call, query) : put_next_vm(call, query);
        query->is_inside = result == 0;
        if (result == 1)
            buf_puts(call->out, "}");
    }
    return result;
}

static void go_on_with_stats(struct qmp_call *call)
{
    end_part(call, put_stats(call, call->state), go_on_with_stats);
}

void qmp_query_vms_stats(struct qmp_call *call)
{
    struct stats_query *query = begin_state(call, sizeof(*query));

    if (!query || !begin_walk(call, &query->walk))
        return;
    if (grouped_read(call, &query->grouped)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
        return;
    }
    query->grouped.request.since_ns = 0; /* nothing of the daemon's may block */
    query->separator = "";
    buf_puts(call->out, "[");
    go_on_with_stats(call);
}

/* ---- query-vms-cpus-fast -------------------------------------------------------------------- */

struct cpus_query {
    struct vm_walk walk;
    const char *separator;
};

static int put_cpus(struct qmp_call *call, struct cpus_query *query)
{
    const struct vm_entry *entry;
    int err = 0;

    while (!err && !qmp_has_worked_enough(call)) {
        entry = next_vm(&query->walk);
        if (!entry)
            return 1;
        begin_vm(call, &query->separator, entry->vm->name, "cpus");
        err = machine_put_cpus(call->out, entry->vm->ctx);
        buf_puts(call->out, "}");
    }
    return err;
}

static void go_on_with_cpus(struct qmp_call *call)
{
    end_part(call, put_cpus(call, call->state), go_on_with_cpus);
}

void qmp_query_vms_cpus_fast(struct qmp_call *call)
{
    struct cpus_query *query = begin_state(call, sizeof(*query));

    if (!query || !begin_walk(call, &query->walk))
        return;
    query->separator = "";
    buf_puts(call->out, "[");
    go_on_with_cpus(call);
}

/* ---- query-vms-stats-schemas ---------------------------------------------------------------- */

/* A VM may have ended by the time that it is named. */
struct vm_name {
    const char *name;
    struct vm_name *next;
};

/* VMs that have the same schemas. */
struct schema_set {
    struct schema_list list;
    struct vm_name *names, **last;
    uint64_t number; /* of the first */
    struct schema_set *next;
};

struct schemas_query {
    struct vm_walk walk;
    struct schemas_question question;
    struct schema_set *sets, **last;
    struct schema_list list; /* of the VM under way */
    bool has_list;
    struct vm_name *name;         /* the same */
    struct schema_set *candidate; /* the set that its list is compared with next */

    struct schema_set *set; /* being written */
    bool is_inside;         /* of its schemas */
    struct schema_walk schemas;
    const char *separator;
};

static bool is_same(const struct schema_list *one, const struct schema_list *other)
{
    bool is = one->n == other->n;

    for (size_t i = 0; is && i < one->n; i++)
        is = one->schemas[i] == other->schemas[i] ||
             schema_is_equal(one->schemas[i], other->schemas[i]);
    return is;
}

static struct vm_name *copy_name(struct arena *arena, const char *name)
{
    size_t size = strlen(name) + 1;
    struct vm_name *copy = arena_alloc(arena, sizeof(*copy) + size);

    if (copy)
        *copy = (struct vm_name){.name = memcpy(copy + 1, name, size)};
    return copy;
}

/* -ENOENT: there is no other VM. */
static int take_next_vm(struct qmp_call *call, struct schemas_query *query)
{
    const struct vm_entry *entry = next_vm(&query->walk);
    int err;

    if (!entry)
        return -ENOENT;
    query->name = copy_name(&call->bench->arena, entry->vm->name);
    err =
        query->name ? schemas_list(entry->vm->ctx, NULL, &query->question, &query->list) : -ENOMEM;
    query->has_list = !err;
    /* What has failed is each VM's own. */
    query->candidate = query->question.failures ? NULL : query->sets;
    return err;
}

static int add_set(struct qmp_call *call, struct schemas_query *query)
{
    struct schema_set *set = arena_alloc(&call->bench->arena, sizeof(*set));

    if (!set)
        return -ENOMEM;
    *set = (struct schema_set){.list = query->list, .number = query->walk.number};
    set->last = &set->names;
    query->has_list = false;
    *query->last = set;
    query->last = &set->next;
    query->candidate = set;
    return 0;
}

/* One comparison: it may be long. */
static int sort_in(struct qmp_call *call, struct schemas_query *query)
{
    struct schema_set *set = query->candidate;

    if (set && !is_same(&set->list, &query->list)) {
        query->candidate = set->next;
        if (query->candidate)
            return 0;
        set = NULL;
    }
    if (!set && add_set(call, query))
        return -ENOMEM;
    if (set) {
        schema_list_free(&query->list);
        query->has_list = false;
    }
    set = query->candidate;
    *set->last = query->name;
    set->last = &query->name->next;
    return 0;
}

/* 1: all VMs are in their sets; 0: goes on later. */
static int sort_vms(struct qmp_call *call, struct schemas_query *query)
{
    int err = 0;

    while (!err && !qmp_has_worked_enough(call))
        err = query->has_list ? sort_in(call, query) : take_next_vm(call, query);
    return err == -ENOENT ? 1 : err;
}

static void put_names(struct qmp_call *call, const struct vm_name *name)
{
    const char *separator = "";

    buf_puts(call->out, "{\"names\": [");
    for (; name; name = name->next) {
        buf_puts(call->out, separator);
        json_put_string(call->out, name->name);
        separator = ", ";
    }
    buf_puts(call->out, "], \"schemas\": ");
}

static void begin_set(struct qmp_call *call, struct schemas_query *query)
{
    buf_puts(call->out, query->separator);
    query->separator = ", ";
    put_names(call, query->set->names);
    query->schemas = (struct schema_walk){
        .form = &grouped_schemas, .question = query->question, .list = query->set->list};
    query->is_inside = true;
}

static int put_set(struct qmp_call *call, struct schemas_query *query)
{
    int result;

    if (!query->is_inside)
        begin_set(call, query);
    query->schemas.ctx = find_ctx(&query->walk, query->set->number);
    result = schemas_put_more(call, &query->schemas);
    if (result > 0) {
        buf_puts(call->out, "}");
        query->is_inside = false;
        query->set = query->set->next;
    }
    return result;
}

static void go_on_with_sets(struct qmp_call *call)
{
    struct schemas_query *query = call->state;
    int result = 1;

    while (result > 0 && query->set && !call->out->failed)
        result = qmp_has_worked_enough(call) ? 0 : put_set(call, query);
    end_part(call, result, go_on_with_sets);
}

static void go_on_sorting(struct qmp_call *call)
{
    struct schemas_query *query = call->state;
    int result = sort_vms(call, query);

    if (result <= 0) {
        end_part(call, result, go_on_sorting);
        return;
    }
    query->set = query->sets;
    buf_puts(call->out, "[");
    go_on_with_sets(call);
}

static void drop_schemas(void *opaque)
{
    struct schemas_query *query = opaque;

    if (query->has_list)
        schema_list_free(&query->list);
    for (struct schema_set *set = query->sets; set; set = set->next)
        schema_list_free(&set->list);
}

void qmp_query_vms_stats_schemas(struct qmp_call *call)
{
    struct schemas_query *query = begin_state(call, sizeof(*query));
    struct json_object *provider = qmp_argument(call, "provider");

    if (!query || !begin_walk(call, &query->walk))
        return;
    query->question = (struct schemas_question){
        .provider = provider ? json_object_get_string(provider) : NULL,
        .help = json_object_get_boolean(qmp_argument(call, "help")),
        .failures = json_object_get_boolean(qmp_argument(call, "failures")),
    };
    query->last = &query->sets;
    query->separator = "";
    call->drop = drop_schemas;
    go_on_sorting(call);
}
