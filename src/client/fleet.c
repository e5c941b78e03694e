/* SPDX-License-Identifier: MIT */
#include "client/fleet.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/json_write.h"
#include "client/ask.h"

enum {
    VCPUS_AT_ONCE = 1024, /* that one request is about at first: a reply has a limit */
    ANSWERS_MAX = 64,     /* that are kept */
    TRIES_MAX = 16,       /* while replies are too long, and VMs end */
};

/* PART_TOO_LONG: asked alone, and not again with others. */
enum part_state { PART_UNASKED, PART_ASKED, PART_TAKEN, PART_TOO_LONG };

/* To a question of a set of VMs, in this round. */
struct answer {
    char *command, *arguments; /* NULL: none */
    size_t set;
    uint8_t *states;            /* enum part_state, of each VM; */
    struct json_object **parts; /* the same; NULL: it is not told of */
    size_t n_vms;
    size_t room; /* vCPUs and VMs that one request is about */
    int err;
    struct gone gone;          /* with -EREMOTEIO: that is why, if a parameter is named */
    struct client_error error; /* with an err */
    TAILQ_ENTRY(answer) link;
};

/* What is known of a VM beside the list. */
struct member {
    size_t set; /* VMs of one set have the same schemas; 0: not known */
    bool is_wanted, has_ended;
};

struct name_of_set {
    const char *name;
    size_t set;
};

struct fleet {
    struct fleet_options options;
    char *path;
    pthread_mutex_t mutex; /* of the next two */
    bool is_over;
    struct client *daemon; /* NULL: there is no connection */
    int err;               /* of this round */
    struct client_error error;
    struct host_list list;
    struct member *members;   /* one for each of the list */
    size_t opened;            /* behind the VM that was opened last */
    struct name_of_set *sets; /* sorted by name, of all VMs whose schemas were asked for last */
    size_t n_sets, last_set;
    struct arena set_names;
    TAILQ_HEAD(answer_queue, answer) answers; /* the last that was used is the first */
    size_t n_answers;
};

/* ---- the connection ------------------------------------------------------------------------- */

static void set_daemon(struct fleet *fleet, struct client *daemon)
{
    struct client *before;

    pthread_mutex_lock(&fleet->mutex);
    before = fleet->daemon;
    fleet->daemon = daemon;
    if (fleet->is_over && daemon)
        client_interrupt(daemon);
    pthread_mutex_unlock(&fleet->mutex);
    client_free(before);
}

void fleet_interrupt(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->mutex);
    fleet->is_over = true;
    if (fleet->daemon)
        client_interrupt(fleet->daemon);
    pthread_mutex_unlock(&fleet->mutex);
}

static int connect_daemon(struct fleet *fleet, struct client_error *error)
{
    struct client *daemon;
    int err;

    if (fleet->daemon)
        return 0;
    err = client_connect(fleet->path, NULL, fleet->options.timeout_ms, &daemon, error);
    if (err)
        return err;
    set_daemon(fleet, daemon);
    err = client_negotiate(daemon, error);
    if (err)
        set_daemon(fleet, NULL);
    return err;
}

/* An error of the daemon's own words, or of its release, leaves the connection as it is. */
static bool is_of_words(int err)
{
    return !err || err == -EREMOTEIO || err == -EOPNOTSUPP || err == -ENOMEM;
}

static int fail_round(struct fleet *fleet, int err, const struct client_error *error)
{
    if (err && !is_of_words(err))
        set_daemon(fleet, NULL);
    if (err) {
        fleet->err = err;
        fleet->error = *error;
    }
    return err;
}

