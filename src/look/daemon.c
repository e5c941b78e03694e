/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "look/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/listener_probe.h"
#include "host/run_path.h"
#include "look/place.h"
#include "look/private.h"

/* 0, or -errno. Does not wait: one whose queue is full is there. */
static int try_daemon(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int err;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    err = listener_probe(&address);
    return err == -EAGAIN ? 0 : err;
}

static bool is_absent(int err)
{
    return err == -ENOENT || err == -ENOTDIR;
}

char *daemon_find(const struct look *look)
{
    struct client_error note = {0};
    char *path;
    int err;

    if (asprintf(&path, "%s/host.sock", host_run_directory()) < 0)
        return NULL;
    err = try_daemon(path);
    if (!err)
        return path;
    if (!is_absent(err)) {
        client_fail(&note, -err, NULL, "%s: the daemon does not answer: %s", path, strerror(-err));
        look_say(look, &note);
    }
    free(path);
    return NULL;
}

int daemon_list(const struct look *look, struct host_list *ret_list, struct client_error *error)
{
    return host_list_read(look->daemon, look_timeout_ms(&look->options), ret_list, error);
}

void daemon_tell(const struct host_list *list, const char *socket, struct client *client)
{
    const struct host_list_vm *vm = host_list_find(list, socket);

    if (vm)
        client_tell_origin(client, &vm->origin);
}

/* ---- asked for all of its VMs --------------------------------------------------------------- */

static bool wants(const void *opaque, const struct host_list_vm *vm)
{
    return look_wants_vm(opaque, vm->name, vm->origin.uuid);
}

int daemon_open(struct look *look)
{
    const struct fleet_options options = {.path = look->daemon,
                                          .timeout_ms = look_timeout_ms(&look->options),
                                          .wants = wants,
                                          .opaque = look};
    struct client_error error;
    int err = fleet_open(&options, &look->fleet, &error);

    if (err == -EOPNOTSUPP)
        err = daemon_list(look, &look->daemon_vms, &error);
    if (err) {
        look_complain(look, &error);
        return EXIT_FAILURE;
    }
    look->has_daemon_told = true;
    return 0;
}

const struct host_list *daemon_vms(const struct look *look)
{
    return look->fleet ? fleet_vms(look->fleet) : &look->daemon_vms;
}

/* ---- the same as a place that is watched ---------------------------------------------------- */

struct fleet_place {
    struct place place;
    struct fleet *fleet;
};

/* While the daemon does not answer, its VMs are there: each says why it can't be asked. */
static void refresh(struct place *place, void (*found)(void *opaque, const char *key), void *opaque)
{
    const struct fleet *fleet = ((struct fleet_place *)place)->fleet;
    const struct host_list *list;
    struct client_error error;

    fleet_begin(((struct fleet_place *)place)->fleet, &error);
    list = fleet_vms(fleet);
    for (size_t i = 0; i < list->n; i++)
        if (fleet_wants(fleet, &list->vms[i]))
            found(opaque, list->vms[i].socket);
}

static int connect_vm(struct place *place, const char *key, struct client **ret_client,
                      struct client_error *error)
{
    return fleet_open_vm(((struct fleet_place *)place)->fleet, key, ret_client, error);
}

static void interrupt(struct place *place)
{
    fleet_interrupt(((struct fleet_place *)place)->fleet);
}

static void free_place(struct place *place)
{
    free(place);
}

struct place *daemon_make_place(struct look *look)
{
    static const struct place_ops ops = {.refresh = refresh,
                                         .connect = connect_vm,
                                         .interrupt = interrupt,
                                         .is_at_hand = true,
                                         .free = free_place};
    struct fleet_place *place = calloc(1, sizeof(*place));

    if (!place)
        return NULL;
    *place = (struct fleet_place){.place.ops = &ops, .fleet = look->fleet};
    return &place->place;
}
