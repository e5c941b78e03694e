/* SPDX-License-Identifier: MIT */
/* `vitals hist`: histograms, drawn. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "args/cli.h"
#include "look/life.h"
#include "look/look.h"
#include "look/turns.h"
#include "stats/histogram.h"
#include "base/width.h"
#include "show/chart.h"

struct hist {
    struct look look;
    double time; /* of the sample */
    struct chart *charts;
    size_t n_charts, n_drawn, n_absent;
    struct record_writer to;
    struct buf text; /* the drawing */
    size_t width, height;
    bool is_each, is_rates, is_utf8, is_screen, no_memory;
    bool any_output;
};

static const struct cli_option own_options[] = {
    {.name = "each",
     .at = offsetof(struct hist, is_each),
     .help = "each vCPU for itself, not all of them together"},
    {.name = "rates", .at = offsetof(struct hist, is_rates), .help = "what came over the interval"},
    {0},
};

/* ---- charts --------------------------------------------------------------------------------- */

/* Of the vCPUs of one VM: each VM's client has its own descriptions. */
static bool are_together(const struct row *a, const struct row *b)
{
    return a->path && b->path && a->stat == b->stat;
}

static struct chart *add_chart(struct hist *hist, const struct row *row)
{
    struct chart *grown = reallocarray(hist->charts, hist->n_charts + 1, sizeof(*grown));
    uint64_t *values = calloc(row->n + 1, sizeof(*values));

    if (grown)
        hist->charts = grown;
    if (!grown || !values) {
        free(values);
        hist->no_memory = true;
        return NULL;
    }
    grown[hist->n_charts] = (struct chart){.row = *row, .values = values};
    return &grown[hist->n_charts++];
}

static void take_row(void *opaque, const struct row *row)
{
    struct hist *hist = opaque;
    struct chart *chart = NULL;

    if (!histogram_is(row->stat))
        return;
    for (size_t i = 0; i < hist->n_charts && !hist->is_each && !chart; i++)
        if (are_together(&hist->charts[i].row, row) && hist->charts[i].row.n == row->n)
            chart = &hist->charts[i];
    if (!chart)
        chart = add_chart(hist, row);
    if (chart)
        chart_add(chart, row);
}

