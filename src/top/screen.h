/* SPDX-License-Identifier: MIT */
/* Draws the model: the list of its level with a frame around it, the help, or a report. */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include "top/cells.h"
#include "top/model.h"

void screen_draw(struct screen *screen, struct model *model);

/* The VMs, and then the objects of each: as high as it takes. False: no memory. */
bool screen_report(struct screen *screen, struct model *model, size_t width);

#endif
