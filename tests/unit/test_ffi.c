/* SPDX-License-Identifier: MIT */
/* Structs that are made by functions, as callers of other languages have them. */
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "vitals/vitals.h"

static int collect(void *opaque, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, NULL);

    (void)opaque;
    if (row)
        row[3] = 11;
    return 0;
}

static struct vitals_group_ops *new_ops(void)
{
    struct vitals_group_ops *ops = vitals_group_ops_new("ffi", "vm", collect, NULL, NULL);

    assert_non_null(ops);
    return ops;
}

static int add(struct vitals_group_ops *ops, const char *name, uint32_t count)
{
    return vitals_group_ops_add(ops, name, NULL, count > 1 ? VITALS_LOG_HIST : VITALS_CUMULATIVE,
                                VITALS_NONE, 10, 0, count, 0);
}

static void all_is_made_by_functions(void **state)
{
    struct vitals_ctx_options *ctx_options = vitals_ctx_options_new("made");
    struct vitals_server_options *server_options = vitals_server_options_new(1, 0);
    struct vitals_listen_options *listen_options =
        vitals_listen_options_new(in_dir("qmp.sock"), VITALS_DIALECT_GROUPED, "ffi");
    struct vitals_client_options *client_options =
        vitals_client_options_new(VITALS_DIALECT_GROUPED, NULL);
    struct vitals_publish_options *publish_options = vitals_publish_options_new("@", "tiny");
    struct vitals_group_ops *ops = new_ops();
    struct vitals_server *server;
    struct vitals_ctx *ctx;
    struct peer peer, other;
    char text[256];
    int fd;

    (void)state;
    assert_int_equal(add(ops, "sizes", 3), 0);
    assert_int_equal(add(ops, "runs", 1), 3);
    check_ok(vitals_ctx_new(ctx_options, &ctx));
    check_ok(vitals_register(ctx, ops, NULL));
    check_error(vitals_publish(ctx, NULL, publish_options), EINVAL);
    vitals_error_text(ctx, text, sizeof(text));
    assert_string_equal(text, "'@' is no path of a socket");
    vitals_options_free(publish_options);
    check_ok(vitals_server_new(server_options, &server));
    check_ok(vitals_server_listen(server, ctx, listen_options, NULL));
    fd = peer_pair(&peer, server);
    check_ok(vitals_server_add_client(server, ctx, fd, client_options));
    peer_negotiate(&peer);
    peer_send(&peer, "{'execute':'query-stats','arguments':{'target':'vm'}}\n");
    assert_line(&peer, "{\"return\": {\"vm\": [{\"provider\": \"ffi\", \"stats\": "
                       "[{\"name\": \"sizes\", \"value\": {\"values\": [0, 0, 0]}}, "
                       "{\"name\": \"runs\", \"value\": 11}]}]}}");
    fd = peer_pair(&other, server);
    check_error(vitals_server_add_client(server, ctx, fd, client_options), EUSERS);
    close(fd);
    peer_close(&other);
    peer_close(&peer);
    vitals_server_free(server);
    check_ok(vitals_ctx_free(ctx));
    vitals_group_ops_free(ops);
    vitals_options_free(ctx_options);
    vitals_options_free(server_options);
    vitals_options_free(listen_options);
    vitals_options_free(client_options);
}

static void a_group_has_limits(void **state)
{
    struct vitals_group_ops *ops = new_ops();
    int i;

    (void)state;
    assert_int_equal(add(ops, "a", VITALS_ROW_MAX / 2), 0);
    assert_int_equal(add(ops, "b", VITALS_ROW_MAX / 2), VITALS_ROW_MAX / 2);
    check_error(add(ops, "c", 1), E2BIG);
    vitals_group_ops_free(ops);
    ops = new_ops();
    for (i = 0; i < VITALS_STATS_MAX; i++)
        assert_int_equal(add(ops, "a", 1), i);
    check_error(add(ops, "b", 1), E2BIG);
    vitals_group_ops_free(ops);
}

static void a_number_that_has_no_room_is_refused(void **state)
{
    struct vitals_group_ops *ops = new_ops();

    (void)state;
    check_error(vitals_group_ops_add(ops, "a", NULL, 256, 0, 10, 0, 1, 0), EINVAL);
    check_error(vitals_group_ops_add(ops, "a", NULL, 0, -1, 10, 0, 1, 0), EINVAL);
    check_error(vitals_group_ops_add(ops, "a", NULL, 0, 0, 266, 0, 1, 0), EINVAL);
    check_error(vitals_group_ops_add(ops, "a", NULL, 0, 0, 10, 32768, 1, 0), EINVAL);
    check_error(vitals_group_ops_add(ops, "a", NULL, 0, 0, 10, 0, 65536, 0), EINVAL);
    check_error(vitals_group_ops_add(NULL, "a", NULL, 0, 0, 10, 0, 1, 0), EINVAL);
    assert_int_equal(vitals_group_ops_add(ops, "a", NULL, 0, 0, 10, 32767, 1, 0), 0);
    vitals_group_ops_free(ops);
    vitals_group_ops_free(NULL);
    vitals_options_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_made_by_functions, make_dir, remove_dir),
        cmocka_unit_test(a_group_has_limits),
        cmocka_unit_test(a_number_that_has_no_room_is_refused),
    };

    return cmocka_run_group_tests_name("structs made by functions", tests, NULL, NULL);
}
