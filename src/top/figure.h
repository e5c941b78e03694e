/* SPDX-License-Identifier: MIT */
/* The columns of the lists of VMs and vCPUs: sums of statistics that say most about a VM. */
#ifndef TOP_FIGURE_H
#define TOP_FIGURE_H

#include "kvm/meanings.h"
#include "look/series.h"

/* Of one object, or without one of all vCPUs of the VM. False: there is no such statistic. */
bool figure_value(const struct series_vm *vm, const struct series_object *object,
                  const struct figure *figure, enum series_since since, double *ret_value);

/* The value as a person wants it. */
void figure_text(char text[QUANTITY_MAX], const struct figure *figure, enum series_since since,
                 double value, size_t n_vcpus);

/* The counter that counts most per second, but for those that only sum up others. NULL: none counts. */
const struct series *figure_busiest(const struct series_object *object, double *ret_rate);

/* A number of events: whole if it is large. */
void figure_count(char text[QUANTITY_MAX], double value);

#endif
