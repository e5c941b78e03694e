/* SPDX-License-Identifier: MIT */
/* What is wanted of the VMs: their statistics and vCPUs, or what may have been meant. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look/private.h"
#include "args/suggestion.h"
#include "base/buf.h"
#include "base/pattern.h"
#include "stats/histogram.h"

#define HINT_KVM     "QEMU has them only where the VM runs with KVM: -accel kvm."
#define HINT_LIST    "'vitals list' lists what there is."
#define HINT_SCHEMAS "'vitals schemas' lists what there is."

enum { RUNS_MAX = 8 }; /* of numbers in a hint */

static int refuse(struct look *look, const char *what, const struct suggestion *suggestion,
                  const char *hint)
{
    if (!look->is_quiet)
        suggestion_print(suggestion, look->options.command, what, hint);
    return EXIT_NO_MATCH;
}

/* What a VM without KVM looks like; that nothing matches then is not the fault of a name. */
int look_check_any(struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++)
        if (client_has_statistics(look->vms[i].client))
            return 0;
    if (look_is_of_host(look) && !look->n_vms)
        look_say_what_is_seen(look);
    else if (look->n_vms == 1)
        look_fail(look, HINT_KVM, "%s: no statistics", client_path(look->vms[0].client));
    else
        look_fail(look, HINT_KVM, "no statistics in any of %zu VMs", look->n_vms);
    return EXIT_NO_MATCH;
}

/* ---- VMs ------------------------------------------------------------------------------------ */

static bool is_vm(const char *glob, const char *name)
{
    return !strcmp(glob, name) || pattern_matches(glob, false, name);
}

bool look_wants_vm(const struct look *look, const char *name, const char *uuid)
{
    const struct cli_texts *globs = &look->options.vms;
    bool matches = !globs->n;

    for (size_t i = 0; i < globs->n && !matches; i++)
        matches = is_vm(globs->all[i], name) || (uuid && !strcmp(globs->all[i], uuid));
    return matches;
}

static bool wants_client(const struct look *look, const struct client *client)
{
    return look_wants_vm(look, client_vm_name(client), client_origin(client)->uuid);
}

static bool any_is_vm(const char *glob, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_vm(glob, names[i]))
            return true;
    return false;
}

int look_check_vms(struct look *look, const char *const *names, size_t n)
{
    for (size_t i = 0; i < look->options.vms.n; i++) {
        struct suggestion suggestion = {.meant = look->options.vms.all[i]};

        if (any_is_vm(suggestion.meant, names, n))
            continue;
        for (size_t j = 0; j < n; j++)
            suggestion_consider(&suggestion, names[j]);
        return refuse(look, "VM", &suggestion, HINT_LIST);
    }
    return 0;
}

/* Also of VMs that nobody wants, which are not asked. */
static size_t list_names_of_fleet(const struct fleet *fleet, const char **names)
{
    const struct host_list *list = fleet_vms(fleet);
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        names[n++] = list->vms[i].name;
        if (list->vms[i].origin.uuid)
            names[n++] = list->vms[i].origin.uuid;
    }
    return n;
}

static size_t list_names(const struct look *look, const char **names)
{
    size_t n = 0;

    for (size_t i = 0; i < look->n_vms; i++) {
        const struct client *client = look->vms[i].client;

        names[n++] = client_vm_name(client);
        if (client_origin(client)->uuid)
            names[n++] = client_origin(client)->uuid;
    }
    return n;
}

static int check_vms(struct look *look)
{
    size_t n = look->fleet ? fleet_vms(look->fleet)->n : look->n_vms;
    const char **names = calloc(2 * n + 1, sizeof(*names));
    int status;

    if (!names)
        return look_fail(look, NULL, "out of memory");
    n = look->fleet ? list_names_of_fleet(look->fleet, names) : list_names(look, names);
    status = look_check_vms(look, names, n);
    free(names);
    return status;
}

int look_match_vms(struct look *look)
{
    int status = check_vms(look);
    size_t n = 0;

    for (size_t i = 0; status == 0 && look->options.vms.n && i < look->n_vms; i++) {
        if (wants_client(look, look->vms[i].client))
            look->vms[n++] = look->vms[i];
        else if (!look->place) /* else it is the watch's */
            client_free(look->vms[i].client);
    }
    if (status == 0 && look->options.vms.n)
        look->n_vms = look->n_sockets = n;
    return status;
}

