/* SPDX-License-Identifier: MIT */
#include "http/head.h"

#include <string.h>

#include "http/http.h"

/* ---- arguments ------------------------------------------------------------------------------ */

static size_t count_arguments(const char *arguments)
{
    size_t n = 1;

    for (; *arguments; arguments++)
        n += *arguments == '&';
    return n;
}

/*
 * Without memory for an argument, libmicrohttpd 0.9 makes a reply that it forgets to send. The target is in
 * its buffer, where it is about to write itself: what is cut off there is not parsed.
 */
struct http_head head_of_target(const char *target)
{
    struct http_head head = {.target = target, .len = target ? strlen(target) : 0};
    char *arguments = target ? strchr(target, '?') : NULL;

    head.has_nul = target && strstr(target, "%00");
    if (arguments && count_arguments(arguments + 1) > HTTP_ARGUMENTS_MAX) {
        head.is_too_long = true;
        arguments[1] = '\0';
    }
    return head;
}

/* ---- NUL ------------------------------------------------------------------------------------ */

/* The lines of a head, which lie in memory one behind the other. */
struct walk {
    const char *end; /* of the line before, where it had CR or LF */
    bool is_broken;  /* the next one began elsewhere */
};

enum { NEWLINE_MAX = 2 };

static enum MHD_Result walk_on(void *opaque, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    struct walk *walk = opaque;

    (void)kind;
    walk->is_broken |= name <= walk->end || name - walk->end > NEWLINE_MAX;
    walk->end = value ? value + strlen(value) : name + strlen(name);
    return MHD_YES;
}

/* Nothing but the newlines of the last line and of the empty one, which have been overwritten. */
static bool is_end(const char *at, const char *end)
{
    if (end - at > 2 * NEWLINE_MAX)
        return false;
    for (; at < end; at++)
        if (*at)
            return false;
    return true;
}

/* As 1.0 refuses them by itself. */
static bool is_checked_by_library(void)
{
    return strncmp(MHD_get_version(), "0.", 2) != 0;
}

/* A NUL ends a line before its end, so that there is a gap; a line that begins with one ends the head. */
bool head_has_nul(const struct http_head *head, struct MHD_Connection *connection,
                  const char *method, const char *version)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct walk walk = {.end = version + strlen(version)};

    if (head->has_nul)
        return true;
    if (is_checked_by_library() || !size || !head->target)
        return false;
    if (!head->is_too_long && version != head->target + head->len + 1)
        return true;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, walk_on, &walk);
    return walk.is_broken || !is_end(walk.end, method + size->header_size);
}
