/* SPDX-License-Identifier: MIT */
/* A JSON value that was parsed, written out again. */
#ifndef QMP_JSON_VALUE_H
#define QMP_JSON_VALUE_H

#include "base/buf.h"

struct json_object;

/* As QEMU prints it. */
void json_put_value(struct buf *buf, struct json_object *value);

#endif
