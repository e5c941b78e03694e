/* SPDX-License-Identifier: MIT */
/*
 * What a VMM's context tells the daemon of its VM. The daemon is its own register.sock, which this
 * thread runs while it waits for what is to come; the statistics files are recorded ones.
 */
#define _GNU_SOURCE
#include "vitals/publish.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"
#include "base/clock.h"
#include "host/vm_own.h"
#include "publish/publication.h"
#include "serve/register_socket.h"
#include "stats/collect.h"
#include "vitals/counters.h"
#include "stats_file_builder.h"

enum { PATIENCE_MS = 30 * 1000, STEP_MS = 5, ID_OFFSET = 24, ID_SIZE = 48, CHILD_SECONDS_MAX = 60 };

static const char uuid[] = "4a1c1e6a-0000-4000-8000-00000000c0de";

struct site {
    /* the daemon; NULL: there is none */
    struct vitals_server *server;
    struct host *host;
    struct register_socket socket;
    char socket_path[256];
    struct run_directory directory;
    /* the VMM */
    struct vitals_ctx *ctx;
    struct vitals_kvm *kvm;
    unsigned n_logged;
    char logged[512];
};

/* ---- the daemon ----------------------------------------------------------------------------- */

/* A recorded file of the right kind, by its size. */
static bool is_recorded(int fd, enum kvm_kind kind)
{
    off_t size = lseek(fd, 0, SEEK_END);

    return size > 0 && (kind == KVM_KIND_VM) == (size < 2048);
}

static void start_daemon(struct site *site)
{
    site->server = new_server();
    check_ok(host_open_empty(&site->host));
    check_ok(
        register_socket_open(&site->socket, site->host, NULL, &site->directory, site->server, -1));
    site->socket.is_statistics = is_recorded;
}

static void stop_daemon(struct site *site)
{
    if (!site->server)
        return;
    register_socket_close(&site->socket);
    vitals_server_free(site->server);
    host_close(site->host);
    site->server = NULL;
}

/* NULL: there is none. */
static struct host_vm *find_vm(const struct site *site)
{
    size_t n;
    struct host_vm *const *vms = host_vms(site->host, &n);

    assert_true(n <= 1);
    return n ? vms[0] : NULL;
}

static bool has_no_vm(const struct site *site)
{
    return !find_vm(site);
}

