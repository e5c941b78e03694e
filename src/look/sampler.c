/* SPDX-License-Identifier: MIT */
#include "look/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "look/look_watch.h"
#include "look/missing.h"
#include "look/progress.h"
#include "look/source.h"

static bool out_of_memory(const struct sampler *sampler)
{
    fprintf(stderr, "%s: out of memory\n", sampler->look->options.command);
    return false;
}

static bool name_vm(struct sampler_vm *vm, const char *name, const char *socket)
{
    free(vm->name);
    free(vm->socket);
    vm->name = strdup(name);
    vm->socket = strdup(socket);
    if (!vm->name || !vm->socket)
        return false;
    text_make_plain(vm->name);
    text_make_plain(vm->socket);
    return true;
}

/* A VM of this host has none, and is named by itself. */
static const char *socket_of(const struct sampler *sampler, const struct sampler_vm *vm)
{
    return sampler->look->host ? NULL : vm->socket;
}

static bool make_room(struct sampler *sampler, size_t n)
{
    struct sampler_vm *grown;

    if (sampler->vms && n <= sampler->n_vms)
        return true;
    grown = reallocarray(sampler->vms, n + 1, sizeof(*grown));
    if (!grown)
        return false;
    memset(&grown[sampler->n_vms], 0, (n + 1 - sampler->n_vms) * sizeof(*grown));
    sampler->vms = grown;
    sampler->n_vms = n;
    return true;
}

bool sampler_init(struct sampler *sampler, struct look *look)
{
    bool has_memory;

    *sampler = (struct sampler){.look = look};
    sampler->outcomes = calloc(look->n_vms + 1, sizeof(*sampler->outcomes));
    has_memory = sampler->outcomes && make_room(sampler, look->n_vms);
    for (size_t i = 0; has_memory && i < look->n_vms; i++) {
        const struct client *client = look->vms[i].client;

        sampler->vms[i].origin = client_origin(client);
        has_memory = name_vm(&sampler->vms[i], client_vm_name(client), client_path(client));
    }
    if (has_memory)
        return true;
    sampler_free(sampler);
    return out_of_memory(sampler);
}

static void free_vm(struct sampler_vm *vm)
{
    series_free(&vm->values);
    free(vm->name);
    free(vm->socket);
    free(vm->reason);
    *vm = (struct sampler_vm){0};
}

void sampler_free(struct sampler *sampler)
{
    for (size_t i = 0; sampler->vms && i < sampler->n_vms; i++)
        free_vm(&sampler->vms[i]);
    free(sampler->vms);
    free(sampler->outcomes);
    sampler->vms = NULL;
    sampler->outcomes = NULL;
    sampler->n_vms = 0;
}

static void note_time(struct sampler *sampler, double time)
{
    sampler->time = time;
    sampler->epoch = clock_unix_time() - (double)clock_now_ns() / 1e9;
}

/* ---- sampling ------------------------------------------------------------------------------- */

static int sample_vm(struct sampler *sampler, const struct look_vm *vm, struct series_vm *values,
                     struct client_error *error)
{
    const struct source source = {
        .client = vm->client,
        .wanted = vm->wanted,
        .paths = vm->paths,
        .n_paths = vm->n_paths,
        .objects = sampler->look->options.objects.n ? sampler->look->options.objects.all : NULL,
        .n_objects = sampler->look->options.objects.n,
        .wants_vm = look_wants_target(sampler->look, "vm"),
        .wants_vcpus = look_wants_target(sampler->look, "vcpu"),
        .wants_others = look_wants_target(sampler->look, CLIENT_OTHER_TARGETS),
    };
    struct sample sample;
    int err = source_sample(&source, &sample, error);

    if (err)
        return err;
    err = missing_check(&source, &sample, error);
    if (!err)
        series_take(values, &sample);
    sample_free(&sample);
    if (err)
        return err;
    if (values->has_failed)
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", client_path(vm->client));
    return 0;
}

static void sample_one(void *opaque, size_t i)
{
    struct sampler *sampler = opaque;
    struct look_vm *vm = &sampler->look->vms[i];

    sampler->outcomes[i].err =
        vm->client ? sample_vm(sampler, vm, &sampler->vms[i].values, &sampler->outcomes[i].error)
                   : 0;
    sampler->vms[i].is_here = vm->client && !sampler->outcomes[i].err;
}

static void tell_loss(struct look *look, int err, const struct client_error *error)
{
    if (look_has_ended(look, err))
        look_say(look, error);
    else
        look_complain(look, error);
}

static void drop(struct sampler *sampler, size_t i)
{
    struct look_vm *vm = &sampler->look->vms[i];

    tell_loss(sampler->look, sampler->outcomes[i].err, &sampler->outcomes[i].error);
    free_vm(&sampler->vms[i]);
    client_free(vm->client);
    vm->client = NULL;
}

size_t sampler_sample(struct sampler *sampler)
{
    struct progress *progress =
        progress_begin_vms(sampler->look->options.command, sampler->look->n_vms);
    double time = clock_unix_time();
    size_t n = 0;

    look_each_vm(sampler->look, sampler->look->n_vms, sample_one, sampler);
    note_time(sampler, time);
    progress_end(progress);
    for (size_t i = 0; i < sampler->look->n_vms; i++) {
        if (sampler->outcomes[i].err)
            drop(sampler, i);
        n += sampler->look->vms[i].client != NULL;
    }
    return n;
}

