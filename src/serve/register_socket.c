/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "serve/register_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file_limit.h"
#include "base/json_write.h"
#include "base/text.h"
#include "host/own_stats.h"
#include "host/process.h"
#include "kvm/stats_fd.h"
#include "qapi_register.h"
#include "qmp/dialect.h"
#include "serve/own_socket.h"
#include "serve/register_call.h"

/* ---- files ---------------------------------------------------------------------------------- */

static bool is_statistics(int fd, enum kvm_kind kind)
{
    return kvm_stats_fd_is_kernels(fd, kind == KVM_KIND_VM);
}

void registrant_count_files(struct registrant *registrant, int n)
{
    registrant->n_files += (uint32_t)n;
    registrant->user->n_files += (uint32_t)n;
}

/* Whatever they are. */
void registrant_refuse(struct registrant *registrant, const int *fds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        closer_take(registrant->user->closer, fds[i]);
}

/* Those that are counted. */
static void drop_files(struct registrant *registrant, const int *fds, uint32_t n)
{
    registrant_refuse(registrant, fds, n);
    registrant_count_files(registrant, -(int)n);
}

/* Those that are still being closed, which may take for ever, count as well. */
static uint64_t files_of(const struct register_user *user)
{
    return (uint64_t)user->n_files + closer_pending(user->closer);
}

static uint64_t files_of_all(const struct register_socket *socket)
{
    const struct register_user *user;
    uint64_t n = 0;

    LIST_FOREACH(user, &socket->users, link)
    n += files_of(user);
    return n;
}

static bool has_room(const struct register_socket *socket, const struct register_user *user,
                     uint32_t n)
{
    return files_of(user) + n <= socket->files_max &&
           files_of_all(socket) + n <= socket->files_of_all_max;
}

/* The last files are for passes: see vm_sockets.c. */
static bool leave_files(const int *fds, uint32_t n)
{
    uint32_t n_left = file_limit_part(REGISTER_FILES_LEFT_SHARE);
    bool are_left = true;

    for (uint32_t i = 0; i < n; i++)
        are_left &= file_limit_leaves(fds[i], n_left);
    return are_left;
}

bool registrant_take_fds(struct registrant *registrant, const int *fds, uint32_t count)
{
    if (count > REGISTER_FILES_WAITING - registrant->n_waiting ||
        !has_room(registrant->socket, registrant->user, count) || !leave_files(fds, count)) {
        registrant_refuse(registrant, fds, count);
        return false;
    }
    memcpy(registrant->waiting + registrant->n_waiting, fds, count * sizeof(*fds));
    registrant->n_waiting += count;
    registrant_count_files(registrant, (int)count);
    return true;
}

static bool is_right(const struct registrant *registrant, int fd, enum register_file kind)
{
    if (kind == REGISTER_FILE_MEMORY)
        return own_stats_is_memory(fd);
    return registrant->socket->is_statistics(fd, (enum kvm_kind)kind);
}

static const struct {
    const char *one, *many;
} file_names[] = {
    [REGISTER_FILE_VM] = {"statistics file of a VM", "statistics files"},
    [REGISTER_FILE_VCPU] = {"statistics file of a vCPU", "statistics files"},
    [REGISTER_FILE_MEMORY] = {"memory file that can be read and is sealed against shrinking",
                              "memory files"},
};

bool registrant_claim(struct qmp_call *call, struct registrant *registrant, enum register_file kind,
                      uint32_t n, int *fds)
{
    uint32_t n_there = n < registrant->n_waiting ? n : registrant->n_waiting, n_right = 0;

    memcpy(fds, registrant->waiting, n_there * sizeof(*fds));
    registrant->n_waiting -= n_there;
    memmove(registrant->waiting, registrant->waiting + n_there,
            registrant->n_waiting * sizeof(*fds));
    while (n_right < n_there && is_right(registrant, fds[n_right], kind))
        n_right++;
    if (n_right == n)
        return true;
    drop_files(registrant, fds, n_there);
    if (n_right < n_there)
        qmp_fail(call, QMP_GENERIC_ERROR, "File %u of this message is no %s", n_right + 1,
                 file_names[kind].one);
    else
        qmp_fail(call, QMP_GENERIC_ERROR,
                 "%u %s must come with this message, %u have, or were taken", n,
                 file_names[kind].many, n_there);
    return false;
}

