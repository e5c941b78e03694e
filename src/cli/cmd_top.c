/* SPDX-License-Identifier: MIT */
/* `vitals top`: a live view of VMs on the terminal, or the same as plain text. */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "args/cli.h"
#include "base/text.h"
#include "show/output.h"
#include "look/look_watch.h"
#include "look/progress.h"
#include "top/figure.h"
#include "top/screen.h"
#include "top/terminal.h"

enum {
    BATCH_WIDTH = 110,
    KIND_MAX = 64,
    LATE_MS = 200, /* after which one looks whether a VM is late */
};

/* What has become of a VM, to be told at the end. */
struct tale {
    struct client_error error; /* why it was lost last; or empty */
    bool is_back;
};

struct top {
    struct look look;
    struct model model;
    struct screen screen;
    struct watch *watch;
    struct tale *tales; /* one for each slot of the watch */
    size_t n_tales;
    int signals;       /* a descriptor for them */
    const char *order; /* a column; NULL: exits */
    bool is_batch, is_nonzero, is_done;
    uint64_t turn;          /* whose end is awaited */
    unsigned long n_rounds; /* intervals that are over */
};

static const struct cli_option own_options[] = {
    {.name = "interval",
     .letter = 'i',
     .kind = CLI_SECONDS,
     .at = offsetof(struct top, look.options.interval),
     .min = MODEL_INTERVAL_MIN,
     .max = MODEL_INTERVAL_MAX,
     .argument = "S",
     .help = "seconds from one sample to the next, from 0.05 to 3600 (default: 1)"},
    {.name = "count",
     .letter = 'n',
     .kind = CLI_COUNT,
     .at = offsetof(struct top, look.options.count),
     .argument = "N",
     .help = "end after N intervals (default: go on)"},
    {.name = "hold",
     .at = offsetof(struct top, look.options.holds),
     .help = "keep the connection to QEMU from one sample to the next; without it, QEMU is let go "
             "where the interval is 2 s or more"},
    {.name = "batch",
     .letter = 'b',
     .at = offsetof(struct top, is_batch),
     .help = "print plain text after each interval: the VMs, and the vCPUs of each"},
    {.name = "nonzero",
     .letter = 'z',
     .at = offsetof(struct top, is_nonzero),
     .help = "leave out statistics that are 0; with -b it changes nothing"},
    {.name = "sort",
     .kind = CLI_TEXT,
     .at = offsetof(struct top, order),
     .argument = "COLUMN",
     .choices = "name vcpus state cpu steal throttled poll idle exits io+mmio irqs halts faults "
                "emulated signals memory busiest",
     .help = "sort the VMs by this column: name first, or the largest; on the terminal until a key "
             "says otherwise (default: exits)"},
    {0},
};

static int complain(const struct top *top, const char *text, const char *hint)
{
    fprintf(stderr, "%s: %s\n", top->look.options.command, text);
    if (hint)
        fprintf(stderr, "  %s\n", hint);
    return EXIT_FAILURE;
}

/* ---- the begin ------------------------------------------------------------------------------ */

/* Columns need more than what --stat wants. */
static bool shows(const void *opaque, const struct series *series)
{
    const struct client_stat stat = {*series->stat, series->provider, series->target};

    return look_wants_stat(opaque, &stat);
}

static int start(struct top *top)
{
    if (!model_init(&top->model, top->look.options.interval))
        return -ENOMEM;
    top->model.is_nonzero = top->is_nonzero;
    if (look_is_of_host(&top->look))
        top->model.n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (top->order)
        model_sort_by(&top->model, top->order);
    top->model.shows = shows;
    top->model.opaque = &top->look;
    top->turn = 1;
    return 0;
}

/* A slot may be new. */
static bool make_tales(struct top *top, size_t n)
{
    struct tale *grown;

    if (n <= top->n_tales)
        return true;
    grown = reallocarray(top->tales, n, sizeof(*grown));
    if (!grown)
        return false;
    memset(&grown[top->n_tales], 0, (n - top->n_tales) * sizeof(*grown));
    top->tales = grown;
    top->n_tales = n;
    return true;
}

