/* SPDX-License-Identifier: MIT */
/*
 * Values of VMs as OpenMetrics 1.0 and Prometheus's text format 0.0.4 have them. Whoever has values
 * adds VM by VM, of a VM object by object, of an object value by value; then all is written, family
 * by family, as often as wanted. It knows nothing of where they come from.
 *
 *      metrics_add_vm(metrics, &vm);
 *      metrics_add_object(metrics, "vcpu", path, 0);
 *      metrics_add_value(metrics, "kvm", &stat, values, 1);
 *      metrics_write(metrics, &form, &sink, &report);
 *
 * All that is added is borrowed until metrics_clear() or metrics_free(). One thread at a time.
 */
#ifndef METRICS_OPENMETRICS_H
#define METRICS_OPENMETRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vitals/stats.h"
#include "base/buf.h"

struct metrics;

/* A VM, or what was to be one: a source that gives nothing has no objects. */
struct metrics_vm {
    const char *name;   /* need not be unique: those that share one become NAME@PID. NULL: this is
                               no VM, but where VMs come from */
    const char *source; /* what tells it from others: the path of a socket, "kernel" */
    const char *uuid, *vmm; /* NULL: not known */
    const char *way;        /* by which it is read: "socket", "kernel"; or NULL */
    int64_t pid;            /* -1: not known */
    bool is_down;           /* it could not be asked */
    bool has_uid;
    uint32_t uid;     /* whose it is: users share the number of series. Those without are one */
    uint64_t time_ns; /* when it was asked last, and answered, since 1970; 0: not known */
};

/* Lack of memory is remembered: metrics_write() says so. */
struct metrics *metrics_new(void);
void metrics_clear(struct metrics *metrics);
void metrics_free(struct metrics *metrics);

/* Whether a statistic is exposed; NULL: all are. Asked once for each. */
typedef bool (*metrics_wants)(const void *opaque, const char *provider, const char *target,
                              const struct vitals_stat *stat);

/*
 * Values of the kernel's statistics that are not wanted are left out, when they are added: a row has many. The names
 * of families are those of all. To be called when nothing has been added yet; metrics_clear() forgets it. A
 * form must want no more, and whoever wants a histogram all counters.
 */
void metrics_want(struct metrics *metrics, metrics_wants wants, const void *opaque);

void metrics_add_vm(struct metrics *metrics, const struct metrics_vm *vm);

/* Of the VM that was added last. @path: NULL is the VM itself; @number: of a vCPU, or -1. */
void metrics_add_object(struct metrics *metrics, const char *target, const char *path,
                        int64_t number);

/* Of the object that was added last, which has each statistic of a provider once. @n: of buckets, or 1. */
void metrics_add_value(struct metrics *metrics, const char *provider,
                       const struct vitals_stat *stat, const uint64_t *values, size_t n);

/*
 * The same for all statistics of a row, each of which has its slot there. Objects of one target whose rows
 * are alike should have the same @stats: what is to be found of them is looked for once.
 */
void metrics_add_row(struct metrics *metrics, const char *provider, const struct vitals_stat *stats,
                     size_t n_stats, const uint64_t *row);

/* How long one of those who obtain values took. */
void metrics_add_collector(struct metrics *metrics, const char *name, uint64_t duration_ns);

/* ---- writing -------------------------------------------------------------------------------- */

enum metrics_format { METRICS_OPENMETRICS, METRICS_PROMETHEUS };

struct metrics_form {
    enum metrics_format format;
    bool is_thin;      /* of a logarithmic histogram every second bound of the upper two thirds */
    size_t series_max; /* 0: any number */
    uint64_t duration_ns; /* of all the work so far; 0: not known */
    metrics_wants wants;
    const void *opaque;
};

/* Takes a piece of the text; false: no more. */
struct metrics_sink {
    bool (*put)(void *opaque, const char *bytes, size_t len); /* NULL: it is only counted */
    void *opaque;
    struct buf
        *whole; /* or: all is appended to it, without copies; at an error it may be cut short */
};

/* Why there are series that were left out. */
enum metrics_reason {
    METRICS_LIMIT, /* they are too many: of a user whole families are left out, histograms first */
    METRICS_NAME,  /* another statistic has this name: the kernel's, or that of more users, or
                         of who came before */
    METRICS_EXPONENT, /* the values can't be scaled */
    METRICS_OBJECT,   /* the VM has given an object twice */
    METRICS_REASONS,
};

struct metrics_report {
    size_t n_series, n_bytes;
    size_t of_vcpus;       /* series of values of vCPUs */
    size_t of_itself;      /* those that are there without any VM */
    size_t n_vms, n_vcpus; /* that have been asked */
    size_t dropped[METRICS_REASONS];
};

/* 0; -ENOMEM: nothing useful was written; -EPIPE: the sink takes no more. @ret_report may be NULL. */
int metrics_write(struct metrics *metrics, const struct metrics_form *form,
                  const struct metrics_sink *sink, struct metrics_report *ret_report);

#endif
