/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reader of snapshots, and what `vitals diff` makes of two of them: the bytes are a
 * snapshot up to the first line feed, and another behind it. What is read can be shown in any form,
 * and what is printed as JSON is a snapshot again, with as many rows and the same values.
 */
#define _GNU_SOURCE
#include <math.h>
#include <string.h>

#include "show/row_output.h"
#include "look/snapshot_life.h"
#include "stats/histogram.h"
#include "base/text.h"
#include "fuzz.h"
#include "show/histogram_text.h"

/* ---- reading -------------------------------------------------------------------------------- */

static void check_name(const char *name)
{
    CHECK(name && *name && strlen(name) <= CLIENT_NAME_MAX && text_is_plain(name));
}

static void check_row(const struct snapshot_file *snapshot, size_t i)
{
    const struct row *row = &snapshot->rows[i];

    check_name(row->vm);
    check_name(row->socket);
    check_name(row->stat->name);
    check_name(row->provider);
    if (row->path)
        check_name(row->path);
    CHECK(row->vcpu >= -1);
    CHECK(row->n >= 1 && row->n <= snapshot->n_values_max);
    CHECK(row->n == 1 || histogram_is(row->stat));
    CHECK(snapshot_find(snapshot, row, snapshot->is_alone[i], i) == row);
    CHECK(snapshot_find(snapshot, row, false, snapshot->n_rows) != NULL);
}

static bool read_snapshot(const uint8_t *data, size_t size, struct snapshot_file *snapshot)
{
    char error[SNAPSHOT_ERROR_MAX] = "";

    if (snapshot_parse("fuzzed", (const char *)data, size, snapshot, error)) {
        CHECK(!strncmp(error, "fuzzed: ", 8) && error[8]);
        CHECK(!snapshot->n_rows && !snapshot->rows);
        return false;
    }
    CHECK(snapshot->time >= 0 && snapshot->time <= SNAPSHOT_TIME_MAX);
    for (size_t i = 0; i < snapshot->n_rows; i++)
        check_row(snapshot, i);
    return true;
}

/* ---- showing -------------------------------------------------------------------------------- */

static void show_as_text(const struct row *row)
{
    char number[2 * QUANTITY_MAX], object[QUANTITY_MAX];
    struct buf text = {0};

    row_number(number, row);
    CHECK(text_is_plain(number) && text_is_plain(row_object(object, row)));
    CHECK(!row->deltas || isfinite(row_rate(row)));
    if (histogram_is(row->stat) && !row->is_reset) {
        histogram_text_put_percentiles(&text, row->stat, row_values(row), row->n);
        histogram_text_put(&text, row->stat, row_values(row), row->n, 80, true);
    }
    buf_free(&text);
}

static void check_deltas(const struct row *row)
{
    CHECK(row->seconds > 0 && isfinite(row->seconds));
    CHECK(row_is_counting(row->stat) == (row->is_reset || row->deltas));
    for (size_t i = 0; row->deltas && i < row->n; i++)
        CHECK(row->before[i] + row->deltas[i] == row->totals[i]);
}

/* Prints what is in both. Returns how many rows that are. */
static size_t show(const struct snapshot_file *before, const struct snapshot_file *after,
                   enum output_format format)
{
    struct row_output output = {.to.format = format, .has_vm = true, .is_rates = true};
    uint64_t *deltas = calloc(after->n_values_max + 1, sizeof(*deltas));
    bool *resets = snapshot_find_resets(before, after);
    struct row row;
    size_t n = 0;

    CHECK(resets);
    row_output_begin(&output, after->time);
    for (size_t i = 0; i < after->n_rows; i++) {
        if (!snapshot_subtract(before, after, i, resets[i], deltas, &row))
            continue;
        check_deltas(&row);
        show_as_text(&row);
        row_output_add(&output, &row);
        n++;
    }
    row_output_end(&output);
    row_output_free(&output);
    free(deltas);
    free(resets);
    return n;
}

/* The same, into memory in the place of standard output. */
static size_t show_in_memory(const struct snapshot_file *before, const struct snapshot_file *after,
                             enum output_format format, char **ret_text, size_t *ret_len)
{
    FILE *normal = stdout;
    size_t n;

    stdout = open_memstream(ret_text, ret_len);
    CHECK(stdout);
    n = show(before, after, format);
    fclose(stdout);
    stdout = normal;
    return n;
}

static void check_same(const struct row *a, const struct row *b)
{
    CHECK(!strcmp(a->vm, b->vm) && !strcmp(a->stat->name, b->stat->name));
    CHECK(a->n == b->n && !memcmp(a->totals, b->totals, a->n * sizeof(*a->totals)));
}

static void check_json(const struct snapshot_file *before, const struct snapshot_file *after)
{
    struct snapshot_file again;
    char *text;
    size_t len, n = show_in_memory(before, after, OUTPUT_JSON, &text, &len), at = 0;

    CHECK(len && text[len - 1] == '\n');
    CHECK(read_snapshot((const uint8_t *)text, len - 1, &again));
    CHECK(again.n_rows == n);
    for (size_t i = 0; i < after->n_rows; i++)
        if (snapshot_find(before, &after->rows[i], after->is_alone[i], i))
            check_same(&again.rows[at++], &after->rows[i]);
    snapshot_free(&again);
    free(text);
}

static void check_diff(const struct snapshot_file *before, const struct snapshot_file *after)
{
    char *text;
    size_t len;

    check_json(before, after);
    show_in_memory(before, after, OUTPUT_CSV, &text, &len);
    free(text);
    show_in_memory(before, after, OUTPUT_TABLE, &text, &len);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    struct snapshot_file before, after;

    if (!read_snapshot(data, len, &before))
        return 0;
    if (end && read_snapshot(end + 1, size - len - 1, &after)) {
        if (snapshot_is_later(&after, &before))
            check_diff(&before, &after);
        snapshot_free(&after);
    }
    snapshot_free(&before);
    return 0;
}
