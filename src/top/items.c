/* SPDX-License-Identifier: MIT */
/* Which lines the list of a level has, and in which order. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/pattern.h"
#include "stats/histogram.h"
#include "top/figure.h"
#include "top/model.h"

static struct model_cursor *current(struct model *model)
{
    return &model->cursors[model->level];
}

/* ---- the list of a level -------------------------------------------------------------------- */

static void add_item(struct model *model, struct model_item item)
{
    if (model->n_items == model->cap) {
        size_t cap = model->cap ? 2 * model->cap : 64;
        struct model_item *grown = reallocarray(model->items, cap, sizeof(*grown));

        if (!grown) {
            model->has_failed = true;
            return;
        }
        model->items = grown;
        model->cap = cap;
    }
    item.index = model->n_items;
    model->items[model->n_items++] = item;
}

static bool passes(const struct model *model, const char *name)
{
    const char *filter = model->cursors[model->level].filter;

    return !*filter || pattern_matches(filter, model->is_part, name);
}

static bool vm_passes(const struct model *model, const struct model_vm *vm)
{
    return passes(model, vm->name) || passes(model, vm->label);
}

static void list_vms(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        if (model->vms[i] && vm_passes(model, model->vms[i]))
            add_item(model, (struct model_item){.vm = model->vms[i]});
}

static bool object_passes(const struct model *model, const struct series_object *object)
{
    const struct row row = {.path = object->path, .vcpu = object->vcpu};
    char name[QUANTITY_MAX];

    return passes(model, row_object(name, &row));
}

static void list_objects(struct model *model)
{
    for (size_t i = 0; i < model->vm->values.n_objects; i++) {
        struct series_object *object = model->vm->values.objects[i];

        if (object_passes(model, object))
            add_item(model, (struct model_item){.vm = model->vm, .object = object});
    }
}

static void list_vcpus_of(struct model *model, struct model_vm *vm)
{
    bool is_wanted = vm_passes(model, vm);

    for (size_t i = 0; i < vm->values.n_objects; i++) {
        struct series_object *object = vm->values.objects[i];

        if (series_is_vcpu(object) && (is_wanted || object_passes(model, object)))
            add_item(model, (struct model_item){.vm = vm, .object = object});
    }
}

static void list_vcpus(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        if (model->vms[i] && !model->vms[i]->error)
            list_vcpus_of(model, model->vms[i]);
}

/* Nothing since the baseline, and no reset to tell of. */
static bool is_zero(const struct model *model, const struct series *series)
{
    for (size_t i = 0; i < series->n; i++)
        if (model_total(model, series, i))
            return false;
    return !series->is_reset;
}

static void list_stats(struct model *model)
{
    for (size_t i = 0; i < model->object->n_series; i++) {
        struct series *series = model->object->series[i];

        if (passes(model, series->stat->name) &&
            (!model->shows || model->shows(model->opaque, series)) &&
            !(model->is_nonzero && is_zero(model, series)))
            add_item(model, (struct model_item){
                                .vm = model->vm, .object = model->object, .series = series});
    }
}

/* From the first bucket that ever counted something to the last. */
static void list_buckets(struct model *model)
{
    const struct series *series = model->series;
    size_t first = series->n, end = 0;

    for (size_t i = 0; i < series->n; i++) {
        if (series->totals[i] && first == series->n)
            first = i;
        if (series->totals[i])
            end = i + 1;
    }
    for (size_t i = first; i < end; i++) {
        add_item(model, (struct model_item){
                            .vm = model->vm, .object = model->object, .series = model->series});
        if (!model->has_failed)
            model->items[model->n_items - 1].index = i;
    }
}

