/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/file_limit.h"
#include "run/heirs.h"

enum {
    LOOK_MS = 500,   /* between looks at what the VMM has let go of: as often as the daemon looks */
    HEIRS_MS = 2000, /* between looks at who may still make a VM, when the command has ended */
    LOOKS_IN_VAIN = 2, /* that say that there is nobody: one may miss who is started meanwhile */
    POLLED = 2,        /* beside the VMs and the intake: the server, the command */
};

static const uint64_t ns_per_ms = 1000000;

struct keeper {
    struct run_place place;
    struct intake *intake;
    int command;    /* a pidfd */
    bool has_ended; /* the command */
    uint64_t next_look_ns, next_heirs_ns;
    unsigned n_in_vain; /* looks for heirs */
    size_t n_vms;
    LIST_HEAD(, run_vm) vms;
};

/* ---- what shims tell ------------------------------------------------------------------------ */

static void drop(struct keeper *keeper, struct run_vm *vm)
{
    LIST_REMOVE(vm, link);
    keeper->n_vms--;
    run_vm_free(vm);
}

/* Before a VM is shown, so that the name of one that has just gone is free. */
static void drop_ended(struct keeper *keeper)
{
    struct run_vm *vm, *next;

    for (vm = LIST_FIRST(&keeper->vms); vm; vm = next) {
        next = LIST_NEXT(vm, link);
        if (run_vm_has_ended(vm))
            drop(keeper, vm);
    }
}

/* What had this number has been closed. */
static void forget_fd(struct keeper *keeper, pid_t pid, int fd)
{
    struct run_vm *vm;

    LIST_FOREACH(vm, &keeper->vms, link)
    if (vm->process.pid == pid)
        run_vm_forget_fd(vm, fd);
}

static void take_vm(struct keeper *keeper, const struct intake_news *news)
{
    struct run_vm *vm;

    if (run_vm_new(news->pid, news->message.fd, news->file, &vm) < 0) {
        close(news->file);
        return;
    }
    LIST_INSERT_HEAD(&keeper->vms, vm, link);
    keeper->n_vms++;
}

/* By the number of the VM's file; where that is a copy's, it is the one VM that the process has. */
static struct run_vm *find_vm(struct keeper *keeper, pid_t pid, int fd)
{
    struct run_vm *vm, *of_process = NULL;
    unsigned n = 0;

    LIST_FOREACH(vm, &keeper->vms, link)
    {
        if (vm->process.pid != pid)
            continue;
        if (vm->fd == fd)
            return vm;
        of_process = vm;
        n++;
    }
    return n == 1 ? of_process : NULL;
}

static void take_vcpu(struct keeper *keeper, const struct intake_news *news)
{
    struct run_vm *vm = find_vm(keeper, news->pid, news->message.vm_fd);

    if (vm)
        run_vm_add_vcpu(vm, news->message.fd, news->message.vcpu_id, news->file);
    else
        close(news->file);
}

static void take_news(struct keeper *keeper)
{
    struct intake_news news;

    while (intake_take(keeper->intake, &news)) {
        forget_fd(keeper, news.pid, news.message.fd);
        if (news.message.kind == RUN_VM)
            take_vm(keeper, &news);
        else
            take_vcpu(keeper, &news);
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) > 0;
}

/* When something is to be done though nobody says anything; -1: never. */
static int time_to_wait(const struct keeper *keeper)
{
    uint64_t next = keeper->next_look_ns;
    const struct run_vm *vm;

    LIST_FOREACH(vm, &keeper->vms, link)
    if (vm->next_ns < next)
        next = vm->next_ns;
    if (keeper->n_vms || keeper->intake->is_short)
        return clock_ms_until(next);
    return keeper->has_ended ? clock_ms_until(keeper->next_heirs_ns) : -1;
}

static void wait_for_something(const struct keeper *keeper)
{
    size_t n_intake = 1 + keeper->intake->n_silent;
    struct pollfd *polled = calloc(n_intake + POLLED + 2 * keeper->n_vms, sizeof(*polled));
    const struct run_vm *vm;
    nfds_t n;

    if (!polled) {
        poll(NULL, 0, LOOK_MS); /* no memory, now */
        return;
    }
    n = intake_poll(keeper->intake, polled);
    polled[n++] = (struct pollfd){.fd = vitals_server_fd(keeper->place.server), .events = POLLIN};
    polled[n++] = (struct pollfd){.fd = keeper->has_ended ? -1 : keeper->command, .events = POLLIN};
    LIST_FOREACH(vm, &keeper->vms, link)
    {
        polled[n++] = (struct pollfd){.fd = vm->process.pidfd, .events = POLLIN};
        polled[n++] = (struct pollfd){.fd = vm->registration, .events = POLLIN};
    }
    poll(polled, n, time_to_wait(keeper));
    free(polled);
}

