/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "show/row_list.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "show/output.h"
#include "stats/histogram.h"

static void *need(void *memory)
{
    if (!memory)
        output_out_of_memory();
    return memory;
}

void row_list_add(struct row_list *list, const struct row *row)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 256;
        list->rows = need(reallocarray(list->rows, list->cap, sizeof(*list->rows)));
    }
    list->rows[list->n++] = *row;
}

void row_list_clear(struct row_list *list)
{
    list->n = 0;
    arena_reset(&list->sums);
}

void row_list_free(struct row_list *list)
{
    free(list->rows);
    arena_free(&list->sums);
    *list = (struct row_list){0};
}

void row_list_choose(struct row_list *list, bool (*is_wanted)(const struct row *row))
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        if (is_wanted(&list->rows[i]))
            list->rows[n++] = list->rows[i];
    list->n = n;
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* NULL comes first. */
static int compare_texts(const char *a, const char *b)
{
    if (!a || !b)
        return !!a - !!b;
    return a == b ? 0 : strcmp(a, b);
}

static int compare_meanings(const struct vitals_stat *a, const struct vitals_stat *b)
{
    const int differences[] = {
        a->type - b->type, a->unit - b->unit, a->base - b->base, a->exponent - b->exponent,
        (a->bucket_size > b->bucket_size) - (a->bucket_size < b->bucket_size)};

    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
        if (differences[i])
            return differences[i];
    return 0;
}

