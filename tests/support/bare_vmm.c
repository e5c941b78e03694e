/* SPDX-License-Identifier: MIT */
/*
 * A VMM that knows nothing of vitals: makes VMs with the calls of KVM alone.
 *
 *      bare-vmm [--vms N] [--vcpus ID,ID...] [--guest none|once|spinning|halted|exiting]
 *               [--started N] [--no-rows] [--creator-ends] [--main-ends] [--chroot DIRECTORY]
 *               [--uid NUMBER]
 *
 * Each vCPU has a thread, or the first N of each VM. The guest `once` halts at its first
 * instruction, and its vCPU is left; `halted` stays halted in the kernel; `spinning` jumps to itself
 * without end, and `exiting` writes to a port that nobody has. With --creator-ends the thread that made the VMs ends, with --main-ends the main
 * thread of the process. It changes its root and its user when /dev/kvm is open.
 *
 * With --no-rows it keeps no statistics files open, as most VMMs.
 *
 * It is told by lines, and answers each with lines of which the last is "ok":
 *
 *      rows        "vm FD VALUE..." or "vcpu FD ID THREAD VALUE..." of each statistics file
 *      stop        all vCPUs leave their guests
 *      close N     closes the VM N with its vCPUs
 *      make        makes one more
 *      copy N      opens the first VM and its first vCPU N times more
 *      hold        starts another process that holds the same files, "held PID"
 *      forget      closes all files, but leaves them to that process
 *      borrow N    starts a process of vfork() with a number above N, "held PID", and goes on when that
 *                  has been ended
 *      line TEXT   has these words as its command line, as far as there is room
 *      exec NAME   becomes this program, with the files still open, which says nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <fcntl.h>

#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD _IO(KVMIO, 0xce)
#endif

enum {
    VMS_MAX = 1024,
    VCPUS_MAX = 1024,
    MEMORY_SIZE = 4096,
    LINE_SIZE = 256,
    FILE_SIZE = 1 << 16,
    STATS_HEADER_WORDS = 6,
    DATA_OFFSET_WORD = 5,
    RFLAGS_RESERVED = 2,
};

enum guest { GUEST_NONE, GUEST_ONCE, GUEST_SPINNING, GUEST_HALTED, GUEST_EXITING };

static const char *const guest_names[] = {"none", "once", "spinning", "halted", "exiting"};
/* Each in the mode in which CPUs start, at address 0. */
static const uint8_t code_halt[] = {0xf4};                   /* hlt */
static const uint8_t code_spin[] = {0xeb, 0xfe};             /* jmp $ */
static const uint8_t code_exit[] = {0xe6, 0x80, 0xeb, 0xfc}; /* out 0x80, al; jmp $ - 2 */

struct vcpu {
    int fd, stats_fd;
    unsigned id;
    struct kvm_run *run;
    pthread_t thread;
    pid_t tid;
    bool has_thread;
    bool has_entered; /* and, for the guest `once`, has left */
};

struct vm {
    int fd, stats_fd;
    void *memory;
    struct vcpu vcpus[VCPUS_MAX];
};

static int kvm, run_size;
static struct vm vms[VMS_MAX];
static unsigned n_vms, n_vcpus = 1, n_started = VCPUS_MAX, vcpu_ids[VCPUS_MAX];
static enum guest guest = GUEST_NONE;
static bool creator_ends, main_ends, no_rows, is_stopping;
static const char *new_root;
static char *command_line; /* as the kernel gave it */
static size_t command_line_size;
static unsigned new_user;

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "bare-vmm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int call(int fd, unsigned long request, void *argument, const char *what)
{
    int result = ioctl(fd, request, argument);

    if (result < 0)
        die(what);
    return result;
}

/* While a vCPU runs, the call would wait. */
static int open_statistics(int fd)
{
    return no_rows ? -1 : call(fd, KVM_GET_STATS_FD, NULL, "KVM_GET_STATS_FD");
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static void interrupt(int number)
{
    (void)number; /* KVM_RUN returns */
}

static void start_at_zero(struct vcpu *vcpu)
{
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_regs regs = {.rflags = RFLAGS_RESERVED};
    struct kvm_sregs sregs;

    call(vcpu->fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
    sregs.cs.base = sregs.cs.selector = 0;
    call(vcpu->fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
    call(vcpu->fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
    if (guest == GUEST_HALTED) /* all but the first would wait to be started */
        call(vcpu->fd, KVM_SET_MP_STATE, &runnable, "KVM_SET_MP_STATE");
}

static void *run_vcpu(void *opaque)
{
    struct vcpu *vcpu = opaque;

    vcpu->tid = gettid();
    start_at_zero(vcpu);
    __atomic_store_n(&vcpu->has_entered, guest != GUEST_ONCE, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&is_stopping, __ATOMIC_ACQUIRE)) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) < 0 && errno != EINTR && errno != EAGAIN)
            die("KVM_RUN");
        if (guest == GUEST_ONCE)
            break;
    }
    __atomic_store_n(&vcpu->has_entered, true, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return NULL;
}

static void start_vcpu(struct vcpu *vcpu)
{
    vcpu->has_thread = true;
    if (pthread_create(&vcpu->thread, NULL, run_vcpu, vcpu))
        die("a thread");
    while (!__atomic_load_n(&vcpu->has_entered, __ATOMIC_ACQUIRE))
        usleep(1000);
}

static void make_vcpu(struct vm *vm, unsigned i)
{
    struct vcpu *vcpu = &vm->vcpus[i];

    *vcpu = (struct vcpu){.id = vcpu_ids[i]};
    vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, vcpu->id);
    if (vcpu->fd < 0)
        die("KVM_CREATE_VCPU");
    vcpu->stats_fd = open_statistics(vcpu->fd);
    vcpu->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (vcpu->run == MAP_FAILED)
        die("mmap of a vCPU");
}

