/* SPDX-License-Identifier: MIT */
/* A VMM's own statistics: descriptions come with messages, and numbers lie in memory files. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/vm_own.h"
#include "qapi_register.h"
#include "qmp/stat_names.h"
#include "serve/register_call.h"

/* ---- what they may take --------------------------------------------------------------------- */

static uint64_t words_of(const struct own_stats *own)
{
    const struct stats_schema *schema = own->schema;
    uint64_t n_rows = own->n_objects ? own->n_objects : 1;

    return (uint64_t)schema->n_stats * REGISTER_WORDS_OF_STAT +
           own->n_objects * REGISTER_WORDS_OF_OBJECT + n_rows * schema->row_len;
}

static uint64_t words_of_all(const struct register_socket *socket)
{
    const struct register_user *user;
    uint64_t n = 0;

    LIST_FOREACH(user, &socket->users, link)
    n += user->n_words;
    return n;
}

/* @former: in whose place it comes, or NULL. */
static bool check_room(struct qmp_call *call, const struct registrant *registrant,
                       const struct own_stats *own, const struct own_stats *former)
{
    uint64_t less = former ? words_of(former) : 0, more = words_of(own);

    if (more > less && (registrant->user->n_words - less + more > REGISTER_WORDS_MAX ||
                        words_of_all(registrant->socket) - less + more > REGISTER_WORDS_OF_ALL_MAX))
        qmp_fail(call, QMP_GENERIC_ERROR, "There is no room for further statistics of this user");
    return !call->error_class;
}

/* ---- descriptions --------------------------------------------------------------------------- */

static const char *member_text(struct json_object *object, const char *name)
{
    struct json_object *member;

    return json_object_object_get_ex(object, name, &member) ? json_object_get_string(member) : NULL;
}

/* Whether it lies between @min and @max; where it is absent, it is @absent. */
static bool take_number(struct qmp_call *call, struct json_object *object, const char *name,
                        int64_t absent, int64_t min, int64_t max, int64_t *ret)
{
    struct json_object *member;

    *ret = absent;
    if (!object || !json_object_object_get_ex(object, name, &member))
        return true;
    *ret = json_object_get_int64(member);
    if (*ret < min || *ret > max)
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter '%s' is %lld, must be %lld to %lld", name,
                 (long long)*ret, (long long)min, (long long)max);
    return !call->error_class;
}

/* A NUL inside, which JSON can have, would end it. */
static bool check_help(struct qmp_call *call, struct json_object *object)
{
    struct json_object *help;
    const char *text;
    size_t len;

    if (!json_object_object_get_ex(object, "help", &help))
        return true;
    text = json_object_get_string(help);
    len = (size_t)json_object_get_string_len(help);
    if (strlen(text) != len || len > REGISTER_HELP_MAX || !text_is_plain(text))
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'help' expects up to %d bytes of text",
                 REGISTER_HELP_MAX);
    return !call->error_class;
}

static bool take_stat(struct qmp_call *call, struct json_object *object, uint32_t slot,
                      struct vitals_stat *ret_stat)
{
    const char *base = member_text(object, "base"), *unit = member_text(object, "unit");
    int64_t exponent, count, bucket_size;

    if (!check_help(call, object) ||
        !take_number(call, object, "exponent", 0, INT16_MIN, INT16_MAX, &exponent) ||
        !take_number(call, object, "count", 1, 1, UINT16_MAX, &count) ||
        !take_number(call, object, "bucket-size", 0, 0, UINT32_MAX, &bucket_size))
        return false;
    *ret_stat = (struct vitals_stat){
        .name = member_text(object, "name"),
        .help = member_text(object, "help"),
        .type = (uint8_t)stat_type_find(VITALS_DIALECT_GROUPED, member_text(object, "type")),
        .unit = unit ? (uint8_t)stat_unit_find(VITALS_DIALECT_GROUPED, unit) : VITALS_NONE,
        .base = base && strcmp(base, "pow2") == 0 ? 2 : 10,
        .exponent = (int16_t)exponent,
        .count = (uint16_t)count,
        .slot = slot,
        .bucket_size = (uint32_t)bucket_size};
    return true;
}

