/* SPDX-License-Identifier: MIT */
/*
 * How a VMM uses libvitals, in the order of start():
 *
 *  1. a context for the VM;
 *  2. the kernel's statistics: the VM's fd, each vCPU's and its thread, before they run (add_kvm());
 *  3. what the host gives to it, if that is wanted (add_sched());
 *  4. its own statistics, if it has any (provider.c);
 *  5. a server with a socket or more, on a thread of its own (listen_on_sockets()): a query waits for
 *     nothing that the main loop does. examples/embed_poll.c polls the server's fd instead.
 *
 * The rest is the life of the demo: signals, ticks, the pause, recordings.
 */
#include "demo/demo.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "demo/provider.h"
#include "demo/recording.h"
#include "vitals/vitals.h"

#define TICK_NS 50000000

struct demo {
    const struct demo_options *options;
    struct demo_vmm *vmm;             /* NULL: a recording is shown */
    struct demo_recording *recording; /* shown, or written to; or NULL */
    struct vitals_ctx *ctx;
    struct vitals_kvm *kvm;
    struct vitals_sched *sched; /* NULL: not asked for */
    struct demo_provider *provider;
    struct vitals_server *server;
    int signal_fd;
    int timer_fd;
    double start;
    unsigned seconds_done;
    bool running;
    bool pause_done;
    bool end;
};

/* ---- errors --------------------------------------------------------------------------------- */

/* Says "vitals demo: @format: text of @err", and returns @err. */
__attribute__((format(printf, 2, 3))) static int complain(int err, const char *format, ...)
{
    va_list args;

    fputs("vitals demo: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(-err));
    return err;
}

static int complain_ctx(struct demo *demo, int err, const char *what)
{
    char text[256];

    vitals_error_text(demo->ctx, text, sizeof(text));
    fprintf(stderr, "vitals demo: %s: %s\n", what, text);
    return err;
}

static const char *kvm_hint(int err)
{
    switch (-err) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return "load KVM's module (modprobe kvm_intel, or kvm_amd), and if that fails, enable "
               "virtualisation in the firmware or, inside a VM, nested virtualisation; without "
               "KVM there is 'vitals demo --recording DIR'";
    case EACCES:
    case EPERM:
        return "run it as root, or join the group that owns /dev/kvm (often: usermod -a -G kvm "
               "USER) and log in again; without KVM there is 'vitals demo --recording DIR'";
    case ENOSYS:
        return "'vitals demo --recording DIR' shows what was recorded elsewhere";
    case EBUSY:
        return "another hypervisor uses the CPU's virtualisation; stop it first";
    case EMFILE:
        return "raise the limit of open files (ulimit -n)";
    default:
        return NULL;
    }
}

static const char *listen_hint(int err)
{
    switch (-err) {
    case EADDRINUSE:
        return "a program serves on this socket; end it, or choose another path with --qmp";
    case EEXIST:
        return "this file is no socket, or not yours in a directory where others may write, so it "
               "is not replaced; choose another path with --qmp";
    case EPERM:
        return "'chmod o-w' on the directory, or 'chmod +t', or choose another one with --qmp";
    case EACCES:
        return "choose a path in a directory where you may write, with --qmp; or remove a socket that "
               "is there and that you may not connect to";
    case ENOENT:
        return "choose a path in a directory where you may write, with --qmp";
    case ENAMETOOLONG:
        return "the path of a unix socket has at most 107 bytes; choose a shorter one with --qmp";
    default:
        return NULL;
    }
}

static void print_hint(const char *hint)
{
    if (hint)
        fprintf(stderr, "hint: %s\n", hint);
}

static void log_to_stderr(void *opaque, enum vitals_log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    fprintf(stderr, "vitals demo: %s\n", text);
}

/* ---- start and end -------------------------------------------------------------------------- */

static int start_vm(struct demo *demo)
{
    const struct demo_options *options = demo->options;
    const struct demo_vmm_options vmm_options = {
        .n_vcpus = options->n_vcpus,
        .guest = options->guest,
    };
    char error[DEMO_ERROR_MAX];

    int err = demo_vmm_new(&vmm_options, &demo->vmm, error);
    if (err < 0) {
        fprintf(stderr, "vitals demo: %s\n", error);
        print_hint(kvm_hint(err));
        return err;
    }
    if (!options->record)
        return 0;
    err = demo_recording_create(demo->vmm, options->record, &demo->recording);
    return err < 0 ? complain(err, "recording to '%s'", options->record) : 0;
}

static int open_recording(struct demo *demo)
{
    const char *directory = demo->options->recording;
    int err = demo_recording_open(directory, &demo->recording);

    if (err < 0)
        complain(err, "opening the recording '%s'", directory);
    if (err == -ENOENT)
        print_hint("a recording is a directory with the files vm.0, vcpu0.0 ...; "
                   "'vitals demo --record DIR --seconds 3' writes one");
    return err;
}