/* Nobody is told: it is done without. */
static int not_there(struct client_error *error)
{
    *error = (struct client_error){0};
    return -EOPNOTSUPP;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void free_answer(struct answer *answer)
{
    for (size_t i = 0; answer->parts && i < answer->n_vms; i++)
        json_object_put(answer->parts[i]);
    free(answer->parts);
    free(answer->states);
    free(answer->command);
    free(answer->arguments);
    free(answer);
}

static void drop_answer(struct fleet *fleet, struct answer *answer)
{
    TAILQ_REMOVE(&fleet->answers, answer, link);
    fleet->n_answers--;
    free_answer(answer);
}

static void drop_answers(struct fleet *fleet)
{
    while (fleet->n_answers)
        drop_answer(fleet, TAILQ_FIRST(&fleet->answers));
}

/* They are few, whatever a VM has. */
static bool is_of_schemas(const char *command)
{
    return !strcmp(command, "query-stats-schemas");
}

static size_t room_at_first(const char *command)
{
    return is_of_schemas(command) ? SIZE_MAX : VCPUS_AT_ONCE;
}

static struct answer *make_answer(const struct fleet *fleet, const struct ask *ask, size_t set)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    size_t n = fleet->list.n;

    if (!answer)
        return NULL;
    *answer = (struct answer){.command = strdup(ask->command),
                              .arguments = ask->arguments ? strdup(ask->arguments) : NULL,
                              .set = set,
                              .states = calloc(n + 1, sizeof(*answer->states)),
                              .parts = calloc(n + 1, sizeof(struct json_object *)),
                              .n_vms = n,
                              .room = room_at_first(ask->command)};
    if (answer->command && (answer->arguments || !ask->arguments) && answer->states &&
        answer->parts)
        return answer;
    free_answer(answer);
    return NULL;
}

static bool is_answer_to(const struct answer *answer, const struct ask *ask, size_t set)
{
    if (answer->set != set || strcmp(answer->command, ask->command) ||
        !answer->arguments != !ask->arguments)
        return false;
    return !ask->arguments || !strcmp(answer->arguments, ask->arguments);
}

/* NULL: no memory. */
static struct answer *find_answer(struct fleet *fleet, const struct ask *ask, size_t set)
{
    struct answer *answer;

    TAILQ_FOREACH(answer, &fleet->answers, link)
    {
        if (!is_answer_to(answer, ask, set))
            continue;
        TAILQ_REMOVE(&fleet->answers, answer, link);
        TAILQ_INSERT_HEAD(&fleet->answers, answer, link);
        return answer;
    }
    if (fleet->n_answers == ANSWERS_MAX)
        drop_answer(fleet, TAILQ_LAST(&fleet->answers, answer_queue));
    answer = make_answer(fleet, ask, set);
    if (!answer)
        return NULL;
    TAILQ_INSERT_HEAD(&fleet->answers, answer, link);
    fleet->n_answers++;
    return answer;
}

/* ---- which VMs ------------------------------------------------------------------------------ */

/* The VM of this name, which is mostly at @expected; or the number of VMs. */
static size_t find_name(const struct host_list *list, size_t expected, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        size_t at = (expected + i) % list->n;

        if (!strcmp(list->vms[at].name, name))
            return at;
    }
    return list->n;
}

static int compare_names(const void *a, const void *b)
{
    const struct name_of_set *one = a, *other = b;

    return strcmp(one->name, other->name);
}

static size_t set_of(const struct fleet *fleet, const char *name)
{
    const struct name_of_set key = {.name = name};
    const struct name_of_set *found = fleet->n_sets ? bsearch(&key, fleet->sets, fleet->n_sets,
                                                              sizeof(*fleet->sets), compare_names)
                                                    : NULL;

    return found ? found->set : 0;
}

bool fleet_wants(const struct fleet *fleet, const struct host_list_vm *vm)
{
    return !fleet->options.wants || fleet->options.wants(fleet->options.opaque, vm);
}

static void sort_into_sets(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->list.n; i++)
        fleet->members[i].set = set_of(fleet, fleet->list.vms[i].name);
}

static int take_list(struct fleet *fleet, struct host_list *list)
{
    struct member *members = calloc(list->n + 1, sizeof(*members));

    if (!members) {
        host_list_free(list);
        return -ENOMEM;
    }
    host_list_free(&fleet->list);
    free(fleet->members);
    fleet->list = *list;
    fleet->members = members;
    for (size_t i = 0; i < list->n; i++)
        members[i].is_wanted = fleet_wants(fleet, &list->vms[i]);
    sort_into_sets(fleet);
    return 0;
}

