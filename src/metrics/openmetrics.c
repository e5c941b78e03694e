/* SPDX-License-Identifier: MIT */
/* Values as text: family by family, and in a family object by object. */
#define _GNU_SOURCE
#include "metrics/openmetrics.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/pieces.h"
#include "metrics/decimal.h"
#include "metrics/internal.h"
#include "stats/histogram.h"

enum {
    END_MAX = 8,    /* of the name of a sample: "_bucket" */
    LABELS_END = 2, /* of a sample that has no further ones: "} " */
};

/* ---- out ------------------------------------------------------------------------------------ */

/* Into a whole text all is written at its place. */
static bool is_whole(const struct writer *to)
{
    return to->sink && to->sink->whole;
}

static void give(struct writer *to)
{
    to->report.n_bytes += to->out.len;
    if (to->sink && to->sink->put && !to->is_refused)
        to->is_refused = !to->sink->put(to->sink->opaque, to->out.data, to->out.len);
    to->out.len = 0;
}

void writer_flush(struct writer *to)
{
    if (to->out.len >= METRICS_CHUNK && !is_whole(to))
        give(to);
}

/* Most texts here are one piece or two. */
static inline char *put_text(char *at, const char *text, size_t len)
{
    return pieces_copy(at, text, len, METRICS_PIECE);
}

/* Room for a line of @len bytes and a number. NULL: no memory. */
static inline char *begin_line(struct writer *to, size_t len)
{
    size_t more = len + END_MAX + DECIMAL_MAX + METRICS_PIECE;

    writer_flush(to);
    if (to->out.cap - to->out.len < more && !buf_reserve(&to->out, more))
        return NULL;
    return to->out.data + to->out.len;
}

static inline void end_line(struct writer *to, char *at)
{
    *at++ = '\n';
    to->out.len = (size_t)(at - to->out.data);
}

/* The one format has quotes escaped, the other one not. */
static void put_help_text(struct writer *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || (*text == '"' && to->form->format == METRICS_OPENMETRICS))
            buf_append(&to->out, "\\", 1);
        buf_append(&to->out, text, 1);
    }
    buf_puts(&to->out, "\n");
}

void writer_put_head(struct writer *to, const char *name, enum family_kind kind, const char *unit,
                     const char *help)
{
    static const char *const kinds[][2] = {[FAMILY_COUNTER] = {"counter", "counter"},
                                           [FAMILY_GAUGE] = {"gauge", "gauge"},
                                           [FAMILY_HISTOGRAM] = {"histogram", "histogram"},
                                           [FAMILY_INFO] = {"info", "gauge"}};
    bool is_prometheus = to->form->format == METRICS_PROMETHEUS;
    const char *end = is_prometheus && kind == FAMILY_COUNTER ? "_total"
                      : is_prometheus && kind == FAMILY_INFO  ? "_info"
                                                              : "";

    buf_printf(&to->out, "# TYPE %s%s %s\n", name, end, kinds[kind][is_prometheus]);
    if (unit && !is_prometheus)
        buf_printf(&to->out, "# UNIT %s %s\n", name, unit);
    buf_printf(&to->out, "# HELP %s%s ", name, end);
    put_help_text(to, help);
}

/* ---- bounds of histograms ------------------------------------------------------------------- */

/*
 * The bound below which are the values of all buckets before @bucket. False: there is none, as it is
 * not above the one before.
 */
static bool find_bound(const struct column *column, size_t bucket, uint64_t *bound)
{
    uint64_t before = *bound;

    *bound = histogram_lower_bound(column->stat, bucket);
    return *bound > before && *bound != UINT64_MAX;
}

static bool is_kept(const struct writer *to, const struct column *column, size_t bucket)
{
    if (!to->form->is_thin)
        return true;
    if (column->stat->type == VITALS_LINEAR_HIST)
        return bucket % 2 == 0;
    return bucket % 2 == 1 && bucket > column->n_max / 3;
}

