/* SPDX-License-Identifier: MIT */
/*
 * Each function of the API that can fail does so here, and leaves a text that says what is wrong: not
 * an older one, and where its caller looks for it. tests/abi reads the table: no function is left out.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "server/internal.h"
#include "stats/report.h"
#include "vitals/vitals.h"

enum { CHILD_SECONDS_MAX = 60, TEXT_SIZE = 200 };

struct site {
    struct vitals_ctx *ctx;
    struct vitals_server *server;
    struct vitals_listener *listener;
    struct vitals_kvm *kvm;
    struct vitals_sched *sched; /* NULL: this host has none */
    struct vitals_counters *counters;
    struct vitals_group *group;
    struct fake fake;
    char text[TEXT_SIZE]; /* of a call without context and server */
    /* A call to be made from inside collect(), and what it came to there. */
    int (*inside)(struct site *site);
    int result;
};

static int open_site(void **state)
{
    struct site *site = calloc(1, sizeof(*site));

    if (!site || make_dir(state))
        abort();
    site->ctx = new_ctx();
    site->server = new_server();
    site->listener = listen_at(site->server, site->ctx, in_dir("qmp.sock"));
    check_ok(vitals_kvm_new(site->ctx, -1, &site->kvm));
    if (vitals_sched_new(site->ctx, &site->sched))
        site->sched = NULL;
    check_ok(vitals_counters_new(site->ctx, "virtio", "vcpu", &site->counters));
    site->fake = (struct fake){.provider = "fake", .target = "vcpu", .names = {"runs"}};
    check_ok(fake_register(site->ctx, &site->fake, &site->group));
    *state = site;
    return 0;
}

static int close_site(void **state)
{
    struct site *site = *state;

    vitals_server_free(site->server);
    check_ok(vitals_counters_free(site->counters));
    check_ok(vitals_sched_free(site->sched));
    check_ok(vitals_kvm_free(site->kvm));
    check_ok(vitals_ctx_free(site->ctx));
    free(site);
    return remove_dir(state);
}

/* ---- calls that fail ------------------------------------------------------------------------ */

static int ctx_new_uuid(struct site *site)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .uuid = "4711",
                                               .error = site->text, .error_size = TEXT_SIZE};
    struct vitals_ctx *ctx;

    return vitals_ctx_new(&options, &ctx);
}

static int ctx_new_newer(struct site *site)
{
    const struct {
        struct vitals_ctx_options options;
        uint64_t added_later;
    } newer = {.options = {.size = sizeof(newer), .error = site->text, .error_size = TEXT_SIZE},
               .added_later = 1};
    struct vitals_ctx *ctx;

    return vitals_ctx_new(&newer.options, &ctx);
}

static int ctx_free_served(struct site *site)
{
    return vitals_ctx_free(site->ctx);
}

static int register_nothing(struct site *site)
{
    struct vitals_group_ops ops = fake_ops(&site->fake);

    ops.collect = NULL;
    ops.release = NULL;
    return vitals_register(site->ctx, &ops, NULL);
}

static int register_twice(struct site *site)
{
    struct fake fake = {.provider = "fake", .target = "vm", .names = {"runs", "runs"}};
    struct vitals_group_ops ops = fake_ops(&fake);

    ops.release = NULL;
    return vitals_register(site->ctx, &ops, NULL);
}

static int unregister(struct site *site)
{
    return vitals_unregister(site->group);
}

static int add_object(struct site *site)
{
    return vitals_object_add(site->group, "", 1);
}

static int add_object_number(struct site *site)
{
    return vitals_object_add(site->group, "a", -2);
}

static int remove_object(struct site *site)
{
    return vitals_object_remove(site->group, "gone");
}

static int set_thread(struct site *site)
{
    return vitals_object_set_thread(site->ctx, "vcpu", "gone", 1);
}

static int set_thread_0(struct site *site)
{
    return vitals_object_set_thread(site->ctx, "vcpu", "gone", 0);
}

static int kvm_new(struct site *site)
{
    struct vitals_kvm *kvm;

    return vitals_kvm_new(site->ctx, -1, &kvm);
}

static int kvm_new_null(struct site *site)
{
    struct vitals_kvm *kvm;

    return vitals_kvm_new(site->ctx, STDIN_FILENO, &kvm);
}

