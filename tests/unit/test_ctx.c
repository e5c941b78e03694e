/* SPDX-License-Identifier: MIT */
/* Contexts: their options, their last error, their end. */
#include <stdlib.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "stats/report.h"
#include "vitals/vitals.h"

static void a_context_needs_no_options(void **state)
{
    struct vitals_ctx *ctx = NULL;

    (void)state;
    check_ok(vitals_ctx_new(NULL, &ctx));
    assert_non_null(ctx);
    check_ok(vitals_ctx_free(ctx));
}

static void freeing_null_is_allowed(void **state)
{
    (void)state;
    check_ok(vitals_ctx_free(NULL));
    check_ok(vitals_unregister(NULL));
}

/* It would be used after it was freed. */
static void a_context_that_is_served_is_not_freed(void **state)
{
    struct vitals_server *server;
    struct vitals_ctx *ctx;
    struct peer peer;
    int fd;

    check_ok(vitals_ctx_new(NULL, &ctx));
    server = new_server();
    listen_at(server, ctx, in_dir("qmp.sock"));
    check_error(vitals_ctx_free(ctx), EBUSY);
    peer_open(&peer, server, in_dir("qmp.sock"));
    assert_answers(&peer);
    peer_close(&peer);
    vitals_server_free(server);

    server = new_server();
    fd = peer_pair(&peer, server);
    check_ok(vitals_server_add_client(server, ctx, fd, NULL));
    check_error(vitals_ctx_free(ctx), EBUSY);
    check_ok(vitals_server_close_clients(server, ctx));
    check_ok(vitals_ctx_free(ctx));
    peer_close(&peer);
    vitals_server_free(server);
    (void)state;
}

static void a_context_with_a_provider_of_the_library_is_not_freed(void **state)
{
    struct vitals_sched *sched;
    struct vitals_kvm *kvm;
    struct vitals_ctx *ctx;

    (void)state;
    check_ok(vitals_ctx_new(NULL, &ctx));
    check_ok(vitals_kvm_new(ctx, -1, &kvm));
    check_error(vitals_kvm_new(ctx, -1, &kvm), EEXIST); /* leaves nothing behind */
    check_error(vitals_ctx_free(ctx), EBUSY);
    check_ok(vitals_kvm_free(kvm));
    if (vitals_sched_new(ctx, &sched) == 0) {
        check_error(vitals_ctx_free(ctx), EBUSY);
        check_ok(vitals_sched_free(sched));
    }
    check_ok(vitals_ctx_free(ctx));
}

static void the_name_is_copied(void **state)
{
    char name[] = "web";
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = name};
    struct vitals_ctx *ctx;

    (void)state;
    check_ok(vitals_ctx_new(&options, &ctx));
    memset(name, 'x', sizeof(name) - 1);
    assert_string_equal(ctx->options.name, "web");
    vitals_ctx_free(ctx);
}

static const char uuid[] = "0f1e2D3c-4b5a-6978-8796-a5B4c3d2e1f0";

static int ctx_with_uuid(const char *text, struct vitals_ctx **ret_ctx)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .uuid = text};

    return vitals_ctx_new(&options, ret_ctx);
}

static void the_uuid_is_copied(void **state)
{
    struct vitals_ctx *ctx;
    char text[sizeof(uuid)];

    (void)state;
    strcpy(text, uuid);
    check_ok(ctx_with_uuid(text, &ctx));
    memset(text, 'x', sizeof(text) - 1);
    assert_string_equal(ctx->options.uuid, uuid);
    vitals_ctx_free(ctx);
}

static void a_uuid_of_another_form_is_refused(void **state)
{
    struct vitals_ctx *ctx = NULL;
    char text[sizeof(uuid) + 1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(uuid) - 1; i++) {
        strcpy(text, uuid);
        text[i] = text[i] == '-' ? '0' : '-';
        check_error(ctx_with_uuid(text, &ctx), EINVAL);
        text[i] = 'g';
        check_error(ctx_with_uuid(text, &ctx), EINVAL);
        text[i] = '\0';
        check_error(ctx_with_uuid(text, &ctx), EINVAL);
    }
    strcpy(text, uuid);
    strcat(text, "0");
    check_error(ctx_with_uuid(text, &ctx), EINVAL);
    assert_null(ctx);
}

static void options_without_a_size_are_refused(void **state)
{
    const struct vitals_ctx_options options = {.name = "web"};
    struct vitals_ctx *ctx = NULL;

    (void)state;
    check_error(vitals_ctx_new(&options, &ctx), EINVAL);
    assert_null(ctx);
}

/* A caller built with a header that has only the size: what follows must not be read. */
static void older_options_are_taken(void **state)
{
    const struct vitals_ctx_options options = {.size = sizeof(size_t), .name = "web"};
    size_t size = offsetof(struct vitals_ctx_options, uuid);
    struct vitals_ctx_options *older;
    struct vitals_ctx *ctx;

    (void)state;
    older = older_struct(&options, sizeof(size_t));
    check_ok(vitals_ctx_new(older, &ctx));
    assert_null(ctx->options.name);
    vitals_ctx_free(ctx);
    free(older);
    older = older_struct(&(struct vitals_ctx_options){.size = size, .name = "web"}, size);
    check_ok(vitals_ctx_new(older, &ctx));
    assert_string_equal(ctx->options.name, "web");
    assert_null(ctx->options.uuid);
    vitals_ctx_free(ctx);
    free(older);
}

