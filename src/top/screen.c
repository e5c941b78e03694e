/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "top/screen.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/histogram.h"
#include "top/figure.h"

#define TEXT_MAX 512

/* ---- cells ---------------------------------------------------------------------------------- */

bool screen_resize(struct screen *screen, size_t width, size_t height)
{
    struct screen_cell *cells;

    width = width < SCREEN_WIDTH_MAX ? width : SCREEN_WIDTH_MAX;
    cells = calloc(height + 1, (width + 1) * sizeof(*cells));
    if (!cells)
        return false;
    free(screen->cells);
    screen->cells = cells;
    screen->width = width;
    screen->height = height;
    return true;
}

void screen_free(struct screen *screen)
{
    free(screen->cells);
    screen->cells = NULL;
}

static void clear(struct screen *screen)
{
    for (size_t i = 0; i < screen->width * screen->height; i++)
        screen->cells[i] = (struct screen_cell){.character = L' '};
}

static struct screen_cell *cell_at(struct screen *screen, size_t line, size_t column)
{
    return &screen->cells[line * screen->width + column];
}

/*
 * The next character of @text, and how many columns it has. Names come from strangers: what could
 * do something to a terminal becomes a question mark.
 */
static int next_character(const char **text, wchar_t *ret_character)
{
    mbstate_t state = {0};
    size_t n = mbrtowc(ret_character, *text, MB_LEN_MAX, &state);
    int columns;

    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *ret_character = L'?';
        (*text)++;
        return 1;
    }
    *text += n;
    columns = wcwidth(*ret_character);
    if (columns == 1 || columns == 2)
        return columns;
    *ret_character = L'?';
    return 1;
}

/* Writes @text from @column on, to before @end at most. Returns the column behind it. */
static size_t put(struct screen *screen, size_t line, size_t column, size_t end,
                  enum screen_style style, const char *text)
{
    end = end < screen->width ? end : screen->width;
    while (line < screen->height && *text) {
        wchar_t character;
        size_t n = (size_t)next_character(&text, &character);

        if (column + n > end)
            break;
        *cell_at(screen, line, column) = (struct screen_cell){character, style};
        if (n == 2)
            *cell_at(screen, line, column + 1) = (struct screen_cell){L'\0', style};
        column += n;
    }
    return column;
}

static size_t text_width(const char *text)
{
    size_t width = 0;
    wchar_t character;

    while (*text)
        width += (size_t)next_character(&text, &character);
    return width;
}

/* The same, with its end before @end; what is too long loses its begin. */
static void put_right(struct screen *screen, size_t line, size_t column, size_t end,
                      enum screen_style style, const char *text)
{
    size_t width = text_width(text), room = end - column;

    put(screen, line, width < room ? end - width : column, end, style, text);
}

static void paint(struct screen *screen, size_t line, enum screen_style style)
{
    for (size_t i = 0; line < screen->height && i < screen->width; i++)
        cell_at(screen, line, i)->style = style;
}

void screen_line(const struct screen *screen, size_t line, struct buf *out)
{
    const struct screen_cell *cells = &screen->cells[line * screen->width];
    size_t n = screen->width;
    mbstate_t state = {0};

    while (n && cells[n - 1].character == L' ')
        n--;
    for (size_t i = 0; i < n; i++) {
        char bytes[MB_LEN_MAX];
        size_t len = cells[i].character ? wcrtomb(bytes, cells[i].character, &state) : 0;

        if (len != (size_t)-1)
            buf_append(out, bytes, len);
    }
}

/* ---- a region ------------------------------------------------------------------------------- */

/* The lines that a list has: one with titles, if there is room, and below it the items. */
struct region {
    struct screen *screen;
    struct model *model;
    size_t titles; /* the line of them; SIZE_MAX: none */
    size_t line;   /* of the first item */
    size_t n;      /* lines for items */
};

struct column {
    const char *title;
    size_t begin, end;
    bool is_right, is_sorted;
};