void sampler_wait(uint64_t *turn_ns, double interval)
{
    uint64_t now = clock_now_ns();

    *turn_ns += (uint64_t)(interval * 1e9);
    if (now > *turn_ns)
        *turn_ns = now; /* too slow for this interval: no hurry to catch up */
    clock_sleep_until(*turn_ns);
}

void sampler_wait_first(const struct sampler *sampler, uint64_t *turn_ns, double interval)
{
    struct progress *progress =
        progress_begin(sampler->look->options.command, "the first interval takes %g s", interval);

    sampler_wait(turn_ns, interval);
    progress_end(progress);
}

/* ---- what a watch has ----------------------------------------------------------------------- */

static bool lose(struct sampler *sampler, struct sampler_vm *vm, const struct watch_result *result)
{
    free(vm->reason);
    vm->reason = strdup(look_reason(&result->error, vm->socket));
    vm->since = result->since;
    vm->is_here = false;
    tell_loss(sampler->look, result->err, &result->error);
    return vm->reason;
}

static void say_is_back(struct sampler *sampler, const struct sampler_vm *vm)
{
    struct client_error news = {0};

    client_fail(&news, 0, NULL, "%s: is back", vm->socket);
    /* Of a host it is another one of that name. */
    if (look_is_of_host(sampler->look))
        look_say(sampler->look, &news);
    else
        look_complain(sampler->look, &news);
}

static bool take_sample(struct sampler *sampler, struct sampler_vm *vm,
                        const struct watch_result *result)
{
    if (result->is_back || vm->reason)
        say_is_back(sampler, vm);
    if (result->is_back)
        series_break(&vm->values);
    else if (result->is_renewed)
        series_renew(&vm->values);
    free(vm->reason);
    vm->reason = NULL;
    vm->is_here = true;
    if (!name_vm(vm, result->vm_name, result->path))
        return false;
    vm->origin = result->origin;
    series_take(&vm->values, &result->sample);
    return !vm->values.has_failed;
}

/* Before it has told its name, a VM has that of its socket. */
static bool find_vm(struct sampler_vm *vm, const char *key)
{
    const char *slash = key ? strrchr(key, '/') : NULL;

    return !key || vm->name || name_vm(vm, slash && slash[1] ? slash + 1 : key, key);
}

static bool take(struct sampler *sampler, struct watch *watch, size_t i)
{
    struct sampler_vm *vm = &sampler->vms[i];
    struct watch_result result;
    bool has_memory = find_vm(vm, watch_key(watch, i));

    vm->is_here = false;
    vm->silence = watch_silence(watch, i);
    if (!has_memory || !vm->name || !watch_take(watch, i, &result))
        return has_memory;
    if (result.has_sample)
        has_memory = take_sample(sampler, vm, &result);
    if (has_memory && result.is_lost)
        has_memory = lose(sampler, vm, &result);
    if (result.has_left)
        free_vm(vm);
    watch_result_free(&result);
    return has_memory;
}

bool sampler_take(struct sampler *sampler, struct watch *watch)
{
    size_t n = watch_count(watch);
    bool has_memory = make_room(sampler, n);

    note_time(sampler, watch_turn(watch).time);
    for (size_t i = 0; has_memory && i < n; i++)
        has_memory = take(sampler, watch, i);
    return has_memory || out_of_memory(sampler);
}

void sampler_each_absent(const struct sampler *sampler,
                         void (*show)(void *opaque, const struct row_absent *absent), void *opaque)
{
    for (size_t i = 0; i < sampler->n_vms; i++) {
        const struct sampler_vm *vm = &sampler->vms[i];
        struct row_absent absent = {vm->name, socket_of(sampler, vm), vm->reason, vm->since};
        char late[64];

        if (!vm->name || vm->is_here)
            continue;
        if (!vm->reason) {
            snprintf(late, sizeof(late), "no answer yet");
            absent.reason = late;
            absent.since = clock_unix_time() - vm->silence;
        }
        show(opaque, &absent);
    }
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct showing {
    const struct sampler *sampler;
    const struct sampler_vm *vm;
    bool wants_deltas;
    double epoch;
    void (*show)(void *opaque, const struct row *row);
    void *opaque;
};

static void show_series(const struct showing *showing, const struct series_object *object,
                        const struct series *series)
{
    struct row row = series_row(object, series);

    row.vm = showing->vm->name;
    row.socket = socket_of(showing->sampler, showing->vm);
    row.origin = showing->vm->origin;
    row.time = showing->epoch + (double)object->time_ns / 1e9;
    if (!showing->wants_deltas) {
        row.deltas = NULL;
        row.is_reset = false;
    } else if (row_is_counting(row.stat) && !row.deltas && !row.is_reset) {
        return;
    }
    showing->show(showing->opaque, &row);
}

void sampler_each(struct sampler *sampler, bool wants_deltas,
                  void (*show)(void *opaque, const struct row *row), void *opaque)
{
    struct showing showing = {sampler, NULL, wants_deltas, sampler->epoch, show, opaque};

    for (size_t i = 0; i < sampler->n_vms; i++) {
        const struct sampler_vm *vm = &sampler->vms[i];

        showing.vm = vm;
        for (size_t j = 0; vm->is_here && j < vm->values.n_objects; j++)
            for (size_t k = 0; k < vm->values.objects[j]->n_series; k++)
                show_series(&showing, vm->values.objects[j], vm->values.objects[j]->series[k]);
    }
}