void registrant_close(struct registrant *registrant, struct shared_file *file)
{
    int fd = shared_file_take(file);

    if (fd >= 0)
        registrant_refuse(registrant, &fd, 1);
    registrant_count_files(registrant, -1);
}

/* ---- the VM --------------------------------------------------------------------------------- */

struct registrant *registrant_of(const struct qmp_call *call)
{
    return call->session->opaque;
}

const char *register_text(const struct qmp_call *call, const char *name)
{
    struct json_object *value = qmp_argument(call, name);

    return value ? json_object_get_string(value) : "";
}

/* A NUL inside, which JSON can have, would end it for all who read it. */
static bool is_name(const struct qmp_call *call, const char *argument, size_t max)
{
    struct json_object *value = qmp_argument(call, argument);
    const char *text = value ? json_object_get_string(value) : "";
    size_t len = value ? (size_t)json_object_get_string_len(value) : 0;

    return len >= 1 && len <= max && strlen(text) == len && text_is_plain(text) &&
           !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_uuid(const char *text)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-'
                                                    : !text[i] || !strchr(digits, text[i]))
            return false;
    return text[36] == '\0';
}

/* Whether what is said of the VM can be taken. */
static bool check_words(struct qmp_call *call)
{
    if (!is_name(call, "name", REGISTERED_NAME_MAX))
        qmp_fail(call, QMP_GENERIC_ERROR,
                 "Parameter 'name' expects 1 to %d bytes of text without '/'", REGISTERED_NAME_MAX);
    else if (qmp_argument(call, "uuid") && !is_uuid(register_text(call, "uuid")))
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'uuid' expects a UUID");
    else if (qmp_argument(call, "vmm") && !is_name(call, "vmm", IDENTITY_VMM_MAX - 1))
        qmp_fail(call, QMP_GENERIC_ERROR,
                 "Parameter 'vmm' expects 1 to %d bytes of text without '/'", IDENTITY_VMM_MAX - 1);
    return !call->error_class;
}

/* Without memory it is known there as it was. */
void registrant_tell(const struct registrant *registrant)
{
    roster_put(registrant->socket->roster, registrant->vm, registrant->process);
}

/* A pidfd, which was there before it was asked whose it is: so it is no other process by now. Or -1. */
static int watch_users(const struct registrant *registrant, int64_t pid)
{
    int pidfd = pid > 0 && pid <= INT32_MAX ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

    if (pidfd >= 0 && process_is_users(registrant->pid, pid, registrant->user->uid) &&
        poll(&pollfd, 1, 0) == 0)
        return pidfd;
    if (pidfd >= 0)
        close(pidfd);
    return -1;
}

/* Whose VM it is. */
struct speaker {
    pid_t pid;
    struct shared_file *process; /* its pidfd; NULL: the connection is for it as it is */
};

static bool watch_speaker(const struct registrant *registrant, int64_t pid, struct speaker *speaker)
{
    int pidfd = watch_users(registrant, pid);

    speaker->process = pidfd < 0 ? NULL : shared_file_new(pidfd);
    speaker->pid = (pid_t)pid;
    if (!speaker->process && pidfd >= 0)
        close(pidfd);
    return speaker->process;
}

static void find_speaker(struct qmp_call *call, const struct registrant *registrant,
                         struct speaker *speaker)
{
    struct json_object *pid = qmp_argument(call, "pid");

    *speaker = (struct speaker){.pid = registrant->pid};
    if (pid && !watch_speaker(registrant, json_object_get_int64(pid), speaker))
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'pid' expects a process of the same user");
}