static int kvm_free(struct site *site)
{
    return vitals_kvm_free(site->kvm);
}

static int add_vcpu(struct site *site)
{
    return vitals_kvm_add_vcpu(site->kvm, "", STDIN_FILENO);
}

static int add_vcpu_closed(struct site *site)
{
    return vitals_kvm_add_vcpu(site->kvm, "a", -1);
}

static int remove_vcpu(struct site *site)
{
    return vitals_kvm_remove_vcpu(site->kvm, "gone");
}

static int sched_new(struct site *site)
{
    struct vitals_sched *sched;

    return vitals_sched_new(site->ctx, &sched);
}

static int sched_free(struct site *site)
{
    return vitals_sched_free(site->sched);
}

static int counters_new(struct site *site)
{
    struct vitals_counters *counters;

    return vitals_counters_new(site->ctx, "Virtio", "vm", &counters);
}

static int counters_free(struct site *site)
{
    return vitals_counters_free(site->counters);
}

static int counter_new(struct site *site)
{
    struct vitals_counter *counter;

    return vitals_counter_new(site->counters, NULL, "requests", NULL, &counter);
}

static int counter_new_as(struct site *site)
{
    const struct vitals_stat stat = {.name = "requests", .slot = 1};
    struct vitals_counter *counter;

    return vitals_counter_new_as(site->counters, "vda", &stat, sizeof(stat), &counter);
}

static int histogram_new(struct site *site)
{
    const struct vitals_stat stat = {.name = "sizes"};
    struct vitals_histogram *histogram;

    return vitals_histogram_new(site->counters, "vda", &stat, sizeof(stat), &histogram);
}

static int counters_remove(struct site *site)
{
    return vitals_counters_remove(site->counters, "gone");
}

static int server_new_reserved(struct site *site)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT, .reserved = 7,
                                                  .error = site->text, .error_size = TEXT_SIZE};
    struct vitals_server *server;

    return vitals_server_new(&options, &server);
}

static int start(struct site *site)
{
    int err;

    check_ok(vitals_server_start(site->server));
    err = vitals_server_start(site->server);
    check_ok(vitals_server_stop(site->server));
    return err;
}

static int process_threaded(struct site *site)
{
    int err;

    check_ok(vitals_server_start(site->server));
    err = vitals_server_process(site->server);
    check_ok(vitals_server_stop(site->server));
    return err;
}

static int process_inside(struct site *site)
{
    return vitals_server_process(site->server);
}

static int stop_inside(struct site *site)
{
    return vitals_server_stop(site->server);
}

static int listen_with(struct site *site, struct vitals_listen_options options)
{
    return vitals_server_listen(site->server, site->ctx, &options, NULL);
}

static int listen_dialect(struct site *site)
{
    return listen_with(site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT,
                                                            .dialect = (enum vitals_dialect)9});
}

static int listen_mode(struct site *site)
{
    return listen_with(site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT,
                                                            .path = in_dir("b"), .mode = 01600});
}

static int listen_nowhere(struct site *site)
{
    return listen_with(site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT, .fd = -1});
}

static int listen_twice(struct site *site)
{
    return listen_with(site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT,
                                                            .path = in_dir("qmp.sock")});
}

static int listen_missing(struct site *site)
{
    return listen_with(site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT,
                                                            .path = in_dir("missing/qmp.sock")});
}

static int listen_abstract(struct site *site)
{
    return listen_with(
        site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT, .path = "@vitals"});
}

static int listen_fd(struct site *site)
{
    return listen_with(site,
                       (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT, .fd = 4711});
}

static int listen_pair(struct site *site)
{
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT};
    int fds[2], err;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    options.fd = fds[0];
    err = listen_with(site, options);
    close(fds[0]);
    close(fds[1]);
    return err;
}

static int listen_providers(struct site *site)
{
    return listen_with(site,
                       (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT,
                                                      .path = in_dir("b"), .providers = "kvm,"});
}

static int listen_inside(struct site *site)
{
    return listen_with(
        site, (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT, .path = in_dir("b")});
}

static int close_listener(struct site *site)
{
    return vitals_listener_close(site->listener);
}

static int add_client_fd(struct site *site)
{
    return vitals_server_add_client(site->server, site->ctx, 4711, NULL);
}

