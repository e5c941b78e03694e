/* SPDX-License-Identifier: MIT */
/*
 * Memory: a warm query allocates nothing, and whichever allocation fails, the library says so, calls
 * release() once, and goes on. The allocations of the library are counted, and made to fail, by
 * wrappers that the linker puts in; those inside libc and json-c are not seen.
 */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "qmp/session.h"
#include "stats_file_builder.h"
#include "vitals/kvm.h"

/* ---- the wrappers --------------------------------------------------------------------------- */

static struct {
    long count;
    long fail_at; /* the number of the allocation to fail; 0: none */
    bool failed;
} allocations;

static bool must_fail(void)
{
    if (++allocations.count != allocations.fail_at)
        return false;
    allocations.failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return must_fail() ? NULL : __real_strdup(text);
}

static void fail_allocation(long number)
{
    allocations.count = 0;
    allocations.fail_at = number;
    allocations.failed = false;
}

/* No allocation fails any more. Whether one did. */
static bool end_failing(void)
{
    allocations.fail_at = 0;
    return allocations.failed;
}

/* ---- a warm query --------------------------------------------------------------------------- */

enum { OBJECTS = 1024 };

static const char *const *many_paths(void)
{
    static char text[OBJECTS][32];
    static const char *paths[OBJECTS + 1];
    int i;

    for (i = 0; i < OBJECTS; i++) {
        snprintf(text[i], sizeof(text[i]), "/machine/device[%d]", i);
        paths[i] = text[i];
    }
    return paths;
}

static void a_warm_query_of_many_objects_allocates_nothing(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct stats_collection collection = {0};
    struct stats_request request = {.target = "vcpu", .all_stats = true, .all_objects = true};
    struct fake one = {
        .provider = "one", .target = "vcpu", .names = {"a", "b", "c"}, .objects = many_paths()};
    struct fake two = {
        .provider = "two", .target = "vcpu", .names = {"d"}, .objects = many_paths()};
    int i;

    (void)state;
    check_ok(fake_register(ctx, &one, NULL));
    check_ok(fake_register(ctx, &two, NULL));
    check_ok(stats_collect(&collection, ctx, &request));
    allocations.count = 0;
    for (i = 0; i < 10; i++)
        check_ok(stats_collect(&collection, ctx, &request));
    assert_int_equal(allocations.count, 0);
    assert_int_equal(collection.objects.count, OBJECTS);
    assert_int_equal(stats_part_row(&collection.parts[1], 1023)[0], 10230);
    stats_collection_free(&collection);
    vitals_ctx_free(ctx);
}

static int add_recorded(struct vitals_kvm *kvm, const char *path)
{
    struct built_file file = load_recorded("vcpu.stats");
    int fd = file_to_fd(&file), err;

    err = vitals_kvm_add_vcpu(kvm, path, fd);
    close(fd);
    free_file(&file);
    return err;
}

static void a_warm_query_of_kvm_allocates_nothing(void **state)
{
    static const char *const fields[] = {"exits", "halt_wait_hist"};
    static const struct stats_filter filter = {.provider = "kvm", .fields = fields, .n_fields = 2};
    const char *wanted[] = {"cpu/3", "cpu/1"};
    struct stats_request some = {
        .target = "vcpu", .filters = &filter, .n_filters = 1, .objects = wanted, .n_objects = 2};
    struct stats_request all = {.target = "vcpu", .all_stats = true, .all_objects = true};
    struct vitals_ctx *ctx = new_ctx();
    struct stats_collection collection = {0};
    struct vitals_kvm *kvm;
    char path[16];
    int i;

    (void)state;
    check_ok(vitals_kvm_new(ctx, -1, &kvm));
    for (i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        check_ok(add_recorded(kvm, path));
    }
    check_ok(stats_collect(&collection, ctx, &all));
    allocations.count = 0;
    for (i = 0; i < 10; i++) {
        check_ok(stats_collect(&collection, ctx, &all));
        check_ok(stats_collect(&collection, ctx, &some));
    }
    assert_int_equal(allocations.count, 0);
    stats_collection_free(&collection);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
}

#define QUERY_STATS "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\"}}"

