/* SPDX-License-Identifier: MIT */
/* From the options to VMs that are open, and what is wanted of them. */
#include "host/privileges.h"
#include "look/daemon.h"
#include "base/at_once.h"
#include "look/private.h"

bool look_names_sockets(const struct look_options *options)
{
    return options->sockets.n || options->default_socket;
}

bool look_is_at_host(struct look *look)
{
    if (look->options.is_host)
        return true;
    if (look_names_sockets(&look->options))
        return false;
    look->daemon = daemon_find(look);
    return !look->daemon;
}

void look_each_vm(const struct look *look, size_t n, void (*work)(void *opaque, size_t i),
                  void *opaque)
{
    if (!look->host && !look->fleet) {
        at_once(n, work, opaque);
        return;
    }
    for (size_t i = 0; i < n; i++)
        work(opaque, i);
}

static int open_sockets(struct look *look)
{
    int status;

    privileges_drop(&(struct privileges){.opens_files = true}); /* what can't be given up stays */
    status = look_find_sockets(look);
    return status ? status : look_open_vms(look);
}

int look_connect(struct look *look)
{
    int status = look_is_at_host(look) ? look_open_host(look) : open_sockets(look);

    return status ? status : look_match_vms(look);
}

int look_choose(struct look *look)
{
    int status = look_check_any(look);

    if (status == 0)
        status = look_match_objects(look);
    return status ? status : look_match_stats(look);
}

int look_open(struct look *look)
{
    int status = look_connect(look);

    return status ? status : look_choose(look);
}