/* From then on the VM lives as long as that one. */
static void speak_for(struct registrant *registrant, const struct speaker *speaker)
{
    if (!speaker->process)
        return;
    shared_file_close(registrant->process);
    shared_file_unref(registrant->process);
    registrant->process = speaker->process;
    registrant->pid = speaker->pid;
}

static void register_vm(struct qmp_call *call, struct registrant *registrant,
                        const struct speaker *speaker, int fd)
{
    struct register_socket *socket = registrant->socket;
    struct registration registration = {.name = register_text(call, "name"),
                                        .uuid = register_text(call, "uuid"),
                                        .vmm = register_text(call, "vmm"),
                                        .pid = speaker->pid,
                                        .uid = registrant->user->uid};
    struct error_text error;
    struct host_vm *vm;

    if (host_register(socket->host, &registration, fd, &error, &vm)) {
        drop_files(registrant, &fd, 1);
        shared_file_unref(speaker->process);
        qmp_fail(call, QMP_GENERIC_ERROR, "The VM can't be registered: %s", error.text);
        return;
    }
    speak_for(registrant, speaker);
    registrant->vm = host_vm_ref(vm);
    socket->has_changed = true;
    registrant_tell(registrant);
    buf_puts(call->out, "{\"name\": ");
    json_put_string(call->out, vm->name);
    buf_puts(call->out, "}");
}

/* Whose VM it is, is asked of what a pass has seen. */
void qmp_register_vm(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    const struct qmp_gate *gate = registrant->socket->gate;
    struct speaker speaker = {0};
    int fd;

    if (gate && !qmp_pass_gate(call, gate))
        return;
    if (!registrant_claim(call, registrant, REGISTER_FILE_VM, 1, &fd))
        return;
    if (registrant->vm)
        qmp_fail(call, QMP_GENERIC_ERROR, "A connection is one VM, which has been registered");
    else if (check_words(call))
        find_speaker(call, registrant, &speaker);
    if (call->error_class)
        drop_files(registrant, &fd, 1);
    else
        register_vm(call, registrant, &speaker, fd);
}

/* Also for those who read it too, and may let go of it much later. */
static void close_files(struct registrant *registrant)
{
    const struct host_vm *vm = registrant->vm;

    for (size_t i = 0; i < vm->n_vcpus; i++)
        registrant_close(registrant, vm->vcpus[i].file);
    registrant_close(registrant, vm->file);
}

/* Its sockets are the table's. */
static void end_vm(struct registrant *registrant)
{
    if (!registrant->vm)
        return;
    registrant_end_stats(registrant);
    roster_remove(registrant->socket->roster, registrant->vm);
    close_files(registrant);
    host_unregister(registrant->socket->host, registrant->vm);
    host_vm_unref(registrant->vm);
    registrant->vm = NULL;
    registrant->socket->has_changed = true;
}

