/* SPDX-License-Identifier: MIT */
/* Made by qapi_gen.py. */
#ifndef QAPI_COMMANDS_H
#define QAPI_COMMANDS_H

#include "qmp/qapi.h"

extern const struct qapi_schema everything_schema;
extern const struct qapi_schema brief_schema;

/* The handlers, which are written by hand. */
void qmp_take_all(struct qmp_call *call);
void qmp_take_lists(struct qmp_call *call);
void qmp_take_nothing(struct qmp_call *call);
void qmp_take_numbers(struct qmp_call *call);
void qmp_take_painting(struct qmp_call *call);

/* The open enums. */
#define QAPI_PLUGIN "Plugin"
#define QAPI_WEATHER "Weather"

/* The elements of tables: what a schema calls the values of an enum. */
#define EVERYTHING_COLOR_NAMES \
    [PAINT_RED] = "red", \
    [PAINT_BLUE] = "blue"
#define BRIEF_COLOR_NAMES \
    [PAINT_RED] = "red", \
    [PAINT_BLUE] = "blue"

#endif
