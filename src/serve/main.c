/* SPDX-License-Identifier: MIT */
/* The program vitals-serve, which `vitals serve` executes: the daemon and its event loop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "serve/check.h"
#include "serve/log.h"
#include "serve/service.h"
#include "serve/uevents.h"

/* VMs come and go unasked; what could not be made is tried again as often. */
#define PASS_US          500000u
#define PASS_ACCURACY_US 20000u

/*
 * Clients that never stop asking have the host read again and again, and so has who makes VMs without end, or very
 * many: that may take one part in so many of a CPU's time. Where a pass waits for a CPU that others have,
 * clients need not wait three times as long for the next one. What comes meanwhile is answered by one pass.
 */
enum { PASS_SHARE = 4 };

enum { VMS, REGISTRANTS, SERVERS };

/*
 * So long others wait for a part of a pass: whoever asks for one VM is served between two parts, however
 * many VMs there are.
 */
#define PART_NS UINT64_C(500000)

/* A VM has its files a moment behind the kernel's word, and whoever makes many has few passes for them. */
#define WAKE_DELAY_US    10000u
#define WAKE_INTERVAL_US 50000u

/* What the command line and the files say together. */
struct settings {
    struct serve_config config;
    struct serve_options options;
    char user_where[SERVE_CONFIG_WHERE_MAX], group_where[SERVE_CONFIG_WHERE_MAX];
};

struct loop {
    const struct serve_options *given; /* on the command line */
    struct service_sockets sockets;
    int uevents; /* the kernel's word of new VMs; -1: none */
    struct settings *settings;
    struct service service;
    sd_event *event;
    sd_event_source *requests[SERVERS]; /* the fds of both */
    sd_event_source *part;              /* the next one of the pass that is under way */
    bool is_passing;                    /* one is */
    bool passes_again;                  /* since something has come that it may not have seen */
    bool registrants_wait;              /* for its end */
    sd_event_source *soon;              /* when the next one may begin */
    uint64_t next_ns;                   /* the same */
    sd_event_source *news, *woken;      /* of VMs, and when a pass looks at them */
    bool is_resting;                    /* it has, a moment ago */
};

static const struct verb verb = {
    .name = "serve",
    .about = "The daemon of 'vitals serve', which has more to say.",
    .tables = {serve_option_table},
};

/* ---- settings ------------------------------------------------------------------------------- */

static void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    serve_options_free(&settings->options);
    serve_config_free(&settings->config);
    free(settings);
}

static int read_settings(const struct serve_options *given, enum serve_moment moment,
                         struct settings *settings, struct error_text *error)
{
    struct serve_options *options = &settings->options;
    int err = serve_config_read(given->config, &settings->config, error);

    if (err)
        return err;
    if (serve_config_merge(&settings->config, given, options))
        return error_set(error, -ENOMEM, "out of memory");
    serve_config_where(&settings->config, given, "user", settings->user_where);
    serve_config_where(&settings->config, given, "group", settings->group_where);
    options->names.user_where = settings->user_where;
    options->names.group_where = settings->group_where;
    return serve_check(&settings->config, given, options, moment, error);
}

/* NULL: they can't be used, which has been said. */
static struct settings *settings_new(const struct serve_options *given, enum serve_moment moment)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    struct error_text error = {"out of memory"};

    if (settings && read_settings(given, moment, settings, &error) == 0)
        return settings;
    serve_log(SERVE_ERROR, "%s", error.text);
    settings_free(settings);
    return NULL;
}

static int tell_right(const struct serve_config *config)
{
    for (size_t i = 0; i < config->n_files; i++)
        printf("vitals serve: %s can be used\n", config->files[i]);
    if (!config->n_files)
        printf("vitals serve: there is no " SERVE_CONFIG_FILE ", so nothing is wrong in it\n");
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void reload(struct loop *loop)
{
    struct settings *settings = settings_new(loop->given, SERVE_CHANGE);

    if (!settings ||
        !service_change(&loop->service, &loop->settings->options, &settings->options)) {
        serve_log(SERVE_ERROR, "all stays as it was");
        settings_free(settings);
        return;
    }
    settings_free(loop->settings);
    loop->settings = settings;
    serve_log(SERVE_INFO, "the settings have been read again");
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *opaque)
{
    (void)source;
    (void)info;
    sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)(clock_now_ns() / 1000));
    reload(opaque);
    sd_notify(false, "READY=1");
    return 0;
}

/* ---- passes --------------------------------------------------------------------------------- */

