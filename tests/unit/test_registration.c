/* SPDX-License-Identifier: MIT */
/* What VMMs tell the daemon about their VMs. The statistics files are recorded ones. */
#define _GNU_SOURCE
#include "serve/register_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "host/vm_own.h"
#include "qmp/dialect.h"
#include "web/exposition.h"

enum { UID = 1000 };

struct fixture {
    struct host *host, *other; /* the other one follows by the roster */
    struct roster *roster;
    struct register_socket socket;
    struct registrant *registrant;
    struct qmp_workbench bench;
    struct vitals_ctx *ctx;
    struct qmp_session session;
    struct buf reply;
    int n_open; /* files at the begin */
};

/* How often the thread that serves closes a statistics file. */
static unsigned n_closed_here;

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    char path[64], file[512] = "";

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, file, sizeof(file) - 1) > 0 && strstr(file, ".stats") &&
        syscall(SYS_gettid) == getpid())
        n_closed_here++;
    return __real_close(fd);
}

/* A thread closes what was refused, or is used no more. */
static void wait_until_open(int n)
{
    for (int ms = 0; ms < 30000 && count_open_files() != n; ms++)
        usleep(1000);
    assert_int_equal(count_open_files(), n);
}

/* A recorded file of the right kind, by its size. */
static bool is_recorded(int fd, enum kvm_kind kind)
{
    off_t size = lseek(fd, 0, SEEK_END);

    return size > 0 && (kind == KVM_KIND_VM) == (size < 2048);
}

static int open_recorded(const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/kvm/x86_64-linux-6.18/%s", TEST_DATA, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        abort();
    f->n_open = count_open_files();
    n_closed_here = 0;
    check_ok(host_open_empty(&f->host));
    check_ok(host_open_empty(&f->other));
    f->roster = roster_new();
    assert_non_null(f->roster);
    host_follow(f->other, f->roster);
    register_socket_init(&f->socket, f->host);
    f->socket.roster = f->roster;
    f->socket.is_statistics = is_recorded;
    check_ok(registrant_new(&f->socket, UID, getpid(), -1, &f->registrant));
    check_ok(vitals_ctx_new(NULL, &f->ctx));
    check_ok(qmp_workbench_init(&f->bench));
    qmp_session_init(&f->session, f->ctx, VITALS_DIALECT_GROUPED, NULL);
    f->session.dialect = &register_dialect;
    f->session.opaque = f->registrant;
    f->session.negotiated = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    qmp_session_free(&f->session);
    qmp_workbench_free(&f->bench);
    if (f->registrant)
        registrant_free(f->registrant);
    register_socket_close(&f->socket);
    check_ok(vitals_ctx_free(f->ctx));
    host_close(f->host);
    host_close(f->other);
    roster_free(f->roster);
    buf_free(&f->reply);
    wait_until_open(f->n_open);
    assert_int_equal(n_closed_here, 0);
    free(f);
    return 0;
}

static const char *say(struct fixture *f, const char *text)
{
    size_t len = strlen(text);

    buf_reset(&f->reply);
    assert_int_equal(qmp_session_feed(&f->session, &f->bench, text, len, &f->reply), len);
    assert_true(f->reply.len > 0);
    buf_append(&f->reply, "", 1);
    return f->reply.data;
}

static void send_file(struct fixture *f, const char *name)
{
    int fd = open_recorded(name);

    assert_true(registrant_take_fds(f->registrant, &fd, 1));
}

#define REGISTER(name) "{\"execute\": \"register-vm\", \"arguments\": {\"name\": \"" name "\"}}"
#define REGISTER_OF                                                                                \
    "{\"execute\": \"register-vm\", \"arguments\": {\"name\": \"web\", \"pid\": %d}}"
#define ADD(path)                                                                                  \
    "{\"execute\": \"add-vcpus\", \"arguments\": {\"vcpus\": [{\"path\": \"" path "\"}]}}"

#define ADD_STATS(target, count)                                                                   \
    "{\"execute\": \"add-stats\", \"arguments\": {\"provider\": \"own\", \"target\": \"" target    \
    "\", \"stats\": [{\"name\": \"a\", \"type\": \"log-hist\", \"count\": " #count "}]}}"
