/* SPDX-License-Identifier: MIT */
/*
 * A program that has functions of the library's inner names, as QEMU has its own qmp_query_status(),
 * and links the static library: the linker refuses it if the library gives away what is its own.
 */
#include <stdio.h>

#include "vitals/vitals.h"

int qmp_query_status(void);
int qmp_query_stats(void);
int buf_append(void);
int error_set(void);
int socket_listen(void);

static unsigned calls;

int qmp_query_status(void)
{
    return ++calls;
}

int qmp_query_stats(void)
{
    return ++calls;
}

int buf_append(void)
{
    return ++calls;
}

int error_set(void)
{
    return ++calls;
}

int socket_listen(void)
{
    return ++calls;
}

int main(void)
{
    struct vitals_server *server = NULL;
    struct vitals_ctx *ctx = NULL;

    if (vitals_ctx_new(NULL, &ctx) || vitals_server_new(NULL, &server))
        return 1;
    vitals_server_free(server);
    vitals_ctx_free(ctx);
    if (calls) {
        fprintf(stderr, "the library called %u functions of the program\n", calls);
        return 1;
    }
    qmp_query_status();
    qmp_query_stats();
    buf_append();
    error_set();
    socket_listen();
    return calls == 5 ? 0 : 1;
}