/* ---- matching ------------------------------------------------------------------------------- */

static bool is_candidate(const struct look *look, const struct client_stat *stat)
{
    return look_wants_target(look, stat->target) &&
           (!look->options.provider || !strcmp(look->options.provider, stat->provider));
}

static bool is_of_use(const struct look *look, const struct client_stat *stat)
{
    return !look->is_of_histograms || histogram_is(&stat->desc);
}

static bool is_meant(const struct look *look, const struct client_stat *stat, const char *text,
                     bool is_part)
{
    return is_candidate(look, stat) && (!is_part || is_of_use(look, stat)) &&
           pattern_matches(text, is_part, stat->desc.name);
}

/* @are_parts: for each of the globs; NULL: none is. */
static bool wants_stat(const struct look *look, const struct client_stat *stat,
                       const bool *are_parts)
{
    const struct cli_texts *globs = &look->options.globs;

    for (size_t i = 0; i < globs->n; i++)
        if (is_meant(look, stat, globs->all[i], are_parts && are_parts[i]))
            return true;
    return !globs->n && is_candidate(look, stat);
}

bool look_wants_stat(const struct look *look, const struct client_stat *stat)
{
    return wants_stat(look, stat, look->are_parts);
}

static bool is_needed(const struct look *look, const struct client_stat *stat)
{
    return look->needs && look->needs(stat) && is_candidate(look, stat);
}

/* Where no other statistic is of use. */
static int check_histograms(struct look *look)
{
    const char *other = NULL;

    for (size_t i = 0; look->is_of_histograms && i < look->n_vms; i++) {
        size_t n;
        const struct client_stat *stats = client_stats(look->vms[i].client, &n);

        for (size_t j = 0; j < n; j++) {
            if (!look_wants_stat(look, &stats[j]))
                continue;
            if (histogram_is(&stats[j].desc))
                return 0;
            other = other ? other : stats[j].desc.name;
        }
    }
    if (!other)
        return 0;
    look_fail(look, "'vitals stats' shows it.", "'%s' is no histogram", other);
    return EXIT_NO_MATCH;
}

/* ---- what there is -------------------------------------------------------------------------- */

/* Also where the target or the provider leaves it out: parts of other names are not meant then. */
static bool is_name(const struct look_stats *lists, size_t n_lists, const char *text)
{
    for (size_t i = 0; i < n_lists; i++)
        for (size_t j = 0; j < lists[i].n; j++)
            if (!strcmp(lists[i].stats[j].desc.name, text))
                return true;
    return false;
}

/* What a word means to one VM; other threads ask for others. NULL: no memory. */
static bool *find_parts(const struct look *look, const struct look_stats *of_vm)
{
    const struct cli_texts *globs = &look->options.globs;
    bool *are_parts = calloc(globs->n + 1, sizeof(*are_parts));

    for (size_t i = 0; are_parts && i < globs->n; i++)
        are_parts[i] = !is_name(of_vm, 1, globs->all[i]);
    return are_parts;
}

bool *look_want(const struct look *look, const struct client *client)
{
    struct look_stats of_vm;
    bool is_wanted = wants_client(look, client), *are_parts, *wanted;

    of_vm.stats = client_stats(client, &of_vm.n);
    are_parts = find_parts(look, &of_vm);
    wanted = are_parts ? calloc(of_vm.n + 1, sizeof(*wanted)) : NULL;
    for (size_t i = 0; wanted && is_wanted && i < of_vm.n; i++) {
        const struct client_stat *stat = &of_vm.stats[i];

        wanted[i] =
            (wants_stat(look, stat, are_parts) && is_of_use(look, stat)) || is_needed(look, stat);
    }
    free(are_parts);
    return wanted;
}

static bool any_matches(const struct look *look, const struct look_stats *lists, size_t n_lists,
                        const char *glob, bool is_part)
{
    for (size_t i = 0; i < n_lists; i++)
        for (size_t j = 0; j < lists[i].n; j++)
            if (is_meant(look, &lists[i].stats[j], glob, is_part))
                return true;
    return false;
}

static void suggest(const struct look *look, const struct look_stats *lists, size_t n_lists,
                    struct suggestion *suggestion)
{
    for (size_t i = 0; i < n_lists; i++)
        for (size_t j = 0; j < lists[i].n; j++)
            if (is_candidate(look, &lists[i].stats[j]) && is_of_use(look, &lists[i].stats[j]))
                suggestion_consider(suggestion, lists[i].stats[j].desc.name);
}

