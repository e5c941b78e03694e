/* SPDX-License-Identifier: MIT */
/*
 * A VMM in a jail and under seccomp filters, with a VM of this host's KVM that never runs, over the
 * public API only.
 *
 *      sandboxed-vmm JAIL SOCKET [SETUP SERVING END [PUBLISHING REGISTER.SOCK]]
 *
 * JAIL is a directory to chroot() into, or "-"; SOCKET is a path in it. The others are names of system
 * calls, joined by commas, which are allowed besides those of the words to the right: to all of the
 * program while it makes contexts, providers and servers, then to the thread of the server, and to the
 * program when it frees all. PUBLISHING are those of the thread that registers the VM at REGISTER.SOCK,
 * and no other's. Any other call kills it.
 *
 * It says "ok", and again behind each command, a byte of standard input: 'f' takes all files that are
 * left, 'e' gives one back, 'c' closes its socket. It ends with its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vitals/vitals.h>

enum { CALLS_MAX = 120, NUMBERS_MAX = 256, FILES = 64 };

/* ---- filters -------------------------------------------------------------------------------- */

/* Names of system calls that there are on this CPU. */
#define CALL(name)                                                                                 \
    {                                                                                              \
#name, SYS_##name                                                                          \
    }
static const struct {
    const char *name;
    long number;
} calls[] = {
    CALL(accept4),         CALL(bind),         CALL(brk),
    CALL(clock_nanosleep), CALL(clone),        CALL(clone3),
    CALL(close),           CALL(connect),      CALL(dup),
    CALL(epoll_create1),   CALL(epoll_ctl),    CALL(epoll_pwait),
    CALL(eventfd2),        CALL(exit),         CALL(exit_group),
    CALL(faccessat),       CALL(faccessat2),   CALL(fchmod),
    CALL(fchdir),          CALL(fcntl),        CALL(flock),
    CALL(fstat),           CALL(fstatfs),      CALL(futex),
    CALL(getcpu),          CALL(getdents64),   CALL(geteuid),
    CALL(getpeername),     CALL(getpid),       CALL(getrandom),
    CALL(getsockopt),      CALL(ioctl),        CALL(linkat),
    CALL(listen),          CALL(lseek),        CALL(madvise),
    CALL(mkdirat),         CALL(mmap),         CALL(mprotect),
    CALL(mremap),          CALL(munmap),       CALL(newfstatat),
    CALL(openat),          CALL(ppoll),        CALL(prctl),
    CALL(pread64),         CALL(prlimit64),    CALL(read),
    CALL(readlinkat),      CALL(recvfrom),     CALL(recvmsg),
    CALL(renameat2),       CALL(rseq),         CALL(rt_sigaction),
    CALL(rt_sigprocmask),  CALL(rt_sigreturn), CALL(sched_getaffinity),
    CALL(seccomp),         CALL(sendto),       CALL(set_robust_list),
    CALL(sendmsg),         CALL(setsockopt),   CALL(shutdown),
    CALL(socket),          CALL(statx),        CALL(timerfd_create),
    CALL(timerfd_settime), CALL(umask),        CALL(uname),
    CALL(unlinkat),        CALL(unshare),      CALL(write),
    CALL(writev),          CALL(ftruncate),    CALL(memfd_create),
    CALL(pwrite64),
#ifdef SYS_poll
    CALL(access),          CALL(chmod),        CALL(epoll_wait),
    CALL(getrlimit),       CALL(poll),         CALL(readlink),
    CALL(rename),
#endif
};

struct filter {
    long numbers[NUMBERS_MAX];
    size_t n;
};

static void fail(const char *what)
{
    fprintf(stderr, "sandboxed-vmm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void allow(struct filter *filter, const char *name)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (!strcmp(calls[i].name, name)) {
            filter->numbers[filter->n++] = calls[i].number;
            return;
        }
    }
    fprintf(stderr, "sandboxed-vmm: system call '%s' is unknown here\n", name);
    exit(1);
}

static void allow_all(struct filter *filter, const char *names)
{
    char *copy = strdup(names), *position;

    for (char *name = strtok_r(copy, ",", &position); name; name = strtok_r(NULL, ",", &position))
        allow(filter, name);
    free(copy);
}

static void install(const struct filter *filter)
{
    struct sock_filter code[2 * NUMBERS_MAX + 2];
    struct sock_fprog program = {.filter = code};
    unsigned short n = 0;

    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < filter->n; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)filter->numbers[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program.len = n;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        fail("seccomp");
}

/* The program's own: its input and output, its files, and the next filter. */
#define OWN "read,write,exit_group,prctl,fcntl,close"

static struct filter at_setup, serving, publishing, at_end;

static void confine_thread(void *opaque)
{
    (void)opaque;
    if (serving.n)
        install(&serving);
}

static void confine_publisher(void *opaque)
{
    (void)opaque;
    install(&publishing);
}

/* ---- the VM --------------------------------------------------------------------------------- */

static struct {
    int vm, vcpu, vm_stats, vcpu_stats, other;
} fds;