static bool has_paths(const struct site *site, const char *paths)
{
    const struct host_vm *vm = find_vm(site);
    char text[4096] = "";

    for (size_t i = 0; vm && i < vm->n_vcpus; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", vm->vcpus[i].path);
    return vm && !strcmp(text, paths);
}

/* Runs the daemon until it has what it is to have. */
#define wait_until(site, condition)                                                                \
    do {                                                                                           \
        int steps = PATIENCE_MS / STEP_MS;                                                         \
                                                                                                   \
        while (!(condition)) {                                                                     \
            if (!steps--)                                                                          \
                fail_msg("it does not come to be: %s", #condition);                                \
            run_daemon(site);                                                                      \
        }                                                                                          \
    } while (0)

static void run_daemon(const struct site *site)
{
    struct pollfd pollfd = {.fd = vitals_server_fd(site->server), .events = POLLIN};

    poll(&pollfd, 1, STEP_MS);
    process(site->server);
}

/* ---- the VMM -------------------------------------------------------------------------------- */

static void take_log(void *opaque, enum vitals_log_level level, const char *text)
{
    struct site *site = opaque;

    (void)level;
    snprintf(site->logged, sizeof(site->logged), "%s", text);
    __atomic_add_fetch(&site->n_logged, 1, __ATOMIC_RELEASE);
}

static unsigned n_logged(const struct site *site)
{
    return __atomic_load_n(&site->n_logged, __ATOMIC_ACQUIRE);
}

/* The recorded file of a vCPU with another number. */
static void plug(struct site *site, const char *path, int number)
{
    struct built_file file = load_recorded("vcpu.stats");
    int fd;

    memset(file.bytes + ID_OFFSET, 0, ID_SIZE);
    snprintf((char *)file.bytes + ID_OFFSET, ID_SIZE, "kvm-%d/vcpu-%d", getpid(), number);
    fd = file_to_fd(&file);
    check_ok(vitals_kvm_add_vcpu(site->kvm, path, fd));
    close(fd);
    free_file(&file);
}

static struct vitals_kvm *new_kvm(struct vitals_ctx *ctx)
{
    struct built_file file = load_recorded("vm.stats");
    int fd = file_to_fd(&file);
    struct vitals_kvm *kvm;

    check_ok(vitals_kvm_new(ctx, fd, &kvm));
    close(fd);
    free_file(&file);
    return kvm;
}

static void publish(const struct site *site)
{
    const struct vitals_publish_options options = {VITALS_PUBLISH_OPTIONS_INIT,
                                                   .path = site->socket_path, .vmm = "tiny"};

    check_ok(vitals_publish(site->ctx, site->kvm, &options));
}

/* With a vCPU. */
static void publish_to_daemon(struct site *site)
{
    start_daemon(site);
    publish(site);
    wait_until(site, has_paths(site, "cpu/0 "));
}

static int set_up(void **state)
{
    struct site *site = calloc(1, sizeof(*site));
    struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "web", .uuid = uuid};

    if (!site || make_dir(state))
        abort();
    strcpy(site->socket_path, in_dir("register.sock"));
    snprintf(site->directory.path, sizeof(site->directory.path), "%s", in_dir(""));
    site->directory.path[strlen(site->directory.path) - 1] = '\0';
    options.log = take_log;
    options.log_opaque = site;
    check_ok(vitals_ctx_new(&options, &site->ctx));
    site->kvm = new_kvm(site->ctx);
    plug(site, "cpu/0", 0);
    *state = site;
    return 0;
}

static int tear_down(void **state)
{
    struct site *site = *state;

    check_ok(vitals_unpublish(site->ctx));
    check_ok(vitals_kvm_free(site->kvm));
    check_ok(vitals_ctx_free(site->ctx));
    stop_daemon(site);
    free(site);
    return remove_dir(state);
}

/* ---- what the daemon has -------------------------------------------------------------------- */

static void a_vm_is_told_of(void **state)
{
    struct site *site = *state;
    const struct identity *identity;

    publish_to_daemon(site);
    identity = &find_vm(site)->identity;
    assert_string_equal(identity->name, "web");
    assert_string_equal(identity->uuid, uuid);
    assert_string_equal(identity->vmm, "tiny");
    assert_int_equal(find_vm(site)->vcpus[0].thread_here, getpid());
    check_ok(vitals_unpublish(site->ctx));
    wait_until(site, has_no_vm(site));
}

static void vcpus_come_and_go(void **state)
{
    struct site *site = *state;

    publish_to_daemon(site);
    plug(site, "cpu/1", 1);
    plug(site, "cpu/2", 2);
    wait_until(site, has_paths(site, "cpu/0 cpu/1 cpu/2 "));
    check_ok(vitals_kvm_remove_vcpu(site->kvm, "cpu/1"));
    wait_until(site, has_paths(site, "cpu/0 cpu/2 "));
    check_ok(vitals_kvm_remove_vcpu(site->kvm, "cpu/0"));
    plug(site, "cpu/0", 7); /* the path is another's now */
    wait_until(site, has_paths(site, "cpu/2 cpu/0 "));
    assert_int_equal(n_logged(site), 0);
}

static void *get_thread(void *opaque)
{
    struct site *site = opaque;

    check_ok(vitals_object_set_thread(site->ctx, "vcpu", "cpu/0", (pid_t)syscall(SYS_gettid)));
    wait_until(site, find_vm(site)->vcpus[0].thread_here == (uint32_t)syscall(SYS_gettid));
    return NULL;
}

static void threads_and_a_pause_are_told(void **state)
{
    struct site *site = *state;
    pthread_t thread;

    publish_to_daemon(site);
    assert_int_equal(pthread_create(&thread, NULL, get_thread, site), 0);
    pthread_join(thread, NULL);
    check_ok(vitals_object_set_thread(site->ctx, "vcpu", "cpu/0", -1));
    wait_until(site, find_vm(site)->vcpus[0].thread_here == 0);
    vitals_set_running(site->ctx, false);
    wait_until(site, find_vm(site)->is_said_to_pause);
    vitals_set_running(site->ctx, true);
    wait_until(site, !find_vm(site)->is_said_to_pause);
}

static bool has_vcpus(const struct site *site, size_t n)
{
    return find_vm(site) && find_vm(site)->n_vcpus == n;
}

/* More than go with one message, in both directions. */
static void many_vcpus(void **state)
{
    struct site *site = *state;
    struct rlimit limit;
    char path[16];

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 2000 < limit.rlim_max ? 2000 : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    start_daemon(site);
    site->socket.files_max = 1000;
    for (int i = 1; i < 300; i++) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        plug(site, path, i);
    }
    publish(site);
    wait_until(site, has_vcpus(site, 300));
    for (int i = 1; i < 300; i++) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        check_ok(vitals_kvm_remove_vcpu(site->kvm, path));
    }
    wait_until(site, has_paths(site, "cpu/0 "));
    assert_int_equal(n_logged(site), 0);
}