static void add_bound(struct writer *to, struct column *column, size_t bucket, uint64_t value)
{
    struct buf *texts = &to->metrics->texts;
    struct bound *bound = &column->bounds[column->n_bounds++];

    *bound = (struct bound){.bucket = bucket, .at = texts->len};
    buf_puts(texts, ",le=\"");
    if (buf_reserve(texts, DECIMAL_MAX))
        texts->len = (size_t)(decimal_put_bound(texts->data + texts->len, value, column->stat->base,
                                                column->stat->exponent) -
                              texts->data);
    buf_puts(texts, "\"} ");
    bound->len = texts->len - bound->at;
}

/* The last bucket has none. Beyond the end of the numbers there are none, either. */
static void find_bounds(struct writer *to, struct column *column)
{
    uint64_t value = 0;

    free(column->bounds);
    column->n_bounds = 0;
    column->bounds = calloc(column->n_max + 1, sizeof(*column->bounds));
    to->metrics->failed |= !column->bounds;
    for (size_t i = 1; column->bounds && i < column->n_max && find_bound(column, i, &value); i++)
        if (is_kept(to, column, i))
            add_bound(to, column, i, value);
    to->metrics->failed |= to->metrics->texts.failed;
}

/* Those of an object with @n buckets. */
static size_t count_bounds(const struct column *column, size_t n)
{
    size_t n_bounds = column->n_bounds;

    while (n_bounds && column->bounds[n_bounds - 1].bucket >= n)
        n_bounds--;
    return n_bounds;
}

/* ---- how much there is ---------------------------------------------------------------------- */

/* The sums of all objects, one after the other. */
struct sums {
    const struct column *column; /* NULL: there are none */
    size_t next;
};

static struct sums sums_of(const struct metrics *metrics, const struct column *column)
{
    return (struct sums){column->sum == NO_NUMBER ? NULL : &metrics->columns[column->sum], 0};
}

/* Objects come in their order. NULL: this one has none. */
static const uint64_t *find_sum(struct sums *sums, uint32_t object)
{
    const struct column *column = sums->column;

    while (column && sums->next < column->n_cells && column->cells[sums->next].object < object)
        sums->next++;
    if (!column || sums->next == column->n_cells || column->cells[sums->next].object != object)
        return NULL;
    return &column->cells[sums->next].value;
}

static size_t count_cell(const struct column *column, const struct cell *cell, struct sums *sums)
{
    if (!column->is_histogram)
        return 1;
    return count_bounds(column, cell->n) + 1 + (find_sum(sums, cell->object) ? 2 : 0);
}

static size_t count_column(struct writer *to, const struct column *column)
{
    struct sums sums = sums_of(to->metrics, column);
    size_t n = 0;

    if (!column->is_histogram && !to->metrics->n_repeated)
        return column->n_cells;
    for (size_t i = 0; i < column->n_cells; i++) {
        const struct cell *cell = &column->cells[i];
        size_t of_cell = count_cell(column, cell, &sums);

        if (to->metrics->objects[cell->object].is_repeated)
            to->report.dropped[METRICS_OBJECT] += of_cell;
        else
            n += of_cell;
    }
    return n;
}

static void note_series(struct writer *to, const struct column *column, size_t n)
{
    to->report.n_series += n;
    if (!strcmp(column->target, "vcpu"))
        to->report.of_vcpus += n;
}

static size_t count_family(struct writer *to, const struct family *family)
{
    size_t n = 0;

    for (uint32_t i = family->first; i != NO_NUMBER; i = to->metrics->columns[i].next_in_family) {
        const struct column *column = &to->metrics->columns[i];
        size_t of_column = column->is_wanted ? count_column(to, column) : 0;

        note_series(to, column, of_column);
        n += of_column;
    }
    return n;
}

/* ---- what there is no room for -------------------------------------------------------------- */

static void count_column_of_users(const struct metrics *metrics, const struct column *column)
{
    struct sums sums = sums_of(metrics, column);

    for (size_t i = 0; i < column->n_cells; i++) {
        const struct object *object = &metrics->objects[column->cells[i].object];
        size_t n = count_cell(column, &column->cells[i], &sums);

        if (!object->is_repeated)
            metrics->users[metrics->vms[object->vm].user].count += n;
    }
}

static void begin_count(const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->n_users; i++)
        metrics->users[i].count = 0;
}