/* Again and again: a signal that comes before KVM_RUN is lost, but for immediate_exit. */
static void stop(void)
{
    __atomic_store_n(&is_stopping, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < n_vms; i++)
        for (unsigned j = 0; vms[i].fd >= 0 && j < n_vcpus; j++) {
            if (!vms[i].vcpus[j].has_thread)
                continue;
            vms[i].vcpus[j].run->immediate_exit = 1;
            pthread_kill(vms[i].vcpus[j].thread, SIGUSR1);
        }
    usleep(100000);
}

/* ---- VMs ------------------------------------------------------------------------------------ */

static void give_memory(struct vm *vm)
{
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE};

    vm->memory =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (vm->memory == MAP_FAILED)
        die("mmap");
    if (guest == GUEST_SPINNING)
        memcpy(vm->memory, code_spin, sizeof(code_spin));
    else if (guest == GUEST_EXITING)
        memcpy(vm->memory, code_exit, sizeof(code_exit));
    else
        memcpy(vm->memory, code_halt, sizeof(code_halt));
    region.userspace_addr = (uintptr_t)vm->memory;
    call(vm->fd, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

/* The first that is closed, or one more. */
static struct vm *free_vm(void)
{
    unsigned i = 0;

    while (i < n_vms && vms[i].fd >= 0)
        i++;
    if (i == VMS_MAX) {
        errno = ENOSPC;
        die("one more VM");
    }
    n_vms += i == n_vms;
    return &vms[i];
}

static void make_vm(void)
{
    struct vm *vm = free_vm();

    vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm->fd < 0)
        die("KVM_CREATE_VM");
    vm->stats_fd = open_statistics(vm->fd);
    give_memory(vm);
    if (guest == GUEST_HALTED) /* with it, halting is the kernel's business */
        call(vm->fd, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP");
    for (unsigned i = 0; i < n_vcpus; i++)
        make_vcpu(vm, i);
    for (unsigned i = 0; guest != GUEST_NONE && i < n_vcpus && i < n_started; i++)
        start_vcpu(&vm->vcpus[i]);
}

static void *make_vms(void *count)
{
    for (unsigned i = 0; i < *(unsigned *)count; i++)
        make_vm();
    return NULL;
}

static void close_vm(struct vm *vm)
{
    for (unsigned i = 0; i < n_vcpus; i++) {
        munmap(vm->vcpus[i].run, (size_t)run_size);
        close(vm->vcpus[i].stats_fd);
        close(vm->vcpus[i].fd);
    }
    close(vm->stats_fd);
    close(vm->fd);
    vm->fd = -1;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* The data block is the file's last part, and nothing follows it that has no descriptor. */
static void print_values(int stats_fd)
{
    static uint64_t file[FILE_SIZE / sizeof(uint64_t)];
    ssize_t size = pread(stats_fd, file, sizeof(file), 0);
    size_t at;

    if (size < STATS_HEADER_WORDS * (ssize_t)sizeof(uint32_t))
        die("a statistics file");
    for (at = ((uint32_t *)file)[DATA_OFFSET_WORD] / 8; at < (size_t)size / 8; at++)
        printf(" %" PRIu64, file[at]);
    putchar('\n');
}

static void print_rows(void)
{
    for (unsigned i = 0; i < n_vms; i++) {
        if (vms[i].fd < 0)
            continue;
        printf("vm %d", vms[i].fd);
        print_values(vms[i].stats_fd);
        for (unsigned j = 0; j < n_vcpus; j++) {
            const struct vcpu *vcpu = &vms[i].vcpus[j];

            printf("vcpu %d %u %d", vcpu->fd, vcpu->id, vcpu->tid);
            print_values(vcpu->stats_fd);
        }
    }
}

static void hold(void)
{
    pid_t parent = getpid(), child = fork();

    if (child < 0)
        die("fork");
    if (child > 0) {
        printf("held %d\n", child);
        return;
    }
    /* The death of the thread that forked counts, so it is the one that reads commands. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(0);
}

/* The kernel gives the next number that is free. */
static void ask_for_number(const char *text)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        die("ns_last_pid");
    close(fd);
}

/* Says the last line, too: until the child ends, this thread waits. */
static void borrow(const char *number)
{
    char text[LINE_SIZE];
    pid_t child;

    ask_for_number(number);
    child = vfork();
    if (child < 0)
        die("vfork");
    if (child > 0)
        return;
    snprintf(text, sizeof(text), "held %d\nok\n", getpid());
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(1);
    for (;;)
        pause();
}

/* All files stay open. */
static void become_program(const char *path)
{
    for (unsigned i = 0; i < n_vms; i++) {
        fcntl(vms[i].fd, F_SETFD, 0);
        for (unsigned j = 0; j < n_vcpus; j++)
            fcntl(vms[i].vcpus[j].fd, F_SETFD, 0);
    }
    printf("ok\n");
    fflush(stdout);
    execl(path, path, NULL);
    die("exec");
}

/* The words stand where those that the kernel gave have been; what is left are empty ones. */
static void change_line(const char *text)
{
    memset(command_line, 0, command_line_size);
    for (size_t i = 0; text[i] != '\n' && i < command_line_size; i++)
        command_line[i] = text[i] == ' ' ? '\0' : text[i];
}

static void forget(void)
{
    for (unsigned i = 0; i < n_vms; i++)
        if (vms[i].fd >= 0)
            close_vm(&vms[i]);
}

static void copy(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (dup(vms[0].fd) < 0 || dup(vms[0].vcpus[0].fd) < 0)
            die("dup");
}

static void *serve(void *opaque)
{
    char line[LINE_SIZE], word[LINE_SIZE];
    unsigned i;

    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "borrow %255s", word) == 1) {
            borrow(word);
            continue;
        }
        if (!strcmp(line, "rows\n"))
            print_rows();
        else if (!strcmp(line, "stop\n"))
            stop();
        else if (!strcmp(line, "make\n"))
            make_vm();
        else if (sscanf(line, "copy %u", &i) == 1)
            copy(i);
        else if (!strcmp(line, "hold\n"))
            hold();
        else if (!strcmp(line, "forget\n"))
            forget();
        else if (!strncmp(line, "line ", 5))
            change_line(line + 5);
        else if (sscanf(line, "exec %255s", word) == 1)
            become_program(word);
        else if (sscanf(line, "close %u", &i) == 1 && i < n_vms)
            close_vm(&vms[i]);
        else
            printf("which command?\n");
        printf("ok\n");
        fflush(stdout);
    }
    _exit(0); /* a sanitizer that looks for leaks at the end needs /proc, which a chroot lacks */
    return opaque;
}