/* True: one of the processes with a VM has ended, or a pass is due. */
static bool is_time_to_look(struct keeper *keeper)
{
    struct run_vm *vm;

    if (clock_now_ns() >= keeper->next_look_ns)
        return true;
    LIST_FOREACH(vm, &keeper->vms, link)
    if (is_readable(vm->process.pidfd) || vm->next_ns <= clock_now_ns())
        return true;
    return false;
}

static void go_on(struct keeper *keeper)
{
    struct run_vm *vm;

    take_news(keeper);
    if (is_time_to_look(keeper)) {
        drop_ended(keeper);
        keeper->next_look_ns = clock_now_ns() + LOOK_MS * ns_per_ms;
    }
    LIST_FOREACH(vm, &keeper->vms, link)
    run_vm_go_on(vm, &keeper->place, clock_now_ns());
    vitals_server_process(keeper->place.server);
}

/*
 * Without a VM, and when the command has ended: as a VMM in the background may be about to make its first, and
 * one that is stopped its next.
 */
static bool look_for_heirs(struct keeper *keeper)
{
    if (clock_now_ns() < keeper->next_heirs_ns)
        return true;
    if (heirs_are_left(keeper->intake->path)) {
        keeper->n_in_vain = 0;
        keeper->next_heirs_ns = clock_now_ns() + HEIRS_MS * ns_per_ms;
        return true;
    }
    keeper->next_heirs_ns = clock_now_ns() + LOOK_MS * ns_per_ms;
    return ++keeper->n_in_vain < LOOKS_IN_VAIN;
}

/* What the command's children have told before it ended is still taken. */
static bool has_work(struct keeper *keeper)
{
    return keeper->n_vms || keeper->intake->n_silent || !keeper->has_ended ||
           look_for_heirs(keeper);
}

static void keep(struct keeper *keeper)
{
    bool works;

    do {
        keeper->has_ended = keeper->has_ended || is_readable(keeper->command);
        go_on(keeper);
        works = has_work(keeper);
        if (works)
            wait_for_something(keeper);
    } while (works);
    intake_close(keeper->intake);
    vitals_server_free(keeper->place.server);
}

/* ---- the process ---------------------------------------------------------------------------- */

static void close_between(int low, int high)
{
    if (low <= high)
        close_range((unsigned)low, (unsigned)high, 0);
}

/*
 * All but these two. Whoever reads what the VMM writes, until the last one has closed it, waits for
 * nobody else; and no file that was meant for the VMM stays open because of this.
 */
static void leave_files(int kept, int also_kept)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int low = kept < also_kept ? kept : also_kept, high = kept < also_kept ? also_kept : kept;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close_between(STDERR_FILENO + 1, low - 1);
    close_between(low + 1, high - 1);
    close_between(high + 1, INT_MAX);
}

/* It ends with what it is there for, and a signal for all processes of a terminal is the VMM's. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    for (size_t i = 0; i < COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void run_keeper(struct keeper *keeper)
{
    setsid();
    ignore_signals();
    leave_files(keeper->intake->fd, keeper->command);
    file_limit_raise(); /* each VM takes a file for itself, and one for each vCPU */
    prctl(PR_SET_NAME, "vitals-run");
    if (chdir("/") == 0 && vitals_server_new(NULL, &keeper->place.server) == 0)
        keep(keeper);
    _exit(EXIT_SUCCESS);
}

/* A child in between ends at once, so that the command never has a child that it does not know. */
static int start(struct keeper *keeper)
{
    pid_t child = fork();
    int status = 0;

    if (child < 0)
        return -errno;
    if (child == 0) {
        child = fork();
        if (child == 0)
            run_keeper(keeper);
        _exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -EAGAIN;
}

int keeper_start(const struct run_place *place, struct intake *intake, struct error_text *error)
{
    struct keeper keeper = {.place = *place, .intake = intake};
    int err;

    LIST_INIT(&keeper.vms);
    keeper.command = (int)syscall(SYS_pidfd_open, getpid(), 0);
    err = keeper.command < 0 ? -errno : start(&keeper);
    if (keeper.command >= 0)
        close(keeper.command);
    return err ? error_set(error, err, "no process can be started: %s", strerror(-err)) : 0;
}