static void put_title(const struct region *region, const struct column *column)
{
    enum screen_style style = column->is_sorted ? STYLE_SORTED : STYLE_TITLE;

    if (region->titles == SIZE_MAX)
        return;
    if (column->is_right)
        put_right(region->screen, region->titles, column->begin, column->end, style, column->title);
    else
        put(region->screen, region->titles, column->begin, column->end, style, column->title);
}

static size_t clamp(size_t value, size_t low, size_t high)
{
    return value < low ? low : value > high ? high : value;
}

static bool is_sorted_by(const struct region *region, size_t column)
{
    return region->model->cursors[region->model->level].column == column;
}

/* ---- VMs and their objects ------------------------------------------------------------------ */

enum { FIGURE_WIDTH = 10, VCPUS_WIDTH = 7, BUSIEST_WIDTH = 36 };

struct layout {
    size_t name, figures; /* columns of the first; how many of the latter */
    bool has_vcpus;
};

static struct layout choose_layout(const struct region *region)
{
    size_t width = region->screen->width;
    struct layout layout = {.name = clamp(width / 5, 8, 32),
                            .has_vcpus = region->model->level == MODEL_VMS && width >= 40};
    size_t used = layout.name + (layout.has_vcpus ? VCPUS_WIDTH : 0) + BUSIEST_WIDTH;

    layout.figures = width > used ? clamp((width - used) / FIGURE_WIDTH, 1, FIGURES) : 1;
    return layout;
}

static size_t figure_column(const struct layout *layout, size_t i)
{
    return layout->name + (layout->has_vcpus ? VCPUS_WIDTH : 0) + i * FIGURE_WIDTH;
}

static void put_list_titles(const struct region *region, const struct layout *layout)
{
    bool is_vms = region->model->level == MODEL_VMS;
    const char *per = region->model->is_totals ? "" : "/s";
    size_t busiest = figure_column(layout, layout->figures) + 2;

    if (region->titles == SIZE_MAX)
        return;
    paint(region->screen, region->titles, STYLE_TITLE);
    put_title(region, &(struct column){.title = is_vms ? "VM" : "OBJECT",
                                       .end = layout->name,
                                       .is_sorted = is_sorted_by(region, 0)});
    if (layout->has_vcpus)
        put_title(region, &(struct column){.title = "VCPUS",
                                           .begin = layout->name,
                                           .end = layout->name + VCPUS_WIDTH,
                                           .is_right = true});
    for (size_t i = 0; i < layout->figures; i++) {
        char title[TEXT_MAX];

        snprintf(title, sizeof(title), "%s%s", figures[i].title, figures[i].is_share ? "" : per);
        put_title(region, &(struct column){.title = title,
                                           .begin = figure_column(layout, i) + 1,
                                           .end = figure_column(layout, i + 1),
                                           .is_right = true,
                                           .is_sorted = is_sorted_by(region, i + 1)});
    }
    put_title(region, &(struct column){.title = "BUSIEST", .begin = busiest, .end = SIZE_MAX});
}

/* The busiest counter of the item: of a VM's objects that of the one where it counts most. */
static void busiest_text(char text[TEXT_MAX], const struct model_item *item)
{
    const struct model_series *busiest = NULL;
    const struct model_object *of = NULL;
    char count[QUANTITY_MAX], name[QUANTITY_MAX] = "";
    double most = 0;

    for (size_t i = 0; i < item->vm->n_objects; i++) {
        const struct model_object *object = item->vm->objects[i];
        const struct model_series *series;
        double rate = 0;

        series = !item->object || item->object == object ? figure_busiest(object, &rate) : NULL;
        if (series && rate > most) {
            busiest = series;
            of = object;
            most = rate;
        }
    }
    text[0] = '\0';
    if (!busiest)
        return;
    figure_count(count, most);
    if (!item->object)
        snprintf(text, TEXT_MAX, "%s %s/s, %s", busiest->stat->name, count,
                 row_object(name, &(struct row){.path = of->path, .vcpu = of->vcpu}));
    else
        snprintf(text, TEXT_MAX, "%s %s/s", busiest->stat->name, count);
}

