/* SPDX-License-Identifier: MIT */
/* Whose VM it is, as fields of a record: vmm, pid, uid, way, uuid. */
#ifndef SHOW_ORIGIN_H
#define SHOW_ORIGIN_H

#include "client/client.h"
#include "show/record.h"

/* @origin NULL: it is of no VM alone. @has_titles: a table has columns for it, too. */
void origin_put(struct record_writer *to, const struct client_origin *origin, bool has_titles);

#endif