static void options_that_cut_a_member_are_refused(void **state)
{
    const struct vitals_ctx_options options = {.size = sizeof(size_t) + 1, .name = "web"};
    struct vitals_ctx *ctx = NULL;

    (void)state;
    check_error(vitals_ctx_new(&options, &ctx), EINVAL);
    assert_null(ctx);
}

static void newer_options_are_taken_if_they_ask_for_nothing_new(void **state)
{
    struct {
        struct vitals_ctx_options options;
        char added_later[64];
    } newer = {.options = {.size = sizeof(newer), .name = "web"}};
    struct vitals_ctx *ctx = NULL;

    (void)state;
    newer.added_later[63] = 1;
    check_error(vitals_ctx_new(&newer.options, &ctx), E2BIG);
    assert_null(ctx);
    newer.added_later[63] = 0;
    check_ok(vitals_ctx_new(&newer.options, &ctx));
    assert_string_equal(ctx->options.name, "web");
    vitals_ctx_free(ctx);
}

static void there_is_no_error_at_first(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    char text[8] = "before";

    (void)state;
    assert_int_equal(vitals_error_text(ctx, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    vitals_ctx_free(ctx);
}

static void an_error_has_a_text(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake sched = {.provider = "Sched", .target = "vm", .names = {"runs"}};
    char text[200];
    size_t len;

    (void)state;
    check_error(fake_register(ctx, &sched, NULL), EINVAL);
    len = vitals_error_text(ctx, text, sizeof(text));
    assert_int_equal(len, strlen(text));
    assert_contains(text, "Sched");
    vitals_ctx_free(ctx);
}

static void a_text_that_is_cut_says_its_whole_length(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    char text[4];

    (void)state;
    check_error(ctx_fail(ctx, -EINVAL, "too long"), EINVAL);
    assert_int_equal(vitals_error_text(ctx, text, sizeof(text)), strlen("too long"));
    assert_string_equal(text, "too");
    assert_int_equal(vitals_error_text(ctx, text, 1), strlen("too long"));
    assert_string_equal(text, "");
    assert_int_equal(vitals_error_text(ctx, NULL, 0), strlen("too long"));
    vitals_ctx_free(ctx);
}

static void an_endless_text_is_cut(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    char text[2 * ERROR_TEXT_MAX];

    (void)state;
    ctx_fail(ctx, -EINVAL, "%0*d", 2 * ERROR_TEXT_MAX, 1);
    assert_int_equal(vitals_error_text(ctx, text, sizeof(text)), ERROR_TEXT_MAX - 1);
    vitals_ctx_free(ctx);
}

static void without_a_callback_nothing_is_logged(void **state)
{
    struct vitals_ctx *ctx = new_ctx();

    (void)state;
    ctx_log(ctx, VITALS_LOG_ERROR, "nobody hears %s", "this");
    vitals_ctx_free(ctx);
}

static void the_callback_gets_what_is_logged(void **state)
{
    struct log_book book = {0};
    struct vitals_ctx *ctx = ctx_with_log(&book);

    (void)state;
    ctx_log(ctx, VITALS_LOG_INFO, "vCPU %d", 3);
    assert_int_equal(book.lines, 1);
    assert_int_equal(book.level, VITALS_LOG_INFO);
    assert_string_equal(book.last, "vCPU 3");
    vitals_ctx_free(ctx);
}

static void the_library_knows_its_version(void **state)
{
    (void)state;
    assert_string_equal(vitals_version(), VITALS_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_needs_no_options),
        cmocka_unit_test(freeing_null_is_allowed),
        cmocka_unit_test_setup_teardown(a_context_that_is_served_is_not_freed, make_dir,
                                        remove_dir),
        cmocka_unit_test(a_context_with_a_provider_of_the_library_is_not_freed),
        cmocka_unit_test(the_name_is_copied),
        cmocka_unit_test(the_uuid_is_copied),
        cmocka_unit_test(a_uuid_of_another_form_is_refused),
        cmocka_unit_test(options_without_a_size_are_refused),
        cmocka_unit_test(older_options_are_taken),
        cmocka_unit_test(options_that_cut_a_member_are_refused),
        cmocka_unit_test(newer_options_are_taken_if_they_ask_for_nothing_new),
        cmocka_unit_test(there_is_no_error_at_first),
        cmocka_unit_test(an_error_has_a_text),
        cmocka_unit_test(a_text_that_is_cut_says_its_whole_length),
        cmocka_unit_test(an_endless_text_is_cut),
        cmocka_unit_test(without_a_callback_nothing_is_logged),
        cmocka_unit_test(the_callback_gets_what_is_logged),
        cmocka_unit_test(the_library_knows_its_version),
    };

    return cmocka_run_group_tests_name("contexts", tests, NULL, NULL);
}