/* Whose name was refused has ended, also if another VM has that name by now. True: it was one. */
static bool note_refused(struct fleet *fleet, struct answer *answer)
{
    size_t at = fleet->list.n;

    if (!strcmp(answer->gone.parameter, "vms"))
        at = find_name(&fleet->list, 0, answer->gone.value);
    if (at == fleet->list.n)
        return false;
    fleet->members[at].has_ended = true;
    answer->gone = (struct gone){0};
    return true;
}

/* True: some have. The list stays as it is, so that all else of this round fits it. */
static bool look_who_has_ended(struct fleet *fleet)
{
    struct client_error error;
    struct host_list now;
    size_t expected = 0;
    bool any = false;

    if (host_list_ask(fleet->daemon, &now, &error))
        return false;
    for (size_t i = 0; i < fleet->list.n; i++) {
        struct member *member = &fleet->members[i];
        size_t at = find_name(&now, expected, fleet->list.vms[i].name);

        any |= at == now.n && !member->has_ended;
        member->has_ended |= at == now.n;
        if (at < now.n)
            expected = at + 1;
    }
    host_list_free(&now);
    return any;
}

/* ---- rounds --------------------------------------------------------------------------------- */

int fleet_begin(struct fleet *fleet, struct client_error *error)
{
    struct host_list list;
    int err;

    drop_answers(fleet);
    fleet->err = 0;
    err = connect_daemon(fleet, error);
    if (!err)
        err = host_list_ask(fleet->daemon, &list, error);
    if (!err && take_list(fleet, &list))
        err = client_fail(error, ENOMEM, NULL, "%s: out of memory", fleet->path);
    return fail_round(fleet, err, error);
}

const struct host_list *fleet_vms(const struct fleet *fleet)
{
    return &fleet->list;
}

/* ---- one request for many VMs --------------------------------------------------------------- */

/* The VMs that a request is about. */
struct slice {
    struct answer *answer;
    size_t first, end;
    size_t n, size; /* of VMs; and of their vCPUs, too */
};

static bool is_asked(const struct fleet *fleet, const struct answer *answer, size_t i)
{
    return fleet->members[i].is_wanted && !fleet->members[i].has_ended &&
           answer->states[i] != PART_TOO_LONG &&
           (is_of_schemas(answer->command) || fleet->members[i].set == answer->set);
}

/* From @first on, or of all. */
static struct slice choose_slice(const struct fleet *fleet, struct answer *answer, size_t first)
{
    struct slice slice = {.answer = answer};

    slice.first = slice.end = answer->room == SIZE_MAX ? 0 : first;
    for (; slice.end < fleet->list.n; slice.end++) {
        size_t size = fleet->list.vms[slice.end].n_vcpus + 1;

        if (!is_asked(fleet, answer, slice.end))
            continue;
        if (slice.n && (slice.size >= answer->room || size > answer->room - slice.size))
            break;
        slice.n++;
        slice.size += size;
    }
    return slice;
}

static const char *command_for_many(const char *command)
{
    static const char *const commands[][2] = {
        {"query-stats", "query-vms-stats"},
        {"query-stats-schemas", "query-vms-stats-schemas"},
        {"query-cpus-fast", "query-vms-cpus-fast"},
    };

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(command, commands[i][0]))
            return commands[i][1];
    return NULL;
}

/* What the VM itself would be asked, and which VMs are. */
static void put_arguments(struct buf *out, const struct fleet *fleet, const struct slice *slice)
{
    const char *own = slice->answer->arguments, *separator = "";

    buf_append(out, own ? own : "{", own ? strlen(own) - 1 : 1); /* but for its end */
    if (slice->n < fleet->list.n) {
        buf_puts(out, own && strcmp(own, "{}") ? ", \"vms\": [" : "\"vms\": [");
        for (size_t i = slice->first; i < slice->end; i++) {
            if (!is_asked(fleet, slice->answer, i))
                continue;
            buf_puts(out, separator);
            json_put_string(out, fleet->list.vms[i].name);
            separator = ", ";
        }
        buf_puts(out, "]");
    }
    buf_append(out, "}", sizeof("}"));
}

static int ask_daemon(struct fleet *fleet, const struct slice *slice,
                      struct json_object **ret_value, struct client_error *error)
{
    struct buf arguments = {0};
    struct answer *answer = slice->answer;
    struct ask ask = {.command = command_for_many(answer->command),
                      .type = json_type_array,
                      .ret_gone = &answer->gone};
    struct json_object *reply;
    int err;

