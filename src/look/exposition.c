/* SPDX-License-Identifier: MIT */
#include "look/exposition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kvm/meanings.h"
#include "look/missing.h"
#include "look/private.h"
#include "look/progress.h"
#include "stats/histogram.h"

#define KERNEL "kernel"

/* ---- what is asked for ---------------------------------------------------------------------- */

static bool is_sum_of_wanted(const struct exposition *exposition, const struct client_stat *stats,
                             size_t n, const struct client_stat *stat)
{
    for (size_t i = 0; i < n; i++) {
        const char *sum =
            histogram_is(&stats[i].desc) ? kvm_sum_of_histogram(stats[i].desc.name) : NULL;

        if (sum && !strcmp(sum, stat->desc.name) && !strcmp(stats[i].target, stat->target) &&
            exposition->wants(exposition->opaque, &stats[i]))
            return true;
    }
    return false;
}

/* What is read from the kernel is there at once; who writes it leaves out what is not wanted. */
static bool want(const struct exposition *exposition, struct look_vm *vm)
{
    size_t n;
    const struct client_stat *stats = client_stats(vm->client, &n);
    bool is_local = client_peer(vm->client) == CLIENT_LOCAL;
    bool *wanted = calloc(n + 1, sizeof(*wanted));

    for (size_t i = 0; wanted && i < n; i++)
        wanted[i] = is_local || exposition->wants(exposition->opaque, &stats[i]) ||
                    is_sum_of_wanted(exposition, stats, n, &stats[i]);
    free(vm->wanted);
    vm->wanted = wanted;
    return wanted;
}

/* Where one --vm matches nothing, the others still choose. */
static bool is_meant(const struct exposition *exposition, size_t i)
{
    const struct client *client = exposition->look->vms[i].client;

    return look_wants_vm(exposition->look, client_vm_name(client), client_origin(client)->uuid);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void ask(void *opaque, size_t i)
{
    struct exposition *exposition = opaque;
    struct exposition_vm *vm = &exposition->vms[i];
    const struct source source = {
        .client = exposition->look->vms[i].client,
        .wanted = exposition->look->vms[i].wanted,
        .wants_vm = look_wants_target(exposition->look, "vm"),
        .wants_vcpus = look_wants_target(exposition->look, "vcpu"),
        .wants_others = look_wants_target(exposition->look, CLIENT_OTHER_TARGETS),
    };

    if (!is_meant(exposition, i))
        return;
    vm->err = source_sample(&source, &vm->sample, &vm->error);
    if (!vm->err)
        vm->err = missing_check(&source, &vm->sample, &vm->error);
}

static bool has_ended(const struct exposition *exposition, size_t i)
{
    return look_has_ended(exposition->look, exposition->vms[i].err);
}

static void complain(const struct exposition *exposition)
{
    for (size_t i = 0; i < exposition->look->n_vms; i++)
        if (exposition->vms[i].err && !has_ended(exposition, i))
            look_complain(exposition->look, &exposition->vms[i].error);
}

/* ---- what has come -------------------------------------------------------------------------- */

static void add_objects(struct metrics *metrics, const struct client_snapshot *snapshot)
{
    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++) {
        const struct client_object *object = &snapshot->objects[i];

        metrics_add_object(metrics, object->target, object->path, object->cpu_index);
        for (size_t j = 0; j < object->n_values; j++) {
            const struct client_value *value = &object->values[j];

            metrics_add_value(metrics, value->stat->provider, &value->stat->desc, value->values,
                              value->n_values);
        }
    }
}

/* What is asked for last has come last. */
static uint64_t time_of(const struct sample *sample)
{
    const struct client_snapshot *all[] = {sample->of_others, sample->of_vcpus, sample->of_vm};
    uint64_t last = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] && all[i]->time_ns > last)
            last = all[i]->time_ns;
    return last;
}

/* Between the clocks, in milliseconds: nobody needs more. */
static uint64_t unix_time(uint64_t ns)
{
    const uint64_t ms = 1000 * 1000;
    uint64_t age = clock_now_ns() - ns;

    return ns ? ((uint64_t)(clock_unix_time() * 1e9) - age) / ms * ms : 0;
}

