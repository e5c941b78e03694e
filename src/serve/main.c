/* SPDX-License-Identifier: MIT */
/* The program vitals-serve, which `vitals serve` executes: the daemon and its event loop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/count.h"
#include "serve/log.h"
#include "serve/service.h"

/* VMs come and go unasked. */
#define PASS_US          500000u
#define PASS_ACCURACY_US 20000u

/*
 * A client that never stops asking has the host read again and again: it may take one part in so many
 * of a CPU's time. Where a pass waits for a CPU that others have, clients need not wait three times as long
 * for the next one. What comes meanwhile is answered by one pass.
 */
enum { PASS_SHARE = 4 };

enum { SERVERS = 2 };

struct loop {
    struct service service;
    sd_event *event;
    sd_event_source *requests[SERVERS]; /* their fds */
    sd_event_source *soon;              /* when the next pass may begin */
    uint64_t next_ns;                   /* the same */
};

static const struct verb verb = {
    .name = "serve",
    .about = "The daemon of 'vitals serve', which has more to say.",
    .tables = {serve_option_table},
};

/* ---- requests ------------------------------------------------------------------------------- */

/* The pass begins after the requests have arrived, so that what they get is not older. */
static void answer(struct loop *loop)
{
    uint64_t begin = clock_thread_cpu_ns(), spent;

    service_pass(&loop->service, false);
    spent = clock_thread_cpu_ns() - begin;
    loop->next_ns = clock_now_ns() + (PASS_SHARE - 1) * spent;
    service_answer(&loop->service);
}

static int listen_to_requests(struct loop *loop, int enabled)
{
    int err = 0;

    for (size_t i = 0; i < SERVERS && err >= 0; i++)
        err = sd_event_source_set_enabled(loop->requests[i], enabled);
    return err;
}

static int on_requests(sd_event_source *source, int fd, uint32_t events, void *opaque)
{
    struct loop *loop = opaque;
    int err;

    (void)source;
    (void)fd;
    (void)events;
    if (clock_now_ns() >= loop->next_ns) {
        answer(loop);
        return 0;
    }
    err = sd_event_source_set_time(loop->soon, loop->next_ns / 1000 + 1);
    if (err >= 0)
        err = sd_event_source_set_enabled(loop->soon, SD_EVENT_ONESHOT);
    return err < 0 ? err : listen_to_requests(loop, SD_EVENT_OFF);
}

static int on_soon(sd_event_source *source, uint64_t time_us, void *opaque)
{
    struct loop *loop = opaque;

    (void)source;
    (void)time_us;
    answer(loop);
    return listen_to_requests(loop, SD_EVENT_ON);
}

/* ---- passes --------------------------------------------------------------------------------- */

static int on_pass(sd_event_source *source, uint64_t time_us, void *opaque)
{
    struct loop *loop = opaque;
    int err;

    (void)time_us;
    service_pass(&loop->service, true);
    err = sd_event_source_set_time_relative(source, PASS_US);
    return err < 0 ? err : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* They stay blocked: one that comes while all is removed changes nothing any more. */
static int add_signals(struct loop *loop)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    int err = 0;

    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < COUNT(signals) && err >= 0; i++)
        err = sd_event_add_signal(loop->event, NULL, signals[i], NULL, NULL);
    return err;
}

static int add_sources(struct loop *loop)
{
    const struct vitals_server *servers[SERVERS] = {loop->service.server,
                                                    loop->service.register_server};
    int err = add_signals(loop);

    for (size_t i = 0; i < SERVERS && err >= 0; i++)
        err = sd_event_add_io(loop->event, &loop->requests[i], vitals_server_fd(servers[i]),
                              EPOLLIN, on_requests, loop);
    if (err >= 0)
        err = sd_event_add_time(loop->event, &loop->soon, CLOCK_MONOTONIC, 0, 1, on_soon, loop);
    if (err >= 0)
        err = sd_event_source_set_enabled(loop->soon, SD_EVENT_OFF);
    if (err >= 0)
        err = sd_event_add_time_relative(loop->event, NULL, CLOCK_MONOTONIC, PASS_US,
                                         PASS_ACCURACY_US, on_pass, loop);
    return err < 0 ? err : sd_event_set_watchdog(loop->event, true);
}

static void tell_ready(const struct loop *loop)
{
    struct web *web = loop->service.web;
    const char *address;

    printf("vitals serve: the VMs of this host have their sockets in %s/vms\n",
           loop->service.directory.path);
    for (size_t i = 0; web && (address = web_address_at(web, i)); i++)
        printf("vitals serve: their statistics are at %s\n", address);
    fflush(stdout);
    sd_notify(false, "READY=1");
}

static int run(struct loop *loop)
{
    int err = add_sources(loop);

    if (err >= 0) {
        tell_ready(loop);
        err = sd_event_loop(loop->event);
        sd_notify(false, "STOPPING=1");
    }
    if (err < 0)
        serve_log(SERVE_ERROR, "the event loop has failed: %s", strerror(-err));
    return err;
}

static int serve(const struct serve_options *options)
{
    struct loop loop = {0};
    int err = sd_event_new(&loop.event);

    if (err < 0) {
        serve_log(SERVE_ERROR, "no event loop can be made: %s", strerror(-err));
        return EXIT_FAILURE;
    }
    err = -EIO;
    if (service_open(options, &loop.service)) {
        err = run(&loop);
        service_close(&loop.service);
    }
    for (size_t i = 0; i < SERVERS; i++)
        sd_event_source_unref(loop.requests[i]);
    sd_event_source_unref(loop.soon);
    sd_event_unref(loop.event);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_as(const struct cli_args *args, const struct serve_options *options)
{
    int status = serve_options_check(args->command, options);

    return status ? status : serve(options);
}

int main(int argc, char **argv)
{
    char command[] = "vitals serve";
    struct cli_args args = {.verb = &verb, .command = command, .argc = argc, .argv = argv};
    struct serve_options options = {0};
    int status;

    signal(SIGPIPE, SIG_IGN);
    argv[0] = command;
    status = cli_parse(&args, &options) ? run_as(&args, &options) : args.status;
    cli_free(&verb, &options);
    return status;
}