bool registrant_check_vm(struct qmp_call *call, struct registrant *registrant)
{
    if (registrant->vm && registrant->vm->is_gone) {
        end_vm(registrant);
        qmp_fail(call, QMP_GENERIC_ERROR, "There is no VM any more: it is another user's");
    } else if (!registrant->vm)
        qmp_fail(call, QMP_GENERIC_ERROR, "There is no VM: register-vm comes first");
    return registrant->vm;
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static const char *path_at(struct json_object *vcpus, size_t i)
{
    struct json_object *path = NULL;

    json_object_object_get_ex(json_object_array_get_idx(vcpus, i), "path", &path);
    return json_object_get_string(path);
}

/* By its number here. */
static pid_t thread_at(const struct registrant *registrant, struct json_object *vcpus, size_t i,
                       unsigned *looks)
{
    struct json_object *thread;

    if (!json_object_object_get_ex(json_object_array_get_idx(vcpus, i), "thread", &thread))
        return 0;
    return process_find_thread(registrant->pid, json_object_get_int64(thread), looks);
}

static bool check_path(struct qmp_call *call, const char *path)
{
    size_t len = strlen(path);

    if (len < 1 || len > VITALS_OBJECT_MAX)
        qmp_fail(call, QMP_GENERIC_ERROR, "A vCPU's path has %zu bytes, must have 1 to %d", len,
                 VITALS_OBJECT_MAX);
    return !call->error_class;
}

static int remove_vcpu(struct registrant *registrant, const char *path, struct error_text *error)
{
    struct shared_file *file = registered_vcpu_file(registrant->vm, path);

    if (file)
        registrant_close(registrant, file);
    return registered_remove_vcpu(registrant->vm, path, error);
}

static void remove_added(struct registrant *registrant, struct json_object *vcpus, size_t n)
{
    struct error_text error;

    for (size_t i = 0; i < n; i++)
        remove_vcpu(registrant, path_at(vcpus, i), &error);
}

static void add_vcpus(struct qmp_call *call, struct registrant *registrant,
                      struct json_object *vcpus, const int *fds, uint32_t n)
{
    struct error_text error;
    unsigned looks = REGISTER_THREADS_LOOKED_AT;

    for (uint32_t i = 0; i < n; i++) {
        const char *path = path_at(vcpus, i);
        pid_t thread = thread_at(registrant, vcpus, i, &looks);

        if (check_path(call, path) && host_register_vcpu(registrant->socket->host, registrant->vm,
                                                         path, thread, fds[i], i == 0, &error))
            qmp_fail(call, QMP_GENERIC_ERROR, "vCPU '%s' can't be registered: %s", path,
                     error.text);
        if (!call->error_class)
            continue;
        drop_files(registrant, &fds[i], n - i);
        remove_added(registrant, vcpus, i);
        return;
    }
    registrant_tell(registrant);
    buf_puts(call->out, "{}");
}

static bool check_number(struct qmp_call *call, size_t n)
{
    if (n < 1 || n > REGISTER_VCPUS_AT_A_TIME)
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'vcpus' has %zu elements, must have 1 to %d",
                 n, REGISTER_VCPUS_AT_A_TIME);
    return !call->error_class;
}

void qmp_add_vcpus(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    struct json_object *vcpus = qmp_argument(call, "vcpus");
    size_t n = json_object_array_length(vcpus);
    int fds[REGISTER_VCPUS_AT_A_TIME];

    if (!check_number(call, n))
        return;
    if (!registrant_claim(call, registrant, REGISTER_FILE_VCPU, (uint32_t)n, fds))
        return;
    if (registrant_check_vm(call, registrant))
        add_vcpus(call, registrant, vcpus, fds, (uint32_t)n);
    else
        drop_files(registrant, fds, (uint32_t)n);
}

void qmp_set_threads(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    struct json_object *vcpus = qmp_argument(call, "vcpus");
    size_t n = json_object_array_length(vcpus);
    unsigned looks = REGISTER_THREADS_LOOKED_AT;
    struct error_text error;

    if (!check_number(call, n) || !registrant_check_vm(call, registrant))
        return;
    for (size_t i = 0; i < n; i++) {
        const char *path = path_at(vcpus, i);
        pid_t thread = thread_at(registrant, vcpus, i, &looks);

        if (registered_set_thread(registrant->vm, path, thread, &error)) {
            qmp_fail(call, QMP_GENERIC_ERROR, "The thread of vCPU '%s' can't be set: %s", path,
                     error.text);
            break;
        }
    }
    registrant_tell(registrant);
    if (!call->error_class)
        buf_puts(call->out, "{}");
}

void qmp_remove_vcpus(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);
    struct json_object *paths = qmp_argument(call, "paths");
    size_t n = json_object_array_length(paths);
    struct error_text error;

    if (!registrant_check_vm(call, registrant))
        return;
    for (size_t i = 0; i < n; i++) {
        const char *path = json_object_get_string(json_object_array_get_idx(paths, i));

        if (remove_vcpu(registrant, path, &error)) {
            qmp_fail(call, QMP_GENERIC_ERROR, "vCPU '%s' can't be removed: %s", path, error.text);
            break;
        }
    }
    registrant_tell(registrant);
    if (!call->error_class)
        buf_puts(call->out, "{}");
}