/* ---- the start ------------------------------------------------------------------------------ */

static void take_vcpus(char *text)
{
    n_vcpus = 0;
    for (char *word = strtok(text, ","); word && n_vcpus < VCPUS_MAX; word = strtok(NULL, ","))
        vcpu_ids[n_vcpus++] = (unsigned)strtoul(word, NULL, 10);
}

static void take_guest(const char *name)
{
    for (unsigned i = 0; i < sizeof(guest_names) / sizeof(guest_names[0]); i++)
        if (!strcmp(name, guest_names[i]))
            guest = i;
}

static unsigned take_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"vms", required_argument, NULL, 'n'},    {"vcpus", required_argument, NULL, 'v'},
        {"guest", required_argument, NULL, 'g'},  {"started", required_argument, NULL, 's'},
        {"creator-ends", no_argument, NULL, 'c'}, {"main-ends", no_argument, NULL, 'm'},
        {"no-rows", no_argument, NULL, 'o'},      {"chroot", required_argument, NULL, 'r'},
        {"uid", required_argument, NULL, 'u'},    {0},
    };
    unsigned count = 1;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 'n':
            count = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'v':
            take_vcpus(optarg);
            break;
        case 'g':
            take_guest(optarg);
            break;
        case 's':
            n_started = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            creator_ends = true;
            break;
        case 'm':
            main_ends = true;
            break;
        case 'o':
            no_rows = true;
            break;
        case 'r':
            new_root = optarg;
            break;
        case 'u':
            new_user = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    }
    return count;
}

static void become_another(void)
{
    if (new_root && (chroot(new_root) < 0 || chdir("/") < 0))
        die("chroot");
    if (new_user && (setgid(new_user) < 0 || setuid(new_user) < 0))
        die("setuid");
}

static void make_first(unsigned count)
{
    pthread_t creator;

    if (!creator_ends) {
        make_vms(&count);
        return;
    }
    if (pthread_create(&creator, NULL, make_vms, &count) || pthread_join(creator, NULL))
        die("a thread");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = interrupt};
    unsigned count = take_options(argc, argv);
    pthread_t server;

    command_line = argv[0];
    command_line_size = (size_t)(argv[argc - 1] - argv[0]) + strlen(argv[argc - 1]);
    sigaction(SIGUSR1, &action, NULL);
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        die("/dev/kvm");
    become_another();
    run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    make_first(count);
    printf("ok\n");
    fflush(stdout);
    if (!main_ends)
        serve(NULL);
    if (pthread_create(&server, NULL, serve, NULL))
        die("a thread");
    pthread_exit(NULL);
}
