/* SPDX-License-Identifier: MIT */
/* The lists of VMs, of the objects of a VM, and of all vCPUs. */
#include <stdio.h>

#include "top/figure.h"
#include "top/list.h"

enum {
    RANK_STATE = 1,
    RANK_VCPUS = 3,
    RANK_BUSIEST = COLUMN_EXTRA + 6, /* behind all figures */
    RANK_LAST_CPU = RANK_BUSIEST + 1,
    RANK_THREAD = RANK_LAST_CPU + 1,
    EVENTS_WIDTH = 7, /* columns of a number of events: a million, or most of them per second */
};

/* ---- columns -------------------------------------------------------------------------------- */

static bool is_known(const struct model *model, size_t figure)
{
    return model_has_column(model, model->level, MODEL_COLUMN_FIGURES + figure);
}

static void add_figure(struct region *region, size_t i)
{
    bool is_rate = figures[i].kind == FIGURE_COUNT && !region->model->is_totals;
    struct column *column;
    char title[TITLE_MAX];

    snprintf(title, sizeof(title), "%s%s", figures[i].title, is_rate ? "/s" : "");
    column = columns_add(&region->columns, MODEL_COLUMN_FIGURES + i, COLUMN_NUMBER, figures[i].rank,
                         title);
    if (figures[i].kind == FIGURE_COUNT)
        columns_measure_width(column, EVENTS_WIDTH);
}

static void add_all_figures(struct region *region)
{
    for (size_t i = 0; i < n_figures; i++)
        if (is_known(region->model, i))
            add_figure(region, i);
    columns_add(&region->columns, model_column_busiest(), COLUMN_NAME, RANK_BUSIEST, "BUSIEST");
}

static void add_state(struct region *region)
{
    if (model_has_column(region->model, region->model->level, model_column_state()))
        columns_add(&region->columns, model_column_state(), COLUMN_TEXT, RANK_STATE, "STATE");
}

static void add_last_cpu(struct region *region)
{
    if (model_has_column(region->model, region->model->level, model_column_last_cpu()))
        columns_add(&region->columns, model_column_last_cpu(), COLUMN_NUMBER, RANK_LAST_CPU,
                    "LAST CPU");
}

static void add_thread(struct region *region)
{
    if (model_has_column(region->model, region->model->level, model_column_thread()))
        columns_add(&region->columns, model_column_thread(), COLUMN_NUMBER, RANK_THREAD, "THREAD");
}

static void add_columns(struct region *region)
{
    bool is_vms = region->model->level == MODEL_VMS;

    columns_add(&region->columns, MODEL_COLUMN_NAME, COLUMN_NAME, 0, is_vms ? "VM" : "OBJECT");
    if (is_vms)
        columns_add(&region->columns, model_column_vcpus(), COLUMN_NUMBER, RANK_VCPUS, "VCPUS");
    add_state(region);
    add_all_figures(region);
    if (!is_vms) {
        add_last_cpu(region);
        add_thread(region);
    }
}

