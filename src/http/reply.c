/* SPDX-License-Identifier: MIT */
#include "http/reply.h"

#include "base/count.h"

/* A page of elsewhere gets nothing of it, a browser keeps none, and guesses no type. */
static const char *const headers[][2] = {
    {"Cache-Control", "no-store"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
};

void reply_add_headers(struct MHD_Response *response, const char *type)
{
    MHD_add_response_header(response, "Content-Type", type);
    for (size_t i = 0; i < COUNT(headers); i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
}
