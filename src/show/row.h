/* SPDX-License-Identifier: MIT */
/* One statistic of one object, as verbs show it: a value, or a histogram. */
#ifndef SHOW_ROW_H
#define SHOW_ROW_H

#include "vitals/stats.h"
#include "show/quantity.h"

struct client_origin; /* client/client.h */

struct row {
    const char *vm, *socket;            /* vm NULL: all VMs together */
    const struct client_origin *origin; /* of the VM; NULL: not known */
    const char *target;                 /* "vm", "vcpu", or another */
    const char *path;                   /* NULL: the VM */
    int64_t vcpu;                       /* -1: no vCPU, or one that the peer did not list */
    const char *provider;
    const struct vitals_stat *stat;
    const uint64_t *totals; /* as they are */
    const uint64_t *before; /* in the sample before, where that is shown, too; or NULL */
    const uint64_t *deltas; /* what came since the sample before; NULL: none before, or a reset */
    size_t n;               /* 1, or the number of buckets */
    bool is_reset;          /* one of the totals has gone down */
    double seconds;         /* since the sample before */
    size_t n_objects;       /* that are added up; 0: it is of one */
    double time;            /* when the reply had come, seconds since 1970; 0: not known */
};

/* Whether the difference of two values says something. */
bool row_is_counting(const struct vitals_stat *stat);

/* Writes @totals - @before over @before. False: one has gone down, and @before is of no use. */
bool row_subtract(uint64_t *before, const uint64_t *totals, size_t n);

/* What a person wants: the deltas where there are any, or else the totals. */
const uint64_t *row_values(const struct row *row);
bool row_is_nonzero(const struct row *row);

/* All values per second; there are deltas. */
double row_rate(const struct row *row);

/* "4.2 ms", "123", "1.5 KiB/s", "reset"; of a histogram how many values it counts. */
void row_number(char text[2 * QUANTITY_MAX], const struct row *row);

/* "vm", "vcpu 3", or the path; of sums "4 vCPUs", "3 VMs". */
const char *row_object(char text[QUANTITY_MAX], const struct row *row);

#endif