static void count_family_of_users(const struct metrics *metrics, const struct family *family)
{
    begin_count(metrics);
    for (uint32_t i = family->first; i != NO_NUMBER; i = metrics->columns[i].next_in_family)
        if (metrics->columns[i].is_wanted)
            count_column_of_users(metrics, &metrics->columns[i]);
}

/* Half of what a user has of a family would make wrong sums. */
static void cut(struct writer *to, struct family *family, size_t user)
{
    struct metrics *metrics = to->metrics;

    if (!family->cuts) {
        family->cuts = arena_alloc(&metrics->arena, metrics->n_users * sizeof(*family->cuts));
        metrics->failed |= !family->cuts;
        if (!family->cuts)
            return;
        memset(family->cuts, 0, metrics->n_users * sizeof(*family->cuts));
    }
    family->cuts[user] = true;
    metrics->users[user].dropped[METRICS_LIMIT] += metrics->users[user].count;
    to->report.dropped[METRICS_LIMIT] += metrics->users[user].count;
}

static bool is_left_out(const struct metrics *metrics, const struct family *family,
                        const struct object *object)
{
    return object->is_repeated || (family->cuts && family->cuts[metrics->vms[object->vm].user]);
}

/* What each user wants: @share is not used. */
static void ask_family(struct writer *to, struct family *family, size_t share)
{
    (void)share;
    count_family_of_users(to->metrics, family);
    for (size_t i = 0; i < to->metrics->n_users; i++)
        to->metrics->users[i].wanted += to->metrics->users[i].count;
}

/* What each user gets. */
static void share_family(struct writer *to, struct family *family, size_t share)
{
    family->n_series = 0;
    count_family_of_users(to->metrics, family);
    for (size_t i = 0; i < to->metrics->n_users && !to->metrics->failed; i++) {
        struct user *user = &to->metrics->users[i];

        if (user->count > share - user->used) {
            cut(to, family, i);
            continue;
        }
        user->used += user->count;
        family->n_series += user->count;
        note_series(to, &to->metrics->columns[family->first], user->count);
    }
}

static void drop_column(struct writer *to, const struct column *column)
{
    struct metrics *metrics = to->metrics;

    to->report.dropped[column->reason] += count_column(to, column);
    begin_count(metrics);
    count_column_of_users(metrics, column);
    for (size_t i = 0; i < metrics->n_users; i++)
        metrics->users[i].dropped[column->reason] += metrics->users[i].count;
}

static void plan_columns(struct writer *to)
{
    struct metrics *metrics = to->metrics;
    const struct metrics_form *form = to->form;

    for (size_t i = 0; i < metrics->n_columns; i++) {
        struct column *column = &metrics->columns[i];

        column->is_wanted = !form->wants || form->wants(form->opaque, column->provider,
                                                        column->target, column->stat);
        if (column->is_wanted && column->is_histogram) {
            find_bounds(to, column);
            metrics_find_sum(metrics, column);
        }
        if (column->is_wanted && column->family == NO_NUMBER && !metrics->failed)
            drop_column(to, column);
    }
}

static bool is_of_pass(const struct family *family, bool is_of_histograms)
{
    return (family->kind == FAMILY_HISTOGRAM) == is_of_histograms;
}

/* Histograms last. */
static void each_family(struct writer *to, bool are_own, size_t share,
                        void (*visit)(struct writer *to, struct family *family, size_t share))
{
    struct metrics *metrics = to->metrics;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < metrics->n_families && !metrics->failed; i++) {
            struct family *family = &metrics->families[i];

            if (is_of_pass(family, pass) && family->first != NO_NUMBER &&
                metrics_is_own(&metrics->columns[family->first]) == are_own)
                visit(to, family, share);
        }
}

/* Of what is left. */
static void share_out(struct writer *to, bool are_own)
{
    size_t max = to->form->series_max, n = to->report.n_series;

    for (size_t i = 0; i < to->metrics->n_users; i++)
        to->metrics->users[i].wanted = to->metrics->users[i].used = 0;
    each_family(to, are_own, 0, ask_family);
    each_family(to, are_own, metrics_share(to->metrics, max > n ? max - n : 0), share_family);
}

