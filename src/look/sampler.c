/* SPDX-License-Identifier: MIT */
#include "look/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/at_once.h"
#include "base/clock.h"
#include "look/progress.h"
#include "look/source.h"

bool sampler_init(struct sampler *sampler, struct look *look)
{
    *sampler = (struct sampler){.look = look};
    sampler->vms = calloc(look->n_vms + 1, sizeof(*sampler->vms));
    sampler->outcomes = calloc(look->n_vms + 1, sizeof(*sampler->outcomes));
    if (sampler->vms && sampler->outcomes)
        return true;
    sampler_free(sampler);
    fprintf(stderr, "%s: out of memory\n", look->options.command);
    return false;
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
        .wants_vm = look_wants_target(sampler->look, "vm"),
        .wants_vcpus = look_wants_target(sampler->look, "vcpu"),
        .wants_others = look_wants_target(sampler->look, CLIENT_OTHER_TARGETS),
    };
    struct sample sample;
    int err = source_sample(&source, &sample, error);

    if (err)
        return err;
    series_take(values, &sample);
    sample_free(&sample);
    if (values->has_failed)
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", client_path(vm->client));
    return 0;
}

static void sample_one(void *opaque, size_t i)
{
    struct sampler *sampler = opaque;
    struct look_vm *vm = &sampler->look->vms[i];

    sampler->outcomes[i].err =
        vm->client ? sample_vm(sampler, vm, &sampler->vms[i], &sampler->outcomes[i].error) : 0;
}

static void drop(struct sampler *sampler, size_t i)
{
    struct look_vm *vm = &sampler->look->vms[i];

    /* VMs of a host come and go; one that was named is missed. */
    if (sampler->look->host && sampler->outcomes[i].err == -ESRCH)
        look_say(sampler->look, &sampler->outcomes[i].error);
    else
        look_complain(sampler->look, &sampler->outcomes[i].error);
    series_free(&sampler->vms[i]);
    client_free(vm->client);
    vm->client = NULL;
}

size_t sampler_sample(struct sampler *sampler)
{
    struct progress *progress =
        progress_begin_vms(sampler->look->options.command, sampler->look->n_vms);
    size_t n = 0;

    sampler->time = clock_unix_time();
    at_once(sampler->look->n_vms, sample_one, sampler);
    sampler->epoch = clock_unix_time() - (double)clock_now_ns() / 1e9;
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

void sampler_free(struct sampler *sampler)
{
    for (size_t i = 0; sampler->vms && i < sampler->look->n_vms; i++)
        series_free(&sampler->vms[i]);
    free(sampler->vms);
    free(sampler->outcomes);
    sampler->vms = NULL;
    sampler->outcomes = NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct showing {
    const struct client *client;
    bool wants_deltas;
    double epoch;
    void (*show)(void *opaque, const struct row *row);
    void *opaque;
};

static void show_series(const struct showing *showing, const struct series_object *object,
                        const struct series *series)
{
    struct row row = series_row(object, series);

    row.vm = client_vm_name(showing->client);
    row.socket = client_socket(showing->client);
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
    struct showing showing = {NULL, wants_deltas, sampler->epoch, show, opaque};

    for (size_t i = 0; i < sampler->look->n_vms; i++) {
        const struct series_vm *vm = &sampler->vms[i];

        showing.client = sampler->look->vms[i].client;
        for (size_t j = 0; showing.client && j < vm->n_objects; j++)
            for (size_t k = 0; k < vm->objects[j]->n_series; k++)
                show_series(&showing, vm->objects[j], vm->objects[j]->series[k]);
    }
}
