/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what a process is called by its command line, its control groups and its program, all of
 * which a stranger wrote. The bytes are these three, with the byte FF between them.
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "host/identity.h"

enum { SEPARATOR = 0xff, PID = 42 };

struct bytes {
    const uint8_t *at, *end;
};

/* A copy of just its size, up to the separator. */
static char *next_piece(struct bytes *bytes, size_t *ret_size)
{
    size_t left = (size_t)(bytes->end - bytes->at);
    const uint8_t *end = left ? memchr(bytes->at, SEPARATOR, left) : NULL;
    size_t size = end ? (size_t)(end - bytes->at) : left;
    char *piece = malloc(size ? size : 1);

    CHECK(piece);
    if (size)
        memcpy(piece, bytes->at, size);
    bytes->at += size + (end != NULL);
    *ret_size = size;
    return piece;
}

static char *next_text(struct bytes *bytes)
{
    size_t size;
    char *piece = next_piece(bytes, &size), *text = strndup(piece, size);

    CHECK(text);
    free(piece);
    return text;
}

static void check_text(const char *text, size_t size)
{
    CHECK(strnlen(text, size) < size);
    CHECK(text_is_plain(text));
}

static void check_uuid(const char *uuid)
{
    CHECK(!*uuid || strlen(uuid) == IDENTITY_UUID_MAX - 1);
    for (; *uuid; uuid++)
        CHECK(isxdigit((unsigned char)*uuid) || *uuid == '-');
}

static void check(const struct process_text *process)
{
    struct identity identity, again;

    memset(&identity, 'x', sizeof(identity));
    identity_read(process, &identity);
    check_text(identity.name, sizeof(identity.name));
    check_text(identity.vmm, sizeof(identity.vmm));
    check_text(identity.uuid, sizeof(identity.uuid));
    check_uuid(identity.uuid);
    CHECK(identity.name[0]);
    identity_read(process, &again);
    CHECK(!memcmp(&identity, &again, sizeof(identity)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, data + size};
    struct process_text process = {.pid = PID};
    char *command_line = next_piece(&bytes, &process.command_line_size);
    char *cgroup = next_text(&bytes), *program = next_text(&bytes);

    process.command_line = command_line;
    process.cgroup = cgroup;
    process.program = program;
    check(&process);
    process.command_line = NULL;
    process.command_line_size = 0;
    check(&process);
    free(command_line);
    free(cgroup);
    free(program);
    return 0;
}