static void a_warm_session_allocates_nothing(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct qmp_workbench bench;
    struct qmp_session session;
    struct buf out = {0};
    struct vitals_kvm *kvm;
    int i;

    (void)state;
    check_ok(vitals_kvm_new(ctx, -1, &kvm));
    check_ok(add_recorded(kvm, "cpu/0"));
    check_ok(add_recorded(kvm, "cpu/1"));
    check_ok(qmp_workbench_init(&bench));
    qmp_session_init(&session, ctx, VITALS_DIALECT_GROUPED, NULL);
    session.negotiated = true;
    for (i = 0; i < 10; i++) {
        buf_reset(&out);
        assert_int_equal(qmp_session_feed(&session, &bench, QUERY_STATS, strlen(QUERY_STATS), &out),
                         strlen(QUERY_STATS));
        assert_true(out.len > 4000);
        if (i == 0)
            allocations.count = 0;
    }
    assert_int_equal(allocations.count, 0);
    buf_free(&out);
    qmp_session_free(&session);
    qmp_workbench_free(&bench);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
}

/* ---- allocations that fail ------------------------------------------------------------------ */

static void a_context_that_can_not_be_made_leaves_nothing(void **state)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "web",
                                               .uuid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"};
    struct vitals_ctx *ctx = NULL;
    long n = 0;
    int err;

    (void)state;
    do {
        fail_allocation(++n);
        err = vitals_ctx_new(&options, &ctx);
        assert_true(err == (allocations.failed ? -ENOMEM : 0));
        assert_true((ctx == NULL) == (err != 0));
    } while (end_failing());
    assert_true(n > 3);
    vitals_ctx_free(ctx);
}