/* Paths whose characters take six bytes each: a message has a bound of bytes, too. */
static void long_paths(void **state)
{
    struct site *site = *state;
    char path[VITALS_OBJECT_MAX + 1];

    start_daemon(site);
    for (int i = 1; i < 200; i++) {
        memset(path, '\1', sizeof(path));
        snprintf(path + sizeof(path) - 4, 4, "%03d", i);
        plug(site, path, i);
    }
    publish(site);
    wait_until(site, has_vcpus(site, 200));
}

static void a_daemon_may_come_later_and_come_back(void **state)
{
    struct site *site = *state;

    publish(site);
    usleep(10 * 1000);
    start_daemon(site);
    wait_until(site, has_paths(site, "cpu/0 "));
    stop_daemon(site);
    plug(site, "cpu/1", 1);
    vitals_set_running(site->ctx, false);
    start_daemon(site);
    wait_until(site, has_paths(site, "cpu/0 cpu/1 ") && find_vm(site)->is_said_to_pause);
    assert_int_equal(n_logged(site), 0);
}

/* All of a message are refused with one: the others are told again. */
/* With a VM that comes and goes all the time. */
static void a_daemon_that_ends_the_connection_is_not_pestered(void **state)
{
    struct site *site = *state;
    uint64_t begin = clock_now_ns(), ms = 0;
    bool has_vm = false;
    unsigned n = 0;

    start_daemon(site);
    register_socket_limit(&site->socket, 0, 1); /* it is the VM's */
    publish(site);
    for (; ms < 3500 || !n; ms = (clock_now_ns() - begin) / 1000000) {
        run_daemon(site);
        n += !has_vm && find_vm(site);
        has_vm = find_vm(site);
        assert_true(ms < PATIENCE_MS);
    }
    assert_true(n <= 3 + ms / PUBLISH_REFUSED_MS);
}

static void one_that_is_refused_costs_no_other_one(void **state)
{
    struct site *site = *state;

    start_daemon(site);
    plug(site, "cpu/1", 1);
    plug(site, "again/1", 1);
    plug(site, "cpu/2", 2);
    publish(site);
    wait_until(site, has_paths(site, "cpu/0 cpu/1 cpu/2 "));
    assert_int_equal(n_logged(site), 1);
    assert_contains(site->logged, site->socket_path);
    assert_contains(site->logged, "refuses what it is told: vCPU 'again/1' can't be registered");
    plug(site, "cpu/3", 3);
    check_ok(vitals_kvm_remove_vcpu(site->kvm, "again/1"));
    wait_until(site, has_paths(site, "cpu/0 cpu/1 cpu/2 cpu/3 "));
}

/* ---- the VMM's own statistics --------------------------------------------------------------- */

