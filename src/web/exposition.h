/* SPDX-License-Identifier: MIT */
/* /metrics: all VMs for Prometheus. */
#ifndef WEB_EXPOSITION_H
#define WEB_EXPOSITION_H

#include "base/buf.h"
#include "metrics/openmetrics.h"
#include "metrics/preset.h"
#include "web/view.h"

struct exposition_form {
    enum metrics_format format;
    enum metrics_preset preset;
    bool is_thin;
};

/*
 * What this preset has, and smaller ones, which is all that can be written then. What the view has, and @preset, is
 * borrowed. @err: of the pass, which may have failed.
 */
void web_metrics_take(struct metrics *metrics, const struct view *view, int err,
                      const enum metrics_preset *preset);

/* Lack of memory is in @out. */
void web_metrics_write(struct metrics *metrics, const struct exposition_form *form,
                       uint64_t begin_ns, struct buf *out);

#endif