static void put_figures(const struct region *region, const struct layout *layout, size_t line,
                        const struct model_item *item)
{
    size_t n_vcpus = item->object ? 1 : model_count_vcpus(item->vm);
    char text[TEXT_MAX];

    if (layout->has_vcpus) {
        snprintf(text, sizeof(text), "%zu", n_vcpus);
        put_right(region->screen, line, layout->name, layout->name + VCPUS_WIDTH, STYLE_NORMAL,
                  text);
    }
    for (size_t i = 0; i < layout->figures; i++) {
        char quantity[QUANTITY_MAX] = "-";
        double value;

        if (figure_value(region->model, item->vm, item->object, &figures[i], &value))
            figure_text(quantity, region->model, &figures[i], value, n_vcpus);
        put_right(region->screen, line, figure_column(layout, i) + 1, figure_column(layout, i + 1),
                  STYLE_NORMAL, quantity);
    }
    busiest_text(text, item);
    put(region->screen, line, figure_column(layout, layout->figures) + 2, SIZE_MAX, STYLE_NORMAL,
        text);
}

static void put_list_item(const struct region *region, const struct layout *layout, size_t line,
                          const struct model_item *item)
{
    char name[QUANTITY_MAX], gone[TEXT_MAX];
    const char *text = item->vm->name;
    struct row row = {0};

    if (item->object) {
        row = (struct row){.path = item->object->path, .vcpu = item->object->vcpu};
        text = row_object(name, &row);
    }
    put(region->screen, line, 0, layout->name - 1, item->object ? STYLE_NORMAL : STYLE_STRONG,
        text);
    if (item->vm->error && !item->object) {
        snprintf(gone, sizeof(gone), "gone: %s", item->vm->error);
        put(region->screen, line, layout->name, SIZE_MAX, STYLE_BAD, gone);
    } else {
        put_figures(region, layout, line, item);
    }
}

/* ---- statistics ----------------------------------------------------------------------------- */

enum { NUMBER_WIDTH = 15, PROVIDER_WIDTH = 12, PROVIDER_FROM = 100 };

struct stats_layout {
    size_t name, provider, rest; /* columns where each begins or ends */
};

static struct stats_layout choose_stats_layout(const struct region *region)
{
    size_t width = region->screen->width;
    struct stats_layout layout = {.name = width < 30 ? width / 2 : clamp(width / 3, 10, 36)};

    layout.provider = layout.name + (width >= PROVIDER_FROM ? PROVIDER_WIDTH : 0);
    layout.rest = layout.provider + 2 * NUMBER_WIDTH + 2;
    return layout;
}

static void put_stats_titles(const struct region *region, const struct stats_layout *layout)
{
    bool is_totals = region->model->is_totals;
    static const char *const titles[] = {"RATE", "TOTAL"};

    if (region->titles == SIZE_MAX)
        return;
    paint(region->screen, region->titles, STYLE_TITLE);
    put_title(region, &(struct column){.title = "STAT",
                                       .end = layout->name,
                                       .is_sorted = is_sorted_by(region, 0)});
    if (layout->provider > layout->name)
        put_title(region, &(struct column){
                              .title = "PROVIDER", .begin = layout->name, .end = layout->provider});
    for (size_t i = 0; i < 2; i++) {
        size_t which = is_totals ? 1 - i : i;

        put_title(region, &(struct column){.title = titles[which],
                                           .begin = layout->provider + i * NUMBER_WIDTH,
                                           .end = layout->provider + (i + 1) * NUMBER_WIDTH,
                                           .is_right = true,
                                           .is_sorted = is_sorted_by(region, which + 1)});
    }
    put_title(region,
              &(struct column){.title = "DISTRIBUTION", .begin = layout->rest, .end = SIZE_MAX});
}

