/* SPDX-License-Identifier: MIT */
/* What stands in the head of each reply. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include <microhttpd.h>

void reply_add_headers(struct MHD_Response *response, const char *type);

#endif
