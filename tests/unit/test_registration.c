/* SPDX-License-Identifier: MIT */
/* What VMMs tell the daemon about their VMs. The statistics files are recorded ones. */
#include "serve/register_socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "qmp/dialect.h"

enum { UID = 1000 };

struct fixture {
    struct host *host;
    struct register_socket socket;
    struct registrant *registrant;
    struct qmp_workbench bench;
    struct vitals_ctx *ctx;
    struct qmp_session session;
    struct buf reply;
    int n_open; /* files at the begin */
};

static int count_open_fds(void)
{
    DIR *fds = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(fds);
    while (readdir(fds))
        n++;
    closedir(fds);
    return n;
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
    f->n_open = count_open_fds();
    check_ok(host_open_empty(&f->host));
    register_socket_init(&f->socket, f->host);
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
    buf_free(&f->reply);
    for (int ms = 0; ms < 30000 && count_open_fds() != f->n_open; ms++)
        usleep(1000); /* a thread closes what was refused */
    assert_int_equal(count_open_fds(), f->n_open);
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
#define ADD(path)                                                                                  \
    "{\"execute\": \"add-vcpus\", \"arguments\": {\"vcpus\": [{\"path\": \"" path "\"}]}}"

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

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_vm_is_read_from_its_files),        WITH(another_vm_gets_another_name),
        WITH(it_ends_with_its_connection),        WITH(a_refused_message_keeps_nothing),
        WITH(one_that_was_taken_away_is_no_more), WITH(files_that_wait_have_a_limit),
        WITH(files_of_a_user_have_a_limit),       WITH(files_of_all_users_have_a_limit),
        WITH(connections_of_a_user_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