/* ---- samples -------------------------------------------------------------------------------- */

static void say(const struct top *top, size_t i, const char *text)
{
    struct client_error news;

    client_fail(&news, 0, NULL, "%s: %s", top->model.vms[i]->socket, text);
    complain(top, news.text, NULL);
}

static void take_loss(struct top *top, size_t i, const struct watch_result *result)
{
    const struct model_vm *vm = top->model.vms[i];
    bool is_missed = !look_has_ended(&top->look, result->err);

    model_lose(&top->model, i, look_reason(&result->error, vm->socket), result->since);
    if (is_missed)
        top->tales[i] = (struct tale){.error = result->error};
    top->look.has_failed |= is_missed;
    if (top->is_batch)
        look_say(&top->look, &result->error);
}

/* That a VM was lost may never have come here. */
static void take_return(struct top *top, size_t i, const char *name)
{
    model_return(&top->model, i, name);
    top->tales[i].is_back = true;
    top->look.has_failed |= !look_is_of_host(&top->look); /* there it is another one of that name */
    if (top->is_batch)
        say(top, i, "is back");
}

static void take_result(struct top *top, size_t i, const struct watch_result *result)
{
    struct model_vm *vm = top->model.vms[i];

    if (result->is_back || (result->has_sample && vm->error))
        take_return(top, i, result->vm_name);
    else if (result->is_renewed)
        model_renew(&top->model, i);
    if (result->has_sample && !model_name_vm(&top->model, i, result->vm_name, result->path))
        top->model.has_failed = true;
    if (result->has_sample)
        model_take(&top->model, i, &result->sample, result->time);
    if (result->is_lost)
        take_loss(top, i, result);
    if (result->has_left)
        model_drop_vm(&top->model, i);
}

/* Before it has told its name, a VM has that of its socket. False: there is none in this slot. */
static bool find_vm(struct top *top, size_t i)
{
    const char *key = watch_key(top->watch, i), *slash = key ? strrchr(key, '/') : NULL;
    char *plain;

    if (i < top->model.n_vms && top->model.vms[i])
        return true;
    plain = key ? strdup(slash && slash[1] ? slash + 1 : key) : NULL;
    if (plain)
        text_make_plain(plain);
    top->model.has_failed |= key && (!plain || !model_name_vm(&top->model, i, plain, key));
    if (plain && !top->model.has_failed)
        text_make_plain(top->model.vms[i]->socket);
    free(plain);
    return key && !top->model.has_failed;
}

static void take_slot(struct top *top, size_t i)
{
    struct watch_result result;
    double silence;

    if (!find_vm(top, i))
        return;
    if (watch_take(top->watch, i, &result)) {
        take_result(top, i, &result);
        watch_result_free(&result);
    }
    if (!top->model.vms[i])
        return;
    silence = watch_silence(top->watch, i);
    model_await(&top->model, i,
                silence > WATCH_LATE_SECONDS && !top->model.vms[i]->error ? silence : 0);
}