/* There are some, and some of the provider: so it is the target that has none. */
static int refuse_target(struct look *look)
{
    const char *target = look->options.target, *provider = look->options.provider;

    if (provider)
        look_fail(look, HINT_SCHEMAS, "no statistics of target '%s' and provider '%s'", target,
                  provider);
    else
        look_fail(look, HINT_SCHEMAS, "no statistics of target '%s'", target);
    return EXIT_NO_MATCH;
}

static int check_glob(struct look *look, const struct look_stats *lists, size_t n_lists,
                      const char *glob, bool *ret_is_part)
{
    struct suggestion suggestion = {.meant = glob};

    *ret_is_part = !is_name(lists, n_lists, glob);
    if (any_matches(look, lists, n_lists, glob, *ret_is_part))
        return 0;
    if (strcmp(glob, "*") == 0 && look->options.target)
        return refuse_target(look);
    suggest(look, lists, n_lists, &suggestion);
    return refuse(look, "statistic", &suggestion,
                  look->options.target || look->options.provider
                      ? "--target or --provider may leave it out; " HINT_SCHEMAS
                      : HINT_SCHEMAS);
}

static bool is_known_target(const char *target)
{
    return !target || !strcmp(target, "vm") || !strcmp(target, "vcpu");
}

/* Others are the VM's own to name. */
static int check_target(struct look *look, const struct look_stats *lists, size_t n_lists)
{
    const char *target = look->options.target;
    struct suggestion suggestion = {.meant = target};

    if (is_known_target(target))
        return 0;
    suggestion_consider(&suggestion, "vm");
    suggestion_consider(&suggestion, "vcpu");
    for (size_t i = 0; i < n_lists; i++) {
        for (size_t j = 0; j < lists[i].n; j++) {
            if (!strcmp(lists[i].stats[j].target, target))
                return 0;
            suggestion_consider(&suggestion, lists[i].stats[j].target);
        }
    }
    return refuse(look, "target", &suggestion, HINT_SCHEMAS);
}

static int check_provider(struct look *look, const struct look_stats *lists, size_t n_lists)
{
    const char *provider = look->options.provider;
    struct suggestion suggestion = {.meant = provider};

    for (size_t i = 0; provider && i < n_lists; i++) {
        for (size_t j = 0; j < lists[i].n; j++) {
            if (!strcmp(lists[i].stats[j].provider, provider))
                return 0;
            suggestion_consider(&suggestion, lists[i].stats[j].provider);
        }
    }
    return provider ? refuse(look, "provider", &suggestion, HINT_SCHEMAS) : 0;
}

int look_check_stats(struct look *look, const struct look_stats *lists, size_t n_lists)
{
    const struct cli_texts *globs = &look->options.globs;
    int status = check_target(look, lists, n_lists);
    bool is_part;

    free(look->are_parts);
    look->are_parts = calloc(globs->n + 1, sizeof(*look->are_parts));
    if (!look->are_parts)
        return look_fail(look, NULL, "out of memory");
    if (status == 0)
        status = check_provider(look, lists, n_lists);
    for (size_t i = 0; status == 0 && i < globs->n; i++)
        status = check_glob(look, lists, n_lists, globs->all[i], &look->are_parts[i]);
    if (status == 0 && !globs->n && look->options.target)
        status = check_glob(look, lists, n_lists, "*", &is_part);
    return status;
}

int look_match_stats(struct look *look)
{
    struct look_stats *lists = calloc(look->n_vms + 1, sizeof(*lists));
    bool has_memory = lists != NULL;
    int status = 0;

    for (size_t i = 0; lists && i < look->n_vms; i++)
        lists[i].stats = client_stats(look->vms[i].client, &lists[i].n);
    if (has_memory)
        status = look_check_stats(look, lists, look->n_vms);
    if (status == 0 && has_memory)
        status = check_histograms(look);
    for (size_t i = 0; status == 0 && has_memory && i < look->n_vms; i++) {
        look->vms[i].wanted = look_want(look, look->vms[i].client);
        has_memory = look->vms[i].wanted != NULL;
    }
    free(lists);
    return has_memory ? status : look_fail(look, NULL, "out of memory");
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

/* "7" or "0-3". */
static bool read_range(const char *text, long long *ret_first, long long *ret_last)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    *ret_first = *ret_last = strtoll(text, &end, 10);
    if (end[0] == '-' && isdigit((unsigned char)end[1]))
        *ret_last = strtoll(end + 1, &end, 10);
    return *end == '\0';
}