void qmp_set_running(struct qmp_call *call)
{
    struct registrant *registrant = registrant_of(call);

    if (!registrant_check_vm(call, registrant))
        return;
    registrant->vm->is_said_to_pause = !json_object_get_boolean(qmp_argument(call, "running"));
    roster_set_paused(registrant->socket->roster, registrant->vm, registrant->vm->is_said_to_pause);
    buf_puts(call->out, "{}");
}

/* ---- connections ---------------------------------------------------------------------------- */

static struct register_user *join_user(struct register_socket *socket, uid_t uid)
{
    struct register_user *user;

    LIST_FOREACH(user, &socket->users, link)
    if (user->uid == uid)
        return user;
    user = calloc(1, sizeof(*user));
    if (!user)
        return NULL;
    user->uid = uid;
    user->closer = closer_new();
    if (!user->closer) {
        free(user);
        return NULL;
    }
    LIST_INSERT_HEAD(&socket->users, user, link);
    return user;
}

/* One whose files are still being closed is not forgotten. */
static void leave_user(struct register_user *user)
{
    if (user->n_clients || closer_pending(user->closer))
        return;
    LIST_REMOVE(user, link);
    closer_free(user->closer);
    free(user);
}

static struct registrant *alloc_registrant(int pidfd)
{
    struct registrant *registrant = calloc(1, sizeof(*registrant));

    if (!registrant || pidfd < 0)
        return registrant;
    registrant->process = shared_file_new(pidfd);
    if (registrant->process)
        return registrant;
    free(registrant);
    return NULL;
}

int registrant_new(struct register_socket *socket, uid_t uid, pid_t pid, int pidfd,
                   struct registrant **ret_registrant)
{
    struct register_user *user = join_user(socket, uid);
    struct registrant *registrant;

    if (!user)
        return -ENOMEM;
    if (user->n_clients >= socket->clients_max || !has_room(socket, user, 1))
        return -EDQUOT;
    registrant = alloc_registrant(pidfd);
    if (!registrant) {
        leave_user(user);
        return -ENOMEM;
    }
    registrant->socket = socket;
    registrant->user = user;
    registrant->pid = pid;
    user->n_clients++;
    LIST_INSERT_HEAD(&socket->registrants, registrant, link);
    *ret_registrant = registrant;
    return 0;
}

void registrant_free(struct registrant *registrant)
{
    end_vm(registrant);
    registrant_refuse(registrant, registrant->waiting, registrant->n_waiting);
    registrant_count_files(registrant, -(int)registrant->n_waiting);
    shared_file_close(registrant->process);
    shared_file_unref(registrant->process);
    LIST_REMOVE(registrant, link);
    registrant->user->n_clients--;
    leave_user(registrant->user);
    free(registrant);
}

static int open_client(void *opaque, int fd, void **ret_client)
{
    struct registrant *registrant;
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int pidfd, err;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -errno;
    pidfd = peer.pid > 0 ? (int)syscall(SYS_pidfd_open, peer.pid, 0) : -1;
    if (peer.pid > 0 && pidfd < 0 && errno != ENOSYS && errno != EPERM)
        return -errno; /* it has ended, or could not be watched */
    err = registrant_new(opaque, peer.uid, peer.pid, pidfd, &registrant);
    if (err && pidfd >= 0)
        close(pidfd);
    if (!err)
        *ret_client = registrant;
    return err;
}

static bool take_fds(void *client, const int *fds, uint32_t count)
{
    return registrant_take_fds(client, fds, count);
}

static void close_client(void *client)
{
    registrant_free(client);
}