/* Of all that has come, each has a turn before this has the next one. */
static int set_time(sd_event_source *source, uint64_t ns)
{
    int err = sd_event_source_set_time(source, ns / 1000 + 1);

    return err < 0 ? err : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Of one that is under way nothing changes but what it @retries. */
static int begin_pass(struct loop *loop, bool retries)
{
    service_begin_pass(&loop->service, retries);
    if (loop->is_passing)
        return 0;
    loop->is_passing = true;
    return set_time(loop->part, 0);
}

static bool may_begin(const struct loop *loop)
{
    return loop->is_passing || clock_now_ns() >= loop->next_ns;
}

static bool wants_pass(const struct loop *loop)
{
    return loop->passes_again || service_wants_pass(&loop->service);
}

/* Requests wait for a pass of their own, and it may begin, now or later. */
static int answer_when_due(struct loop *loop)
{
    return loop->is_passing || !wants_pass(loop) ? 0 : set_time(loop->soon, loop->next_ns);
}

/* The pass begins after the requests have arrived, so that what they get is not older. */
static int on_soon(sd_event_source *source, uint64_t time_us, void *opaque)
{
    struct loop *loop = opaque;

    (void)source;
    (void)time_us;
    if (loop->is_passing || !may_begin(loop) || !wants_pass(loop))
        return answer_when_due(loop);
    loop->passes_again = false;
    return begin_pass(loop, false);
}

static int end_pass(struct loop *loop)
{
    int err = 0;

    loop->is_passing = false;
    loop->next_ns = clock_now_ns() + (PASS_SHARE - 1) * service_pass_ns(&loop->service);
    service_serve(&loop->service);
    service_serve_registrants(&loop->service);
    if (loop->registrants_wait)
        err = sd_event_source_set_enabled(loop->requests[REGISTRANTS], SD_EVENT_ON);
    loop->registrants_wait = false;
    return err < 0 ? err : answer_when_due(loop);
}

static int on_part(sd_event_source *source, uint64_t time_us, void *opaque)
{
    struct loop *loop = opaque;

    (void)time_us;
    if (service_go_on(&loop->service, clock_now_ns() + PART_NS))
        return set_time(source, 0);
    return end_pass(loop);
}

/* Unasked. */
static int on_pass(sd_event_source *source, uint64_t time_us, void *opaque)
{
    struct loop *loop = opaque;
    int err;

    (void)time_us;
    if (!may_begin(loop))
        return set_time(source, loop->next_ns);
    err = begin_pass(loop, true);
    return err < 0 ? err : set_time(source, clock_now_ns() + PASS_US * UINT64_C(1000));
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Most requests are answered at once. */
static int on_requests(sd_event_source *source, int fd, uint32_t events, void *opaque)
{
    struct loop *loop = opaque;

    (void)source;
    (void)events;
    (void)fd;
    service_serve(&loop->service);
    return answer_when_due(loop);
}

/* Those that register wait for a pass like requests. Which VMs there are stays the same while one is under way. */
static int on_registrants(sd_event_source *source, int fd, uint32_t events, void *opaque)
{
    struct loop *loop = opaque;

    (void)fd;
    (void)events;
    if (loop->is_passing) {
        loop->registrants_wait = true;
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
    }
    service_serve_registrants(&loop->service);
    return answer_when_due(loop);
}

/* ---- the kernel's word ---------------------------------------------------------------------- */

static int on_news(sd_event_source *source, int fd, uint32_t events, void *opaque)
{
    struct loop *loop = opaque;
    int err;

    (void)events;
    if (!uevents_take(fd))
        return 0;
    err = sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (err >= 0)
        err = sd_event_source_set_time_relative(loop->woken, WAKE_DELAY_US);
    return err < 0 ? err : sd_event_source_set_enabled(loop->woken, SD_EVENT_ONESHOT);
}

/* One pass sees all that came until then; no more news are taken for a while. */
static int on_woken(sd_event_source *source, uint64_t time_us, void *opaque)
{
    struct loop *loop = opaque;
    int is_listening = SD_EVENT_OFF, err;

    (void)time_us;
    sd_event_source_get_enabled(loop->news, &is_listening);
    if (is_listening == SD_EVENT_OFF && !loop->is_resting) {
        if (!may_begin(loop))
            return set_time(source, loop->next_ns);
        loop->passes_again |= loop->is_passing;
        err = begin_pass(loop, false);
        loop->is_resting = true;
        if (err >= 0)
            err = sd_event_source_set_time_relative(source, WAKE_INTERVAL_US - WAKE_DELAY_US);
        return err < 0 ? err : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    loop->is_resting = false;
    return sd_event_source_set_enabled(loop->news, SD_EVENT_ON);
}

/* One that is off until it is set. */
static int add_timer(struct loop *loop, sd_event_source **ret_source,
                     sd_event_time_handler_t handler)
{
    int err = sd_event_add_time(loop->event, ret_source, CLOCK_MONOTONIC, 0, 1, handler, loop);

    return err < 0 ? err : sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
}

static int listen_to_news(struct loop *loop)
{
    int err;

    if (loop->uevents < 0)
        return 0;
    err = add_timer(loop, &loop->woken, on_woken);
    return err < 0
               ? err
               : sd_event_add_io(loop->event, &loop->news, loop->uevents, EPOLLIN, on_news, loop);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

/*
 * Before anything else, as one may come at once: it waits for the loop. They stay blocked: one that comes
 * while all is removed changes nothing any more.
 */
static void set_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(how, &set, NULL);
}

static int add_signals(struct loop *loop)
{
    static const sd_event_signal_handler_t handlers[] = {NULL, NULL, on_hangup}; /* NULL: end */
    int err = 0;

    for (size_t i = 0; i < COUNT(signals) && err >= 0; i++)
        err = sd_event_add_signal(loop->event, NULL, signals[i], handlers[i],
                                  handlers[i] ? loop
                                              : NULL); /* without one: the status to end with */
    return err;
}

static int add_sources(struct loop *loop)
{
    const struct service *service = &loop->service;
    int err = add_signals(loop);

    if (err >= 0)
        err = sd_event_add_io(loop->event, &loop->requests[VMS], vitals_server_fd(service->server),
                              EPOLLIN, on_requests, loop);
    if (err >= 0)
        err = sd_event_add_io(loop->event, &loop->requests[REGISTRANTS],
                              vitals_server_fd(service->register_server), EPOLLIN, on_registrants,
                              loop);
    if (err >= 0)
        err = add_timer(loop, &loop->soon, on_soon);
    if (err >= 0)
        err = add_timer(loop, &loop->part, on_part);
    if (err >= 0)
        err = sd_event_add_time_relative(loop->event, NULL, CLOCK_MONOTONIC, PASS_US,
                                         PASS_ACCURACY_US, on_pass, loop);
    if (err >= 0)
        err = listen_to_news(loop);
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

/* ---- what the service manager hands over ---------------------------------------------------- */

static int take_socket(struct loop *loop, const char *name, int fd)
{
    bool is_stream = sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0;

    if (!strcmp(name, "host") && is_stream)
        loop->sockets.host = fd;
    else if (!strcmp(name, "register") && is_stream)
        loop->sockets.registration = fd;
    else if (!strcmp(name, "uevents") && sd_is_socket(fd, AF_NETLINK, 0, -1) > 0)
        loop->uevents = fd;
    else
        return -EINVAL;
    return 0;
}

static bool take_sockets(struct loop *loop)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(true, &names), err = 0;

    for (int i = 0; i < n; i++) {
        if (!err && take_socket(loop, names[i], SD_LISTEN_FDS_START + i) < 0) {
            err = -EINVAL;
            serve_log(SERVE_ERROR,
                      "a socket that was handed over is called '%s': FileDescriptorName= must be "
                      "host or register, of a unix socket, or uevents",
                      names[i]);
        }
        free(names[i]);
    }
    free(names);
    if (loop->uevents < 0)
        loop->uevents = uevents_open();
    return !err;
}

static int serve(struct loop *loop)
{
    int err = sd_event_new(&loop->event);

    if (err < 0) {
        serve_log(SERVE_ERROR, "no event loop can be made: %s", strerror(-err));
        return EXIT_FAILURE;
    }
    err = -EIO;
    if (take_sockets(loop) &&
        service_open(&loop->settings->options, &loop->sockets, &loop->service)) {
        err = run(loop);
        service_close(&loop->service);
    }
    for (size_t i = 0; i < SERVERS; i++)
        sd_event_source_unref(loop->requests[i]);
    sd_event_source_unref(loop->soon);
    sd_event_source_unref(loop->part);
    sd_event_source_unref(loop->news);
    sd_event_source_unref(loop->woken);
    if (loop->uevents >= 0)
        close(loop->uevents);
    sd_event_unref(loop->event);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_as(const struct cli_args *args, const struct serve_options *given)
{
    struct loop loop = {.given = given,
                        .settings = settings_new(given, SERVE_START),
                        .sockets = {.host = -1, .registration = -1},
                        .uevents = -1};
    int status = EXIT_FAILURE;

    if (!loop.settings)
        return status;
    status = serve_options_check(args->command, &loop.settings->options);
    if (status == 0)
        status = given->checks_config ? tell_right(&loop.settings->config) : serve(&loop);
    settings_free(loop.settings);
    return status;
}

int main(int argc, char **argv)
{
    char command[] = "vitals serve";
    struct cli_args args = {.verb = &verb, .command = command, .argc = argc, .argv = argv};
    struct serve_options options = {0};
    int status;

    set_signals(SIG_BLOCK);
    signal(SIGPIPE, SIG_IGN);
    argv[0] = command;
    if (cli_parse(&args, &options)) {
        if (options.checks_config)
            set_signals(SIG_UNBLOCK);
        status = run_as(&args, &options);
    } else {
        status = args.status;
    }
    cli_free(&verb, &options);
    return status;
}