/* "512 us - 1.024 ms", as `vitals stats` writes it. */
static void bucket_text(char text[TEXT_MAX], const struct client_stat *stat, size_t i, size_t n)
{
    char low[QUANTITY_MAX], high[QUANTITY_MAX];

    output_quantity(low, stat, (double)histogram_lower_bound(stat, i));
    output_quantity(high, stat, (double)histogram_lower_bound(stat, i + 1));
    if (i == 0 && stat->type == VITALS_LOG_HIST)
        snprintf(text, TEXT_MAX, "%s", low);
    else if (i + 1 == n)
        snprintf(text, TEXT_MAX, ">= %s", low);
    else
        snprintf(text, TEXT_MAX, "%s - %s", low, high);
}

static const unsigned percents[] = {50, 90, 99};

enum { PERCENTS = sizeof(percents) / sizeof(percents[0]) };

/* Only whole ranges: half of one would be another. */
static void put_distribution(const struct region *region, size_t line, size_t column,
                             const struct row *row)
{
    for (size_t i = 0; i < PERCENTS; i++) {
        char range[TEXT_MAX], text[TEXT_MAX + 16];

        bucket_text(range, row->stat, histogram_percentile(row_values(row), row->n, percents[i]),
                    row->n);
        snprintf(text, sizeof(text), "%sp%u %s", i ? ", " : "", percents[i], range);
        if (column + text_width(text) > region->screen->width)
            return;
        column = put(region->screen, line, column, SIZE_MAX, STYLE_NORMAL, text);
    }
}

/* Rates of events are noisy behind the point; what does not count has no rate. */
static void number_text(char text[2 * QUANTITY_MAX], const struct row *row, bool is_rate)
{
    char count[QUANTITY_MAX];

    if (is_rate && !row->deltas && !row->is_reset) {
        snprintf(text, 2 * QUANTITY_MAX, "-");
    } else if (row->deltas &&
               (histogram_is(row->stat) || !(row->stat->unit | row->stat->exponent))) {
        figure_count(count, row_rate(row));
        snprintf(text, 2 * QUANTITY_MAX, "%s/s", count);
    } else {
        row_number(text, row);
    }
}

static void put_stat(const struct region *region, const struct stats_layout *layout, size_t line,
                     const struct model_item *item)
{
    const struct model *model = region->model;
    uint64_t *space = calloc(item->series->n + 1, sizeof(*space));

    if (!space) {
        region->model->has_failed = true;
        return;
    }
    put(region->screen, line, 0, layout->name - 1, STYLE_STRONG, item->series->stat->name);
    if (layout->provider > layout->name)
        put(region->screen, line, layout->name, layout->provider - 1, STYLE_DIM,
            item->series->stat->provider);
    for (size_t i = 0; i < 2; i++) {
        bool is_total = model->is_totals == (i == 0);
        const struct row row = model_row(model, item->object, item->series, is_total, space);
        size_t begin = layout->provider + i * NUMBER_WIDTH;
        char text[2 * QUANTITY_MAX];

        number_text(text, &row, !is_total);
        put_right(region->screen, line, begin + 1, begin + NUMBER_WIDTH,
                  row.is_reset ? STYLE_BAD : STYLE_NORMAL, text);
        if (i == 0 && histogram_is(row.stat) && (is_total || row.deltas) &&
            histogram_count(row_values(&row), row.n))
            put_distribution(region, line, layout->rest, &row);
    }
    free(space);
}

/* ---- buckets -------------------------------------------------------------------------------- */

enum { BOUNDS_WIDTH = 23, COUNT_WIDTH = 12, SHARE_WIDTH = 8, MARK_WIDTH = 12 };

struct histogram {
    uint64_t *space;
    struct row row;
    const uint64_t *values; /* NULL: nothing is known yet */
    uint64_t count, most;
    size_t percentiles[PERCENTS];
};