#define ADD_OBJECTS(path, row)                                                                      \
    "{\"execute\": \"add-objects\", \"arguments\": {\"provider\": \"own\", \"target\": \"block\", " \
    "\"objects\": [{\"path\": " path ", \"row\": " #row "}]}}"
#define REMOVE_STATS                                                                               \
    "{\"execute\": \"remove-stats\", \"arguments\": {\"provider\": \"own\", \"target\": \"block\"}}"
#define SET_NONE "{\"execute\": \"set-threads\", \"arguments\": {\"vcpus\": []}}"
#define SET_THREAD                                                                                 \
    "{\"execute\": \"set-threads\", \"arguments\": {\"vcpus\": [{\"path\": \"cpu/0\", \"thread\": %d}]}}"

static struct host_vm *only_vm(const struct fixture *f)
{
    size_t n;
    struct host_vm *const *vms = host_vms(f->host, &n);

    assert_int_equal(n, 1);
    return vms[0];
}

static void a_vm_is_read_from_its_files(void **state)
{
    struct fixture *f = *state;
    struct host_vm *vm;

    send_file(f, "vm.stats");
    assert_string_equal(say(f, REGISTER("web")), "{\"return\": {\"name\": \"web\"}}\r\n");
    assert_true(register_socket_has_changed(&f->socket));
    assert_false(register_socket_has_changed(&f->socket));
    send_file(f, "vcpu.stats");
    assert_string_equal(say(f, ADD("cpu/0")), "{\"return\": {}}\r\n");
    vm = only_vm(f);
    assert_true(vm->is_registered && vm->has_row);
    assert_int_equal(vm->n_vcpus, 1);
    assert_string_equal(vm->vcpus[0].path, "cpu/0");
    assert_true(vm->vcpus[0].has_row && vm->schemas[KVM_KIND_VCPU]->row_len > 0);
    check_ok(host_read(f->host));
    assert_true(vm->has_row && vm->vcpus[0].has_row);
}

static void another_vm_gets_another_name(void **state)
{
    struct fixture *f = *state;
    struct registrant *other;
    size_t n;

    send_file(f, "vm.stats");
    say(f, REGISTER("web"));
    check_ok(registrant_new(&f->socket, UID, 77, -1, &other));
    f->session.opaque = other;
    f->registrant = (struct registrant *)other;
    send_file(f, "vm.stats");
    assert_string_equal(say(f, REGISTER("web")), "{\"return\": {\"name\": \"web@77\"}}\r\n");
    registrant_free(other);
    host_vms(f->host, &n);
    assert_int_equal(n, 1);
    f->registrant = LIST_FIRST(&f->socket.registrants);
}

static void it_ends_with_its_connection(void **state)
{
    struct fixture *f = *state;
    size_t n;

    send_file(f, "vm.stats");
    say(f, REGISTER("web"));
    send_file(f, "vcpu.stats");
    say(f, ADD("cpu/0"));
    registrant_free(f->registrant);
    f->registrant = NULL;
    host_vms(f->host, &n);
    assert_int_equal(n, 0);
    for (int ms = 0; ms < 30000 && !LIST_EMPTY(&f->socket.users); ms++) {
        usleep(1000); /* its files are being closed */
        register_socket_look(&f->socket);
    }
    assert_true(LIST_EMPTY(&f->socket.users));
}

static void a_refused_message_keeps_nothing(void **state)
{
    struct fixture *f = *state;

    send_file(f, "vcpu.stats");
    assert_contains(say(f, REGISTER("web")),
                    "File 1 of this message is no statistics file of a VM");
    send_file(f, "vm.stats");
    assert_contains(say(f, REGISTER("../../etc")), "Parameter 'name' expects");
    send_file(f, "vcpu.stats");
    assert_contains(say(f, ADD("a")), "register-vm comes first");
    assert_contains(say(f, REGISTER("web")),
                    "1 statistics files must come with this message, 0 have");
    assert_int_equal(f->registrant->n_files, 0);
}

