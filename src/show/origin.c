/* SPDX-License-Identifier: MIT */
#include "show/origin.h"

/* -1: it is not known. */
static void put_number(struct record_writer *to, const char *name, const char *title,
                       int64_t number)
{
    if (number < 0)
        record_null(to, name, title);
    else
        record_i64(to, name, title, number);
}

void origin_put(struct record_writer *to, const struct client_origin *origin, bool has_titles)
{
    static const struct client_origin nobody = {.pid = -1, .uid = -1};
    const struct client_origin *of = origin ? origin : &nobody;

    record_text(to, "vmm", has_titles ? "VMM" : NULL, of->vmm);
    put_number(to, "pid", has_titles ? "PID" : NULL, of->pid);
    put_number(to, "uid", has_titles ? "UID" : NULL, of->uid);
    record_text(to, "way", NULL, of->way);
    record_text(to, "uuid", NULL, of->uuid);
}