static void a_group_that_can_not_be_made_is_released_once(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake;
    long n = 0;
    int err;

    (void)state;
    do {
        fake = (struct fake){.provider = "sched", .target = "vm", .names = {"runs"}};
        fail_allocation(++n);
        err = fake_register(ctx, &fake, NULL);
        assert_true(err == (allocations.failed ? -ENOMEM : 0));
        assert_int_equal(fake.releases, err ? 1 : 0);
    } while (end_failing());
    assert_true(n > 2);
    assert_answer(ctx, "vm sched:runs=0", .target = "vm");
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

static void a_query_that_lacks_memory_gives_less_or_fails(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake one = {
        .provider = "one", .target = "vcpu", .names = {"a"}, .objects = many_paths()};
    struct fake two = {
        .provider = "two", .target = "vcpu", .names = {"d"}, .objects = LIST("x", "y")};
    struct stats_request request = {.target = "vcpu", .all_stats = true, .all_objects = true};
    long n = 0;

    (void)state;
    check_ok(fake_register(ctx, &one, NULL));
    check_ok(fake_register(ctx, &two, NULL));
    do {
        struct stats_collection collection = {0};
        int err;

        fail_allocation(++n);
        err = stats_collect(&collection, ctx, &request);
        assert_true(err == 0 || (err == -ENOMEM && allocations.failed));
        allocations.fail_at = 0;
        check_ok(stats_collect(&collection, ctx, &request)); /* the same collection, once more */
        assert_int_equal(collection.objects.count, OBJECTS + 2);
        stats_collection_free(&collection);
    } while (end_failing());
    assert_true(n > 10);
    vitals_ctx_free(ctx);
}

static int vm_fd(void)
{
    struct built_file file = load_recorded("vm.stats");
    int fd = file_to_fd(&file);

    free_file(&file);
    return fd;
}

static void a_kvm_provider_that_can_not_be_made_leaves_nothing(void **state)
{
    struct vitals_kvm *kvm = NULL;
    int fd = vm_fd(), err;
    long n = 0;

    (void)state;
    do {
        struct vitals_ctx *ctx = new_ctx();

        kvm = NULL;
        fail_allocation(++n);
        err = vitals_kvm_new(ctx, fd, &kvm);
        assert_true(err == 0 || (err == -ENOMEM && allocations.failed));
        assert_true((kvm == NULL) == (err != 0));
        allocations.fail_at = 0;
        if (err)
            check_ok(vitals_kvm_new(ctx, fd, &kvm));
        assert_answer(ctx, "vm kvm:pages_2m=0", .target = "vm",
                      .filters = FILTERS({NULL, LIST("pages_2m")}));
        check_ok(vitals_kvm_free(kvm));
        vitals_ctx_free(ctx);
    } while (end_failing());
    close(fd);
}

/* Whatever failed while the first one was added, the next one is a vCPU like it. */
static void a_vcpu_that_could_not_be_added_does_not_shut_out_others(void **state)
{
    long n = 0;
    int err;

    (void)state;
    do {
        struct vitals_ctx *ctx = new_ctx();
        struct built_file file = load_recorded("vcpu.stats");
        int fd = file_to_fd(&file);
        struct vitals_kvm *kvm;

        check_ok(vitals_kvm_new(ctx, -1, &kvm));
        fail_allocation(++n);
        err = vitals_kvm_add_vcpu(kvm, "cpu/0", fd);
        assert_true(err == 0 || (err == -ENOMEM && allocations.failed));
        allocations.fail_at = 0;
        if (err)
            check_ok(vitals_kvm_add_vcpu(kvm, "cpu/0", fd));
        check_ok(vitals_kvm_add_vcpu(kvm, "cpu/1", fd));
        assert_answer(ctx, "cpu/0 kvm:nested_run=0; cpu/1 kvm:nested_run=0", .target = "vcpu",
                      .filters = FILTERS({NULL, LIST("nested_run")}));
        check_ok(vitals_kvm_free(kvm));
        vitals_ctx_free(ctx);
        close(fd);
        free_file(&file);
    } while (end_failing());
}

/* The reply is whole, or an error, or known to be broken; and the session goes on. */
static void check_reply(const struct buf *out, bool failed)
{
    static const char start[] = "{\"return\": {\"vcpus\": [{\"path\"";

    if (out->failed && failed)
        return;
    assert_true(out->len > 2);
    assert_memory_equal(out->data + out->len - 2, "\r\n", 2);
    if (!failed)
        assert_memory_equal(out->data, start, sizeof(start) - 1);
}

static void feed(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out)
{
    static const char id[] = "{\"id\":{\"a\":[1]},";
    size_t taken;

    buf_reset(out);
    taken = qmp_session_feed(session, bench, id, sizeof(id) - 1, out);
    assert_int_equal(taken, sizeof(id) - 1);
    qmp_session_feed(session, bench, &QUERY_STATS[1], strlen(QUERY_STATS) - 1, out);
}

static void a_session_that_lacks_memory_goes_on(void **state)
{
    long n = 0;

    (void)state;
    do {
        struct vitals_ctx *ctx = new_ctx();
        struct fake fake = {
            .provider = "sched", .target = "vcpu", .names = {"runs"}, .objects = LIST("cpu/0")};
        struct qmp_workbench bench;
        struct qmp_session session;
        struct buf out = {0};

        check_ok(fake_register(ctx, &fake, NULL));
        check_ok(qmp_workbench_init(&bench));
        qmp_session_init(&session, ctx, VITALS_DIALECT_GROUPED, NULL);
        session.negotiated = true;
        fail_allocation(++n);
        feed(&session, &bench, &out);
        allocations.fail_at = 0;
        check_reply(&out, allocations.failed);
        feed(&session, &bench, &out);
        check_reply(&out, false);
        buf_free(&out);
        qmp_session_free(&session);
        qmp_workbench_free(&bench);
        vitals_ctx_free(ctx);
    } while (end_failing());
    assert_true(n > 5);
}

#define QUERY_CPUS "{\"execute\":\"query-cpus-fast\"}"

static void a_list_of_vcpus_for_which_there_is_no_memory_is_an_error(void **state)
{
    static const char whole[] = "{\"return\": [{\"thread-id\": 9165, \"qom-path\": \"cpu/0\"";
    struct vitals_ctx *ctx = new_ctx();
    struct qmp_workbench bench;
    struct qmp_session session;
    struct buf out = {0};
    struct vitals_kvm *kvm;
    long n = 0;

    (void)state;
    check_ok(vitals_kvm_new(ctx, -1, &kvm));
    check_ok(add_recorded(kvm, "cpu/0"));
    check_ok(add_recorded(kvm, "cpu/1"));
    check_ok(qmp_workbench_init(&bench));
    qmp_session_init(&session, ctx, VITALS_DIALECT_GROUPED, NULL);
    session.negotiated = true;
    do {
        buf_reset(&out);
        fail_allocation(++n);
        qmp_session_feed(&session, &bench, QUERY_CPUS, strlen(QUERY_CPUS), &out);
        assert_true(out.len > sizeof(whole));
        assert_true(!memcmp(out.data, whole, sizeof(whole) - 1) ||
                    (allocations.failed && !memcmp(out.data, "{\"error\"", 8)));
    } while (end_failing());
    assert_true(n > 2);
    buf_free(&out);
    qmp_session_free(&session);
    qmp_workbench_free(&bench);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
}

static void a_server_that_can_not_be_made_leaves_nothing(void **state)
{
    struct vitals_server *server = NULL;
    long n = 0;
    int err;

    (void)state;
    do {
        fail_allocation(++n);
        err = vitals_server_new(NULL, &server);
        assert_true(err == (allocations.failed ? -ENOMEM : 0));
        assert_true((server == NULL) == (err != 0));
    } while (end_failing());
    vitals_server_free(server);
}

static void a_socket_that_could_not_be_opened_can_be_opened_again(void **state)
{
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = in_dir("qmp.sock"), .providers = "kvm"};
    long n = 0;

    (void)state;
    do {
        struct vitals_server *server = new_server();
        struct vitals_ctx *ctx = new_ctx();
        struct peer peer;
        int err;

        fail_allocation(++n);
        err = vitals_server_listen(server, ctx, &options, NULL);
        assert_true(err == (allocations.failed ? -ENOMEM : 0));
        allocations.fail_at = 0;
        assert_int_equal(access(options.path, F_OK), err ? -1 : 0);
        if (err)
            check_ok(vitals_server_listen(server, ctx, &options, NULL));
        peer_open(&peer, server, options.path);
        peer_close(&peer);
        vitals_server_free(server);
        vitals_ctx_free(ctx);
    } while (end_failing());
}