/* Takes what has come. Returns whether an interval is over: of the first sample there are no rates. */
static bool take_results(struct top *top)
{
    bool is_over = watch_is_over(top->watch, top->turn), is_round = is_over && top->turn > 1;
    size_t n = watch_count(top->watch);

    watch_clear(top->watch);
    if (!make_tales(top, n)) {
        top->model.has_failed = true;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        take_slot(top, i);
    if (!top->is_batch) /* a report makes each of its lists */
        model_arrange(&top->model);
    if (is_over)
        top->turn = watch_turn(top->watch).number + 1;
    top->n_rounds += is_round;
    return is_round;
}

/* ---- signals -------------------------------------------------------------------------------- */

/*
 * They come by a descriptor: no handler interrupts ncurses. As long as the first answers are waited for, the
 * terminal is as it was, and they do what they always do; the threads of the watch have none.
 */
static int open_signals(struct top *top)
{
    static const int on_terminal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH, SIGTSTP, SIGCONT};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(on_terminal) / sizeof(on_terminal[0]); i++)
        if (!top->is_batch)
            sigaddset(&set, on_terminal[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    top->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return top->signals < 0 ? -errno : 0;
}

static void handle_signals(struct top *top)
{
    struct signalfd_siginfo info;

    while (read(top->signals, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTSTP:
            terminal_suspend();
            break;
        case SIGWINCH:
            terminal_refresh();
            break;
        case SIGCONT:
            terminal_resume();
            break;
        default:
            top->is_done = true;
            break;
        }
    }
}

/* ---- on the terminal ------------------------------------------------------------------------ */

/* The terminal is gone if there is something to read, which is nothing. */
static void handle_keys(struct top *top)
{
    int key = terminal_read_key();

    if (key == 0)
        top->is_done = true;
    for (; key && !top->model.is_done; key = terminal_read_key())
        model_press(&top->model, key);
    watch_set(top->watch, top->model.interval, top->model.is_paused);
}

static int wait_for_events(struct pollfd fds[4])
{
    for (;;) {
        if (poll(fds, 4, -1) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static int run_terminal(struct top *top)
{
    struct pollfd fds[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = top->signals, .events = POLLIN},
        {.fd = watch_fd(top->watch), .events = POLLIN},
        {.fd = STDOUT_FILENO}, /* says only that it is gone, which ncurses does not */
    };

    while (!top->is_done && !top->model.is_done) {
        if (!terminal_draw(&top->screen, &top->model))
            return -ENOMEM;
        if (wait_for_events(fds) < 0)
            return -errno;
        if (fds[1].revents)
            handle_signals(top);
        if (fds[2].revents && take_results(top))
            top->is_done |= top->look.options.count && top->n_rounds >= top->look.options.count;
        if (fds[3].revents && !top->is_done)
            top->is_done = top->look.has_failed = true;
        if (top->model.has_failed)
            return -ENOMEM;
        if (fds[0].revents && !top->is_done)
            handle_keys(top);
    }
    return 0;
}

/* ---- as plain text -------------------------------------------------------------------------- */

static size_t batch_width(void)
{
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;

    return width > 0 && width <= SCREEN_WIDTH_MAX ? (size_t)width : BATCH_WIDTH;
}

static int print_report(struct top *top)
{
    struct buf line = {0};
    bool is_first = top->n_rounds == 1;

    if (!screen_report(&top->screen, &top->model, batch_width()))
        return -ENOMEM;
    if (!is_first)
        putchar('\n');
    for (size_t i = 0; i < top->screen.height && !line.failed; i++) {
        screen_line(&top->screen, i, &line);
        buf_puts(&line, "\n");
        fwrite(line.data, 1, line.len, stdout);
        buf_reset(&line);
    }
    buf_free(&line);
    if (!output_flush())
        top->is_done = top->look.has_failed = true;
    return 0;
}

static int run_batch(struct top *top)
{
    struct pollfd fd = {.fd = watch_fd(top->watch), .events = POLLIN};
    struct progress *progress = progress_begin(
        top->look.options.command, "the first interval takes %g s", top->look.options.interval);
    int err = 0;

    while (!err && !top->is_done) {
        if (poll(&fd, 1, LATE_MS) < 0) {
            err = errno == EINTR ? 0 : -errno;
            continue;
        }
        if (!take_results(top))
            continue;
        progress_end(progress);
        progress = NULL;
        top->is_done = top->look.options.count && top->n_rounds >= top->look.options.count;
        err = print_report(top);
    }
    progress_end(progress);
    return err;
}

/* ---- the verb ------------------------------------------------------------------------------- */

/* What could only be seen on the screen is said again, to stay. */
static void complain_about_gone(const struct top *top)
{
    for (size_t i = 0; i < top->n_tales; i++)
        if (top->tales[i].error.text[0])
            complain(top, top->tales[i].error.text, top->tales[i].is_back ? "It came back." : NULL);
}

static void put_kind(char kind[KIND_MAX])
{
    snprintf(kind, KIND_MAX, "%s", getenv("TERM") ? getenv("TERM") : "");
    text_make_plain(kind);
}

static void refuse_terminal(const struct top *top)
{
    char kind[KIND_MAX], text[KIND_MAX + 64];

    put_kind(kind);
    snprintf(text, sizeof(text), "a terminal of TERM=%s can't be moved around in", kind);
    complain(top, text, "-b prints plain text instead.");
}

static void refuse_kind(const struct top *top)
{
    char kind[KIND_MAX], text[KIND_MAX + 64];

    put_kind(kind);
    snprintf(text, sizeof(text), "no terminal of TERM=%s is installed here", kind);
    complain(top, text,
             "Install its entry, of ncurses-term or of the terminal's own package, or try "
             "TERM=" TERMINAL_FALLBACK "; -b prints plain text instead.");
}

/* What is to be said of a terminal that is open stays there until a key is pressed. */
static bool open_terminal(struct top *top)
{
    switch (terminal_open()) {
    case TERMINAL_OPEN:
        return true;
    case TERMINAL_SIMILAR:
        snprintf(top->model.message, sizeof(top->model.message),
                 "%.16s is not installed here: shown as " TERMINAL_FALLBACK, getenv("TERM"));
        return true;
    case TERMINAL_UNABLE:
        refuse_terminal(top);
        return false;
    case TERMINAL_UNKNOWN:
        refuse_kind(top);
        return false;
    }
    return false;
}

static int show(struct top *top)
{
    int err;

    if (top->is_batch)
        return run_batch(top);
    take_results(top);
    if (!open_terminal(top))
        return -ENOTSUP;
    err = run_terminal(top);
    terminal_close();
    complain_about_gone(top);
    return err;
}

static int watch_and_show(struct top *top)
{
    int err = start(top);

    if (err == 0)
        err = show(top);
    if (err < 0 && err != -ENOTSUP)
        complain(top, strerror(-err), NULL);
    return err < 0 || top->look.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The encoding of the terminal; QMP has UTF-8, and so has plain text. Numbers stay as they are. */
static void choose_encoding(const struct top *top)
{
    if (!setlocale(LC_CTYPE, top->is_batch ? "C.UTF-8" : "") && top->is_batch)
        setlocale(LC_CTYPE, "");
}

static int open_and_show(struct top *top)
{
    int status, err;

    if (!top->is_batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        return complain(top, "standard input and output are no terminal",
                        "-b prints plain text instead.");
    choose_encoding(top);
    status = look_watch(&top->look, top->look.options.interval, &top->watch);
    if (status)
        return status;
    err = open_signals(top);
    return err < 0 ? complain(top, strerror(-err), NULL) : watch_and_show(top);
}

/* The threads of the watch end before the look does. */
static int open_show_and_close(void *self)
{
    struct top *top = self;
    int status = open_and_show(top);

    if (top->signals >= 0)
        close(top->signals);
    if (top->watch)
        watch_stop(top->watch);
    screen_free(&top->screen);
    model_free(&top->model);
    free(top->tales);
    return status;
}

static int run(struct cli_args *args)
{
    struct top top = {.look.options.interval = 1,
                      .look.needs = figure_needs,
                      .look.shows_help = true,
                      .signals = -1};

    return look_run(args, &top, open_show_and_close);
}

const struct verb verb_top = {
    .name = "top",
    .summary = "watch VMs live on the terminal",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct top, look.options.sockets),
    .about = "Shows VMs, their vCPUs and statistics live. h shows the keys: Enter drills down, Esc "
             "goes back, q quits.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, own_options},
    .notes =
        "A VM that ends or does not answer stays in the list, with the reason and since when, and is "
        "tried again; the others go on. One that appears in a directory is taken in, and one that is "
        "no longer there leaves after 30 seconds. There is no --vcpu: drill down to a vCPU instead.\n\n"
        "Exit status: 0, 1 for an error or if a VM was gone for a while, 2 for wrong usage, 3 if "
        "nothing matches. Where all VMs of this host are looked at, one that ends is no failure.",
    .run = run,
};
