/* SPDX-License-Identifier: MIT */
/* What stands around a list: the header and the path above it, the footer below. */
#ifndef TOP_FRAME_H
#define TOP_FRAME_H

#include "top/cells.h"
#include "top/model.h"

enum { FRAME_SIZE_MAX = 64 };

/* "3 VMs", or of a host "3 VMs, 6 vCPUs (1.5 per CPU)". */
void frame_size_text(char text[FRAME_SIZE_MAX], const struct model *model);

/* @hidden_order: what the list is sorted by, if that can't be seen; or NULL. */
void frame_put_header(struct screen *screen, const struct model *model, const char *hidden_order);

/* Where the list is: "VMs > web1 > vcpu 3 > halt_wait_hist". */
void frame_put_path(struct screen *screen, const struct model *model);

/* The most urgent of what could be said. */
void frame_put_footer(struct screen *screen, const struct model *model);

#endif