static void plan_families(struct writer *to)
{
    struct metrics *metrics = to->metrics;
    struct metrics_report before = to->report;

    for (size_t i = 0; i < metrics->n_families; i++) {
        metrics->families[i].cuts = NULL;
        metrics->families[i].n_series = count_family(to, &metrics->families[i]);
    }
    if (!to->form->series_max || to->report.n_series <= to->form->series_max)
        return;
    before.dropped[METRICS_OBJECT] = to->report.dropped[METRICS_OBJECT];
    to->report = before;
    share_out(to, false);
    share_out(to, true);
}

static void plan(struct writer *to)
{
    struct metrics *metrics = to->metrics;

    for (size_t i = 0; i < metrics->n_users; i++)
        memset(metrics->users[i].dropped, 0, sizeof(metrics->users[i].dropped));
    plan_columns(to);
    to->report.of_itself = self_count(to);
    to->report.n_series = to->report.of_itself + self_count_vms(to);
    if (!metrics->failed)
        plan_families(to);
    to->report.n_series += self_count_users(to);
}

/* ---- values --------------------------------------------------------------------------------- */

/* The name of a family's samples. */
struct sample_name {
    const char *text;
    size_t len, end_len;
    char end[END_MAX];
};

static struct sample_name name_samples(const struct family *family, const char *end)
{
    struct sample_name name = {family->name, strlen(family->name), strlen(end), {0}};

    memcpy(name.end, end, name.end_len);
    return name;
}

static inline char *put_start(char *at, const struct sample_name *name, const char *labels,
                              size_t len)
{
    at = put_text(at, name->text, name->len);
    memcpy(at, name->end, END_MAX);
    return put_text(at + name->end_len, labels, len);
}

static void put_scalar(struct writer *to, const struct sample_name *name,
                       const struct object *object, const struct vitals_stat *stat, uint64_t value)
{
    size_t len = object->labels_len + LABELS_END;
    char *at = begin_line(to, name->len + len);

    if (!at)
        return;
    at = put_start(at, name, to->metrics->texts.data + object->labels_at, len);
    end_line(to, decimal_put(at, value, stat->base, stat->exponent));
}

static void put_scalars(struct writer *to, const struct family *family, const struct column *column)
{
    struct sample_name name = name_samples(family, family->kind == FAMILY_COUNTER ? "_total" : "");

    for (size_t i = 0; i < column->n_cells; i++) {
        const struct object *object = &to->metrics->objects[column->cells[i].object];

        if (!is_left_out(to->metrics, family, object))
            put_scalar(to, &name, object, column->stat, column->cells[i].value);
    }
}

static void put_bucket(struct writer *to, const struct sample_name *name,
                       const struct object *object, const char *le, size_t len, uint64_t count)
{
    char *at = begin_line(to, name->len + object->labels_len + len);

    if (!at)
        return;
    at = put_start(at, name, to->metrics->texts.data + object->labels_at, object->labels_len);
    at = put_text(at, le, len);
    end_line(to, u64_to_text(at, count));
}

/* Where they are too many to be counted, they are as many as can be. */
static uint64_t add_up(uint64_t count, const uint64_t *buckets, size_t from, size_t to)
{
    for (; from < to; from++)
        if (__builtin_add_overflow(count, buckets[from], &count))
            return UINT64_MAX;
    return count;
}

/* Returns how many values there are. */
static uint64_t put_buckets(struct writer *to, const struct sample_name *name,
                            const struct column *column, const struct cell *cell)
{
    static const char last[METRICS_PIECE] = ",le=\"+Inf\"} ";
    const struct object *object = &to->metrics->objects[cell->object];
    size_t n_bounds = count_bounds(column, cell->n), done = 0;
    uint64_t count = 0;

    for (size_t i = 0; i < n_bounds; i++) {
        const struct bound *bound = &column->bounds[i];

        count = add_up(count, cell->buckets, done, bound->bucket);
        done = bound->bucket;
        put_bucket(to, name, object, to->metrics->texts.data + bound->at, bound->len, count);
    }
    count = add_up(count, cell->buckets, done, cell->n);
    put_bucket(to, name, object, last, strlen(last), count);
    return count;
}