static bool read_histogram(struct region *region, struct histogram *histogram)
{
    struct model *model = region->model;
    const struct model_series *series = model->series;

    *histogram = (struct histogram){.space = calloc(series->n + 1, sizeof(uint64_t))};
    if (!histogram->space) {
        model->has_failed = true;
        return false;
    }
    histogram->row = model_row(model, model->object, series, model->is_totals, histogram->space);
    if (model->is_totals || series->has_deltas)
        histogram->values = row_values(&histogram->row);
    for (size_t i = 0; histogram->values && i < series->n; i++) {
        histogram->count += histogram->values[i];
        if (histogram->values[i] > histogram->most)
            histogram->most = histogram->values[i];
    }
    for (size_t i = 0; histogram->count && i < PERCENTS; i++)
        histogram->percentiles[i] = histogram_percentile(histogram->values, series->n, percents[i]);
    return true;
}

/* A line without numbers, when there is nothing to draw. */
static const char *explain_empty(const struct model *model, const struct histogram *histogram)
{
    if (histogram->row.is_reset)
        return "the statistic was reset in this interval";
    if (!histogram->values)
        return model->vm->error ? "the VM is gone; t shows the totals" : "waiting for an interval";
    return model->is_totals ? "nothing counted yet" : "nothing counted in this interval";
}

static void put_bucket_titles(const struct region *region)
{
    const struct column columns[] = {
        {.title = "BUCKET", .end = BOUNDS_WIDTH, .is_right = true},
        {.title = "COUNT",
         .begin = BOUNDS_WIDTH,
         .end = BOUNDS_WIDTH + COUNT_WIDTH,
         .is_right = true},
        {.title = "SHARE",
         .begin = BOUNDS_WIDTH + COUNT_WIDTH,
         .end = BOUNDS_WIDTH + COUNT_WIDTH + SHARE_WIDTH,
         .is_right = true},
    };

    if (region->titles == SIZE_MAX)
        return;
    paint(region->screen, region->titles, STYLE_TITLE);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        put_title(region, &columns[i]);
}

/* In eighths of a column where there are such characters. */
static void put_bar(const struct region *region, size_t line, size_t column, double share)
{
    static const wchar_t eighths[] = L" \u258f\u258e\u258d\u258c\u258b\u258a\u2589";
    struct screen *screen = region->screen;
    size_t room = screen->width > column ? screen->width - column : 0;
    size_t n = (size_t)(share * (double)room * 8 + 0.5);

    if (share > 0 && n == 0)
        n = 1;
    for (size_t i = 0; line < screen->height && i < room && n; i++) {
        size_t part = n < 8 ? n : 8;
        wchar_t character = part == 8 ? L'\u2588' : eighths[part];

        *cell_at(screen, line, column + i) =
            (struct screen_cell){screen->is_unicode ? character : L'#', STYLE_BAR};
        n -= part;
    }
}

static void put_bucket(const struct region *region, const struct histogram *histogram, size_t line,
                       size_t i)
{
    size_t count = BOUNDS_WIDTH, share = count + COUNT_WIDTH, mark = share + SHARE_WIDTH;
    uint64_t value = histogram->values ? histogram->values[i] : 0;
    char text[TEXT_MAX];

    bucket_text(text, histogram->row.stat, i, histogram->row.n);
    put_right(region->screen, line, 0, count, STYLE_NORMAL, text);
    if (!histogram->values)
        return;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    put_right(region->screen, line, count, share, value ? STYLE_STRONG : STYLE_DIM, text);
    if (!histogram->count)
        return;
    snprintf(text, sizeof(text), "%.1f%%", 100.0 * (double)value / (double)histogram->count);
    put_right(region->screen, line, share, mark, value ? STYLE_NORMAL : STYLE_DIM, text);
    mark++;
    for (size_t j = 0; j < PERCENTS; j++) {
        snprintf(text, sizeof(text), " p%u", percents[j]);
        if (histogram->percentiles[j] == i)
            mark = put(region->screen, line, mark, SIZE_MAX, STYLE_GOOD, text);
    }
    put_bar(region, line, share + SHARE_WIDTH + MARK_WIDTH + 2,
            (double)value / (double)(histogram->most ? histogram->most : 1));
}

