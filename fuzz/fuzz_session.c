/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes a whole session, over two providers and the recorded statistics of a VM: whatever a client
 * sends, it is answered by lines of ASCII, each an object of JSON, the same for any pieces.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "base/json_comma.h"
#include "qmp/session.h"
#include "vitals/vitals.h"

/* ---- the VM --------------------------------------------------------------------------------- */

static struct world {
    struct vitals_ctx *ctx;
    struct vitals_kvm *kvm;
    struct qmp_workbench bench;
    struct json_tokener *parser;
} world;

static const struct vitals_stat memory_stats[] = {
    {.name = "used",
     .type = VITALS_INSTANT,
     .unit = VITALS_BYTES,
     .base = 2,
     .exponent = 10,
     .count = 1},
    {.name = "ballooned", .unit = VITALS_BOOLEAN, .base = 10, .count = 1, .slot = 1},
};

static const struct vitals_stat sched_stats[] = {
    {.name = "runs", .base = 10, .count = 1},
    {.name = "waits",
     .type = VITALS_LINEAR_HIST,
     .unit = VITALS_SECONDS,
     .base = 10,
     .exponent = -9,
     .count = 4,
     .slot = 1,
     .bucket_size = 1000},
};

static int collect_memory(void *opaque, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, NULL);

    (void)opaque;
    if (row)
        row[0] = UINT64_MAX;
    return 0;
}

static int collect_sched(void *opaque, struct vitals_sink *sink)
{
    static const char *const paths[] = {"/machine/unattached/device[0]", "/machine/other"};
    size_t i;

    (void)opaque;
    for (i = 0; i < 2; i++) {
        uint64_t *row = vitals_row(sink, paths[i]);

        if (row)
            row[4] = i;
    }
    return 0;
}

static void register_groups(struct vitals_ctx *ctx)
{
    const struct vitals_group_ops memory = {
        VITALS_GROUP_OPS_INIT, .provider = "mem", .target = "vm",           .stats = memory_stats,
        .n_stats = 2,          .row_len = 2,      .collect = collect_memory};
    const struct vitals_group_ops sched = {
        VITALS_GROUP_OPS_INIT, .provider = "sched", .target = "vcpu",        .stats = sched_stats,
        .n_stats = 2,          .row_len = 5,        .collect = collect_sched};

    CHECK(!vitals_register(ctx, &memory, NULL));
    CHECK(!vitals_register(ctx, &sched, NULL));
}

static int open_recorded(const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/kvm/x86_64-linux-6.18/%s", TEST_DATA, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void make_world(void)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "fuzzed"};
    int vm = open_recorded("vm.stats"), vcpu = open_recorded("vcpu.stats");

    CHECK(!vitals_ctx_new(&options, &world.ctx));
    register_groups(world.ctx);
    CHECK(!vitals_kvm_new(world.ctx, vm, &world.kvm));
    CHECK(!vitals_kvm_add_vcpu(world.kvm, "/machine/unattached/device[0]", vcpu));
    CHECK(!vitals_kvm_add_vcpu(world.kvm, "/machine/unattached/device[2]", vcpu));
    CHECK(!qmp_workbench_init(&world.bench));
    world.parser = json_tokener_new_ex(VITALS_NESTING_MAX + 2);
    close(vm);
    close(vcpu);
}

/* ---- the conversation ----------------------------------------------------------------------- */

static void say(struct qmp_session *session, const uint8_t *bytes, size_t len, struct buf *out)
{
    size_t taken, before;

    do {
        before = out->len;
        taken = qmp_session_feed(session, &world.bench, bytes, len, out);
        while (session->task && !out->failed)
            qmp_session_go_on(session, &world.bench, out);
        CHECK(taken <= len);
        CHECK(taken == len || out->len > before);
        bytes += taken;
        len -= taken;
    } while (len || out->len > before);
}

/* The first byte chooses the dialect, and whether the session is negotiated already. */
static void talk(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
    struct qmp_session session;
    size_t at, n;

    qmp_session_init(&session, world.ctx,
                     size && data[0] == ' ' ? VITALS_DIALECT_FLAT : VITALS_DIALECT_GROUPED, NULL);
    session.negotiated = size && data[0] != '{';
    qmp_session_greet(&session, out);
    for (at = 0; at < size; at += n) {
        n = piece < size - at ? piece : size - at;
        say(&session, data + at, n, out);
    }
    qmp_session_finish(&session, &world.bench, out);
    CHECK(!out->failed);
    CHECK(qmp_session_memory(&session) == 0);
    qmp_session_free(&session);
}

/* ---- the replies ---------------------------------------------------------------------------- */

static void check_ascii(const char *line, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        CHECK(line[i] >= 0x20 && line[i] < 0x7f);
}

static void check_line(const char *line, size_t len)
{
    struct json_object *reply;

    CHECK(len >= 2 && !memcmp(line + len - 2, "\r\n", 2));
    check_ascii(line, len - 2);
    json_tokener_reset(world.parser);
    reply = json_tokener_parse_ex(world.parser, line, (int)len);
    CHECK(json_tokener_get_error(world.parser) == json_tokener_success);
    CHECK(json_tokener_get_parse_end(world.parser) + 2 >= len); /* the end of the line */
    CHECK(json_trailing_comma(line, len) == len);
    CHECK(json_object_is_type(reply, json_type_object));
    CHECK(json_object_object_get_ex(reply, "return", NULL) +
              json_object_object_get_ex(reply, "error", NULL) +
              json_object_object_get_ex(reply, "QMP", NULL) ==
          1);
    json_object_put(reply);
}

static void check_lines(const struct buf *out)
{
    const char *line = out->data, *end = out->data + out->len;

    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));

        CHECK(newline);
        check_line(line, (size_t)(newline + 1 - line));
        line = newline + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {0}, pieces = {0};

    if (!world.ctx)
        make_world();
    talk(data, size, size, &whole);
    talk(data, size, size ? data[size - 1] % 16 + 1u : 1, &pieces);
    check_lines(&whole);
    CHECK(whole.len == pieces.len && !memcmp(whole.data, pieces.data, whole.len));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