static void put_histograms(struct writer *to, const struct family *family,
                           const struct column *column)
{
    static const struct vitals_stat plain = {.base = 10};
    struct sample_name bucket = name_samples(family, "_bucket");
    struct sample_name count = name_samples(family, "_count"), sum = name_samples(family, "_sum");
    struct sums sums = sums_of(to->metrics, column);

    for (size_t i = 0; i < column->n_cells; i++) {
        const struct cell *cell = &column->cells[i];
        const struct object *object = &to->metrics->objects[cell->object];
        const uint64_t *of_all = find_sum(&sums, cell->object);
        uint64_t n;

        if (is_left_out(to->metrics, family, object))
            continue;
        n = put_buckets(to, &bucket, column, cell);
        if (!of_all)
            continue;
        put_scalar(to, &count, object, &plain, n);
        put_scalar(to, &sum, object, sums.column->stat, *of_all);
    }
}

static void put_family(struct writer *to, const struct family *family)
{
    const struct metrics *metrics = to->metrics;
    const struct column *first = &metrics->columns[family->first];
    struct buf help = {0};

    family_put_help(&help, first->provider, first->target, first->stat);
    to->out.failed |= help.failed;
    if (!help.failed)
        writer_put_head(to, family->name, family->kind, family->unit, help.data);
    buf_free(&help);
    for (uint32_t i = family->first; i != NO_NUMBER; i = metrics->columns[i].next_in_family) {
        const struct column *column = &metrics->columns[i];

        if (column->is_wanted && family->kind == FAMILY_HISTOGRAM)
            put_histograms(to, family, column);
        else if (column->is_wanted)
            put_scalars(to, family, column);
    }
}

static void put_values(struct writer *to)
{
    const struct metrics *metrics = to->metrics;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < metrics->n_families && !to->out.failed && !to->is_refused; i++)
            if (is_of_pass(&metrics->families[i], pass) && metrics->families[i].n_series)
                put_family(to, &metrics->families[i]);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void count_objects(struct writer *to)
{
    const struct metrics *metrics = to->metrics;

    for (size_t i = 0; i < metrics->n_objects; i++)
        to->report.n_vcpus +=
            !strcmp(metrics->objects[i].target, "vcpu") && !metrics->objects[i].is_repeated;
    for (size_t i = 0; i < metrics->n_vms; i++)
        to->report.n_vms += metrics->vms[i].given.name && !metrics->vms[i].given.is_down;
}

static void put_all(struct writer *to)
{
    self_put_vms(to);
    put_values(to);
    self_put(to);
    if (to->form->format == METRICS_OPENMETRICS)
        buf_puts(&to->out, "# EOF\n");
    if (!to->out.failed && !is_whole(to))
        give(to);
}

/* Lines are mostly as long as those of the time before. */
static bool begin_text(struct writer *to)
{
    size_t expected = METRICS_CHUNK;

    if (is_whole(to)) {
        expected += to->report.n_series * (to->metrics->line_len + 1);
        to->out = *to->sink->whole;
        to->len_before = to->out.len;
    }
    return buf_reserve(&to->metrics->texts, METRICS_PIECE) && buf_reserve(&to->out, expected);
}

/* False: it is not all. */
static bool end_text(struct writer *to)
{
    bool has_failed = to->out.failed;

    if (is_whole(to)) {
        to->report.n_bytes = to->out.len - to->len_before;
        *to->sink->whole = to->out;
    } else {
        buf_free(&to->out);
    }
    to->metrics->line_len = to->report.n_bytes / (to->report.n_series + 1);
    return !has_failed;
}

int metrics_write(struct metrics *metrics, const struct metrics_form *form,
                  const struct metrics_sink *sink, struct metrics_report *ret_report)
{
    struct writer to = {.metrics = metrics, .form = form, .sink = sink};
    size_t n_texts;

    metrics_label(metrics);
    metrics_join(metrics);
    n_texts = metrics->texts.len;
    if (!metrics->failed)
        plan(&to);
    if (metrics->failed || !begin_text(&to))
        return -ENOMEM;
    count_objects(&to);
    put_all(&to);
    metrics->texts.len = n_texts; /* without the bounds */
    if (!end_text(&to))
        return -ENOMEM;
    if (ret_report)
        *ret_report = to.report;
    return to.is_refused ? -EPIPE : 0;
}