/* As the daemon's clients are shown them; "": there are none. */
static const char *own_of(const struct site *site, const char *target)
{
    static char text[4096];
    const struct host_vm *vm = find_vm(site);
    struct stats_collection collection = {0};
    struct stats_request request = {.target = target, .all_stats = true, .all_objects = true};
    struct own_stats *own = vm ? vm_own_find(vm, "own", target) : NULL;
    size_t k = 0;

    text[0] = '\0';
    if (!own)
        return text;
    check_ok(stats_collect(&collection, vm->ctx, &request));
    while (k < collection.n_parts && strcmp(collection.parts[k].schema->provider, "own"))
        k++;
    for (size_t i = 0; k < collection.n_parts && i < collection.objects.count; i++) {
        const struct stats_part *part = &collection.parts[k];
        const uint64_t *row =
            i >= part->first && i - part->first < part->n_rows ? part->rows[i - part->first] : NULL;

        if (row)
            snprintf(text + strlen(text), sizeof(text) - strlen(text),
                     "%s:", strcmp(target, "vm") ? collection.objects.paths[i] : "");
        for (uint32_t n = 0; row && n < part->schema->row_len; n++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%llu,",
                     (unsigned long long)row[n]);
    }
    stats_collection_free(&collection);
    return text;
}

static void publish_often(const struct site *site, uint32_t flags)
{
    const struct vitals_publish_options options = {
        VITALS_PUBLISH_OPTIONS_INIT, .path = site->socket_path, .flags = flags, .interval_ms = 20};

    check_ok(vitals_publish(site->ctx, site->kvm, &options));
}

static bool is_own(const struct site *site, const char *target, const char *text)
{
    return !strcmp(own_of(site, target), text);
}

static void counters_are_shown(void **state)
{
    const struct vitals_stat sizes = {
        .name = "sizes", .type = VITALS_LOG_HIST, .unit = VITALS_BYTES, .count = 3};
    struct site *site = *state;
    struct vitals_histogram *histogram;
    struct vitals_counters *counters;
    struct vitals_counter *events;

    start_daemon(site);
    publish_often(site, 0);
    wait_until(site, has_paths(site, "cpu/0 "));
    check_ok(vitals_counters_new(site->ctx, "own", "vm", &counters));
    check_ok(vitals_counter_new(counters, NULL, "events", "Events.", &events));
    vitals_counter_add(events, 5);
    wait_until(site, is_own(site, "vm", ":5,"));
    vitals_counter_add(events, 2);
    wait_until(site, is_own(site, "vm", ":7,"));
    check_ok(vitals_histogram_new(counters, NULL, &sizes, sizeof(sizes), &histogram));
    vitals_histogram_observe(histogram, 1);
    wait_until(site, is_own(site, "vm", ":7,0,1,0,"));
    check_ok(vitals_counters_free(counters));
    wait_until(site, is_own(site, "vm", ""));
    assert_int_equal(n_logged(site), 0);
}

static void objects_of_counters_come_and_go(void **state)
{
    struct site *site = *state;
    struct vitals_counters *counters;
    struct vitals_counter *one, *other;

    start_daemon(site);
    check_ok(vitals_counters_new(site->ctx, "own", "block", &counters));
    check_ok(vitals_counter_new(counters, "sda", "reads", NULL, &one));
    check_ok(vitals_counter_new(counters, "sdb", "reads", NULL, &other));
    vitals_counter_add(one, 1);
    vitals_counter_add(other, 2);
    publish_often(site, 0);
    wait_until(site, is_own(site, "block", "sda:1,sdb:2,"));
    check_ok(vitals_counters_remove(counters, "sda"));
    wait_until(site, is_own(site, "block", "sdb:2,"));
    check_ok(vitals_counter_new(counters, "sdc", "reads", NULL, &one));
    vitals_counter_add(one, 3);
    wait_until(site, is_own(site, "block", "sdb:2,sdc:3,"));
    stop_daemon(site);
    start_daemon(site);
    wait_until(site, is_own(site, "block", "sdb:2,sdc:3,"));
    assert_int_equal(n_logged(site), 0);
    check_ok(vitals_counters_free(counters));
}

/*
 * In JSON both bytes that are no text are U+FFFD, and the daemon refuses the second such path. What it did
 * not take it is not told to forget.
 */