static void make_vm(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    fds.vm = ioctl(kvm, KVM_CREATE_VM, 0);
    fds.vcpu = ioctl(fds.vm, KVM_CREATE_VCPU, 0);
    fds.vm_stats = ioctl(fds.vm, KVM_GET_STATS_FD, 0);
    fds.vcpu_stats = ioctl(fds.vcpu, KVM_GET_STATS_FD, 0);
    fds.other = eventfd(0, EFD_CLOEXEC);
    if (kvm < 0 || fds.vm_stats < 0 || fds.vcpu_stats < 0 || fds.other < 0)
        fail("/dev/kvm");
    close(kvm);
}

static void enter(const char *jail)
{
    const struct rlimit limit = {.rlim_cur = FILES, .rlim_max = FILES};

    if (setrlimit(RLIMIT_NOFILE, &limit))
        fail("setrlimit");
    if (strcmp(jail, "-") && (chroot(jail) || chdir("/")))
        fail(jail);
}

/* ---- the server ----------------------------------------------------------------------------- */

static struct vitals_ctx *ctx;
static struct vitals_kvm *kvm;
static struct vitals_counters *counters;
static struct vitals_counter *events;
static struct vitals_server *server;
static struct vitals_listener *listener;

static void check(const char *what, int err)
{
    char text[256] = "";

    if (!err)
        return;
    if (ctx)
        vitals_error_text(ctx, text, sizeof(text));
    fprintf(stderr, "sandboxed-vmm: %s: %s (%s)\n", what, strerror(-err), text);
    exit(1);
}

/* All kinds of files that a VMM may have, and one that is none of them. */
static void make_providers(void)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "confined"};

    check("vitals_ctx_new", vitals_ctx_new(&options, &ctx));
    check("of a VM", vitals_kvm_new(ctx, fds.vm, &kvm));
    check("vitals_kvm_free", vitals_kvm_free(kvm));
    check("of a VM's statistics", vitals_kvm_new(ctx, fds.vm_stats, &kvm));
    check("of a vCPU", vitals_kvm_add_vcpu(kvm, "cpu/0", fds.vcpu));
    check("vitals_kvm_remove_vcpu", vitals_kvm_remove_vcpu(kvm, "cpu/0"));
    check("of a vCPU's statistics", vitals_kvm_add_vcpu(kvm, "cpu/0", fds.vcpu_stats));
    if (vitals_kvm_add_vcpu(kvm, "cpu/1", fds.other) != -EINVAL)
        check("of another file", -EEXIST);
    check("vitals_counters_new", vitals_counters_new(ctx, "own", "vm", &counters));
    check("vitals_counter_new", vitals_counter_new(counters, NULL, "events", NULL, &events));
}

static void start(const char *path)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT,
                                                  .on_thread = confine_thread};
    const struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .path = path};

    check("vitals_server_new", vitals_server_new(&options, &server));
    check("vitals_server_listen", vitals_server_listen(server, ctx, &listen, &listener));
    check("vitals_server_start", vitals_server_start(server));
}

static void publish(const char *path)
{
    const struct vitals_publish_options options = {VITALS_PUBLISH_OPTIONS_INIT, .path = path,
                                                   .on_thread = confine_publisher};

    check("vitals_publish", vitals_publish(ctx, kvm, &options));
}

static int fill(void)
{
    int fd, last = -1;

    while ((fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
        last = fd;
    return last;
}

static void say_ok(void)
{
    if (write(STDOUT_FILENO, "ok\n", 3) != 3)
        exit(1);
}

static void obey(void)
{
    char command;
    int last = -1;

    say_ok();
    while (read(STDIN_FILENO, &command, 1) == 1) {
        vitals_counter_add(events, 1);
        if (command == 'f')
            last = fill();
        else if (command == 'e')
            close(last);
        else if (command == 'c')
            check("vitals_listener_close", vitals_listener_close(listener));
        say_ok();
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 6 && argc != 8) {
        fprintf(stderr, "usage: sandboxed-vmm JAIL SOCKET [SETUP SERVING END "
                        "[PUBLISHING REGISTER.SOCK]]\n");
        return 2;
    }
    if (argc == 8) {
        allow_all(&at_setup, argv[6]);
        allow_all(&publishing, argv[6]);
    }
    for (int i = 3; i < argc && i < 6; i++) {
        allow_all(&at_setup, argv[i]);
        if (i == 4)
            allow_all(&serving, argv[i]);
        if (i >= 4)
            allow_all(&at_end, argv[i]);
    }
    make_vm();
    enter(argv[1]);
    if (argc > 3) {
        allow_all(&at_setup, OWN);
        allow_all(&at_end, OWN);
        install(&at_setup);
    }
    make_providers();
    start(argv[2]);
    if (argc == 8)
        publish(argv[7]);
    if (argc > 3)
        install(&at_end);
    obey();
    vitals_server_free(server);
    check("vitals_unpublish", vitals_unpublish(ctx));
    vitals_counters_free(counters);
    check("vitals_kvm_free", vitals_kvm_free(kvm));
    check("vitals_ctx_free", vitals_ctx_free(ctx));
    return 0;
}
