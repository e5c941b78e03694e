/* SPDX-License-Identifier: MIT */
/* The lists of VMs, and of the objects of a VM. */
#include <stdio.h>

#include "top/figure.h"
#include "top/list.h"

enum { FIGURE_WIDTH = 10, VCPUS_WIDTH = 7, BUSIEST_WIDTH = 36 };

struct layout {
    size_t name, figures; /* columns of the first; how many of the latter */
    bool has_vcpus;
};

static struct layout choose_layout(const struct region *region)
{
    size_t width = region->screen->width;
    struct layout layout = {.name = list_clamp(width / 5, 8, 32),
                            .has_vcpus = region->model->level == MODEL_VMS && width >= 40};
    size_t used = layout.name + (layout.has_vcpus ? VCPUS_WIDTH : 0) + BUSIEST_WIDTH;

    layout.figures = width > used ? list_clamp((width - used) / FIGURE_WIDTH, 1, n_figures) : 1;
    return layout;
}

static size_t figure_column(const struct layout *layout, size_t i)
{
    return layout->name + (layout->has_vcpus ? VCPUS_WIDTH : 0) + i * FIGURE_WIDTH;
}

static void put_titles(const struct region *region)
{
    const struct layout layout = choose_layout(region);
    bool is_vms = region->model->level == MODEL_VMS;
    const char *per = region->model->is_totals ? "" : "/s";
    size_t busiest = figure_column(&layout, layout.figures) + 2;

    list_put_title(region, &(struct column){.title = is_vms ? "VM" : "OBJECT",
                                            .end = layout.name,
                                            .is_sorted = list_is_sorted_by(region, 0)});
    if (layout.has_vcpus)
        list_put_title(region, &(struct column){.title = "VCPUS",
                                                .begin = layout.name,
                                                .end = layout.name + VCPUS_WIDTH,
                                                .is_right = true});
    for (size_t i = 0; i < layout.figures; i++) {
        char title[SCREEN_TEXT_MAX];

        snprintf(title, sizeof(title), "%s%s", figures[i].title, figures[i].is_share ? "" : per);
        list_put_title(region, &(struct column){.title = title,
                                                .begin = figure_column(&layout, i) + 1,
                                                .end = figure_column(&layout, i + 1),
                                                .is_right = true,
                                                .is_sorted = list_is_sorted_by(region, i + 1)});
    }
    list_put_title(region, &(struct column){.title = "BUSIEST", .begin = busiest, .end = SIZE_MAX});
}

/* The busiest counter of the item: of a VM's objects that of the one where it counts most. */
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
    text[0] = '\0';
    if (!busiest)
        return;
    figure_count(count, most);
    if (!item->object)
        snprintf(text, SCREEN_TEXT_MAX, "%s %s/s, %s", busiest->stat->name, count,
                 row_object(name, &(struct row){.path = of->path, .vcpu = of->vcpu}));
    else
        snprintf(text, SCREEN_TEXT_MAX, "%s %s/s", busiest->stat->name, count);
}

static void put_figures(const struct region *region, const struct layout *layout, size_t line,
                        const struct model_item *item)
{
    enum series_since since = model_since(region->model);
    size_t n_vcpus = item->object ? 1 : series_count_vcpus(&item->vm->values);
    char text[SCREEN_TEXT_MAX];

    if (layout->has_vcpus) {
        snprintf(text, sizeof(text), "%zu", n_vcpus);
        screen_put_right(region->screen, line, layout->name, layout->name + VCPUS_WIDTH,
                         STYLE_NORMAL, text);
    }
    for (size_t i = 0; i < layout->figures; i++) {
        char quantity[QUANTITY_MAX] = "-";
        double value;

        if (figure_value(&item->vm->values, item->object, &figures[i], since, &value))
            figure_text(quantity, &figures[i], since, value, n_vcpus);
        screen_put_right(region->screen, line, figure_column(layout, i) + 1,
                         figure_column(layout, i + 1), STYLE_NORMAL, quantity);
    }
    busiest_text(text, item);
    screen_put(region->screen, line, figure_column(layout, layout->figures) + 2, SIZE_MAX,
               STYLE_NORMAL, text);
}

static void put_item(const struct region *region, size_t line, const struct model_item *item)
{
    const struct layout layout = choose_layout(region);
    char name[QUANTITY_MAX], gone[SCREEN_TEXT_MAX];
    const char *text = item->vm->name;
    struct row row = {0};

    if (item->object) {
        row = (struct row){.path = item->object->path, .vcpu = item->object->vcpu};
        text = row_object(name, &row);
    }
    screen_put(region->screen, line, 0, layout.name - 1, item->object ? STYLE_NORMAL : STYLE_STRONG,
               text);
    if (item->vm->error && !item->object) {
        snprintf(gone, sizeof(gone), "gone: %s", item->vm->error);
        screen_put(region->screen, line, layout.name, SIZE_MAX, STYLE_BAD, gone);
    } else {
        put_figures(region, &layout, line, item);
    }
}

const struct view vms_view = {
    .put_titles = put_titles,
    .put_item = put_item,
};