/* ---- the list of a level -------------------------------------------------------------------- */

/* The line of the cursor is in sight. */
static void scroll(struct model *model, size_t page)
{
    struct model_cursor *cursor = &model->cursors[model->level];

    model->page = page;
    if (cursor->top > cursor->index)
        cursor->top = cursor->index;
    if (page && cursor->index - cursor->top >= page)
        cursor->top = cursor->index - page + 1;
    if (cursor->top + page > model->n_items)
        cursor->top = model->n_items > page ? model->n_items - page : 0;
}

static void put_items(const struct region *region, const struct histogram *histogram)
{
    const struct model *model = region->model;
    const struct layout layout = choose_layout(region);
    const struct stats_layout stats_layout = choose_stats_layout(region);
    size_t top = model->cursors[model->level].top;

    for (size_t i = 0; i < region->n && top + i < model->n_items; i++) {
        const struct model_item *item = &model->items[top + i];
        size_t line = region->line + i;

        if (model->level == MODEL_BUCKETS)
            put_bucket(region, histogram, line, item->index);
        else if (model->level == MODEL_STATS)
            put_stat(region, &stats_layout, line, item);
        else
            put_list_item(region, &layout, line, item);
    }
}

static void put_titles(const struct region *region)
{
    const struct layout layout = choose_layout(region);
    const struct stats_layout stats_layout = choose_stats_layout(region);

    if (region->model->level == MODEL_BUCKETS)
        put_bucket_titles(region);
    else if (region->model->level == MODEL_STATS)
        put_stats_titles(region, &stats_layout);
    else
        put_list_titles(region, &layout);
}

static void put_list(struct region *region)
{
    struct model *model = region->model;
    struct histogram histogram = {0};

    if (model->level == MODEL_BUCKETS && !read_histogram(region, &histogram))
        return;
    scroll(model, region->n);
    put_titles(region);
    put_items(region, &histogram);
    if (model->level == MODEL_BUCKETS && !histogram.count)
        put(region->screen, region->line + model->n_items, 1, SIZE_MAX, STYLE_DIM,
            explain_empty(model, &histogram));
    else if (!model->n_items && region->n)
        put(region->screen, region->line, 1, SIZE_MAX, STYLE_DIM,
            model->cursors[model->level].filter[0] ? "nothing matches the filter; c clears it"
                                                   : "nothing yet");
    free(histogram.space);
}

/* ---- around the list ------------------------------------------------------------------------ */

static void put_header(struct screen *screen, const struct model *model)
{
    size_t gone = model_count_gone(model), column;
    char text[TEXT_MAX], time[32] = "";
    time_t seconds = (time_t)model->time;
    struct tm tm;

    snprintf(text, sizeof(text), "vitals top: %zu %s, every %g s, %s", model->n_vms,
             model->n_vms == 1 ? "VM" : "VMs", model->interval,
             model->is_totals ? "totals" : "rates");
    column = put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, text);
    if (model->is_paused)
        column = put(screen, 0, column, SIZE_MAX, STYLE_BAD, "  PAUSED");
    if (gone && gone == model->n_vms)
        column = put(screen, 0, column, SIZE_MAX, STYLE_BAD, "  all VMs are gone");
    else if (gone) {
        snprintf(text, sizeof(text), "  %zu gone", gone);
        column = put(screen, 0, column, SIZE_MAX, STYLE_BAD, text);
    }
    if (model->time && localtime_r(&seconds, &tm) && strftime(time, sizeof(time), "%T", &tm) &&
        column + 2 + strlen(time) <= screen->width)
        put(screen, 0, screen->width - strlen(time), SIZE_MAX, STYLE_DIM, time);
}

static size_t put_step(struct screen *screen, size_t column, const char *text)
{
    column = put(screen, 1, column, SIZE_MAX, STYLE_DIM, " > ");
    return put(screen, 1, column, SIZE_MAX, STYLE_GOOD, text);
}

