/* SPDX-License-Identifier: MIT */
/*
 * Who holds the server's memory: an account has the clients of one user at one VM. Where memory is
 * short, the VM whose clients hold most gives some back, of it the user who holds most, and of those
 * clients the one that holds most for longest.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "server/internal.h"

/* Who holds something counts as if it were for so long at least. */
enum { NEWEST_NS = 1000 * 1000 };

uid_t account_user(int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    return peer.uid;
}

/* Those of one VM stand side by side. */
static struct account *add_account(struct vitals_server *server, const struct vitals_ctx *ctx,
                                   uid_t user, struct account *neighbour)
{
    struct account *account = calloc(1, sizeof(*account));

    if (!account)
        return NULL;
    account->ctx = ctx;
    account->user = user;
    if (neighbour)
        LIST_INSERT_AFTER(neighbour, account, link);
    else
        LIST_INSERT_HEAD(&server->accounts, account, link);
    return account;
}

struct account *account_join(struct vitals_server *server, const struct vitals_ctx *ctx, int fd)
{
    uid_t user = account_user(fd);
    struct account *account, *neighbour = NULL;

    LIST_FOREACH(account, &server->accounts, link)
    {
        if (account->ctx == ctx) {
            neighbour = account;
            if (account->user == user)
                break;
        }
    }
    if (!account)
        account = add_account(server, ctx, user, neighbour);
    if (account)
        account->n_clients++;
    return account;
}

void account_leave(struct account *account)
{
    if (--account->n_clients)
        return;
    LIST_REMOVE(account, link);
    free(account);
}

static const struct vitals_ctx *largest_vm(const struct vitals_server *server)
{
    const struct vitals_ctx *largest = NULL, *ctx = NULL;
    const struct account *account;
    size_t held = 0, most = 0;

    LIST_FOREACH(account, &server->accounts, link)
    {
        held = (account->ctx == ctx ? held : 0) + account->held;
        ctx = account->ctx;
        if (held > most) {
            most = held;
            largest = ctx;
        }
    }
    return largest;
}

static const struct account *largest_account(const struct vitals_server *server)
{
    const struct vitals_ctx *ctx = largest_vm(server);
    const struct account *account, *largest = NULL;

    LIST_FOREACH(account, &server->accounts, link)
    {
        if (account->ctx == ctx && (!largest || account->held > largest->held))
            largest = account;
    }
    return largest;
}

struct transport *account_find_burden(const struct vitals_server *server)
{
    const struct account *account = largest_account(server);
    struct transport *found = NULL;
    uint64_t now = clock_now_ns();
    double burden, most = 0;
    uint32_t i;

    for (i = 0; i < server->n_slots; i++) {
        struct transport *transport = server->slots[i].owner;

        if (server->slots[i].kind != SLOT_TRANSPORT || transport->account != account)
            continue;
        burden = (double)transport->held * (double)(now - transport->progress_ns + NEWEST_NS);
        if (!found || burden > most) {
            most = burden;
            found = transport;
        }
    }
    return found;
}
