/* SPDX-License-Identifier: MIT */
/*
 * What `vitals top` shows, without a terminal: the values of each VM, and what the keys have chosen.
 * Below the VMs are the objects of a VM (itself and its vCPUs), or all vCPUs of all VMs; below those
 * the statistics of an object; below these the buckets of a histogram, or what another statistic
 * was at each sample.
 */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "look/series.h"
#include "top/figure.h"

enum model_level {
    MODEL_VMS,
    MODEL_VCPUS,
    MODEL_OBJECTS,
    MODEL_STATS,
    MODEL_BUCKETS,
    MODEL_HISTORY,
    MODEL_LEVELS,
};

enum { MODEL_TEXT_MAX = 64, MODEL_MOMENTS = 256, MODEL_TROUBLE_MAX = 512 };

#define MODEL_INTERVAL_MIN 0.05
#define MODEL_INTERVAL_MAX 3600.0

/* ---- what is shown -------------------------------------------------------------------------- */

struct model_vm {
    char *name, *socket;
    char *label;      /* the name, and what tells it from others of that name */
    uint64_t figures; /* which of them, and of the other columns, it has values for */
    bool is_at_rest, has_vcpu_at_rest;
    struct series_vm values;
    char *error;    /* why it does not answer, if it is lost; or NULL */
    double since;   /* when it had been asked then, seconds since 1970 */
    double silence; /* for how long an answer is awaited, in seconds, if that is long; or 0 */
    bool has_answered;
};

/* A line of the list of the current level. */
struct model_item {
    struct model_vm *vm;
    struct series_object *object;
    struct series *series;
    size_t index;                             /* in the order of the VM; the bucket */
    double order;                             /* ascending */
    struct figure_value figures[FIGURES_MAX]; /* of a VM or an object */
};

struct model_cursor {
    const void *key; /* what is selected, wherever it moves; NULL: the line @index */
    size_t index, top;
    size_t column; /* sorted by it */
    bool is_reversed;
    char filter[MODEL_TEXT_MAX];
};

enum model_prompt { MODEL_NO_PROMPT, MODEL_PROMPT_FILTER, MODEL_PROMPT_INTERVAL };

/* What a statistic was at a sample. */
struct model_moment {
    double time;  /* seconds since 1970 */
    double value; /* per second where it counts; in the statistic's own scale */
    uint64_t total;
    bool has_value, is_reset;
};

struct model_history {
    struct model_moment moments[MODEL_MOMENTS]; /* the last ones, in a ring */
    size_t n, next;
};

struct model {
    struct model_vm **vms; /* NULL: there is none of this number */
    size_t n_vms;

    /* Whether the list of statistics has one; or NULL: all. */
    bool (*shows)(const void *opaque, const struct series *series);
    const void *opaque;

    enum model_level level;
    struct model_vm *vm; /* from MODEL_OBJECTS on */
    struct series_object *object;
    struct series *series;
    struct model_cursor cursors[MODEL_LEVELS];
    struct model_item *items;
    size_t n_items, cap;
    size_t page; /* lines of the list that fit: the screen says */

    /* Lines of the help: the first shown; the last that can be so, and how many fit, the screen says. */
    size_t help_top, help_last, help_page;

    struct model_history history; /* of the statistic, at MODEL_HISTORY */

    bool is_paused, is_totals, is_nonzero, has_help, is_done;
    bool is_flat;     /* one came to the object by the list of all vCPUs */
    bool has_labels;  /* those of the VMs are made */
    bool is_part;     /* of the names that pass the filter: there is none that is just that */
    bool is_rebased;  /* totals count since the baseline */
    bool has_failed;  /* no memory */
    double interval;  /* seconds */
    double time;      /* of the last sample, seconds since 1970; 0: none yet */
    double base_time; /* of the baseline */
    unsigned n_cpus;  /* of the host that all VMs are of; 0: not known */
    enum model_prompt prompt;
    enum model_level prompt_level; /* whose filter is asked for: meanwhile the level may change */
    char text[MODEL_TEXT_MAX];     /* typed at the prompt */
    char message[MODEL_TEXT_MAX];  /* about the last key, or empty */
};