static void a_refused_object_leaves_others_right(void **state)
{
    struct site *site = *state;
    struct vitals_counters *counters;
    struct vitals_counter *counter;

    start_daemon(site);
    check_ok(vitals_counters_new(site->ctx, "own", "block", &counters));
    check_ok(vitals_counter_new(counters, "sda", "reads", NULL, &counter));
    check_ok(vitals_counter_new(counters, "\xfe", "reads", NULL, &counter));
    vitals_counter_add(counter, 1);
    publish_often(site, 0);
    wait_until(site, is_own(site, "block", "sda:0,\xef\xbf\xbd:1,"));
    check_ok(vitals_counter_new(counters, "\xff", "reads", NULL, &counter));
    wait_until(site, n_logged(site) == 1);
    check_ok(vitals_counters_remove(counters, "\xff"));
    check_ok(vitals_counters_remove(counters, "sda"));
    check_ok(vitals_counter_new(counters, "sdc", "reads", NULL, &counter));
    vitals_counter_add(counter, 3);
    wait_until(site, is_own(site, "block", "\xef\xbf\xbd:1,sdc:3,"));
    check_ok(vitals_counters_free(counters));
}

/* What one user may have, all its connections together: others may have taken it, and give it back. */
static void leave_words(const struct site *site, uint64_t n)
{
    LIST_FIRST(&site->socket.users)->n_words = REGISTER_WORDS_MAX - n;
}

static void what_had_no_room_is_told_when_there_is_some(void **state)
{
    struct site *site = *state;
    struct vitals_counters *counters;
    struct vitals_counter *counter;

    start_daemon(site);
    publish_often(site, 0);
    wait_until(site, has_paths(site, "cpu/0 "));
    leave_words(site, 0);
    check_ok(vitals_counters_new(site->ctx, "own", "block", &counters));
    check_ok(vitals_counter_new(counters, "sda", "reads", NULL, &counter));
    wait_until(site, n_logged(site) == 1);
    assert_contains(site->logged, "no room for further statistics");
    leave_words(site, REGISTER_WORDS_OF_STAT + 1); /* of the statistic, but not of an object */
    wait_until(site, vm_own_find(find_vm(site), "own", "block"));
    wait_until(site, LIST_FIRST(&site->socket.users)->n_words == REGISTER_WORDS_MAX);
    assert_string_equal(own_of(site, "block"), "");
    leave_words(site, REGISTER_WORDS_MAX);
    wait_until(site, is_own(site, "block", "sda:0,"));
    assert_int_equal(n_logged(site), 1);
    check_ok(vitals_counters_free(counters));
}

/* In the order of its statistics, whatever their slots are. */
static int collect_own(void *opaque, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, NULL);

    (void)opaque;
    for (uint64_t i = 0; row && i < 4; i++)
        row[i] = i;
    return 0;
}

static void groups_with_slots_of_any_order(void **state)
{
    const struct vitals_stat stats[] = {{.name = "last", .base = 10, .count = 1, .slot = 3},
                                        {.name = "hist",
                                         .type = VITALS_LOG_HIST,
                                         .base = 2,
                                         .exponent = -3,
                                         .count = 2,
                                         .slot = 0}};
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = "own", .target = "vm",
                                         .stats = stats,        .n_stats = 2,      .row_len = 4,
                                         .collect = collect_own};
    struct site *site = *state;

    start_daemon(site);
    check_ok(vitals_register(site->ctx, &ops, NULL));
    publish_often(site, 0);
    wait_until(site, is_own(site, "vm", ":3,0,1,"));
    assert_int_equal(vm_own_find(find_vm(site), "own", "vm")->schema->stats[1].exponent, -3);
    assert_int_equal(vm_own_find(find_vm(site), "own", "vm")->schema->stats[1].base, 2);
}

static void kvm_alone(void **state)
{
    struct site *site = *state;
    struct vitals_counters *counters;

    start_daemon(site);
    check_ok(vitals_counters_new(site->ctx, "own", "vm", &counters));
    publish_often(site, VITALS_PUBLISH_KVM_ALONE);
    wait_until(site, has_paths(site, "cpu/0 "));
    vitals_set_running(site->ctx, false);
    wait_until(site, find_vm(site)->is_said_to_pause);
    assert_int_equal(find_vm(site)->n_own, 0);
    check_ok(vitals_counters_free(counters));
}

/* ---- one that is no daemon ------------------------------------------------------------------ */

