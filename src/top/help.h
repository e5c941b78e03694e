/* SPDX-License-Identifier: MIT */
/* The keys, on the whole screen. */
#ifndef TOP_HELP_H
#define TOP_HELP_H

#include "top/cells.h"

void help_draw(struct screen *screen);

#endif
