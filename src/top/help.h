/* SPDX-License-Identifier: MIT */
/* The keys, on the whole screen; on a low one they can be scrolled. */
#ifndef TOP_HELP_H
#define TOP_HELP_H

#include "top/cells.h"
#include "top/model.h"

void help_draw(struct screen *screen, struct model *model);

#endif