/* It is closed rather than left waiting, and the next one is served. */
static void a_client_for_whom_there_is_no_memory_is_closed(void **state)
{
    struct vitals_server *server = new_server();
    struct vitals_ctx *ctx = new_ctx();
    struct peer peer;
    long n = 0;

    (void)state;
    listen_at(server, ctx, in_dir("qmp.sock"));
    do {
        check_ok(peer_connect(&peer, server, in_dir("qmp.sock")));
        fail_allocation(++n);
        settle(server);
        allocations.fail_at = 0;
        if (allocations.failed)
            assert_closed(&peer);
        else
            assert_non_null(peer_line(&peer));
        peer_close(&peer);
        peer_open(&peer, server, in_dir("qmp.sock"));
        assert_answers(&peer);
        peer_close(&peer);
        settle(server);
    } while (end_failing());
    assert_true(n > 1);
    vitals_server_free(server);
    vitals_ctx_free(ctx);
}

/* The fd stays the caller's each time. */
static void a_client_that_could_not_be_added_can_be_added_again(void **state)
{
    const struct vitals_client_options options = {VITALS_CLIENT_OPTIONS_INIT, .providers = "kvm"};
    struct vitals_ctx *ctx = new_ctx();
    struct peer peer;
    long n = 0;

    (void)state;
    do {
        struct vitals_server *server = new_server();
        int fd = peer_pair(&peer, server), err;

        fail_allocation(++n);
        err = vitals_server_add_client(server, ctx, fd, &options);
        assert_true(err == (allocations.failed ? -ENOMEM : 0));
        allocations.fail_at = 0;
        if (err)
            check_ok(vitals_server_add_client(server, ctx, fd, &options));
        peer_negotiate(&peer);
        peer_close(&peer);
        vitals_server_free(server);
    } while (end_failing());
    assert_true(n > 3);
    vitals_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warm_query_of_many_objects_allocates_nothing),
        cmocka_unit_test(a_warm_query_of_kvm_allocates_nothing),
        cmocka_unit_test(a_warm_session_allocates_nothing),
        cmocka_unit_test(a_context_that_can_not_be_made_leaves_nothing),
        cmocka_unit_test(a_group_that_can_not_be_made_is_released_once),
        cmocka_unit_test(a_query_that_lacks_memory_gives_less_or_fails),
        cmocka_unit_test(a_kvm_provider_that_can_not_be_made_leaves_nothing),
        cmocka_unit_test(a_vcpu_that_could_not_be_added_does_not_shut_out_others),
        cmocka_unit_test(a_session_that_lacks_memory_goes_on),
        cmocka_unit_test(a_list_of_vcpus_for_which_there_is_no_memory_is_an_error),
        cmocka_unit_test(a_server_that_can_not_be_made_leaves_nothing),
        cmocka_unit_test_setup_teardown(a_socket_that_could_not_be_opened_can_be_opened_again,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_client_for_whom_there_is_no_memory_is_closed, make_dir,
                                        remove_dir),
        cmocka_unit_test(a_client_that_could_not_be_added_can_be_added_again),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