/* By then it has been asked about, and is watched. */
static void a_refused_vm_leaves_it_for_whom_a_connection_speaks(void **state)
{
    struct fixture *f = *state;
    int wrong = memfd_create("wrong", MFD_CLOEXEC);
    pid_t other = fork();
    char text[200];

    assert_true(other >= 0 && wrong >= 0);
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    registrant_free(f->registrant);
    check_ok(registrant_new(&f->socket, getuid(), getpid(), -1, &f->registrant));
    f->session.opaque = f->registrant;
    assert_int_equal(ftruncate(wrong, 100), 0); /* a file of a VM by its size, but of zeros */
    assert_true(registrant_take_fds(f->registrant, &wrong, 1));
    snprintf(text, sizeof(text), REGISTER_OF, other);
    assert_contains(say(f, text), "The VM can't be registered");
    send_file(f, "vm.stats");
    assert_string_equal(say(f, REGISTER("web")), "{\"return\": {\"name\": \"web\"}}\r\n");
    assert_int_equal(only_vm(f)->pid, getpid());
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
    register_socket_look(&f->socket);
    assert_non_null(f->registrant->vm);
}

/* As the table does where a pass sees that it is another user's. */
static void one_that_was_taken_away_is_no_more(void **state)
{
    struct fixture *f = *state;

    send_file(f, "vm.stats");
    say(f, REGISTER("web"));
    host_unregister(f->host, only_vm(f));
    send_file(f, "vcpu.stats");
    assert_contains(say(f, ADD("a")), "another user's");
    assert_int_equal(f->registrant->n_files, 0);
    assert_null(f->registrant->vm);
    send_file(f, "vm.stats");
    say(f, REGISTER("web"));
    host_unregister(f->host, only_vm(f));
    register_socket_look(&f->socket);
    assert_int_equal(f->registrant->n_files, 0);
    assert_null(f->registrant->vm);
}

static void files_that_wait_have_a_limit(void **state)
{
    struct fixture *f = *state;
    int fds[REGISTER_FILES_WAITING];

    f->socket.files_max = 2 * REGISTER_FILES_WAITING;
    for (int i = 0; i < REGISTER_FILES_WAITING; i++)
        fds[i] = open_recorded("vm.stats");
    assert_true(registrant_take_fds(f->registrant, fds, REGISTER_FILES_WAITING));
    fds[0] = open_recorded("vm.stats");
    assert_false(registrant_take_fds(f->registrant, fds, 1));
    assert_int_equal(f->registrant->n_waiting, REGISTER_FILES_WAITING);
}

/* Also of those who come behind: the limit is the user's. */
static void files_of_a_user_have_a_limit(void **state)
{
    struct fixture *f = *state;
    struct registrant *other;
    int fds[2] = {open_recorded("vm.stats"), open_recorded("vm.stats")};

    f->socket.files_max = 2;
    check_ok(registrant_new(&f->socket, UID, 1, -1, &other));
    assert_true(registrant_take_fds(f->registrant, fds, 2));
    fds[0] = open_recorded("vm.stats");
    assert_false(registrant_take_fds(other, fds, 1));
    registrant_free(other);
    check_error(registrant_new(&f->socket, UID, 1, -1, &other), EDQUOT);
    check_ok(registrant_new(&f->socket, UID + 1, 1, -1, &other));
    registrant_free(other);
}

/* Else a few users would have all files of the daemon. */
static void files_of_all_users_have_a_limit(void **state)
{
    struct fixture *f = *state;
    struct registrant *other;
    int fds[2] = {open_recorded("vm.stats"), open_recorded("vm.stats")};

    f->socket.files_max = 2;
    f->socket.files_of_all_max = 3;
    check_ok(registrant_new(&f->socket, UID + 1, 1, -1, &other));
    assert_true(registrant_take_fds(f->registrant, fds, 2));
    fds[0] = open_recorded("vm.stats");
    fds[1] = open_recorded("vm.stats");
    assert_true(registrant_take_fds(other, fds, 1));
    assert_false(registrant_take_fds(other, fds + 1, 1));
    registrant_free(other);
    for (int ms = 0; ms < 30000 && !LIST_EMPTY(&f->socket.users) &&
                     LIST_NEXT(LIST_FIRST(&f->socket.users), link);
         ms++) {
        usleep(1000); /* what it sent is being closed */
        register_socket_look(&f->socket);
    }
    check_ok(registrant_new(&f->socket, UID + 2, 1, -1, &other));
    fds[0] = open_recorded("vm.stats");
    assert_true(registrant_take_fds(other, fds, 1));
    registrant_free(other);
}