static int add_client_file(struct site *site)
{
    return vitals_server_add_client(site->server, site->ctx, vitals_server_fd(site->server), NULL);
}

static int add_client_dialect(struct site *site)
{
    const struct vitals_client_options options = {VITALS_CLIENT_OPTIONS_INIT,
                                                  .dialect = (enum vitals_dialect)9};

    return vitals_server_add_client(site->server, site->ctx, 0, &options);
}

static int add_client_twice(struct site *site)
{
    int fds[2], err;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_ok(vitals_server_add_client(site->server, site->ctx, fds[0], NULL));
    err = vitals_server_add_client(site->server, site->ctx, fds[0], NULL);
    close(fds[1]);
    settle(site->server);
    return err;
}

static int close_clients(struct site *site)
{
    return vitals_server_close_clients(site->server, site->ctx);
}

static int publish(struct site *site)
{
    return vitals_publish(site->ctx, NULL, NULL);
}

static int unpublish(struct site *site)
{
    return vitals_unpublish(site->ctx);
}

/* ---- where the text is ---------------------------------------------------------------------- */

static void call(struct fake *fake, struct vitals_sink *sink)
{
    struct site *site = fake->opaque;

    (void)sink;
    site->result = site->inside(site);
}

static int call_inside(struct site *site, int (*fails)(struct site *site))
{
    struct peer peer;

    site->inside = fails;
    site->fake.opaque = site;
    site->fake.inside = call;
    site->result = 0;
    peer_open(&peer, site->server, in_dir("qmp.sock"));
    peer_send(&peer, "{'execute':'query-stats','arguments':{'target':'vcpu'}}\n");
    assert_non_null(peer_line(&peer));
    peer_close(&peer);
    settle(site->server);
    site->fake.inside = NULL;
    return site->result;
}

enum place { OF_CTX = 1, OF_SERVER = 2, OF_BOTH = 3, IN_BUFFER = 4, INSIDE = 8 };

struct failure {
    const char *function;
    int (*call)(struct site *site);
    int place; /* of the text; INSIDE: the call is made from inside collect() */
    int err;
    const char *text; /* is in it */
};