    put_arguments(&arguments, fleet, slice);
    ask.arguments = arguments.data;
    err = arguments.failed ? client_out_of_memory(fleet->daemon, error)
                           : client_ask(fleet->daemon, &ask, &reply, ret_value, error);
    buf_free(&arguments);
    if (err != -ENOENT)
        answer->gone = (struct gone){0};
    if (err)
        return err == -ENOENT ? -EREMOTEIO : err;
    json_object_get(*ret_value);
    connection_put(&fleet->daemon->connection, reply);
    return 0;
}

/* ---- the parts of a reply ------------------------------------------------------------------- */

static void take_part(struct fleet *fleet, struct answer *answer, const char *name,
                      struct json_object *part, size_t *expected)
{
    size_t at = name && part ? find_name(&fleet->list, *expected, name) : fleet->list.n;

    if (at == fleet->list.n)
        return;
    *expected = at + 1;
    json_object_put(answer->parts[at]);
    answer->parts[at] = json_object_get(part);
}

static void take_parts_of_vms(struct fleet *fleet, const struct slice *slice,
                              struct json_object *value)
{
    const char *member = !strcmp(slice->answer->command, "query-stats") ? "stats" : "cpus";
    size_t expected = slice->first;

    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *entry = json_object_array_get_idx(value, i), *part = NULL;

        if (json_object_is_type(entry, json_type_object))
            json_object_object_get_ex(entry, member, &part);
        take_part(fleet, slice->answer, client_name(entry, "name"), part, &expected);
    }
}

/* False: no memory. */
static bool note_set(struct fleet *fleet, struct json_object *name, size_t set)
{
    const char *text =
        json_object_is_type(name, json_type_string) ? json_object_get_string(name) : NULL;
    char *copy = text ? client_copy(&fleet->set_names, text) : NULL;

    if (copy)
        fleet->sets[fleet->n_sets++] = (struct name_of_set){copy, set};
    return !text || copy;
}

static bool take_sets(struct fleet *fleet, struct answer *answer, struct json_object *value)
{
    size_t expected = 0;
    bool has_memory = true;

    for (size_t i = 0; i < json_object_array_length(value) && has_memory; i++) {
        struct json_object *entry = json_object_array_get_idx(value, i);
        struct json_object *names = client_array(entry, "names");
        struct json_object *schemas = client_member(entry, "schemas", json_type_object);

        fleet->last_set++;
        for (size_t j = 0; names && j < json_object_array_length(names) && has_memory; j++) {
            struct json_object *name = json_object_array_get_idx(names, j);

            has_memory = answer->arguments || note_set(fleet, name, fleet->last_set);
            if (json_object_is_type(name, json_type_string))
                take_part(fleet, answer, json_object_get_string(name), schemas, &expected);
        }
    }
    return has_memory;
}

/* Of some VMs, behind those of others, or in place of all. */
static bool reserve_sets(struct fleet *fleet, bool is_first, size_t n)
{
    struct name_of_set *grown;

    if (is_first) {
        fleet->n_sets = 0;
        arena_reset(&fleet->set_names);
    }
    grown = reallocarray(fleet->sets, fleet->n_sets + n + 1, sizeof(*grown));
    if (grown)
        fleet->sets = grown;
    return grown;
}

/* VMs of one set are named together, but where they are told apart by what has failed. */
static int take_schemas(struct fleet *fleet, const struct slice *slice, struct json_object *value)
{
    bool is_plain = !slice->answer->arguments;

    if (is_plain && !reserve_sets(fleet, slice->first == 0, client_count_in_arrays(value, "names")))
        return -ENOMEM;
    if (!take_sets(fleet, slice->answer, value))
        return -ENOMEM;
    if (is_plain) {
        qsort(fleet->sets, fleet->n_sets, sizeof(*fleet->sets), compare_names);
        sort_into_sets(fleet);
    }
    return 0;
}