static void add_columns_of_vcpus(struct region *region)
{
    columns_add(&region->columns, MODEL_COLUMN_NAME, COLUMN_NAME, 0, "VM");
    columns_add(&region->columns, model_column_vcpus(), COLUMN_NAME, 0, "OBJECT");
    add_state(region);
    add_all_figures(region);
    add_last_cpu(region);
    add_thread(region);
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* The busiest cause of the item: of a VM's objects that of the one where it counts most. */
static void busiest_text(char text[SCREEN_TEXT_MAX], const struct model_item *item)
{
    const struct series *busiest = NULL;
    const struct series_object *of = NULL;
    char count[QUANTITY_MAX], name[QUANTITY_MAX] = "";
    double most = 0;

    for (size_t i = 0; i < item->vm->values.n_objects; i++) {
        const struct series_object *object = item->vm->values.objects[i];
        const struct series *series;
        double rate = 0;

        series = !item->object || item->object == object ? figure_busiest(object, &rate) : NULL;
        if (series && rate > most) {
            busiest = series;
            of = object;
            most = rate;
        }
    }
    if (!busiest)
        return;
    figure_count(count, most);
    if (!item->object)
        snprintf(text, SCREEN_TEXT_MAX, "%s %s/s, %s", busiest->stat->name, count,
                 row_object(name, &(struct row){.path = of->path, .vcpu = of->vcpu}));
    else
        snprintf(text, SCREEN_TEXT_MAX, "%s %s/s", busiest->stat->name, count);
}

static void figure_cell(char text[SCREEN_TEXT_MAX], const struct model *model,
                        const struct model_item *item, size_t figure)
{
    struct figure_value value = item ? item->figures[figure] : (struct figure_value){0};

    for (size_t i = 0; !item && i < model->n_items; i++) {
        value.sum += model->items[i].vm->error ? 0 : model->items[i].figures[figure].sum;
        value.n += model->items[i].vm->error ? 0 : model->items[i].figures[figure].n;
    }
    figure_text(text, figure, model_since(model), &value);
}

static void state_text(char text[SCREEN_TEXT_MAX], const struct model_item *item)
{
    const char *state = item ? figure_state(&item->vm->values, item->object) : "";

    if (!state && item->object)
        state = client_state_name(item->object->state);
    else if (!state)
        state = item->vm->values.status.text;
    snprintf(text, SCREEN_TEXT_MAX, "%s", item && (!state || !*state) ? "-" : state);
}

static void thread_text(char text[SCREEN_TEXT_MAX], const struct model_item *item)
{
    if (item && item->object->thread > 0)
        snprintf(text, SCREEN_TEXT_MAX, "%lld", (long long)item->object->thread);
    else
        snprintf(text, SCREEN_TEXT_MAX, "%s", item ? "-" : "");
}

static void last_cpu_text(char text[SCREEN_TEXT_MAX], const struct model_item *item)
{
    uint64_t cpu;

    if (item && model_last_cpu(item->object, &cpu))
        snprintf(text, SCREEN_TEXT_MAX, "%llu", (unsigned long long)cpu);
    else
        snprintf(text, SCREEN_TEXT_MAX, "%s", item ? "-" : "");
}

static void object_text(char text[SCREEN_TEXT_MAX], const struct model *model,
                        const struct model_item *item)
{
    char name[QUANTITY_MAX];

    if (item)
        snprintf(text, SCREEN_TEXT_MAX, "%s",
                 row_object(name,
                            &(struct row){.path = item->object->path, .vcpu = item->object->vcpu}));
    else
        snprintf(text, SCREEN_TEXT_MAX, "%zu vCPUs", model->n_items);
}

static size_t count_vcpus(const struct model *model, const struct model_item *item)
{
    size_t n = 0;

    if (item)
        return series_count_vcpus(&item->vm->values);
    for (size_t i = 0; i < model->n_items; i++)
        n += model->items[i].vm->error ? 0 : series_count_vcpus(&model->items[i].vm->values);
    return n;
}

static void name_text(char text[SCREEN_TEXT_MAX], const struct model *model,
                      const struct model_item *item)
{
    if (item && item->object && model->level == MODEL_OBJECTS)
        object_text(text, model, item);
    else if (item)
        snprintf(text, SCREEN_TEXT_MAX, "%s", item->vm->label);
    else if (model->level == MODEL_VMS)
        snprintf(text, SCREEN_TEXT_MAX, "all %zu VMs", model->n_items);
    else
        snprintf(text, SCREEN_TEXT_MAX, "all");
}

static void fill(const struct region *region, const struct model_item *item,
                 const struct column *column, struct cell *ret_cell)
{
    const struct model *model = region->model;
    char *text = ret_cell->text;

    if (column->id == MODEL_COLUMN_NAME) {
        ret_cell->style = item && item->object ? STYLE_NORMAL : STYLE_STRONG;
        name_text(text, model, item);
    } else if (column->id == model_column_vcpus() && model->level == MODEL_VMS) {
        snprintf(text, SCREEN_TEXT_MAX, "%zu", count_vcpus(model, item));
    } else if (column->id == model_column_vcpus()) {
        object_text(text, model, item);
    } else if (column->id == model_column_state()) {
        state_text(text, item);
    } else if (column->id == model_column_last_cpu()) {
        last_cpu_text(text, item);
    } else if (column->id == model_column_thread()) {
        thread_text(text, item);
    } else if (column->id != model_column_busiest()) {
        figure_cell(text, model, item, column->id - MODEL_COLUMN_FIGURES);
    } else if (item) {
        busiest_text(text, item);
    }
}

static bool replace(const struct region *region, const struct model_item *item,
                    struct cell *ret_cell)
{
    char trouble[MODEL_TROUBLE_MAX];
    size_t name = region->columns.all[0].end + 1;

    if (item->object || !model_trouble(trouble, item->vm, region->screen->width - name))
        return false;
    ret_cell->style = STYLE_BAD;
    snprintf(ret_cell->text, sizeof(ret_cell->text), "%s", trouble);
    return true;
}

const struct view vms_view = {
    .add_columns = add_columns,
    .fill = fill,
    .replace = replace,
    .has_line_for_all = true,
};

const struct view vcpus_view = {
    .add_columns = add_columns_of_vcpus,
    .fill = fill,
    .has_line_for_all = true,
};
