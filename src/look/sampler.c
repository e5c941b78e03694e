/* SPDX-License-Identifier: MIT */
#include "look/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/at_once.h"
#include "look/progress.h"
#include "stats/histogram.h"

static const char *const targets[SAMPLER_TARGETS] = {"vm", "vcpu"};

bool sampler_init(struct sampler *sampler, struct look *look)
{
    *sampler = (struct sampler){.look = look};
    sampler->samples = calloc(look->n_vms + 1, sizeof(*sampler->samples));
    sampler->outcomes = calloc(look->n_vms + 1, sizeof(*sampler->outcomes));
    if (sampler->samples && sampler->outcomes)
        return true;
    sampler_free(sampler);
    fprintf(stderr, "%s: out of memory\n", look->options.command);
    return false;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- sampling ------------------------------------------------------------------------------- */

static void free_samples(struct samples *samples)
{
    for (size_t i = 0; i < SAMPLER_TARGETS; i++) {
        client_snapshot_free(samples->now[i]);
        client_snapshot_free(samples->before[i]);
        samples->now[i] = samples->before[i] = NULL;
    }
}

/* What was now is before. */
static void age(struct samples *samples)
{
    for (size_t i = 0; i < SAMPLER_TARGETS; i++) {
        client_snapshot_free(samples->before[i]);
        samples->before[i] = samples->now[i];
        samples->now[i] = NULL;
    }
}

static int sample_vm(struct sampler *sampler, struct look_vm *vm, struct samples *samples,
                     struct client_error *error)
{
    int err = 0;

    age(samples);
    for (size_t i = 0; i < SAMPLER_TARGETS && !err; i++) {
        const struct client_request request = {
            .target = targets[i],
            .wanted = vm->wanted,
            .paths = i ? vm->paths : NULL,
            .n_paths = vm->n_paths,
        };

        if (look_wants_target(sampler->look, targets[i]) && !(request.paths && !request.n_paths))
            err = client_query(vm->client, &request, &samples->now[i], error);
    }
    return err;
}

static void sample_one(void *opaque, size_t i)
{
    struct sampler *sampler = opaque;
    struct look_vm *vm = &sampler->look->vms[i];

    sampler->outcomes[i].err =
        vm->client ? sample_vm(sampler, vm, &sampler->samples[i], &sampler->outcomes[i].error) : 0;
}

static void drop(struct sampler *sampler, size_t i)
{
    struct look_vm *vm = &sampler->look->vms[i];

    look_complain(sampler->look, &sampler->outcomes[i].error);
    free_samples(&sampler->samples[i]);
    client_free(vm->client);
    vm->client = NULL;
}

size_t sampler_sample(struct sampler *sampler)
{
    struct progress *progress =
        progress_begin_vms(sampler->look->options.command, sampler->look->n_vms);
    size_t n = 0;

    sampler->time = seconds_of(CLOCK_REALTIME);
    at_once(sampler->look->n_vms, sample_one, sampler);
    sampler->epoch = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_MONOTONIC);
    progress_end(progress);
    for (size_t i = 0; i < sampler->look->n_vms; i++) {
        if (sampler->outcomes[i].err)
            drop(sampler, i);
        n += sampler->look->vms[i].client != NULL;
    }
    return n;
}

void sampler_wait(struct timespec *turn, double interval)
{
    long long ns = turn->tv_nsec + (long long)(interval * 1e9);
    struct timespec now;

    turn->tv_sec += (time_t)(ns / 1000000000);
    turn->tv_nsec = (long)(ns % 1000000000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > turn->tv_sec || (now.tv_sec == turn->tv_sec && now.tv_nsec > turn->tv_nsec))
        *turn = now; /* too slow for this interval: no hurry to catch up */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, turn, NULL) == EINTR)
        ;
}

void sampler_wait_first(const struct sampler *sampler, struct timespec *turn, double interval)
{
    struct progress *progress =
        progress_begin(sampler->look->options.command, "the first interval takes %g s", interval);

    sampler_wait(turn, interval);
    progress_end(progress);
}

void sampler_free(struct sampler *sampler)
{
    for (size_t i = 0; sampler->samples && i < sampler->look->n_vms; i++)
        free_samples(&sampler->samples[i]);
    free(sampler->samples);
    free(sampler->outcomes);
    sampler->samples = NULL;
    sampler->outcomes = NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Samples of a VM have the same order, so that the object mostly is where it is expected. */
static const struct client_object *find_object(const struct client_snapshot *snapshot,
                                               const char *path, size_t expected)
{
    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++) {
        const struct client_object *object =
            &snapshot->objects[(expected + i) % snapshot->n_objects];
        if (path && object->path ? !strcmp(path, object->path) : path == object->path)
            return object;
    }
    return NULL;
}

/* What there is to subtract from @value: as many buckets, in the same order. */
static uint64_t *find_values(const struct client_object *object_before, bool is_turned,
                             const struct client_value *value)
{
    const struct client_value *before =
        object_before ? client_find_value(object_before, value->stat) : NULL;

    if (!before || before->n_values != value->n_values ||
        (is_turned && histogram_is(&value->stat->desc)))
        return NULL;
    return before->values;
}

struct showing {
    bool wants_deltas;
    double epoch;
    void (*show)(void *opaque, const struct row *row);
    void *opaque;
};

/* @before: what to subtract, or NULL. */
static void show_value(const struct showing *showing, struct row row,
                       const struct client_value *value, uint64_t *before)
{
    row.target = value->stat->target;
    row.provider = value->stat->provider;
    row.stat = &value->stat->desc;
    row.totals = value->values;
    row.n = value->n_values;
    if (showing->wants_deltas && row_is_counting(row.stat)) {
        if (!before)
            return;
        row.is_reset = !row_subtract(before, row.totals, row.n);
        row.deltas = row.is_reset ? NULL : before;
    }
    showing->show(showing->opaque, &row);
}

static void show_snapshot(const struct showing *showing, const struct client *client,
                          const struct client_snapshot *now, const struct client_snapshot *before)
{
    bool is_turned = now && before && now->is_reversed != before->is_reversed;

    for (size_t i = 0; now && i < now->n_objects; i++) {
        const struct client_object *object = &now->objects[i];
        const struct client_object *object_before = find_object(before, object->path, i);
        const struct row row = {
            .vm = client_vm_name(client),
            .socket = client_path(client),
            .path = object->path,
            .vcpu = object->cpu_index,
            .seconds = before ? (double)(now->time_ns - before->time_ns) / 1e9 : 0,
            .time = showing->epoch + (double)now->time_ns / 1e9,
        };

        for (size_t j = 0; j < object->n_values; j++)
            show_value(showing, row, &object->values[j],
                       find_values(object_before, is_turned, &object->values[j]));
    }
}

void sampler_each(struct sampler *sampler, bool wants_deltas,
                  void (*show)(void *opaque, const struct row *row), void *opaque)
{
    const struct showing showing = {wants_deltas, sampler->epoch, show, opaque};

    for (size_t i = 0; i < sampler->look->n_vms; i++) {
        const struct samples *samples = &sampler->samples[i];
        const struct client *client = sampler->look->vms[i].client;

        for (size_t j = 0; client && j < SAMPLER_TARGETS; j++)
            show_snapshot(&showing, client, samples->now[j], samples->before[j]);
    }
}