static int accept_at(int listening)
{
    struct pollfd pollfd = {.fd = listening, .events = POLLIN};

    assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
    return accept(listening, NULL, NULL);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void wait_for_end(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    char bytes[512];

    do
        assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
    while (read(fd, bytes, sizeof(bytes)) > 0);
    close(fd);
}

#define GREETING "{\"QMP\": {}}\r\n"

/* Each of these ends the connection, and another one is tried. */
static void what_no_daemon_says(void **state)
{
    static const char *const texts[] = {
        "\n", "{}\n", "[]\n", "nonsense\n", GREETING "{\"QMP\": 1}\n", GREETING "null\r\n",
    };
    struct site *site = *state;
    int listening = listening_fd(site->socket_path);

    publish(site);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        int fd = accept_at(listening);

        say(fd, texts[i]);
        wait_for_end(fd);
    }
    close(accept_at(listening));
    close(accept_at(listening));
    close(listening);
    assert_int_equal(n_logged(site), 0);
}

static void a_line_has_a_bound(void **state)
{
    struct site *site = *state;
    int listening = listening_fd(site->socket_path), fd;
    char text[1024];
    ssize_t n;

    memset(text, ' ', sizeof(text));
    publish(site);
    fd = accept_at(listening);
    do
        n = send(fd, text, sizeof(text), MSG_NOSIGNAL);
    while (n > 0);
    close(fd);
    close(accept_at(listening));
    close(listening);
}

/* It is told what there is to complain once, however often it is tried. */
static void a_refusal_is_logged_once(void **state)
{
    static const char refusal[] =
        GREETING "{\"return\": {}}\r\n{\"error\": {\"desc\": \"no room\"}}\r\n";
    struct site *site = *state;
    int listening = listening_fd(site->socket_path);

    publish(site);
    for (int i = 0; i < 2; i++) {
        int fd = accept_at(listening);

        say(fd, refusal);
        wait_for_end(fd);
    }
    close(listening);
    assert_int_equal(n_logged(site), 1);
    assert_contains(site->logged, "refuses what it is told: no room");
}

/* It has accepted, and says nothing: nobody waits for it. */
static void a_silent_daemon_keeps_nobody(void **state)
{
    struct site *site = *state;
    int listening = listening_fd(site->socket_path), fd;

    publish(site);
    fd = accept_at(listening);
    plug(site, "cpu/1", 1);
    vitals_set_running(site->ctx, false);
    check_ok(vitals_kvm_remove_vcpu(site->kvm, "cpu/1"));
    check_ok(vitals_unpublish(site->ctx));
    wait_for_end(fd);
    close(listening);
}

/* ---- what can't be published ---------------------------------------------------------------- */

static void check_refused(const struct site *site, struct vitals_kvm *kvm,
                          const struct vitals_publish_options *options, int err, const char *text)
{
    char said[512];

    check_error(vitals_publish(site->ctx, kvm, options), err);
    vitals_error_text(site->ctx, said, sizeof(said));
    assert_contains(said, text);
}

static void options_that_are_none(void **state)
{
    struct vitals_publish_options options = {VITALS_PUBLISH_OPTIONS_INIT};
    struct site *site = *state;
    char path[109], vmm[33];

    memset(path, 'x', sizeof(path));
    path[108] = '\0';
    options.path = path;
    check_refused(site, site->kvm, &options, ENAMETOOLONG, "has 108 bytes, must have at most 107");
    path[107] = '\0';
    check_ok(vitals_publish(site->ctx, site->kvm, &options));
    check_ok(vitals_unpublish(site->ctx));
    options.path = "@abstract";
    check_refused(site, site->kvm, &options, EINVAL, "'@abstract' is no path of a socket");
    options.path = "";
    check_refused(site, site->kvm, &options, EINVAL, "'' is no path of a socket");
    options.path = NULL;
    options.vmm = "";
    check_refused(site, site->kvm, &options, EINVAL, "vmm has 0 bytes, must have 1 to 31");
    memset(vmm, 'x', sizeof(vmm));
    vmm[32] = '\0';
    options.vmm = vmm;
    check_refused(site, site->kvm, &options, EINVAL, "vmm has 32 bytes, must have 1 to 31");
    options.vmm = NULL;
    options.flags = 2;
    check_refused(site, site->kvm, &options, EINVAL, "flags 0x2 has unknown ones");
    options.size = 8;
    check_refused(site, site->kvm, &options, EINVAL, "vitals_publish_options");
}