bool look_is_vcpu(const char *text, const struct client_vcpu *vcpu)
{
    long long first, last;

    if (read_range(text, &first, &last))
        return first <= vcpu->index && vcpu->index <= last;
    return !strcmp(text, vcpu->path);
}

/* Whether any --vcpu means it. */
static bool is_wanted_vcpu(const struct look *look, const struct client_vcpu *vcpu)
{
    for (size_t i = 0; i < look->options.vcpus.n; i++)
        if (look_is_vcpu(look->options.vcpus.all[i], vcpu))
            return true;
    return false;
}

static bool wish_vcpus(const struct look *look, const struct client *client,
                       struct watch_wish *wish)
{
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(client, &n);

    wish->paths = calloc(n + 1, sizeof(*wish->paths));
    for (size_t i = 0; wish->paths && i < n; i++) {
        if (!is_wanted_vcpu(look, &vcpus[i]))
            continue;
        wish->paths[wish->n_paths] = strdup(vcpus[i].path);
        if (!wish->paths[wish->n_paths++])
            return false;
    }
    return wish->paths;
}

int look_wish(const void *opaque, const struct client *client, struct watch_wish *ret_wish)
{
    const struct look *look = opaque;
    struct watch_wish wish = {0};

    if (!wants_client(look, client))
        return WATCH_UNWANTED;
    wish.wanted = look_want(look, client);
    if (!wish.wanted || (look->options.vcpus.n && !wish_vcpus(look, client, &wish))) {
        watch_wish_free(&wish);
        return -ENOMEM;
    }
    *ret_wish = wish;
    return 0;
}

/* The client's own texts change with each query. */
static const char *keep_path(struct look *look, const char *path)
{
    return look_add_path(look, strdup(path)) == 0 ? look->paths[look->n_paths - 1] : "";
}

/* Two words may mean one vCPU, which is asked once. */
static bool has_path(const struct look_vm *vm, const char *path)
{
    for (size_t i = 0; i < vm->n_paths; i++)
        if (!strcmp(vm->paths[i], path))
            return true;
    return false;
}

static bool match_vcpu(struct look *look, struct look_vm *vm, const char *text)
{
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(vm->client, &n);
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (!look_is_vcpu(text, &vcpus[i]))
            continue;
        if (!has_path(vm, vcpus[i].path))
            vm->paths[vm->n_paths++] = keep_path(look, vcpus[i].path);
        any = true;
    }
    return any;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts them, and writes "0 to 3, 5, 8". Returns how many parts it has. */
static size_t put_runs(struct buf *out, int64_t *numbers, size_t n)
{
    size_t n_runs = 0, i, end;

    qsort(numbers, n, sizeof(*numbers), compare_numbers);
    for (i = 0; i < n && n_runs < RUNS_MAX; i = end, n_runs++) {
        for (end = i + 1; end < n && numbers[end] - numbers[end - 1] <= 1; end++)
            ;
        buf_printf(out, "%s%lld", n_runs ? ", " : "", (long long)numbers[i]);
        if (numbers[end - 1] > numbers[i])
            buf_printf(out, " to %lld", (long long)numbers[end - 1]);
    }
    if (i < n)
        buf_printf(out, " and others up to %lld", (long long)numbers[n - 1]);
    return n_runs;
}

/* Ends in NUL, unless memory is short. */
static void put_vcpu_hint(struct buf *hint, int64_t *numbers, size_t n)
{
    struct buf runs = {0};
    size_t n_runs = put_runs(&runs, numbers, n);
    const char *which = n_runs > 1                     ? "one of the numbers"
                        : numbers[0] == numbers[n - 1] ? "the number"
                                                       : "a number from";

    buf_printf(hint, "--vcpu takes %s %.*s, or a QOM path.", which, (int)runs.len, runs.data);
    buf_append(hint, "", 1);
    hint->failed |= runs.failed;
    buf_free(&runs);
}

