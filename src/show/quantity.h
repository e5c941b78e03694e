/* SPDX-License-Identifier: MIT */
/* Numbers for people. */
#ifndef SHOW_QUANTITY_H
#define SHOW_QUANTITY_H

#include "vitals/stats.h"

enum { QUANTITY_MAX = 32 };

/* "4.2 ms", "64 KiB"; whole numbers without a unit as they are. */
void quantity_text(char text[QUANTITY_MAX], const struct vitals_stat *stat, double raw);

/* In two digits where there is a unit, and without a space: "4.2ms", "17ms", "537us". */
void quantity_short(char text[QUANTITY_MAX], const struct vitals_stat *stat, double raw);

#endif
