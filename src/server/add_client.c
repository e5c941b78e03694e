/* SPDX-License-Identifier: MIT */
/* Clients whose connections were made elsewhere. */
#include <errno.h>
#include <fcntl.h>

#include "base/sized.h"
#include "qmp/dialect.h"
#include "server/internal.h"
#include "stats/report.h"

static int take_options(struct vitals_ctx *ctx, const struct vitals_client_options *given,
                        struct vitals_client_options *options)
{
    static const struct sized sized =
        SIZED("vitals_server_add_client", struct vitals_client_options, size);
    struct error_text error;
    int err;

    *options = (struct vitals_client_options){0};
    err = given ? sized_take(&sized, given, options, &error) : 0;
    if (err)
        return ctx_fail(ctx, err, "%s", error.text);
    return qmp_dialect(options->dialect) && !options->reserved ? 0 : -EINVAL;
}

/* Under the lock. */
static int add_client(struct vitals_server *server, struct vitals_ctx *ctx, int fd,
                      enum vitals_dialect dialect)
{
    struct protocol *protocol = qmp_protocol_new(server, ctx, dialect);
    int err = protocol ? transport_open(server, fd, protocol, NULL) : -ENOMEM;

    if (err && protocol)
        protocol->ops->free(protocol);
    return err;
}

int vitals_server_add_client(struct vitals_server *server, struct vitals_ctx *ctx, int fd,
                             const struct vitals_client_options *given)
{
    struct vitals_client_options options;
    int err;

    err = server_check_process(server);
    if (!err)
        err = take_options(ctx, given, &options);
    if (!err)
        err = socket_check_connected(fd);
    if (err)
        return err;
    if (pthread_mutex_lock(&server->lock))
        return -EBUSY;
    err = add_client(server, ctx, fd, options.dialect);
    pthread_mutex_unlock(&server->lock);
    return err;
}

int vitals_server_close_clients(struct vitals_server *server, const struct vitals_ctx *ctx)
{
    uint32_t i;
    int err = server_check_process(server);

    if (err)
        return err;
    if (pthread_mutex_lock(&server->lock))
        return -EBUSY;
    for (i = 0; i < server->n_slots; i++) {
        struct transport *transport = server->slots[i].owner;

        if (server->slots[i].kind == SLOT_TRANSPORT && transport->protocol->ctx == ctx)
            transport_close(transport);
    }
    pthread_mutex_unlock(&server->lock);
    return 0;
}
