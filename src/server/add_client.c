/* SPDX-License-Identifier: MIT */
/* Clients whose connections were made elsewhere. */
#include <errno.h>
#include <fcntl.h>

#include "base/sized.h"
#include "qmp/dialect.h"
#include "server/internal.h"
#include "stats/report.h"

/* @ret_providers: a reference, or NULL. */
static int take_options(struct vitals_ctx *ctx, const struct vitals_client_options *given,
                        struct vitals_client_options *options, struct providers **ret_providers)
{
    static const struct sized sized =
        SIZED("vitals_server_add_client", struct vitals_client_options, size);
    struct error_text error;
    int err;

    *options = (struct vitals_client_options){0};
    err = given ? sized_take(&sized, given, options, &error) : 0;
    if (err)
        return ctx_fail(ctx, err, "%s", error.text);
    if (!qmp_dialect(options->dialect) || options->reserved)
        return -EINVAL;
    err = providers_parse(options->providers, &error, ret_providers);
    return err ? ctx_fail(ctx, err, "%s", error.text) : 0;
}

static int open_client(struct vitals_server *server, int fd, struct protocol *protocol)
{
    int err = socket_check_connected(fd);

    if (err)
        return err;
    err = server_lock(server);
    if (err)
        return err;
    err = transport_open(server, fd, protocol, NULL);
    server_unlock(server);
    return err;
}

int vitals_server_add_client(struct vitals_server *server, struct vitals_ctx *ctx, int fd,
                             const struct vitals_client_options *given)
{
    struct vitals_client_options options;
    struct providers *providers;
    struct protocol *protocol;
    int err;

    err = server_check_process(server);
    if (!err)
        err = take_options(ctx, given, &options, &providers);
    if (err)
        return err;
    protocol = qmp_protocol_new(server, ctx, options.dialect, providers);
    providers_unref(providers);
    if (!protocol)
        return -ENOMEM;
    err = open_client(server, fd, protocol);
    if (err)
        protocol->ops->free(protocol);
    return err;
}

int vitals_server_close_clients(struct vitals_server *server, const struct vitals_ctx *ctx)
{
    uint32_t i;
    int err = server_lock(server);

    if (err)
        return err;
    for (i = 0; i < server->n_slots; i++) {
        struct transport *transport = server->slots[i].owner;

        if (server->slots[i].kind == SLOT_TRANSPORT && transport->protocol->ctx == ctx)
            transport_close(transport);
    }
    server_unlock(server);
    return 0;
}