/* Behind one another. NULL: the call has failed. To be freed. */
static struct vitals_stat *take_all(struct qmp_call *call, struct json_object *list, size_t n,
                                    uint32_t *ret_row_len)
{
    struct vitals_stat *stats = calloc(n, sizeof(*stats));
    uint32_t slot = 0;

    for (size_t i = 0; stats && i < n; i++) {
        if (!take_stat(call, json_object_array_get_idx(list, i), slot, &stats[i])) {
            free(stats);
            return NULL;
        }
        slot += stats[i].count;
    }
    if (!stats)
        qmp_fail(call, QMP_GENERIC_ERROR, "There is no memory for statistics");
    *ret_row_len = slot;
    return stats;
}

/*
 * Also what would name metrics as one of these does, which another VM's would have to give way to: provider
 * kvm_vcpu with target mmio.
 */
static bool is_of_host(const char *provider)
{
    static const char *const names[] = {"kvm", "sched", "vitals"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);

        if (strncmp(provider, names[i], len) == 0 &&
            (!provider[len] || strchr("_-", provider[len])))
            return true;
    }
    return false;
}

static bool check_provider(struct qmp_call *call, const char *provider)
{
    if (is_of_host(provider))
        qmp_fail(call, QMP_GENERIC_ERROR,
                 "Parameter 'provider' is '%s': kvm, sched and vitals, and what begins with one of "
                 "these and '_' or '-', are the host's own",
                 provider);
    return !call->error_class;
}

static struct own_stats *make(struct qmp_call *call, struct shared_file *file)
{
    struct json_object *list = qmp_argument(call, "stats");
    struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT,
                                   .provider = register_text(call, "provider"),
                                   .target = register_text(call, "target"),
                                   .n_stats = (uint32_t)json_object_array_length(list)};
    int64_t offset, row_size;
    struct own_stats *own = NULL;
    struct vitals_stat *stats;
    struct error_text error;

    if (!check_provider(call, ops.provider) ||
        !take_number(call, call->arguments, "offset", 0, 0, INT64_MAX, &offset) ||
        !take_number(call, call->arguments, "row-size", 0, 0, INT64_MAX, &row_size))
        return NULL;
    if (ops.n_stats < 1 || ops.n_stats > REGISTER_STATS_AT_A_TIME) {
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'stats' has %u elements, must have 1 to %d",
                 ops.n_stats, REGISTER_STATS_AT_A_TIME);
        return NULL;
    }
    stats = take_all(call, list, ops.n_stats, &ops.row_len);
    ops.stats = stats;
    if (stats && own_stats_new(&ops, file, (uint64_t)offset, (uint64_t)row_size, &error, &own))
        qmp_fail(call, QMP_GENERIC_ERROR, "The statistics can't be registered: %s", error.text);
    free(stats);
    return own;
}

/* ---- statistics ----------------------------------------------------------------------------- */

static bool check_is_new(struct qmp_call *call, const struct host_vm *vm)
{
    const char *provider = register_text(call, "provider"), *target = register_text(call, "target");

    if (vm_own_find(vm, provider, target))
        qmp_fail(call, QMP_GENERIC_ERROR, "The VM has statistics '%s' of target '%s' already",
                 provider, target);
    return !call->error_class;
}

/* True: the VM has it. In any case the reference is gone. */
static bool put(struct qmp_call *call, struct registrant *registrant, struct own_stats *own,
                const struct own_stats *former)
{
    uint64_t less = former ? words_of(former) : 0, more = words_of(own);
    struct error_text error;

    if (check_room(call, registrant, own, former) && vm_own_put(registrant->vm, own, &error))
        qmp_fail(call, QMP_GENERIC_ERROR, "The statistics can't be registered: %s", error.text);
    own_stats_unref(own);
    if (call->error_class)
        return false;
    registrant->user->n_words += more - less;
    registrant_tell(registrant);
    buf_puts(call->out, "{}");
    return true;
}