static void connections_of_a_user_have_a_limit(void **state)
{
    struct fixture *f = *state;
    struct registrant *others[REGISTER_CLIENTS_MAX], *more;

    for (int i = 1; i < REGISTER_CLIENTS_MAX; i++)
        check_ok(registrant_new(&f->socket, UID, 1, -1, &others[i]));
    check_error(registrant_new(&f->socket, UID, 1, -1, &more), EDQUOT);
    check_ok(registrant_new(&f->socket, UID + 1, 1, -1, &more));
    registrant_free(more);
    for (int i = 1; i < REGISTER_CLIENTS_MAX; i++)
        registrant_free(others[i]);
}

/* ---- a host in another thread ---------------------------------------------------------------- */

static struct host_vm *only_other(const struct fixture *f)
{
    size_t n;
    struct host_vm *const *vms = host_vms(f->other, &n);

    assert_int_equal(n, 1);
    return vms[0];
}

static size_t count_others(const struct fixture *f)
{
    size_t n;

    check_ok(host_read(f->other));
    host_vms(f->other, &n);
    return n;
}

static void register_with_vcpu(struct fixture *f)
{
    send_file(f, "vm.stats");
    say(f, REGISTER("web"));
    send_file(f, "vcpu.stats");
    assert_string_equal(say(f, ADD("cpu/0")), "{\"return\": {}}\r\n");
}

static void another_host_follows(void **state)
{
    struct fixture *f = *state;
    const struct host_vm *vm;

    assert_int_equal(count_others(f), 0);
    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    vm = only_other(f);
    assert_ptr_not_equal(vm, only_vm(f));
    assert_string_equal(vm->name, "web");
    assert_true(vm->is_registered && vm->has_row && vm->n_vcpus == 1);
    assert_true(vm->vcpus[0].has_row);
    assert_string_equal(vm->vcpus[0].path, "cpu/0");
}

static void it_follows_changes_of_a_vm(void **state)
{
    struct fixture *f = *state;
    const struct host_vm *vm;

    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    vm = only_other(f);
    say(f, "{\"execute\": \"set-running\", \"arguments\": {\"running\": false}}");
    say(f, "{\"execute\": \"remove-vcpus\", \"arguments\": {\"paths\": [\"cpu/0\"]}}");
    assert_int_equal(count_others(f), 1);
    assert_ptr_equal(only_other(f), vm);
    assert_true(vm->is_said_to_pause && vm->n_vcpus == 0);
    send_file(f, "vcpu.stats");
    say(f, ADD("cpu/other"));
    say(f, "{\"execute\": \"set-running\", \"arguments\": {\"running\": true}}");
    assert_int_equal(count_others(f), 1);
    assert_true(!vm->is_said_to_pause && vm->n_vcpus == 1);
    assert_string_equal(vm->vcpus[0].path, "cpu/other");
}

/* Between what it follows and what it reads, it asks for the time. */
static struct {
    struct fixture *f;
    unsigned calls_left;
} removal;

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t __wrap_clock_now_ns(void)
{
    if (removal.calls_left && --removal.calls_left == 0) {
        registrant_free(removal.f->registrant);
        removal.f->registrant = NULL;
    }
    return __real_clock_now_ns();
}

static void one_that_goes_while_it_is_read_is_gone(void **state)
{
    struct fixture *f = *state;

    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    removal.f = f;
    removal.calls_left = 2;
    assert_int_equal(count_others(f), 0);
    assert_null(f->registrant);
}

static void a_thread_is_told_later(void **state)
{
    struct fixture *f = *state;
    char text[200];

    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_vm(f)->vcpus[0].thread_here, 0);
    snprintf(text, sizeof(text), SET_THREAD, getpid());
    assert_string_equal(say(f, text), "{\"return\": {}}\r\n");
    assert_int_equal(only_vm(f)->vcpus[0].thread_here, getpid());
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_other(f)->vcpus[0].thread_here, getpid());
    snprintf(text, sizeof(text), SET_THREAD, 1); /* is no thread of this process */
    assert_contains(say(f, text), "return");
    assert_int_equal(only_vm(f)->vcpus[0].thread_here, 0);
    assert_contains(say(f, SET_NONE), "has 0 elements, must have 1 to 253");
}