static void vms_that_are_none(void **state)
{
    struct site *site = *state;
    struct vitals_kvm *kvm;
    struct vitals_ctx *ctx;

    check_refused(site, NULL, NULL, EINVAL, "no provider 'kvm'");
    check_ok(vitals_ctx_new(NULL, &ctx));
    kvm = new_kvm(ctx);
    check_refused(site, kvm, NULL, EINVAL, "another context's");
    check_error(vitals_publish(ctx, kvm, NULL), EINVAL); /* it has no name */
    check_ok(vitals_kvm_free(kvm));
    check_ok(vitals_kvm_new(ctx, -1, &kvm));
    check_error(vitals_publish(ctx, kvm, NULL), EINVAL);
    check_ok(vitals_kvm_free(kvm));
    check_ok(vitals_ctx_free(ctx));
}

static void it_is_published_once(void **state)
{
    struct site *site = *state;

    check_ok(vitals_unpublish(site->ctx));
    publish(site);
    check_refused(site, site->kvm, NULL, EEXIST, "published already");
    check_error(vitals_kvm_free(site->kvm), EBUSY);
    check_error(vitals_ctx_free(site->ctx), EBUSY);
    check_ok(vitals_unpublish(site->ctx));
    publish(site);
}

/* ---- fork() --------------------------------------------------------------------------------- */

static int status_of_child(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_child_ends_nothing(void **state)
{
    struct site *site = *state;
    pid_t child;

    publish_to_daemon(site);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(CHILD_SECONDS_MAX);
        _exit(vitals_unpublish(site->ctx) || vitals_kvm_free(site->kvm) ||
              vitals_ctx_free(site->ctx));
    }
    assert_int_equal(status_of_child(child), 0);
    plug(site, "cpu/1", 1);
    wait_until(site, has_paths(site, "cpu/0 cpu/1 "));
}

static void a_child_keeps_nothing(void **state)
{
    struct site *site = *state;
    pid_t child;

    publish_to_daemon(site);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        for (alarm(CHILD_SECONDS_MAX);;)
            pause();
    check_ok(vitals_unpublish(site->ctx));
    wait_until(site, has_no_vm(site));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

#ifndef __SANITIZE_THREAD__ /* which ends a child that makes a thread */
/* As behind daemon(3). */
static void a_child_publishes_its_copy(void **state)
{
    struct site *site = *state;
    pid_t child;

    publish(site);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(CHILD_SECONDS_MAX);
        if (vitals_unpublish(site->ctx))
            _exit(1);
        start_daemon(site);
        publish(site);
        wait_until(site, has_paths(site, "cpu/0 "));
        vitals_set_running(site->ctx, false);
        wait_until(site, find_vm(site)->is_said_to_pause);
        _exit(vitals_unpublish(site->ctx) ? 2 : 0);
    }
    check_ok(vitals_unpublish(site->ctx));
    assert_int_equal(status_of_child(child), 0);
}
#endif

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_vm_is_told_of),
        CASE(vcpus_come_and_go),
        CASE(threads_and_a_pause_are_told),
        CASE(many_vcpus),
        CASE(long_paths),
        CASE(a_daemon_may_come_later_and_come_back),
        CASE(a_daemon_that_ends_the_connection_is_not_pestered),
        CASE(one_that_is_refused_costs_no_other_one),
        CASE(counters_are_shown),
        CASE(objects_of_counters_come_and_go),
        CASE(a_refused_object_leaves_others_right),
        CASE(what_had_no_room_is_told_when_there_is_some),
        CASE(groups_with_slots_of_any_order),
        CASE(kvm_alone),
        CASE(what_no_daemon_says),
        CASE(a_line_has_a_bound),
        CASE(a_refusal_is_logged_once),
        CASE(a_silent_daemon_keeps_nobody),
        CASE(options_that_are_none),
        CASE(vms_that_are_none),
        CASE(it_is_published_once),
        CASE(a_child_ends_nothing),
        CASE(a_child_keeps_nothing),
#ifndef __SANITIZE_THREAD__
        CASE(a_child_publishes_its_copy),
#endif
    };

    return cmocka_run_group_tests_name("publishing", tests, NULL, NULL);
}
