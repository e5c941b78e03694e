/* SPDX-License-Identifier: MIT */
/* From the options to VMs that are open, and what is wanted of them. */
#include "look/private.h"

int look_connect(struct look *look)
{
    int status = look_find_sockets(look);

    return status ? status : look_open_vms(look);
}

int look_open(struct look *look)
{
    int status = look_connect(look);

    if (status == 0)
        status = look_check_any(look);
    if (status == 0)
        status = look_match_vcpus(look);
    return status ? status : look_match_stats(look);
}