static void send_memory(struct fixture *f)
{
    int fd = memfd_create("rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_true(registrant_take_fds(f->registrant, &fd, 1));
}

static void own_statistics_are_told_to_another_host(void **state)
{
    struct fixture *f = *state;

    register_with_vcpu(f);
    send_memory(f);
    assert_contains(say(f, ADD_STATS("block", 1)), "{\"return\": {}}");
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_other(f)->n_own, 1);
    assert_int_equal(vm_own_at(only_other(f), 0)->n_objects, 0);
    assert_contains(say(f, ADD_OBJECTS("\"sda\"", 0)), "{\"return\": {}}");
    assert_int_equal(count_others(f), 1);
    assert_string_equal(vm_own_at(only_other(f), 0)->objects[0].path, "sda");
    assert_contains(say(f, REMOVE_STATS), "{\"return\": {}}");
    send_memory(f);
    assert_contains(say(f, ADD_STATS("block", 2)), "{\"return\": {}}");
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_other(f)->n_own, 1);
    assert_int_equal(vm_own_at(only_other(f), 0)->schema->row_len, 2);
    assert_contains(say(f, REMOVE_STATS), "{\"return\": {}}");
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_other(f)->n_own, 0);
}

/* In words: 64 for the statistic, 128 for each object, and its numbers. */
static void own_statistics_have_a_limit(void **state)
{
    struct fixture *f = *state;

    register_with_vcpu(f);
    f->registrant->user->n_words = REGISTER_WORDS_MAX - 64 - 5;
    send_memory(f);
    assert_contains(say(f, ADD_STATS("vm", 6)), "no room for further statistics of this user");
    send_memory(f);
    assert_contains(say(f, ADD_STATS("block", 5)), "return");
    assert_contains(say(f, ADD_OBJECTS("\"sda\"", 0)), "no room for further statistics");
    assert_int_equal(f->registrant->user->n_words, REGISTER_WORDS_MAX);
    f->registrant->user->n_words -= 128;
    assert_contains(say(f, ADD_OBJECTS("\"sda\"", 0)), "return");
    assert_int_equal(f->registrant->user->n_words, REGISTER_WORDS_MAX);
    assert_contains(say(f,
                        "{\"execute\": \"remove-objects\", \"arguments\": {\"provider\": \"own\", "
                        "\"target\": \"block\", \"paths\": [\"sda\"]}}"),
                    "return");
    assert_int_equal(f->registrant->user->n_words, REGISTER_WORDS_MAX - 128);
    assert_contains(say(f, REMOVE_STATS), "return");
    assert_int_equal(f->registrant->user->n_words, REGISTER_WORDS_MAX - 128 - 64 - 5);
}

/* The place of a vCPU that was removed and one that came, seen at once. */
static void a_vcpu_in_the_place_of_another(void **state)
{
    struct fixture *f = *state;

    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    say(f, "{\"execute\": \"remove-vcpus\", \"arguments\": {\"paths\": [\"cpu/0\"]}}");
    send_file(f, "vcpu.stats");
    say(f, ADD("cpu/other"));
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_other(f)->n_vcpus, 1);
    assert_string_equal(only_other(f)->vcpus[0].path, "cpu/other");
    assert_true(only_other(f)->vcpus[0].has_row);
}

/* An open statistics file keeps a VM in the kernel, and nobody may look at it again for hours. */
static void files_are_closed_before_it_looks(void **state)
{
    struct fixture *f = *state;
    int n_open = count_open_files();

    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    say(f, "{\"execute\": \"remove-vcpus\", \"arguments\": {\"paths\": [\"cpu/0\"]}}");
    wait_until_open(n_open + 1);
    registrant_free(f->registrant);
    f->registrant = NULL;
    wait_until_open(n_open);
    assert_int_equal(count_others(f), 0);
}

static void a_process_that_has_ended_is_seen_by_each(void **state)
{
    struct fixture *f = *state;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    registrant_free(f->registrant);
    check_ok(
        registrant_new(&f->socket, UID, pid, (int)syscall(SYS_pidfd_open, pid, 0), &f->registrant));
    f->session.opaque = f->registrant;
    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(count_others(f), 0);
    assert_non_null(only_vm(f)); /* which has not looked */
}