int look_refuse_vcpu(struct look *look, const char *text, int64_t *numbers, size_t n)
{
    const struct suggestion nothing = {.meant = text};
    struct buf hint = {0};
    int status;

    if (!n)
        return refuse(look, "vCPU", &nothing, "There are no vCPUs.");
    put_vcpu_hint(&hint, numbers, n);
    status = hint.failed ? look_fail(look, NULL, "out of memory")
                         : refuse(look, "vCPU", &nothing, hint.data);
    buf_free(&hint);
    return status;
}

/* Of all VMs. */
static int refuse_vcpu(struct look *look, const char *text)
{
    size_t n = 0, n_vcpus = 0, i, j;
    int64_t *numbers;
    int status;

    for (i = 0; i < look->n_vms; i++) {
        client_vcpus(look->vms[i].client, &n_vcpus);
        n += n_vcpus;
    }
    numbers = calloc(n + 1, sizeof(*numbers));
    if (!numbers)
        return look_fail(look, NULL, "out of memory");
    for (i = n = 0; i < look->n_vms; i++) {
        const struct client_vcpu *vcpus = client_vcpus(look->vms[i].client, &n_vcpus);

        for (j = 0; j < n_vcpus; j++)
            numbers[n++] = vcpus[j].index;
    }
    status = look_refuse_vcpu(look, text, numbers, n);
    free(numbers);
    return status;
}

static int match_vcpu_in_all(struct look *look, const char *text)
{
    bool any = false;

    for (size_t i = 0; i < look->n_vms; i++)
        if (match_vcpu(look, &look->vms[i], text))
            any = true;
    return any ? 0 : refuse_vcpu(look, text);
}

static int match_vcpus(struct look *look)
{
    int status = 0;

    for (size_t i = 0; look->options.vcpus.n && i < look->n_vms; i++) {
        size_t n;

        client_vcpus(look->vms[i].client, &n);
        look->vms[i].paths = calloc(n * look->options.vcpus.n + 1, sizeof(char *));
        if (!look->vms[i].paths)
            return look_fail(look, NULL, "out of memory");
    }
    for (size_t i = 0; status == 0 && i < look->options.vcpus.n; i++)
        status = match_vcpu_in_all(look, look->options.vcpus.all[i]);
    return status;
}

/* ---- other objects -------------------------------------------------------------------------- */

/* Only their values tell which there are. Whoever doesn't answer is told of when it is asked again. */
static struct client_snapshot *ask_objects(struct client *client)
{
    struct client_request request = {.target = CLIENT_OTHER_TARGETS};
    struct client_snapshot *snapshot = NULL;
    struct client_error error;
    size_t n;
    bool *all;

    client_stats(client, &n);
    request.wanted = all = malloc(n + 1);
    if (!all)
        return NULL;
    memset(all, true, n);
    if (client_query(client, &request, &snapshot, &error))
        snapshot = NULL;
    free(all);
    return snapshot;
}

void look_each_object(struct client *client, void (*visit)(void *opaque, const char *path),
                      void *opaque)
{
    struct client_snapshot *snapshot = ask_objects(client);

    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++)
        if (snapshot->objects[i].path)
            visit(opaque, snapshot->objects[i].path);
    client_snapshot_free(snapshot);
}

struct object_search {
    const struct cli_texts *wanted;
    bool *found; /* for each of them */
};

static void compare_object(void *opaque, const char *path)
{
    const struct object_search *search = opaque;

    for (size_t i = 0; i < search->wanted->n; i++)
        search->found[i] |= !strcmp(search->wanted->all[i], path);
}

int look_refuse_object(struct look *look, const char *path)
{
    const struct suggestion nothing = {.meant = path};

    return refuse(look, "object", &nothing,
                  "'vitals stats --target TARGET' shows the objects of a target.");
}

static int match_others(struct look *look)
{
    struct object_search search = {.wanted = &look->options.objects};
    int status = 0;

    if (!search.wanted->n)
        return 0;
    search.found = calloc(search.wanted->n, sizeof(*search.found));
    if (!search.found)
        return look_fail(look, NULL, "out of memory");
    for (size_t i = 0; i < look->n_vms; i++)
        look_each_object(look->vms[i].client, compare_object, &search);
    for (size_t i = 0; i < search.wanted->n && !status; i++)
        if (!search.found[i])
            status = look_refuse_object(look, search.wanted->all[i]);
    free(search.found);
    return status;
}

int look_match_objects(struct look *look)
{
    int status = match_vcpus(look);

    return status ? status : match_others(look);
}