/* 0: they are the same statistic, of any VM. */
static int compare_stats(const struct row *a, const struct row *b)
{
    int order = compare_texts(a->target, b->target);

    if (order == 0)
        order = compare_texts(a->provider, b->provider);
    if (order == 0)
        order = compare_texts(a->stat->name, b->stat->name);
    if (order == 0)
        order = compare_meanings(a->stat, b->stat);
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

static int compare_vms(const struct row *a, const struct row *b)
{
    int order = compare_texts(a->vm, b->vm);

    return order ? order : compare_texts(a->socket, b->socket);
}

/* The row's place in the list says which came first. */
static int compare_in_vm(const void *a, const void *b)
{
    const struct row *one = *(const struct row *const *)a, *other = *(const struct row *const *)b;
    int order = compare_vms(one, other);

    if (order == 0)
        order = compare_stats(one, other);
    return order ? order : (one > other) - (one < other);
}

static int compare_in_all(const void *a, const void *b)
{
    const struct row *one = *(const struct row *const *)a, *other = *(const struct row *const *)b;
    int order = compare_stats(one, other);

    return order ? order : (one > other) - (one < other);
}

struct sum {
    const struct row *first; /* of those that are added */
    struct row row;
    uint64_t *totals, *before, *deltas; /* of the row */
};

static int compare_sums(const void *a, const void *b)
{
    const struct sum *one = a, *other = b;

    return (one->first > other->first) - (one->first < other->first);
}

/* NULL stays NULL. */
static uint64_t *copy_values(struct row_list *list, const struct row *row, const uint64_t *values)
{
    uint64_t *copy;

    if (!values)
        return NULL;
    copy = need(arena_alloc(&list->sums, row->n * sizeof(*copy)));
    memcpy(copy, values, row->n * sizeof(*copy));
    return copy;
}

/* NULL: one of them has none. */
static uint64_t *add_values(uint64_t *sums, const uint64_t *values, const struct row *row)
{
    if (!sums || !values)
        return NULL;
    for (size_t i = 0; i < row->n; i++) {
        if (row->stat->type == VITALS_PEAK)
            sums[i] = sums[i] > values[i] ? sums[i] : values[i];
        else if (__builtin_add_overflow(sums[i], values[i], &sums[i]))
            sums[i] = UINT64_MAX;
    }
    return sums;
}

static struct sum begin_sum(struct row_list *list, const struct row *row)
{
    struct sum sum = {
        .first = row,
        .row = *row,
        .totals = copy_values(list, row, row->totals),
        .before = copy_values(list, row, row->before),
        .deltas = copy_values(list, row, row->deltas),
    };

    sum.row.path = NULL;
    sum.row.vcpu = -1;
    sum.row.n_objects = 1;
    return sum;
}

static void add(struct sum *sum, const struct row *row)
{
    sum->totals = add_values(sum->totals, row->totals, row);
    sum->before = add_values(sum->before, row->before, row);
    sum->deltas = add_values(sum->deltas, row->deltas, row);
    sum->row.is_reset |= row->is_reset;
    if (sum->row.seconds < row->seconds)
        sum->row.seconds = row->seconds;
    if (sum->row.time < row->time)
        sum->row.time = row->time;
    sum->row.n_objects++;
}

static bool is_together(const struct row *a, const struct row *b, bool is_of_all)
{
    return compare_stats(a, b) == 0 && (is_of_all || compare_vms(a, b) == 0);
}

/* Appends them to @ret_sums in the order in which the first of each stands in the list. */
static void add_up(struct row_list *list, const struct row **rows, bool is_of_all,
                   struct row_list *ret_sums)
{
    struct sum *sums = need(calloc(list->n + 1, sizeof(*sums)));
    size_t n = 0;

    qsort(rows, list->n, sizeof(*rows), is_of_all ? compare_in_all : compare_in_vm);
    for (size_t i = 0; i < list->n; i++) {
        if (n && is_together(rows[i], sums[n - 1].first, is_of_all))
            add(&sums[n - 1], rows[i]);
        else
            sums[n++] = begin_sum(list, rows[i]);
    }
    qsort(sums, n, sizeof(*sums), compare_sums);
    for (size_t i = 0; i < n; i++) {
        struct row row = sums[i].row;

        row.totals = sums[i].totals;
        row.before = sums[i].before;
        row.deltas = sums[i].deltas;
        if (is_of_all) {
            row.vm = row.socket = NULL;
            row.origin = NULL;
        }
        row_list_add(ret_sums, &row);
    }
    free(sums);
}

static bool has_several_vms(const struct row_list *list)
{
    for (size_t i = 1; i < list->n; i++)
        if (compare_vms(&list->rows[0], &list->rows[i]) != 0)
            return true;
    return false;
}

void row_list_add_up(struct row_list *list)
{
    const struct row **rows = need(calloc(list->n + 1, sizeof(*rows)));
    struct row_list sums = {0};

    for (size_t i = 0; i < list->n; i++)
        rows[i] = &list->rows[i];
    add_up(list, rows, false, &sums);
    if (has_several_vms(list))
        add_up(list, rows, true, &sums);
    free(rows);
    free(list->rows);
    list->rows = sums.rows;
    list->n = sums.n;
    list->cap = sums.cap;
}

/* ---- order ---------------------------------------------------------------------------------- */

/* What a histogram shows is a count. */
static int unit_of(const struct row *row)
{
    return histogram_is(row->stat) ? VITALS_NONE : (int)row->stat->unit;
}

static double value_of(const struct row *row)
{
    double value = row->deltas ? row_rate(row) : (double)histogram_count(row->totals, row->n);

    return histogram_is(row->stat) ? value : value * pow(row->stat->base, row->stat->exponent);
}

/* What has been reset has no value. */
static int compare_values(const struct row *a, const struct row *b)
{
    double one = a->is_reset ? -1 : value_of(a), other = b->is_reset ? -1 : value_of(b);

    if (unit_of(a) != unit_of(b))
        return unit_of(a) - unit_of(b);
    return (one < other) - (one > other);
}

struct place {
    struct row row;
    size_t index;
};

static int compare_places(const void *a, const void *b, void *order)
{
    const struct place *one = a, *other = b;
    int result = *(enum row_order *)order == ROW_ORDER_NAME
                     ? strcmp(one->row.stat->name, other->row.stat->name)
                     : compare_values(&one->row, &other->row);

    return result ? result : (one->index > other->index) - (one->index < other->index);
}

void row_list_sort(struct row_list *list, enum row_order order)
{
    struct place *places;

    if (order == ROW_ORDER_GIVEN)
        return;
    places = need(calloc(list->n + 1, sizeof(*places)));
    for (size_t i = 0; i < list->n; i++)
        places[i] = (struct place){list->rows[i], i};
    qsort_r(places, list->n, sizeof(*places), compare_places, &order);
    for (size_t i = 0; i < list->n; i++)
        list->rows[i] = places[i].row;
    free(places);
}

void row_list_cut(struct row_list *list, enum row_order order, size_t n)
{
    size_t n_kept = 0, n_of_unit = 0;

    for (size_t i = 0; i < list->n; i++) {
        if (i > 0 && order == ROW_ORDER_VALUE &&
            unit_of(&list->rows[i]) != unit_of(&list->rows[i - 1]))
            n_of_unit = 0;
        if (n_of_unit++ < n)
            list->rows[n_kept++] = list->rows[i];
    }
    list->n = n_kept;
}