static void list_history(struct model *model)
{
    for (size_t i = 0; i < model->history.n; i++)
        add_item(model, (struct model_item){
                            .vm = model->vm, .object = model->object, .series = model->series});
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Descending; what has no value comes last. */
static double order_of_figure(const struct model *model, const struct model_item *item,
                              size_t figure)
{
    const struct figure_value *value = &item->figures[figure];

    return value->n ? -figure_number(figure, model_since(model), value) : INFINITY;
}

static double order_of_busiest(const struct model_item *item)
{
    double most = 0;

    for (size_t i = 0; i < item->vm->values.n_objects; i++) {
        const struct series_object *object = item->vm->values.objects[i];
        double rate = 0;

        if ((!item->object || item->object == object) && figure_busiest(object, &rate) &&
            rate > most)
            most = rate;
    }
    return -most;
}

static double order_of_vm(const struct model *model, const struct model_item *item, size_t column)
{
    uint64_t cpu;

    if (column == model_column_vcpus())
        return item->object ? (double)item->object->vcpu
                            : -(double)series_count_vcpus(&item->vm->values);
    if (column == model_column_busiest())
        return order_of_busiest(item);
    if (column == model_column_state())
        return figure_state(&item->vm->values, item->object) == NULL;
    if (column == model_column_last_cpu())
        return item->object && model_last_cpu(item->object, &cpu) ? (double)cpu : INFINITY;
    if (column == model_column_thread())
        return item->object && item->object->thread > 0 ? (double)item->object->thread : INFINITY;
    return order_of_figure(model, item, column - MODEL_COLUMN_FIGURES);
}

static double order_of_stat(const struct model *model, const struct model_item *item, size_t column)
{
    const struct series *series = item->series;
    bool is_total = column == 2;
    double scale = histogram_is(series->stat) ? 1 : pow(series->stat->base, series->stat->exponent);
    double sum = 0;

    if (!is_total && !series->has_deltas)
        return INFINITY;
    for (size_t i = 0; i < series->n; i++)
        sum += is_total ? (double)model_total(model, series, i)
                        : (double)series->deltas[i] / series->seconds;
    return -sum * scale;
}

static int compare_names(const struct model_item *a, const struct model_item *b)
{
    if (a->series)
        return strcmp(a->series->stat->name, b->series->stat->name);
    return strcmp(a->vm->label, b->vm->label);
}

static int compare(const void *left, const void *right, void *opaque)
{
    const struct model_item *a = left, *b = right;
    const struct model *model = opaque;
    const struct model_cursor *cursor = &model->cursors[model->level];
    int order = (a->order > b->order) - (a->order < b->order);

    if (order == 0 && cursor->column == 0)
        order = compare_names(a, b);
    if (order == 0)
        order = a->index < b->index ? -1 : 1;
    return cursor->is_reversed ? -order : order;
}

const void *model_key_of(const struct model_item *item)
{
    if (item->series)
        return item->series;
    return item->object ? (const void *)item->object : item->vm;
}

/* What was selected stays so wherever it has moved. */
static void follow(struct model *model)
{
    struct model_cursor *cursor = current(model);

    for (size_t i = 0; cursor->key && i < model->n_items; i++) {
        if (model_key_of(&model->items[i]) == cursor->key) {
            cursor->index = i;
            return;
        }
    }
    if (cursor->index >= model->n_items)
        cursor->index = model->n_items ? model->n_items - 1 : 0;
}

/* ---- levels --------------------------------------------------------------------------------- */

static size_t count_vm_columns(void)
{
    return model_column_state() + 1;
}

static size_t count_stat_columns(void)
{
    return 3;
}

static const struct level {
    void (*list)(struct model *model);
    /* To sort by, the first of which are the names. Both NULL: items have an order of their own. */
    size_t (*count_columns)(void);
    double (*order)(const struct model *model, const struct model_item *item, size_t column);
} levels[] = {
    [MODEL_VMS] = {list_vms, count_vm_columns, order_of_vm},
    [MODEL_VCPUS] = {list_vcpus, count_vm_columns, order_of_vm},
    [MODEL_OBJECTS] = {list_objects, count_vm_columns, order_of_vm},
    [MODEL_STATS] = {list_stats, count_stat_columns, order_of_stat},
    [MODEL_BUCKETS] = {list_buckets, NULL, NULL},
    [MODEL_HISTORY] = {list_history, NULL, NULL},
};
ASSERT_COUNT(levels, MODEL_LEVELS);

size_t model_count_columns(enum model_level level)
{
    return levels[level].order ? levels[level].count_columns() : 0;
}

static uint64_t figures_of_all(const struct model *model)
{
    uint64_t all = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        all |= model->vms[i] ? model->vms[i]->figures : 0;
    return all;
}

static bool any_is_at_rest(const struct model *model, enum model_level level)
{
    if (level == MODEL_OBJECTS)
        return model->vm->has_vcpu_at_rest;
    for (size_t i = 0; i < model->n_vms; i++) {
        const struct model_vm *vm = model->vms[i];

        if (vm && (level == MODEL_VMS ? vm->is_at_rest && !vm->error : vm->has_vcpu_at_rest))
            return true;
    }
    return false;
}

bool model_has_column(const struct model *model, enum model_level level, size_t column)
{
    uint64_t known = level == MODEL_OBJECTS ? model->vm->figures : figures_of_all(model);
    size_t figure = column - MODEL_COLUMN_FIGURES;

    if (level >= MODEL_STATS || column == MODEL_COLUMN_NAME || column == model_column_busiest())
        return column < model_count_columns(level);
    if (column == model_column_vcpus())
        return level != MODEL_OBJECTS;
    if (column == model_column_state())
        return any_is_at_rest(model, level);
    if (column == model_column_last_cpu())
        return level != MODEL_VMS && known >> n_figures & 1;
    if (column == model_column_thread())
        return level != MODEL_VMS && known >> n_figures & 2;
    return known >> figure & 1 && (level != MODEL_VCPUS || !strcmp(figures[figure].target, "vcpu"));
}

static void sort(struct model *model, const struct level *level)
{
    size_t column = current(model)->column;

    for (size_t i = 0; i < model->n_items; i++)
        model->items[i].order = column ? level->order(model, &model->items[i], column) : 0;
    if (model->n_items)
        qsort_r(model->items, model->n_items, sizeof(*model->items), compare, model);
}

static void add_up_figures(struct model *model)
{
    for (size_t i = 0; i < model->n_items; i++) {
        struct model_item *item = &model->items[i];

        figures_add(item->figures, &item->vm->values, item->object, model_since(model));
    }
}

void model_arrange(struct model *model)
{
    const struct level *level = &levels[model->level];

    if (!model->has_labels)
        model_make_labels(model);
    model->n_items = 0;
    model->is_part = false;
    level->list(model);
    if (!model->n_items && *current(model)->filter) {
        model->is_part = true;
        level->list(model);
    }
    if (model->level < MODEL_STATS)
        add_up_figures(model);
    if (level->order)
        sort(model, level);
    follow(model);
}

const struct model_item *model_selected(const struct model *model)
{
    return model->n_items ? &model->items[model->cursors[model->level].index] : NULL;
}
