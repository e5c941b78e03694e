/* SPDX-License-Identifier: MIT */
/* Values over time: the last of each statistic of a VM, and what has come since. */
#ifndef LOOK_SERIES_H
#define LOOK_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "look/source.h"
#include "show/row.h"

/* A statistic of an object. */
struct series {
    const struct vitals_stat *stat;
    const char *provider, *target;
    int figure;         /* that it is a part of, in figures[]; -1: of none */
    bool is_cause;      /* counts exits of one cause */
    bool is_listed;     /* lists of VMs and vCPUs need it */
    size_t n;           /* 1, or the number of buckets */
    uint64_t *totals;   /* the memory of all three */
    uint64_t *deltas;   /* since the sample before, where has_deltas */
    uint64_t *baseline; /* what the totals were at series_rebase() */
    double seconds;     /* since the sample before */
    double
        steady; /* seconds for which the totals have been what they are, as far as samples tell */
    bool has_deltas, is_reset;
    unsigned seen; /* in which sample of the VM it came last */
};

struct series_object {
    const char *target;
    char *path;     /* NULL: the VM */
    int64_t vcpu;   /* -1: no vCPU, or one without a number */
    int64_t thread; /* of the vCPU; below 1: not known */
    enum client_state state;
    struct series **series;
    size_t n_series;
    struct series **listed; /* of these, those that lists of VMs and vCPUs need */
    size_t n_listed;
    struct series **causes; /* and those that count exits of one cause */
    size_t n_causes;
    uint64_t time_ns; /* as in struct client_snapshot */
    unsigned seen;
    bool is_reversed; /* how its histograms came */
};

struct series_vm {
    struct series_object **objects; /* the VM itself first */
    size_t n_objects;
    struct client_status status;
    unsigned n_samples;
    bool is_back;    /* the next sample is the first after a gap */
    bool is_renewed; /* its descriptions are others; */
    bool is_reset;   /* one of the totals has gone down with the last sample */
    bool has_failed; /* no memory */
    /* Told of each series and object that is about to be freed between two samples; or NULL. */
    void (*forget)(void *opaque, const void *gone);
    void *opaque;
};

enum series_since { SERIES_SAMPLE, SERIES_BASELINE, SERIES_BEGIN };

/*
 * What is not in the sample is dropped. The statistics' descriptions must stay until the sample behind
 * series_break() or series_renew(), or until all is only freed; all else is copied.
 */
void series_take(struct series_vm *vm, const struct sample *sample);

/* Nothing comes any more: the totals stay. */
void series_stop(struct series_vm *vm);

/*
 * Behind a gap, perhaps with other statistics, or counting from 0. The next sample must follow at
 * once; nothing in that is compared with what was before, and the baseline is there.
 */
void series_break(struct series_vm *vm);

/* No gap, but the next sample has other descriptions: perhaps of more statistics than before. */
void series_renew(struct series_vm *vm);

/* The baseline is the last sample. */
void series_rebase(struct series_vm *vm);

void series_free(struct series_vm *vm);

bool series_is_vcpu(const struct series_object *object);
size_t series_count_vcpus(const struct series_vm *vm);

/* Whether another provider has a statistic of its name, too. */
bool series_has_namesake(const struct series_object *object, const struct series *series);

/* What bucket @i, or the value, has counted since its begin or the baseline. */
uint64_t series_total(const struct series *series, size_t i, enum series_since since);

/* As verbs show it, since the sample before. */
struct row series_row(const struct series_object *object, const struct series *series);

#endif