static unsigned n_vcpus(const struct demo *demo)
{
    return demo->vmm ? demo_vmm_n_vcpus(demo->vmm) : demo_recording_n_vcpus(demo->recording);
}

static int vm_fd(const struct demo *demo)
{
    return demo->vmm ? demo_vmm_fd(demo->vmm) : demo_recording_vm_fd(demo->recording);
}

static int vcpu_fd(const struct demo *demo, unsigned index)
{
    return demo->vmm ? demo_vmm_vcpu_fd(demo->vmm, index)
                     : demo_recording_vcpu_fd(demo->recording, index);
}

static int create_ctx(struct demo *demo)
{
    const struct vitals_ctx_options options = {
        VITALS_CTX_OPTIONS_INIT,
        .name = demo->options->name,
        .log = log_to_stderr,
        .uuid = demo->options->uuid,
    };
    int err = vitals_ctx_new(&options, &demo->ctx);

    if (err == -EINVAL && options.uuid)
        return complain(err, "'%s' is no UUID like 5c4c3d0e-0d43-4b5c-a5e2-0a1b2c3d4e5f",
                        options.uuid);
    return err < 0 ? complain(err, "VM '%s'", demo->options->name) : 0;
}

/* Of a recording there are no threads. */
static int add_vcpu(struct demo *demo, unsigned index)
{
    char path[DEMO_PATH_MAX];
    int err;

    demo_vcpu_path(index, path);
    err = vitals_kvm_add_vcpu(demo->kvm, path, vcpu_fd(demo, index));
    if (err == 0)
        err = vitals_object_set_thread(demo->ctx, "vcpu", path,
                                       demo->vmm ? demo_vmm_vcpu_thread(demo->vmm, index) : -1);
    if (err < 0) {
        complain_ctx(demo, err, path);
        print_hint(kvm_hint(err));
    }
    return err;
}

static int add_kvm(struct demo *demo)
{
    int err = vitals_kvm_new(demo->ctx, vm_fd(demo), &demo->kvm);

    if (err < 0)
        return complain_ctx(demo, err, "statistics of the VM");
    for (unsigned i = 0; err == 0 && i < n_vcpus(demo); i++)
        err = add_vcpu(demo, i);
    return err;
}

static int add_sched(struct demo *demo)
{
    int err = demo->options->sched ? vitals_sched_new(demo->ctx, &demo->sched) : 0;

    return err < 0 ? complain_ctx(demo, err, "provider 'sched'") : 0;
}

static int add_provider(struct demo *demo)
{
    int err = demo_provider_new(demo->ctx, demo->vmm, n_vcpus(demo), &demo->provider);

    return err < 0 ? complain_ctx(demo, err, "the VMM's own statistics") : 0;
}

static void complain_socket(int err, const char *path)
{
    if (err == -EPERM)
        fprintf(
            stderr,
            "vitals demo: %s: anyone may write to the directory, and put another socket there\n",
            path);
    else
        complain(err, "%s", path);
    print_hint(listen_hint(err));
}

static int listen_on_sockets(struct demo *demo)
{
    int err = vitals_server_new(NULL, &demo->server);

    if (err < 0)
        return complain(err, "starting the server");
    for (size_t i = 0; i < demo->options->n_sockets; i++) {
        const struct vitals_listen_options *socket = &demo->options->sockets[i];
        err = vitals_server_listen(demo->server, demo->ctx, socket, NULL);
        if (err < 0) {
            complain_socket(err, socket->path);
            return err;
        }
    }
    err = vitals_server_start(demo->server);
    return err < 0 ? complain(err, "starting the server's thread") : 0;
}

/* The signals are taken by reading signal_fd, so nothing is interrupted by a handler. */
static int create_events(struct demo *demo)
{
    struct itimerspec every_tick = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    demo->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    demo->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (demo->signal_fd < 0 || demo->timer_fd < 0 ||
        timerfd_settime(demo->timer_fd, 0, &every_tick, NULL) < 0)
        return complain(-errno, "main loop");
    return 0;
}

static int start(struct demo *demo)
{
    int err;

    if ((err = create_events(demo)) < 0 ||
        (err = demo->options->recording ? open_recording(demo) : start_vm(demo)) < 0 ||
        (err = create_ctx(demo)) < 0 || (err = add_kvm(demo)) < 0 || (err = add_sched(demo)) < 0 ||
        (err = add_provider(demo)) < 0 || (err = listen_on_sockets(demo)) < 0)
        return err;
    return 0;
}

