/* SPDX-License-Identifier: MIT */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "base/buf.h"

/* Appends the compressed bytes to @out. -ENOMEM. */
int gzip(const char *bytes, size_t len, struct buf *out);

#endif