static int take_parts(struct fleet *fleet, const struct slice *slice, struct json_object *value,
                      struct client_error *error)
{
    if (is_of_schemas(slice->answer->command))
        return take_schemas(fleet, slice, value) ? client_out_of_memory(fleet->daemon, error) : 0;
    take_parts_of_vms(fleet, slice, value);
    return 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void mark(const struct fleet *fleet, const struct slice *slice)
{
    for (size_t i = slice->first; i < slice->end; i++)
        if (is_asked(fleet, slice->answer, i))
            slice->answer->states[i] = PART_ASKED;
}

static int ask_slice(struct fleet *fleet, const struct slice *slice, struct client_error *error)
{
    struct json_object *value;
    int err = connect_daemon(fleet, error);

    if (!err)
        err = ask_daemon(fleet, slice, &value, error);
    if (err)
        return err;
    mark(fleet, slice);
    err = take_parts(fleet, slice, value, error);
    json_object_put(value);
    return err;
}

static bool is_too_long(int err)
{
    return err == -EMSGSIZE || err == -E2BIG;
}

/* Fewer VMs are asked at a time, until one is alone: then that one fails, and is no burden for the others. */
static bool ask_fewer(struct fleet *fleet, const struct slice *slice)
{
    struct answer *answer = slice->answer;

    set_daemon(fleet, NULL);
    answer->room = slice->n > 1 ? slice->size / 2 : room_at_first(answer->command);
    return slice->n > 1;
}

/*
 * Whether there is something to be asked after @err: fewer VMs, where the reply is too long, or but for those that
 * have ended meanwhile, whose names are refused.
 */
static bool can_retry(struct fleet *fleet, const struct slice *slice, int err)
{
    bool is_refused;

    if (is_too_long(err))
        return ask_fewer(fleet, slice);
    if (err != -EREMOTEIO)
        return false;
    is_refused = note_refused(fleet, slice->answer);
    return look_who_has_ended(fleet) || is_refused;
}

static void fetch(struct fleet *fleet, struct answer *answer, size_t at)
{
    struct client_error *error = &answer->error;
    struct slice slice;
    int tries = 0;

    answer->states[at] = PART_UNASKED;
    do {
        slice = choose_slice(fleet, answer, at);
        answer->err = ask_slice(fleet, &slice, error);
    } while (answer->err && can_retry(fleet, &slice, answer->err) && ++tries < TRIES_MAX &&
             !fleet->members[at].has_ended);
    if (is_too_long(answer->err))
        answer->states[at] = PART_TOO_LONG;
    else if (!fleet->members[at].has_ended && !is_of_words(answer->err))
        fail_round(fleet, answer->err, error);
}

static int fail(const struct client *client, int err, const struct client_error *error,
                struct client_error *ret_error)
{
    return client_fail(ret_error, -err, NULL, "%s: %s", client->path, error->text);
}

static int has_ended(const struct client *client, struct client_error *error)
{
    return client_fail(error, ESRCH, NULL, "%s: the VM has ended", client->path);
}

/* The part of the VM at @at, with a reference that is the caller's from now on. */
static int take(struct client *client, struct answer *answer, size_t at, json_type type,
                struct json_object **ret_part, struct client_error *error)
{
    struct json_object *part = answer->parts[at];

    if (is_of_schemas(answer->command)) {
        json_object_get(part); /* a VM that has news is opened anew, and asks again */
    } else {
        answer->parts[at] = NULL;
        answer->states[at] = PART_TAKEN;
    }
    if (!part)
        return has_ended(client, error);
    if (type != CLIENT_ANY && !json_object_is_type(part, type)) {
        json_object_put(part);
        return client_not_understood(client, answer->command, error);
    }
    *ret_part = part;
    return 0;
}

/* As client_ask() says it. */
static int fail_with_answer(const struct client *client, const struct ask *ask,
                            const struct answer *answer, struct client_error *error)
{
    bool is_gone = ask->ret_gone && answer->gone.parameter[0];

    if (is_gone)
        *ask->ret_gone = answer->gone;
    return fail(client, is_gone ? -ENOENT : answer->err, &answer->error, error);
}

static int ask_member(struct client *client, size_t at, const struct ask *ask,
                      struct json_object **ret_part, struct client_error *error)
{
    struct fleet *fleet = client->fleet;
    size_t set = is_of_schemas(ask->command) ? 0 : fleet->members[at].set;
    struct answer *answer = find_answer(fleet, ask, set);

