/* SPDX-License-Identifier: MIT */
/* The columns of the lists of VMs and vCPUs: sums of statistics that say most about a VM. */
#ifndef TOP_FIGURE_H
#define TOP_FIGURE_H

#include "kvm/meanings.h"
#include "top/model.h"

/* Of one object, or without one of all vCPUs of the VM. False: there is no such statistic. */
bool figure_value(const struct model *model, const struct model_vm *vm,
                  const struct model_object *object, const struct figure *figure,
                  double *ret_value);

/* The value as a person wants it. */
void figure_text(char text[QUANTITY_MAX], const struct model *model, const struct figure *figure,
                 double value, size_t n_vcpus);

/* The counter that counts most per second, but for those that only sum up others. NULL: none counts. */
const struct model_series *figure_busiest(const struct model_object *object, double *ret_rate);

/* A number of events: whole if it is large. */
void figure_count(char text[QUANTITY_MAX], double value);

#endif