static void put_choices(struct screen *screen, const struct model *model, size_t column)
{
    const struct model_cursor *cursor = &model->cursors[model->level];
    time_t seconds = (time_t)model->base_time;
    char text[TEXT_MAX];
    struct tm tm;

    if (cursor->filter[0]) {
        snprintf(text, sizeof(text), "  filter: %s", cursor->filter);
        column = put(screen, 1, column, SIZE_MAX, STYLE_BAD, text);
    }
    if (model->is_nonzero && model->level == MODEL_STATS)
        column = put(screen, 1, column, SIZE_MAX, STYLE_DIM, "  without zeros");
    if (model->is_rebased && localtime_r(&seconds, &tm) &&
        strftime(text, sizeof(text), "  totals since %T", &tm))
        put(screen, 1, column, SIZE_MAX, STYLE_DIM, text);
}

/* Where the list is: "VMs > web1 > vcpu 3 > halt_wait_hist". */
static void put_path(struct screen *screen, const struct model *model)
{
    char name[QUANTITY_MAX];
    size_t column = put(screen, 1, 0, SIZE_MAX, STYLE_GOOD, "VMs");

    if (model->level >= MODEL_OBJECTS)
        column = put_step(screen, column, model->vm->name);
    if (model->level >= MODEL_STATS) {
        const struct row row = {.path = model->object->path, .vcpu = model->object->vcpu};
        column = put_step(screen, column, row_object(name, &row));
    }
    if (model->level >= MODEL_BUCKETS)
        column = put_step(screen, column, model->series->stat->name);
    put_choices(screen, model, column);
}

static const char *error_here(const struct model *model)
{
    const struct model_item *item = model_selected(model);
    const struct model_vm *vm = model->level > MODEL_VMS ? model->vm : item ? item->vm : NULL;

    return vm ? vm->error : NULL;
}

/* The most urgent of what could be said. */
static void put_footer(struct screen *screen, const struct model *model)
{
    static const char *const hints[MODEL_LEVELS] = {
        "Enter vCPUs  o sort  f filter  t totals  r reset  s interval  h help  q quit",
        "Enter statistics  Esc back  o sort  f filter  t totals  h help  q quit",
        "Enter histogram  Esc back  o sort  f filter  z zeros  t totals  h help  q quit",
        "Esc back  t totals  r reset  s interval  p pause  h help  q quit",
    };
    size_t line = screen->height - 1;
    const char *error = error_here(model);
    char text[TEXT_MAX];

    if (model->prompt) {
        snprintf(text, sizeof(text), "%s: %s_",
                 model->prompt == MODEL_PROMPT_FILTER ? "Filter" : "Interval in seconds",
                 model->text);
        put(screen, line, 0, SIZE_MAX, STYLE_STRONG, text);
    } else if (model->message[0]) {
        put(screen, line, 0, SIZE_MAX, STYLE_STRONG, model->message);
    } else if (error) {
        snprintf(text, sizeof(text), "gone: %s", error);
        put(screen, line, 0, SIZE_MAX, STYLE_BAD, text);
    } else {
        put(screen, line, 0, SIZE_MAX, STYLE_DIM, hints[model->level]);
    }
}

/* ---- help ----------------------------------------------------------------------------------- */