static void forget_users(struct register_socket *socket)
{
    struct register_user *user, *next;

    for (user = LIST_FIRST(&socket->users); user; user = next) {
        next = LIST_NEXT(user, link);
        leave_user(user);
    }
}

/* The connection can be somebody else's by now: a child's, or one that was given it. */
void register_socket_look(struct register_socket *socket)
{
    struct registrant *registrant;

    forget_users(socket);

    LIST_FOREACH(registrant, &socket->registrants, link)
    {
        if (registrant->vm &&
            (registrant->vm->is_gone || shared_file_is_ready(registrant->process)))
            end_vm(registrant);
    }
}

bool register_socket_has_changed(struct register_socket *socket)
{
    bool has_changed = socket->has_changed;

    socket->has_changed = false;
    return has_changed;
}

/* ---- the socket ----------------------------------------------------------------------------- */

const struct qmp_dialect register_dialect = {.schema = &register_schema, .qemu_major = 7};

uint32_t register_clients_max(void)
{
    uint32_t share = file_limit_part(REGISTER_CLIENTS_SHARE);

    return share < 1                             ? 1
           : share < REGISTER_CLIENTS_MAX_OF_ALL ? share
                                                 : REGISTER_CLIENTS_MAX_OF_ALL;
}

void register_socket_init(struct register_socket *socket, struct host *host)
{
    *socket =
        (struct register_socket){.host = host,
                                 .files_of_all_max = file_limit_part(REGISTER_FILES_SHARE_OF_ALL),
                                 .is_statistics = is_statistics};
    register_socket_limit(socket, 0, 0);
    socket->speech = (struct listener_speech){.dialect = &register_dialect,
                                              .opaque = socket,
                                              .open = open_client,
                                              .take_fds = take_fds,
                                              .close = close_client};
}

void register_socket_limit(struct register_socket *socket, unsigned long clients,
                           unsigned long files)
{
    uint32_t share = file_limit_part(REGISTER_FILES_SHARE);

    socket->clients_max =
        clients && clients < UINT32_MAX ? (uint32_t)clients : REGISTER_CLIENTS_MAX;
    socket->files_max = files && files < UINT32_MAX ? (uint32_t)files : share;
}

static int make_own(struct register_socket *socket, const struct run_directory *directory)
{
    char *path;
    int fd;

    if (asprintf(&path, "%s/register.sock", directory->path) < 0)
        return -ENOMEM;
    fd = own_socket_make(path, 0666);
    if (fd >= 0)
        socket->path = path;
    else
        free(path);
    return fd;
}

/* Anyone may come: who has a VM's statistics file has a VM. */
static int listen_in(struct register_socket *socket, const struct run_directory *directory,
                     struct vitals_server *server, int fd)
{
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT};
    int err;

    options.fd = fd >= 0 ? fd : make_own(socket, directory);
    if (options.fd < 0)
        return options.fd;
    err = vitals_server_listen(server, socket->ctx, &options, &socket->listener);
    if (err)
        close(options.fd);
    else
        listener_speak(socket->listener, &socket->speech);
    return err;
}

int register_socket_open(struct register_socket *socket, struct host *host, struct roster *roster,
                         const struct run_directory *directory, struct vitals_server *server,
                         int fd)
{
    int err;

    register_socket_init(socket, host);
    socket->roster = roster;
    err = vitals_ctx_new(NULL, &socket->ctx);
    if (!err)
        err = listen_in(socket, directory, server, fd);
    if (err)
        register_socket_close(socket);
    return err;
}

void register_socket_close(struct register_socket *socket)
{
    struct register_user *user;

    vitals_listener_close(socket->listener);
    if (socket->path)
        unlink(socket->path);
    free(socket->path);
    vitals_ctx_free(socket->ctx);
    while ((user = LIST_FIRST(&socket->users))) {
        LIST_REMOVE(user, link);
        closer_free(user->closer);
        free(user);
    }
    *socket = (struct register_socket){0};
}