static const struct failure failures[] = {
    {"vitals_ctx_new", ctx_new_uuid, IN_BUFFER, EINVAL, "uuid '4711' is none"},
    {"vitals_ctx_new", ctx_new_newer, IN_BUFFER, E2BIG,
     "of the struct vitals_ctx_options for vitals_ctx_new() is 0x01, must be 0"},
    {"vitals_ctx_free", ctx_free_served, OF_CTX, EBUSY, "listeners, clients and providers"},
    {"vitals_ctx_free", ctx_free_served, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_register", register_nothing, OF_CTX, EINVAL, "collect is NULL"},
    {"vitals_register", register_twice, OF_CTX, EEXIST, "'runs'"},
    {"vitals_unregister", unregister, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_object_add", add_object, OF_CTX, EINVAL, "path must have 1 to 1023 bytes"},
    {"vitals_object_add", add_object_number, OF_CTX, EINVAL, "number -2 must be 0 to"},
    {"vitals_object_remove", remove_object, OF_CTX, ENOENT, "'gone'"},
    {"vitals_object_set_thread", set_thread, OF_CTX, ENOENT, "'gone'"},
    {"vitals_object_set_thread", set_thread_0, OF_CTX, EINVAL, "thread 0 must be"},
    {"vitals_kvm_new", kvm_new, OF_CTX, EEXIST, "'kvm'"},
    {"vitals_kvm_new", kvm_new_null, OF_CTX, EINVAL, "neither a VM, a vCPU nor a statistics file"},
    {"vitals_kvm_new", kvm_new, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_kvm_free", kvm_free, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_kvm_add_vcpu", add_vcpu, OF_CTX, EINVAL, "path has 0 bytes"},
    {"vitals_kvm_add_vcpu", add_vcpu_closed, OF_CTX, EINVAL, "fd -1"},
    {"vitals_kvm_remove_vcpu", remove_vcpu, OF_CTX, ENOENT, "no vCPU 'gone'"},
    {"vitals_publish", publish, OF_CTX, EINVAL, "no provider 'kvm'"},
    {"vitals_publish", publish, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_unpublish", unpublish, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_sched_new", sched_new, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_sched_free", sched_free, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_counters_new", counters_new, OF_CTX, EINVAL, "Virtio"},
    {"vitals_counters_free", counters_free, OF_CTX | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_counter_new", counter_new, OF_CTX, EINVAL, "path must have 1 to 1023 bytes"},
    {"vitals_counter_new_as", counter_new_as, OF_CTX, EINVAL, "slot is 1, must be 0"},
    {"vitals_histogram_new", histogram_new, OF_CTX, EINVAL, "type 0 is that of no histogram"},
    {"vitals_counters_remove", counters_remove, OF_CTX, ENOENT, "no counter of 'gone'"},
    {"vitals_server_new", server_new_reserved, IN_BUFFER, EINVAL, "reserved is 7, must be 0"},
    {"vitals_server_start", start, OF_SERVER, EBUSY, "has a thread already"},
    {"vitals_server_process", process_threaded, OF_SERVER, EBUSY, "has a thread of its own"},
    {"vitals_server_process", process_inside, OF_SERVER | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_server_listen", listen_dialect, OF_BOTH, EINVAL, "dialect 9 is unknown"},
    {"vitals_server_listen", listen_mode, OF_BOTH, EINVAL, "mode 01600 has more than nine bits"},
    {"vitals_server_listen", listen_nowhere, OF_BOTH, EINVAL, "neither a path nor an fd"},
    {"vitals_server_listen", listen_twice, OF_BOTH, EADDRINUSE, "a server listens there"},
    {"vitals_server_listen", listen_missing, OF_BOTH, ENOENT, "missing/qmp.sock': No such file"},
    {"vitals_server_listen", listen_abstract, OF_BOTH, EINVAL, "'@vitals'"},
    {"vitals_server_listen", listen_fd, OF_BOTH, EBADF, "fd 4711: Bad file descriptor"},
    {"vitals_server_listen", listen_pair, OF_BOTH, EINVAL, "is no listening unix socket"},
    {"vitals_server_listen", listen_providers, OF_BOTH, EINVAL, "providers: entry 2 is empty"},
    {"vitals_server_listen", listen_inside, OF_BOTH | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_listener_close", close_listener, OF_SERVER | INSIDE, EBUSY, "from inside collect()"},
    {"vitals_server_add_client", add_client_fd, OF_BOTH, EBADF, "fd 4711: Bad file descriptor"},
    {"vitals_server_add_client", add_client_file, OF_BOTH, ENOTSOCK, "Socket operation"},
    {"vitals_server_add_client", add_client_dialect, OF_BOTH, EINVAL, "dialect 9 is unknown"},
    {"vitals_server_add_client", add_client_twice, OF_BOTH, EEXIST, "is served already"},
    {"vitals_server_close_clients", close_clients, OF_SERVER | INSIDE, EBUSY, "inside collect()"},
};

static const char older[] = "an older text";

static void check_text(const struct failure *failure, const char *place, bool is_there,
                       const char *text)
{
    if (is_there ? strstr(text, failure->text) != NULL : !strcmp(text, older))
        return;
    fail_msg("%s: the text of the %s is '%s', not '%s'", failure->function, place, text,
             is_there ? failure->text : older);
}

static void check_failure(struct site *site, const struct failure *failure)
{
    char text[TEXT_SIZE];
    int err;

    ctx_fail(site->ctx, 0, older);
    server_fail(site->server, 0, older);
    strcpy(site->text, older);
    err = failure->place & INSIDE ? call_inside(site, failure->call) : failure->call(site);
    if (err != -failure->err)
        fail_msg("%s: %s, not %s", failure->function, strerror(-err), strerror(failure->err));
    vitals_error_text(site->ctx, text, sizeof(text));
    check_text(failure, "context", failure->place & OF_CTX, text);
    vitals_server_error_text(site->server, text, sizeof(text));
    check_text(failure, "server", failure->place & OF_SERVER, text);
    check_text(failure, "options", failure->place & IN_BUFFER, site->text);
}

static void each_call_that_fails_says_why(void **state)
{
    size_t i;

    for (i = 0; i < N_ELEMENTS(failures); i++)
        if (failures[i].call != sched_free || ((struct site *)*state)->sched)
            check_failure(*state, &failures[i]);
}

/* ---- the server's thread, and a child ------------------------------------------------------- */

static void stopping_from_the_servers_thread_says_why(void **state)
{
    const struct failure failure = {"vitals_server_stop", stop_inside, 0, EBUSY,
                                    "inside collect()"};
    struct site *site = *state;
    char text[TEXT_SIZE];
    struct peer peer;

    site->inside = failure.call;
    site->fake.opaque = site;
    site->fake.inside = call;
    check_ok(vitals_server_start(site->server));
    peer_open(&peer, NULL, in_dir("qmp.sock"));
    peer_send(&peer, "{'execute':'query-stats','arguments':{'target':'vcpu'}}\n");
    assert_non_null(peer_line(&peer));
    peer_close(&peer);
    check_ok(vitals_server_stop(site->server));
    check_error(site->result, failure.err);
    vitals_server_error_text(site->server, text, sizeof(text));
    assert_contains(text, failure.text);
}

/* The number of the check that failed. */
static int look_at_the_copy(struct site *site)
{
    char text[TEXT_SIZE];

    if (vitals_server_start(site->server) != -ECHILD)
        return 1;
    vitals_server_error_text(site->server, text, sizeof(text));
    if (!strstr(text, "another process's"))
        return 2;
    site->server->has_thread = true; /* as it would be in the child of a server with a thread */
    if (vitals_server_take_over(site->server) != -EBUSY)
        return 3;
    vitals_server_error_text(site->server, text, sizeof(text));
    if (!strstr(text, "has a thread"))
        return 4;
    if (vitals_unregister(site->group) != -ECHILD)
        return 5;
    vitals_error_text(site->ctx, text, sizeof(text));
    return strstr(text, "a thread of the parent process") ? 0 : 6;
}

static void so_do_copies_in_a_child(void **state)
{
    struct site *site = *state;
    int status;
    pid_t child;

    pthread_mutex_lock(&site->ctx->lock); /* as a thread of the parent may have it */
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        alarm(CHILD_SECONDS_MAX);
        _exit(look_at_the_copy(site));
    }
    pthread_mutex_unlock(&site->ctx->lock);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- buffers -------------------------------------------------------------------------------- */

static void a_text_is_cut_to_the_buffer(void **state)
{
    char text[8] = "1234567";
    struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT, .reserved = 7,
                                            .error = text, .error_size = 4};
    struct vitals_server *server;

    (void)state;
    check_error(vitals_server_new(&options, &server), EINVAL);
    assert_memory_equal(text,
                        "res\0"
                        "567",
                        8);
    options.error_size = 0;
    check_error(vitals_server_new(&options, &server), EINVAL);
    options.error = NULL;
    options.error_size = 4;
    check_error(vitals_server_new(&options, &server), EINVAL);
    assert_memory_equal(text,
                        "res\0"
                        "567",
                        8);
}

static void a_size_that_is_wrong_gets_no_text(void **state)
{
    char text[8] = "older";
    struct vitals_ctx_options options = {
        .size = sizeof(options) + 1, .error = text, .error_size = 8};
    struct vitals_ctx *ctx;

    (void)state;
    check_error(vitals_ctx_new(&options, &ctx), EINVAL);
    options.size = offsetof(struct vitals_ctx_options, error_size);
    options.uuid = "4711";
    check_error(vitals_ctx_new(&options, &ctx), EINVAL);
    assert_string_equal(text, "older");
}

static void success_leaves_the_buffer_alone(void **state)
{
    char text[8] = "older";
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .error = text,
                                               .error_size = sizeof(text)};
    struct vitals_ctx *ctx;

    (void)state;
    check_ok(vitals_ctx_new(&options, &ctx));
    check_ok(vitals_ctx_free(ctx));
    assert_string_equal(text, "older");
}

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, open_site, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SITE(each_call_that_fails_says_why),
        WITH_SITE(stopping_from_the_servers_thread_says_why),
        WITH_SITE(so_do_copies_in_a_child),
        cmocka_unit_test(a_text_is_cut_to_the_buffer),
        cmocka_unit_test(a_size_that_is_wrong_gets_no_text),
        cmocka_unit_test(success_leaves_the_buffer_alone),
    };

    return cmocka_run_group_tests_name("error texts", tests, NULL, NULL);
}
