/* SPDX-License-Identifier: MIT */
/* The columns of the lists of VMs and vCPUs: sums of statistics that say most about a VM. */
#ifndef TOP_FIGURE_H
#define TOP_FIGURE_H

#include "kvm/meanings.h"
#include "look/series.h"

/* A sum, and over how many objects. */
struct figure_value {
    double sum;
    size_t n; /* 0: there is no such statistic, or it says nothing, as of what does not run */
};

/* Adds to each figure that of one object, or without one of the VM and all of its vCPUs. */
void figures_add(struct figure_value values[FIGURES_MAX], const struct series_vm *vm,
                 const struct series_object *object, enum series_since since);

/* The value as a person wants it; of shares, the mean of the objects. */
void figure_text(char text[QUANTITY_MAX], size_t figure, enum series_since since,
                 const struct figure_value *value);

/* What figure_text() has as a number, to sort by. */
double figure_number(size_t figure, enum series_since since, const struct figure_value *value);

/* A column takes more than --stat may have left; as look.needs. */
bool figure_needs(const struct client_stat *stat);

/* Why the VM, or the vCPU, does not run: "paused", "never ran", or the peer's word. NULL: it runs. */
const char *figure_state(const struct series_vm *vm, const struct series_object *object);

/* A bit for each figure that the VM, or its first vCPU, has statistics of. */
uint64_t figures_known(const struct series_vm *vm);

/* The cause that most exits per second have. NULL: there are no exits, or no cause is known. */
const struct series *figure_busiest(const struct series_object *object, double *ret_rate);

/* A number of events: whole if it is large. */
void figure_count(char text[QUANTITY_MAX], double value);

#endif