static void free_charts(struct hist *hist)
{
    for (size_t i = 0; i < hist->n_charts; i++)
        free(hist->charts[i].values);
    hist->n_charts = 0;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* Histograms without a value are shown where they were asked for. */
static void draw(struct hist *hist, const struct chart *chart)
{
    if (!chart_count(chart) && !hist->look.options.globs.n)
        return;
    if (hist->n_drawn++)
        buf_puts(&hist->text, "\n");
    chart_draw(&hist->text, chart, hist->width, hist->is_utf8);
}

static void draw_absent(void *opaque, const struct row_absent *absent)
{
    struct hist *hist = opaque;

    row_absent_text(&hist->text, absent);
}

/* Asked again for each output: the window may have another size now. */
static void measure_terminal(struct hist *hist)
{
    struct winsize size;
    bool is_terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;

    hist->width = is_terminal && size.ws_col ? size.ws_col : 80;
    hist->height = is_terminal && size.ws_row ? size.ws_row : SIZE_MAX;
}

/* A line that is too long goes on in the next row. */
static size_t count_rows(const char *line, size_t width)
{
    size_t columns = width_of_line(line);

    return columns > width ? (columns + width - 1) / width : 1;
}

/* What is higher than the screen would scroll at each output. The cursor takes the last row. */
static void cut_to_screen(struct hist *hist)
{
    static const char note[] = "(%zu more lines; a larger terminal shows them)\n";
    struct buf *out = &hist->text;
    size_t n_below = 1 + count_rows(note, hist->width);
    size_t n_rows = 0, n_left = 0, kept = 0;

    for (size_t at = 0, len; at < out->len; at += len) {
        const char *end = memchr(out->data + at, '\n', out->len - at);

        len = end ? (size_t)(end - out->data) + 1 - at : out->len - at;
        n_rows += count_rows(out->data + at, hist->width);
        if (n_rows + n_below <= hist->height)
            kept = at + len;
        else
            n_left++;
    }
    if (n_rows < hist->height)
        return;
    out->len = kept;
    buf_printf(out, note, n_left);
}

static bool are_namesakes(const struct row *a, const struct row *b)
{
    return !strcmp(a->stat->name, b->stat->name) && strcmp(a->provider, b->provider) != 0;
}

static void find_namesakes(struct hist *hist)
{
    for (size_t i = 0; i < hist->n_charts; i++)
        for (size_t j = 0; j < i; j++)
            if (are_namesakes(&hist->charts[i].row, &hist->charts[j].row))
                hist->charts[i].has_namesake = hist->charts[j].has_namesake = true;
}

static void draw_all(struct hist *hist)
{
    measure_terminal(hist);
    find_namesakes(hist);
    hist->n_drawn = 0;
    for (size_t i = 0; i < hist->n_charts; i++)
        draw(hist, &hist->charts[i]);
    if (hist->n_drawn == 0)
        buf_puts(&hist->text, "no histogram has a value\n");
    if (hist->is_screen)
        cut_to_screen(hist);
    if (hist->is_screen || hist->any_output)
        fputs(hist->is_screen ? "\033[H\033[J" : "\n", stdout);
    fwrite(hist->text.data, 1, hist->text.len, stdout);
    buf_reset(&hist->text);
}

/* ---- JSON and CSV --------------------------------------------------------------------------- */

static void put_absent(void *opaque, const struct row_absent *absent)
{
    struct hist *hist = opaque;

    row_put_absent(&hist->to, absent, hist->n_absent++ == 0);
}

static void print_records(struct hist *hist, const struct sampler *sampler)
{
    record_open(&hist->to);
    record_number(&hist->to, "time", NULL, "%.3f", hist->time);
    life_put(&hist->to, &hist->look);
    record_list(&hist->to, "histograms");
    for (size_t i = 0; i < hist->n_charts; i++)
        chart_put(&hist->to, hist->time, &hist->charts[i]);
    if (!hist->n_charts)
        chart_put_titles(&hist->to);
    hist->n_absent = 0;
    sampler_each_absent(sampler, put_absent, hist);
    record_close(&hist->to);
}

/* ---- outputs -------------------------------------------------------------------------------- */

static bool print_sample(void *opaque, struct sampler *sampler)
{
    struct hist *hist = opaque;

    free_charts(hist);
    hist->time = sampler->time;
    sampler_each(sampler, hist->is_rates, take_row, hist);
    if (hist->to.format == OUTPUT_TABLE) {
        sampler_each_absent(sampler, draw_absent, hist);
        draw_all(hist);
    } else {
        print_records(hist, sampler);
    }
    hist->any_output = true;
    return !hist->no_memory;
}

static void look_at_terminal(struct hist *hist)
{
    hist->is_screen = look_count_turns(&hist->look.options) != 1 && output_takes_escapes();
    setlocale(LC_CTYPE, "");
    hist->is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static int print_turns(void *self)
{
    struct hist *hist = self;

    look_at_terminal(hist);
    hist->to = look_record_writer(&hist->look);
    return look_turns(&hist->look, hist->is_rates, print_sample, hist);
}

static int run(struct cli_args *args)
{
    struct hist hist = {.look.is_of_histograms = true};
    int status = look_run(args, &hist, print_turns);

    free_charts(&hist);
    free(hist.charts);
    buf_free(&hist.text);
    record_free(&hist.to);
    return status;
}

const struct verb verb_hist = {
    .name = "hist",
    .summary = "draw histograms",
    .operands = "[STAT...]",
    .operand_words = CLI_HISTOGRAMS,
    .operands_at = offsetof(struct hist, look.options.globs),
    .about = "Draws the histograms of VMs, with their bounds: all that have values, or those whose "
             "names match.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, look_object_options,
               own_options, look_turn_options, look_output_options},
    .notes =
        "Below a histogram are the buckets that hold the values at 50, 90 and 99 of 100.\n"
        "\n"
        "-o json prints an object on a line for each output: {\"schema_version\": 1, \"time\": "
        "seconds since 1970, \"histograms\": [...]}, each with what 'vitals stats' says of a "
        "statistic, the number of objects that were added, and buckets: [{lower, upper, "
        "count}], where upper, not included, is null for the last one. -o csv has a line for "
        "each bucket. Both have histograms without a value, too.\n"
        "\n"
        "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches.",
    .run = run,
};