/* As a pass of that host does with what it finds to be another user's. */
static void one_that_was_taken_away_is_no_more_there(void **state)
{
    struct fixture *f = *state;

    register_with_vcpu(f);
    assert_int_equal(count_others(f), 1);
    host_unregister(f->other, only_other(f));
    assert_int_equal(count_others(f), 0);
    say(f, "{\"execute\": \"remove-vcpus\", \"arguments\": {\"paths\": [\"cpu/0\"]}}");
    assert_int_equal(count_others(f), 1);
    assert_int_equal(only_other(f)->n_vcpus, 0);
}

/* ---- an exposition --------------------------------------------------------------------------- */

static int copy_of(const char *name)
{
    int from = open_recorded(name), to = memfd_create(name, MFD_CLOEXEC);
    char bytes[64 * 1024];
    ssize_t size = read(from, bytes, sizeof(bytes));

    assert_true(to >= 0 && size > 0 && write(to, bytes, (size_t)size) == size);
    __real_close(from);
    return to;
}

static void put_metrics(const struct view *view, int err, struct buf *out)
{
    const struct exposition_form form = {.preset = METRICS_FULL};
    struct metrics *metrics = metrics_new();

    assert_non_null(metrics);
    web_metrics_take(metrics, view, err, &form.preset);
    buf_reset(out);
    web_metrics_write(metrics, &form, 0, out);
    buf_append(out, "", 1);
    assert_false(out->failed);
    metrics_free(metrics);
}

static struct view *view_of(struct fixture *f)
{
    struct bpf_why why;
    struct view *view;

    check_ok(view_open(f->roster, true, &why, &view));
    check_ok(view_read(view));
    return view;
}

static void a_file_that_cannot_be_read_is_a_source_that_is_down(void **state)
{
    struct fixture *f = *state;
    int fd = copy_of("vm.stats");
    struct view *view;
    struct buf out = {0};

    assert_true(registrant_take_fds(f->registrant, &fd, 1));
    say(f, REGISTER("web"));
    view = view_of(f);
    put_metrics(view, 0, &out);
    assert_contains(out.data, "vitals_source_up{vm=\"web\",source=\"registered\"} 1\n");
    assert_contains(out.data, "way=\"registered\"} 1\n");
    assert_null(strstr(out.data, "source=\"kernel\""));
    assert_int_equal(ftruncate(fd, 0), 0);
    check_ok(view_read(view));
    put_metrics(view, 0, &out);
    assert_contains(out.data, "vitals_source_up{vm=\"web\",source=\"registered\"} 0\n");
    assert_null(strstr(out.data, "kvm_vm_info{"));
    buf_free(&out);
    view_close(view);
}

/* One source says nothing of the others. */
static void a_registered_vm_stays_where_the_kernel_can_not_be_read(void **state)
{
    struct fixture *f = *state;
    struct view *view;
    struct buf out = {0};

    register_with_vcpu(f);
    view = view_of(f);
    put_metrics(view, -ENOMEM, &out);
    assert_contains(out.data, "vitals_source_up{vm=\"web\",source=\"registered\"} 1\n");
    assert_contains(out.data, "kvm_vcpu_exits_total{vm=\"web\",vcpu=\"0\"");
    buf_free(&out);
    view_close(view);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_vm_is_read_from_its_files),
        WITH(a_thread_is_told_later),
        WITH(another_vm_gets_another_name),
        WITH(it_ends_with_its_connection),
        WITH(a_refused_message_keeps_nothing),
        WITH(a_refused_vm_leaves_it_for_whom_a_connection_speaks),
        WITH(one_that_was_taken_away_is_no_more),
        WITH(files_that_wait_have_a_limit),
        WITH(files_of_a_user_have_a_limit),
        WITH(files_of_all_users_have_a_limit),
        WITH(connections_of_a_user_have_a_limit),
        WITH(another_host_follows),
        WITH(it_follows_changes_of_a_vm),
        WITH(one_that_goes_while_it_is_read_is_gone),
        WITH(own_statistics_are_told_to_another_host),
        WITH(own_statistics_have_a_limit),
        WITH(a_vcpu_in_the_place_of_another),
        WITH(files_are_closed_before_it_looks),
        WITH(a_process_that_has_ended_is_seen_by_each),
        WITH(one_that_was_taken_away_is_no_more_there),
        WITH(a_file_that_cannot_be_read_is_a_source_that_is_down),
        WITH(a_registered_vm_stays_where_the_kernel_can_not_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
