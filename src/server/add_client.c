/* SPDX-License-Identifier: MIT */
/* Clients whose connections were made elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/sized.h"
#include "qmp/dialect.h"
#include "server/internal.h"

/* @ret_providers: a reference, or NULL. */
static int take_options(const struct vitals_client_options *given,
                        struct vitals_client_options *options, struct error_text *error,
                        struct providers **ret_providers)
{
    static const struct sized sized =
        SIZED("vitals_server_add_client", struct vitals_client_options, size);
    int err;

    *options = (struct vitals_client_options){0};
    err = given ? sized_take(&sized, given, options, error) : 0;
    if (err)
        return err;
    if (!qmp_dialect(options->dialect))
        return error_set(error, -EINVAL, "dialect %u is unknown", options->dialect);
    if (options->reserved)
        return error_set(error, -EINVAL, "reserved is %u, must be 0", options->reserved);
    return providers_parse(options->providers, error, ret_providers);
}

static int explain(const struct vitals_server *server, int fd, int err, struct error_text *error)
{
    if (err == -EUSERS)
        return error_set(error, err, "there are %u clients already, which is the most",
                         server->options.clients_max);
    if (err == -EEXIST)
        return error_set(error, err, "fd %d is served already", fd);
    return error_set(error, err, "fd %d can't be served: %s", fd, strerror(-err));
}

static int open_client(struct vitals_server *server, int fd, struct protocol *protocol,
                       struct error_text *error)
{
    int err = socket_check_connected(fd, error);

    if (err)
        return err;
    err = server_lock(server);
    if (err)
        return error_set(error, err, "a client can't be added from inside collect()");
    err = transport_open(server, fd, protocol, NULL);
    server_unlock(server);
    return err ? explain(server, fd, err, error) : 0;
}

static int add_client(struct vitals_server *server, struct vitals_ctx *ctx, int fd,
                      const struct vitals_client_options *given, struct error_text *error)
{
    struct vitals_client_options options;
    struct providers *providers;
    struct protocol *protocol;
    int err = take_options(given, &options, error, &providers);

    if (err)
        return err;
    protocol = qmp_protocol_new(server, ctx, options.dialect, providers);
    providers_unref(providers);
    if (!protocol)
        return error_set(error, -ENOMEM, "no memory for a client");
    err = open_client(server, fd, protocol, error);
    if (err)
        protocol->ops->free(protocol);
    return err;
}

int vitals_server_add_client(struct vitals_server *server, struct vitals_ctx *ctx, int fd,
                             const struct vitals_client_options *given)
{
    struct error_text error;
    int err = server_check_process(server);

    if (err)
        return err;
    err = add_client(server, ctx, fd, given, &error);
    return server_report(server, ctx, err, &error);
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