static void put_help(struct screen *screen)
{
    static const char *const keys[][2] = {
        {"Enter, x, Right", "drill down: VM, vCPU, statistics, histogram"},
        {"Esc, Backspace, Left", "back"},
        {"Up, Down, k, j", "the line before, the next line"},
        {"PgUp, PgDn, Home, End", "a page, the first line, the last line"},
        {"o, <, >", "sort by the next column; by the one left, right"},
        {"R", "the other way round"},
        {"f, /", "filter by a glob, or by a part of the name"},
        {"g", "filter the VMs"},
        {"c", "clear the filter"},
        {"t", "totals instead of rates"},
        {"z", "leave out statistics that are 0"},
        {"r", "reset the baseline: totals count from now on"},
        {"s", "set the interval in seconds"},
        {"p, Space", "pause, go on"},
        {"h, ?", "this help"},
        {"q", "quit"},
    };
    enum { KEYS = sizeof(keys) / sizeof(keys[0]), KEY_WIDTH = 25 };

    put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, "vitals top: keys");
    for (size_t i = 0; i < KEYS; i++) {
        put(screen, 2 + i, 2, KEY_WIDTH, STYLE_GOOD, keys[i][0]);
        put(screen, 2 + i, KEY_WIDTH, SIZE_MAX, STYLE_NORMAL, keys[i][1]);
    }
    put(screen, 3 + KEYS, 0, SIZE_MAX, STYLE_DIM, "Any key goes back.");
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* A low screen keeps the list longest. */
static struct region choose_region(struct screen *screen, struct model *model)
{
    size_t above = screen->height >= 6 ? 2 : screen->height >= 3 ? 1 : 0;
    size_t below = screen->height >= 4 ? 1 : 0;
    bool has_titles = screen->height >= 5;

    return (struct region){
        .screen = screen,
        .model = model,
        .titles = has_titles ? above : SIZE_MAX,
        .line = above + has_titles,
        .n = screen->height - above - has_titles - below,
    };
}

static void select_line(struct screen *screen, const struct region *region)
{
    const struct model_cursor *cursor = &region->model->cursors[region->model->level];

    if (region->model->n_items && region->model->level != MODEL_BUCKETS && region->n)
        paint(screen, region->line + cursor->index - cursor->top, STYLE_SELECTED);
}

void screen_draw(struct screen *screen, struct model *model)
{
    struct region region;

    clear(screen);
    if (!screen->width || !screen->height)
        return;
    if (model->has_help) {
        put_help(screen);
        return;
    }
    region = choose_region(screen, model);
    put_list(&region);
    select_line(screen, &region);
    if (screen->height >= 3)
        put_header(screen, model);
    if (screen->height >= 6)
        put_path(screen, model);
    if (screen->height >= 4 || model->prompt)
        put_footer(screen, model);
}

/* ---- the report ----------------------------------------------------------------------------- */

static void report_list(struct screen *screen, struct model *model, size_t *line)
{
    struct region region = {.screen = screen, .model = model, .titles = *line, .line = *line + 1};

    model_arrange(model);
    region.n = model->n_items;
    put_list(&region);
    *line += 1 + region.n;
}

static void report_head(struct screen *screen, const struct model *model)
{
    size_t gone = model_count_gone(model), column;
    time_t seconds = (time_t)model->time;
    char text[TEXT_MAX], time[64] = "";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        strftime(time, sizeof(time), "%FT%T%z", &tm);
    snprintf(text, sizeof(text), "vitals top: %s, %zu %s", time, model->n_vms,
             model->n_vms == 1 ? "VM" : "VMs");
    column = put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, text);
    snprintf(text, sizeof(text), ", %zu gone", gone);
    if (gone)
        put(screen, 0, column, SIZE_MAX, STYLE_BAD, text);
}

/* How many lines it can have. */
static size_t count_report(const struct model *model)
{
    size_t n = 3 + model->n_vms;

    for (size_t i = 0; i < model->n_vms; i++)
        n += 3 + model->vms[i].n_objects;
    return n;
}

bool screen_report(struct screen *screen, struct model *model, size_t width)
{
    size_t line = 1;

    if (!screen_resize(screen, width, count_report(model)))
        return false;
    clear(screen);
    report_head(screen, model);
    model->level = MODEL_VMS;
    report_list(screen, model, &line);
    for (size_t i = 0; i < model->n_vms; i++) {
        if (model->vms[i].error)
            continue;
        put(screen, ++line, 0, SIZE_MAX, STYLE_STRONG, model->vms[i].name);
        line++;
        model->level = MODEL_OBJECTS;
        model->vm = &model->vms[i];
        report_list(screen, model, &line);
    }
    model->level = MODEL_VMS;
    screen->height = line < screen->height ? line : screen->height;
    return !model->has_failed;
}