void qmp_add_stats(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    struct shared_file *file;
    struct own_stats *own = NULL;
    int fd;

    if (!registrant_claim(call, registrant, REGISTER_FILE_MEMORY, 1, &fd))
        return;
    file = shared_file_new(fd);
    if (!file) {
        registrant_refuse(registrant, &fd, 1);
        registrant_count_files(registrant, -1);
        qmp_fail(call, QMP_GENERIC_ERROR, "There is no memory for statistics");
        return;
    }
    if (registrant_check_vm(call, registrant) && check_is_new(call, registrant->vm))
        own = make(call, file);
    if (!own || !put(call, registrant, own, NULL))
        registrant_close(registrant, file);
    shared_file_unref(file);
}

static struct own_stats *find(struct qmp_call *call, struct registrant *registrant)
{
    const char *provider = register_text(call, "provider"), *target = register_text(call, "target");
    struct own_stats *own = NULL;

    if (!registrant_check_vm(call, registrant))
        return NULL;
    own = vm_own_find(registrant->vm, provider, target);
    if (!own)
        qmp_fail(call, QMP_GENERIC_ERROR, "The VM has no statistics '%s' of target '%s'", provider,
                 target);
    return own;
}

static void end_stats(struct registrant *registrant, const struct own_stats *own)
{
    const struct stats_schema *schema = own->schema;

    registrant_close(registrant, own->file);
    registrant->user->n_words -= words_of(own);
    vm_own_remove(registrant->vm, schema->provider, schema->target);
}

void qmp_remove_stats(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    const struct own_stats *own = find(call, registrant);

    if (!own)
        return;
    end_stats(registrant, own);
    registrant_tell(registrant);
    buf_puts(call->out, "{}");
}

void registrant_end_stats(struct registrant *registrant)
{
    while (registrant->vm->n_own)
        end_stats(registrant, vm_own_at(registrant->vm, registrant->vm->n_own - 1));
}

/* ---- objects -------------------------------------------------------------------------------- */

static bool take_object(struct qmp_call *call, struct json_object *element,
                        struct own_object *ret_object)
{
    int64_t row;

    if (!take_number(call, element, "row", 0, 0, INT64_MAX, &row))
        return false;
    *ret_object =
        (struct own_object){.path = (char *)member_text(element, "path"), .row = (uint64_t)row};
    return true;
}

static void finish(struct qmp_call *call, struct registrant *registrant,
                   const struct own_stats *former, struct own_stats *own, int err,
                   const struct error_text *error)
{
    if (err)
        qmp_fail(call, QMP_GENERIC_ERROR, "The objects can't be changed: %s", error->text);
    else
        put(call, registrant, own, former);
}

void qmp_add_objects(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    struct json_object *list = qmp_argument(call, "objects");
    const struct own_stats *former = find(call, registrant);
    size_t n = json_object_array_length(list);
    struct own_object objects[OWN_OBJECTS_MAX];
    struct own_stats *own = NULL;
    struct error_text error;
    int err;

    if (!former)
        return;
    for (size_t i = 0; i < n && i < OWN_OBJECTS_MAX; i++)
        if (!take_object(call, json_object_array_get_idx(list, i), &objects[i]))
            return;
    err = own_stats_add(former, objects, n, &error, &own);
    finish(call, registrant, former, own, err, &error);
}

void qmp_remove_objects(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    struct json_object *list = qmp_argument(call, "paths");
    const struct own_stats *former = find(call, registrant);
    size_t n = json_object_array_length(list);
    const char *paths[OWN_OBJECTS_MAX + 1];
    struct own_stats *own = NULL;
    struct error_text error;
    int err;

    if (!former)
        return;
    if (n > OWN_OBJECTS_MAX + 1) /* of which one is missing */
        n = OWN_OBJECTS_MAX + 1;
    for (size_t i = 0; i < n; i++)
        paths[i] = json_object_get_string(json_object_array_get_idx(list, i));
    err = own_stats_remove(former, paths, n, &error, &own);
    finish(call, registrant, former, own, err, &error);
}
