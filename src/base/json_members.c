/* SPDX-License-Identifier: MIT */
#include "base/json_members.h"

static void read_string(struct json_members *members, char byte)
{
    members->is_string = members->is_escaped || byte != '"';
    members->is_escaped = !members->is_escaped && byte == '\\';
}

static void open_bracket(struct json_members *members)
{
    if (members->depth < JSON_MEMBERS_DEPTH)
        members->counts[members->depth] = 0;
    members->depth++;
}

static bool add_member(struct json_members *members)
{
    size_t level = (size_t)members->depth - 1;

    return level >= JSON_MEMBERS_DEPTH || ++members->counts[level] <= JSON_MEMBERS_MAX;
}

bool json_members_fit(struct json_members *members, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char byte = bytes[i];

        if (members->is_string)
            read_string(members, byte);
        else if (byte == '"')
            members->is_string = true;
        else if (byte == '{' || byte == '[')
            open_bracket(members);
        else if ((byte == '}' || byte == ']') && members->depth && --members->depth == 0)
            break;
        else if (byte == ':' && !add_member(members))
            return false;
    }
    return true;
}