    if (!answer)
        return client_out_of_memory(client, error);
    if (answer->states[at] != PART_ASKED)
        fetch(fleet, answer, at);
    if (fleet->members[at].has_ended)
        return has_ended(client, error);
    if (answer->states[at] != PART_ASKED)
        return fail_with_answer(client, ask, answer, error);
    return take(client, answer, at, ask->type, ret_part, error);
}

int fleet_ask(struct client *client, const struct ask *ask, struct json_object **ret_part,
              struct client_error *error)
{
    struct fleet *fleet = client->fleet;
    size_t at = find_name(&fleet->list, client->place, client->vm_name);

    if (fleet->err)
        return fail(client, fleet->err, &fleet->error, error);
    if (at == fleet->list.n || fleet->members[at].has_ended || !fleet->members[at].is_wanted ||
        fleet->list.vms[at].origin.pid != client->origin.pid)
        return has_ended(client, error);
    client->place = at;
    if (!command_for_many(ask->command))
        return not_there(error);
    return ask_member(client, at, ask, ret_part, error);
}

const struct host_list_vm *fleet_vm_of(struct client *client)
{
    struct fleet *fleet = client->fleet;
    size_t at = find_name(&fleet->list, client->place, client->vm_name);

    return at < fleet->list.n ? &fleet->list.vms[at] : NULL;
}

/* ---- the begin and the end ------------------------------------------------------------------ */

/* What the daemon has, it says. */
static int check_commands(struct fleet *fleet, struct client_error *error)
{
    static const struct ask ask = {"query-commands", NULL, json_type_array, NULL};
    struct json_object *reply, *value;
    bool has = false;
    int err = client_ask(fleet->daemon, &ask, &reply, &value, error);

    if (err)
        return err;
    for (size_t i = 0; i < json_object_array_length(value) && !has; i++) {
        const char *name = client_string(json_object_array_get_idx(value, i), "name");

        has = name && !strcmp(name, "query-vms-stats");
    }
    connection_put(&fleet->daemon->connection, reply);
    return has ? 0 : not_there(error);
}

int fleet_open(const struct fleet_options *options, struct fleet **ret_fleet,
               struct client_error *error)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    int err = 0;

    if (!fleet || !(fleet->path = strdup(options->path))) {
        free(fleet);
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", options->path);
    }
    fleet->options = *options;
    pthread_mutex_init(&fleet->mutex, NULL);
    TAILQ_INIT(&fleet->answers);
    err = connect_daemon(fleet, error);
    if (!err)
        err = check_commands(fleet, error);
    if (!err)
        err = fleet_begin(fleet, error);
    if (err)
        fleet_free(fleet);
    else
        *ret_fleet = fleet;
    return err;
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    drop_answers(fleet);
    client_free(fleet->daemon);
    host_list_free(&fleet->list);
    free(fleet->members);
    free(fleet->sets);
    arena_free(&fleet->set_names);
    pthread_mutex_destroy(&fleet->mutex);
    free(fleet->path);
    free(fleet);
}

/* The VM of this socket; or the number of VMs. They are mostly opened one after the other. */
static size_t find_socket(struct fleet *fleet, const char *socket)
{
    for (size_t i = 0; i < fleet->list.n; i++) {
        size_t at = (fleet->opened + i) % fleet->list.n;

        if (strcmp(fleet->list.vms[at].socket, socket) != 0)
            continue;
        fleet->opened = at + 1;
        return at;
    }
    return fleet->list.n;
}

int fleet_open_vm(struct fleet *fleet, const char *socket, struct client **ret_client,
                  struct client_error *error)
{
    size_t at = find_socket(fleet, socket);
    struct client *client;
    int err;

    if (at == fleet->list.n || !fleet->members[at].is_wanted)
        return client_fail(error, ESRCH, NULL, "%s: the VM has ended", socket);
    err = client_make_member(fleet, &fleet->list.vms[at], at, &client, error);
    if (!err) {
        err = client_introduce(client, error);
        if (err)
            client_free(client);
    }
    if (!err)
        *ret_client = client;
    return err;
}
