/* SPDX-License-Identifier: MIT */
#include "server/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static uint64_t event_data(const struct vitals_server *server, uint32_t slot)
{
    return (uint64_t)server->slots[slot].generation << 32 | slot;
}

static int find_free(struct vitals_server *server, uint32_t *ret_slot)
{
    uint32_t n = server->n_slots, i = server->first_free;
    struct slot *slots;

    while (i < n && server->slots[i].kind != SLOT_FREE)
        i++;
    server->first_free = *ret_slot = i;
    if (i < n)
        return 0;
    slots = realloc(server->slots, (n ? 2 * n : 16) * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    server->slots = slots;
    server->n_slots = n ? 2 * n : 16;
    for (i = n; i < server->n_slots; i++)
        slots[i] = (struct slot){.kind = SLOT_FREE};
    return 0;
}

int slot_add(struct vitals_server *server, enum slot_kind kind, void *owner, int fd,
             uint32_t interest, uint32_t *ret_slot)
{
    struct epoll_event event = {.events = interest};
    uint32_t slot;

    if (find_free(server, &slot))
        return -ENOMEM;
    event.data.u64 = event_data(server, slot);
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    server->slots[slot].kind = kind;
    server->slots[slot].owner = owner;
    *ret_slot = slot;
    return 0;
}

int slot_set_interest(struct vitals_server *server, uint32_t slot, int fd, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.u64 = event_data(server, slot)};

    return epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

void slot_silence(struct vitals_server *server, int fd)
{
    epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void slot_remove(struct vitals_server *server, uint32_t slot, int fd)
{
    if (!server->is_copy)
        epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    server->slots[slot].kind = SLOT_FREE;
    server->slots[slot].owner = NULL;
    server->slots[slot].generation++;
    if (slot < server->first_free)
        server->first_free = slot;
}

struct slot *slot_of_event(struct vitals_server *server, uint64_t data)
{
    uint32_t slot = (uint32_t)data;

    if (slot >= server->n_slots || server->slots[slot].kind == SLOT_FREE ||
        server->slots[slot].generation != data >> 32)
        return NULL;
    return &server->slots[slot];
}