/* False: no memory. */
bool model_init(struct model *model, double interval);
void model_free(struct model *model);

/*
 * What follows, up to model_return(), changes VMs, of which there may be very many: when all have
 * been changed, model_arrange() makes the list anew, once, before anything else is asked.
 */

/* A VM that is new, or has another name. False: no memory. */
bool model_name_vm(struct model *model, size_t vm, const char *name, const char *socket);

/* There is no such VM any more. */
void model_drop_vm(struct model *model, size_t vm);

/* series_take(), at @time in seconds since 1970. */
void model_take(struct model *model, size_t vm, const struct sample *sample, double time);

/* The VM has ended, or does not answer, since some time. Its last values stay. */
void model_lose(struct model *model, size_t vm, const char *error, double since);

/* For how long its answer is awaited. */
void model_await(struct model *model, size_t vm, double seconds);

/* It is back, perhaps with another name, and series_break(). */
void model_return(struct model *model, size_t vm, const char *name);

/* series_renew(). */
void model_renew(struct model *model, size_t vm);

/* Totals count from the last sample on. */
void model_rebase(struct model *model);

size_t model_count_vms(const struct model *model);
size_t model_count_gone(const struct model *model);

/* ---- keys ----------------------------------------------------------------------------------- */

/* Beside characters, which are themselves. */
enum model_key {
    MODEL_KEY_BACKSPACE = '\b',
    MODEL_KEY_ENTER = '\n',
    MODEL_KEY_ESCAPE = 27,
    MODEL_KEY_UP = 0x200,
    MODEL_KEY_DOWN,
    MODEL_KEY_LEFT,
    MODEL_KEY_RIGHT,
    MODEL_KEY_PAGE_UP,
    MODEL_KEY_PAGE_DOWN,
    MODEL_KEY_HOME,
    MODEL_KEY_END,
    MODEL_KEY_NONE, /* one that means nothing */
};

void model_press(struct model *model, int key);

/* ---- for the screen ------------------------------------------------------------------------- */

/* Those of the VMs, if a name has changed. */
void model_make_labels(struct model *model);

/* Makes the list of the current level anew. Sets has_failed without memory. */
void model_arrange(struct model *model);

/* What is wrong with a VM, and since when. False: nothing is. */
bool model_trouble(char text[MODEL_TROUBLE_MAX], const struct model_vm *vm, size_t width);

/* The selected line; NULL: the list is empty. */
const struct model_item *model_selected(const struct model *model);

/* What a cursor keeps of a line, to find it again wherever it moves. */
const void *model_key_of(const struct model_item *item);

/*
 * The columns that the list of a level can be sorted by. Those of VMs, objects and vCPUs have the
 * same numbers: names, figures, and then the others.
 */
enum { MODEL_COLUMN_NAME, MODEL_COLUMN_FIGURES };
size_t model_count_columns(enum model_level level);
size_t model_column_vcpus(void); /* how many; in the list of all vCPUs, which one */
size_t model_column_busiest(void);
size_t model_column_last_cpu(void);
size_t model_column_thread(void);
size_t model_column_state(void); /* there if something does not run */

/* Sorts the lists of VMs and of all vCPUs by this column, in capitals or not; else by name. */
void model_sort_by(struct model *model, const char *title);

/* Whether the list has the column at all: there is nothing in it if no VM has such statistics. */
bool model_has_column(const struct model *model, enum model_level level, size_t column);

/* The CPU that the vCPU last ran on. False: not known. */
bool model_last_cpu(const struct series_object *object, uint64_t *ret_cpu);

/* The level to go back to. */
enum model_level model_level_above(const struct model *model);

/* The history begins anew, with the last sample. */
void model_begin_history(struct model *model);

/* The latest is 0. */
const struct model_moment *model_moment(const struct model *model, size_t i);

/* The statistic as verbs show it: with @is_total since the baseline, or else over the interval. */
struct row model_row(const struct model *model, const struct series_object *object,
                     const struct series *series, bool is_total, uint64_t *space);

/* What the numbers of the lists are: what came since then. */
enum series_since model_since(const struct model *model);

/* What the baseline leaves of a total. */
uint64_t model_total(const struct model *model, const struct series *series, size_t i);

#endif
