/* SPDX-License-Identifier: MIT */
/* /api/v1/vms and /api/v1/vms/NAME, as vitals-http(7) describes them. */
#ifndef WEB_VMS_JSON_H
#define WEB_VMS_JSON_H

#include "base/buf.h"
#include "web/view.h"

/* All VMs with their figures. */
void web_put_vms(struct buf *out, const struct view *view);

/* One VM with all its values. */
void web_put_vm(struct buf *out, const struct view *view, const struct view_vm *vm);

#endif