/* The reverse of start(). Every one of these takes NULL for what start() did not reach. */
static void finish(struct demo *demo)
{
    vitals_server_free(demo->server);
    demo_provider_free(demo->provider);
    vitals_sched_free(demo->sched);
    vitals_kvm_free(demo->kvm);
    vitals_ctx_free(demo->ctx);
    demo_recording_free(demo->recording);
    demo_vmm_free(demo->vmm);
    if (demo->signal_fd >= 0)
        close(demo->signal_fd);
    if (demo->timer_fd >= 0)
        close(demo->timer_fd);
}

/* ---- life ----------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void set_running(struct demo *demo, bool running)
{
    if (demo->vmm && demo->options->guest == DEMO_GUEST_NONE)
        running = false;
    if (demo->vmm && running)
        demo_vmm_run(demo->vmm);
    else if (demo->vmm)
        demo_vmm_pause(demo->vmm);
    demo->running = running;
    vitals_set_running(demo->ctx, running);
}

/* Who waits for this line would wait for ever. */
static int announce(const struct demo *demo)
{
    unsigned n = n_vcpus(demo);

    printf("vitals demo: %u vCPU%s, ", n, n == 1 ? "" : "s");
    if (demo->vmm)
        printf("guest '%s'", demo->options->guest_name);
    else
        printf("recorded statistics, no guest runs");
    for (size_t i = 0; i < demo->options->n_sockets; i++)
        printf("%s %s", i == 0 ? ", serving QMP on" : ",", demo->options->sockets[i].path);
    putchar('\n');
    return fflush(stdout) == 0 ? 0 : -errno;
}

static void on_signal(struct demo *demo)
{
    struct signalfd_siginfo info;

    while (read(demo->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGUSR1)
            set_running(demo, !demo->running);
        else
            demo->end = true;
    }
}

/* The other guests are for watching a vCPU that nobody disturbs. */
static int stir_guest(struct demo *demo, size_t *ret_dirty_bytes)
{
    int err;

    *ret_dirty_bytes = 0;
    if (!demo->vmm || !demo->running || demo->options->guest != DEMO_GUEST_WORK)
        return 0;
    if ((err = demo_vmm_take_dirty(demo->vmm, ret_dirty_bytes)) < 0)
        return complain(err, "reading the dirty log");
    demo_vmm_kick(demo->vmm);
    return 0;
}

static int on_second(struct demo *demo)
{
    int err;

    if (demo->options->record) {
        err = demo_recording_save(demo->recording);
        return err < 0 ? complain(err, "recording to '%s'", demo->options->record) : 0;
    }
    if (!demo->recording || !demo->running)
        return 0;
    err = demo_recording_load(demo->recording);
    return err < 0 && err != -ENOENT ? complain(err, "reading the recording") : 0;
}

static int on_time(struct demo *demo)
{
    const struct demo_options *options = demo->options;
    double passed = now() - demo->start;
    int err;

    while (demo->seconds_done < (unsigned)passed) {
        demo->seconds_done++;
        if ((err = on_second(demo)) < 0)
            return err;
    }
    if (options->pause_after > 0 && passed >= options->pause_after && !demo->pause_done) {
        demo->pause_done = true;
        set_running(demo, false);
    }
    if (options->seconds > 0 && passed >= options->seconds)
        demo->end = true;
    return 0;
}

static int on_tick(struct demo *demo)
{
    char error[DEMO_ERROR_MAX];
    uint64_t expirations;
    size_t dirty_bytes;
    int err;

    if (read(demo->timer_fd, &expirations, sizeof(expirations)) < 0)
        return 0;
    if (demo->vmm && demo_vmm_failed(demo->vmm, error)) {
        fprintf(stderr, "vitals demo: %s\n", error);
        return -EIO;
    }
    if ((err = stir_guest(demo, &dirty_bytes)) < 0)
        return err;
    demo_provider_tick(demo->provider, dirty_bytes);
    return on_time(demo);
}

static int main_loop(struct demo *demo)
{
    enum { SIGNALS, TIMER, EVENTS };
    struct pollfd events[EVENTS] = {
        [SIGNALS] = {.fd = demo->signal_fd, .events = POLLIN},
        [TIMER] = {.fd = demo->timer_fd, .events = POLLIN},
    };
    int err = 0;

    while (!demo->end && err == 0) {
        if (poll(events, EVENTS, -1) < 0)
            return complain(-errno, "main loop");
        if (events[SIGNALS].revents)
            on_signal(demo);
        if (events[TIMER].revents)
            err = on_tick(demo);
    }
    return err;
}

int demo_run(const struct demo_options *options)
{
    struct demo demo = {.options = options, .signal_fd = -1, .timer_fd = -1};
    int err = start(&demo);

    if (err == 0) {
        demo.start = now();
        set_running(&demo, true);
        err = announce(&demo);
    }
    if (err == 0)
        err = main_loop(&demo);
    finish(&demo);
    return err;
}