static void add_vm(struct exposition *exposition, size_t i)
{
    const struct client *client = exposition->look->vms[i].client;
    const struct client_origin *origin = client_origin(client);
    const struct exposition_vm *vm = &exposition->vms[i];
    const char *socket = client_socket(client);

    metrics_add_vm(exposition->metrics,
                   &(struct metrics_vm){.name = client_vm_name(client),
                                        .source = socket ? socket : KERNEL,
                                        .uuid = origin->uuid,
                                        .vmm = origin->vmm,
                                        .way = origin->way,
                                        .pid = origin->pid,
                                        .is_down = vm->err,
                                        .has_uid = origin->uid >= 0,
                                        .uid = (uint32_t)origin->uid,
                                        .time_ns = vm->err ? 0 : unix_time(time_of(&vm->sample))});
    if (vm->err)
        return;
    add_objects(exposition->metrics, vm->sample.of_vm);
    add_objects(exposition->metrics, vm->sample.of_vcpus);
    add_objects(exposition->metrics, vm->sample.of_others);
}

static bool add_lost(struct exposition *exposition)
{
    const struct look *look = exposition->look;

    exposition->names = calloc(look->n_lost + 1, sizeof(*exposition->names));
    for (size_t i = 0; exposition->names && i < look->n_lost; i++) {
        exposition->names[i] = client_name_from_path(look->lost[i]);
        if (!exposition->names[i])
            return false;
        metrics_add_vm(exposition->metrics, &(struct metrics_vm){.name = exposition->names[i],
                                                                 .source = look->lost[i],
                                                                 .pid = -1,
                                                                 .is_down = true});
    }
    return exposition->names;
}

/* What has the VMs of this host, which is there also where there are none. */
static void add_host(struct exposition *exposition, uint64_t ns, bool is_up)
{
    const char *daemon = exposition->look->daemon;

    metrics_add_vm(exposition->metrics, &(struct metrics_vm){.source = daemon ? daemon : KERNEL,
                                                             .pid = -1,
                                                             .is_down = !is_up,
                                                             .time_ns = is_up ? unix_time(ns) : 0});
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool ask_all(struct exposition *exposition)
{
    struct look *look = exposition->look;
    struct progress *progress;

    exposition->vms = calloc(look->n_vms + 1, sizeof(*exposition->vms));
    for (size_t i = 0; i < look->n_vms; i++)
        if (!want(exposition, &look->vms[i]))
            return false;
    if (!exposition->vms)
        return false;
    progress = progress_begin_vms(look->options.command, look->n_vms);
    look_each_vm(look, look->n_vms, ask, exposition);
    progress_end(progress);
    complain(exposition);
    return true;
}

static bool add_all(struct exposition *exposition, uint64_t begin_ns)
{
    struct look *look = exposition->look;
    bool is_host = !look_names_sockets(&look->options) || look->options.is_host;

    exposition->metrics = metrics_new();
    if (!exposition->metrics || !ask_all(exposition))
        return false;
    metrics_add_collector(exposition->metrics, is_host && !look->daemon ? KERNEL : "socket",
                          clock_now_ns() - begin_ns);
    if (is_host)
        add_host(exposition, begin_ns, look->daemon ? look->has_daemon_told : look->host != NULL);
    for (size_t i = 0; i < look->n_vms; i++)
        if (is_meant(exposition, i) && !has_ended(exposition, i))
            add_vm(exposition, i);
    return add_lost(exposition);
}

int exposition_take(struct exposition *exposition)
{
    struct look *look = exposition->look;
    uint64_t begin = clock_now_ns();
    int status = look_connect(look);

    if (status == 0 && look->n_vms)
        status = look_choose(look);
    if (!add_all(exposition, begin)) {
        metrics_free(exposition->metrics);
        exposition->metrics = NULL;
        return look_fail(look, NULL, "out of memory");
    }
    return status ? status : look->has_failed ? EXIT_FAILURE : 0;
}

void exposition_free(struct exposition *exposition)
{
    for (size_t i = 0; exposition->vms && i < exposition->look->n_vms; i++)
        sample_free(&exposition->vms[i].sample);
    for (size_t i = 0; exposition->names && i < exposition->look->n_lost; i++)
        free(exposition->names[i]);
    free(exposition->names);
    free(exposition->vms);
    metrics_free(exposition->metrics);
}
