/* SPDX-License-Identifier: MIT */
/*
 * What a provider that blocks costs those who don't ask for it: round trips of such a client, and calls
 * of the VMM, while another client asks for it all the time.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vitals/qmp.h"
#include "vitals/stats.h"

#define ASK_QUICK                                                                                  \
    "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\","                               \
    "\"filters\":[{\"provider\":\"quick\"}]}}\n"
#define ASK_ALL "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\"}}\n"

enum { LINE_MAX = 64 * 1024, TRIPS_MAX = 1 << 20 };

struct bench {
    struct vitals_ctx *ctx;
    struct vitals_server *server;
    char dir[64], path[100], second[100];
    double seconds; /* of the slow collect(); < 0: endless */
    atomic_bool is_over;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(-err));
    exit(EXIT_FAILURE);
}

/* ---- providers ------------------------------------------------------------------------------ */

static int collect_quick(void *opaque, struct vitals_sink *sink)
{
    (void)opaque;
    vitals_row(sink, NULL);
    return 0;
}

static int collect_slow(void *opaque, struct vitals_sink *sink)
{
    struct bench *bench = opaque;
    double end = now() + bench->seconds;

    while (!bench->is_over && (bench->seconds < 0 || now() < end))
        usleep(1000);
    vitals_row(sink, NULL);
    return 0;
}

static struct vitals_group *add_group(struct bench *bench, const char *provider, bool is_slow)
{
    static const struct vitals_stat stat = {.name = "runs", .base = 10, .count = 1};
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT,
                                         .provider = provider,
                                         .target = "vm",
                                         .stats = &stat,
                                         .n_stats = 1,
                                         .row_len = 1,
                                         .flags = is_slow ? VITALS_GROUP_MAY_BLOCK : 0,
                                         .collect = is_slow ? collect_slow : collect_quick,
                                         .opaque = bench};
    struct vitals_group *group;

    check(vitals_register(bench->ctx, &ops, &group), "register");
    return group;
}

/* ---- clients -------------------------------------------------------------------------------- */

/* Until the end of a line. */
static void read_line(int fd)
{
    static _Thread_local char line[LINE_MAX];
    ssize_t n;

    do
        n = read(fd, line, sizeof(line));
    while (n > 0 && line[n - 1] != '\n');
    if (n <= 0)
        check(-EPIPE, "read");
}

static void ask(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        check(-errno, "write");
    read_line(fd);
}

static int connect_client(const struct bench *bench)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", bench->path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
        check(-errno, "connect");
    read_line(fd);
    ask(fd, "{\"execute\":\"qmp_capabilities\"}\n");
    return fd;
}

static void *ask_slow(void *opaque)
{
    struct bench *bench = opaque;
    int fd = connect_client(bench);

    while (!bench->is_over)
        ask(fd, ASK_ALL);
    close(fd);
    return NULL;
}

/* ---- figures -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}

static void show(const char *what, double *times, size_t n)
{
    qsort(times, n, sizeof(*times), compare);
    printf("  %-28s median %8.1f us   worst %8.1f us   of %zu\n", what, times[n / 2] * 1e6,
           times[n - 1] * 1e6, n);
}

static void measure_trips(const struct bench *bench, double seconds, double *times)
{
    int fd = connect_client(bench);
    double begin = now(), before;
    size_t n = 0;

    while (n < TRIPS_MAX && now() < begin + seconds) {
        before = now();
        ask(fd, ASK_QUICK);
        times[n++] = now() - before;
        usleep(200);
    }
    close(fd);
    show("round trip of others", times, n);
}

static void listen_and_close(struct bench *bench)
{
    struct vitals_listener *listener;
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = bench->second};

    check(vitals_server_listen(bench->server, bench->ctx, &options, &listener), "listen");
    check(vitals_listener_close(listener), "close");
}

static void add_client(struct bench *bench)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        check(-errno, "socketpair");
    check(vitals_server_add_client(bench->server, bench->ctx, fds[0], NULL), "add_client");
    close(fds[1]);
}

static void stop_and_start(struct bench *bench)
{
    check(vitals_server_stop(bench->server), "stop");
    check(vitals_server_start(bench->server), "start");
}

static void register_and_unregister(struct bench *bench)
{
    check(vitals_unregister(add_group(bench, "other", false)), "unregister");
}

static void measure_calls(struct bench *bench, double *times)
{
    static const struct {
        const char *name;
        void (*call)(struct bench *bench);
    } calls[] = {{"listen, listener_close", listen_and_close},
                 {"add_client", add_client},
                 {"stop, start", stop_and_start},
                 {"register, unregister others", register_and_unregister}};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        size_t n;

        for (n = 0; n < 200; n++) {
            double before = now();

            calls[i].call(bench);
            times[n] = now() - before;
            usleep(1000);
        }
        show(calls[i].name, times, n);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void measure(struct bench *bench, const char *title, bool is_asked, double *times)
{
    struct vitals_group *slow = add_group(bench, "slow", true);
    pthread_t thread;

    bench->is_over = false;
    printf("%s\n", title);
    if (is_asked)
        check(-pthread_create(&thread, NULL, ask_slow, bench), "thread");
    measure_trips(bench, 10, times);
    measure_calls(bench, times);
    bench->is_over = true;
    if (is_asked)
        pthread_join(thread, NULL);
    check(vitals_unregister(slow), "unregister");
}

int main(void)
{
    static struct bench bench;
    double *times = calloc(TRIPS_MAX, sizeof(*times));
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT};

    snprintf(bench.dir, sizeof(bench.dir), "/tmp/vitals-bench.XXXXXX");
    if (!times || !mkdtemp(bench.dir))
        check(-errno, "mkdtemp");
    snprintf(bench.path, sizeof(bench.path), "%s/qmp.sock", bench.dir);
    snprintf(bench.second, sizeof(bench.second), "%s/second.sock", bench.dir);
    options.path = bench.path;
    check(vitals_ctx_new(NULL, &bench.ctx), "ctx_new");
    check(vitals_server_new(NULL, &bench.server), "server_new");
    check(vitals_server_listen(bench.server, bench.ctx, &options, NULL), "listen");
    check(vitals_server_start(bench.server), "start");
    add_group(&bench, "quick", false);
    measure(&bench, "nobody asks for the group that blocks", false, times);
    bench.seconds = 3;
    measure(&bench, "its collect() takes 3 s", true, times);
    bench.seconds = -1;
    measure(&bench, "its collect() does not end", true, times);
    vitals_server_free(bench.server);
    rmdir(bench.dir);
    free(times);
    return EXIT_SUCCESS;
}
