/* SPDX-License-Identifier: MIT */
#include "serve/vm_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/file_limit.h"
#include "serve/own_socket.h"
#include "serve/vm_shares.h"
#include "server/speak.h"

static const char *const file_names[] = {
    [VM_SOCKET_GROUPED] = "qmp.sock",
    [VM_SOCKET_FLAT] = "qemu.sock",
};
ASSERT_COUNT(file_names, VM_SOCKETS);

/* Clients that were written for QEMU know of no other provider, and some drop all where there is one. */
static const struct {
    enum vitals_dialect dialect;
    const char *providers; /* NULL: all */
} speech[] = {
    [VM_SOCKET_GROUPED] = {VITALS_DIALECT_GROUPED, NULL},
    [VM_SOCKET_FLAT] = {VITALS_DIALECT_FLAT, "kvm"},
};
ASSERT_COUNT(speech, VM_SOCKETS);

void vm_sockets_init(struct vm_sockets *sockets, const struct run_directory *directory,
                     struct vitals_server *server, struct reads *reads, struct person_range people)
{
    *sockets = (struct vm_sockets){
        .directory = directory, .server = server, .reads = reads, .people = people};
}

/* ---- one VM --------------------------------------------------------------------------------- */

static void put_path(const struct vm_sockets *sockets, const struct vm_entry *entry,
                     const char *file, char path[PATH_MAX])
{
    int len = snprintf(path, PATH_MAX, "%s/vms/%s", sockets->directory->path, entry->name);

    if (file && len > 0 && len < PATH_MAX)
        snprintf(path + len, PATH_MAX - (size_t)len, "/%s", file);
}

void vm_socket_path(const struct vm_sockets *sockets, const struct vm_entry *entry,
                    enum vm_socket_kind kind, char path[PATH_MAX])
{
    put_path(sockets, entry, file_names[kind], path);
}

/* A VM of a person is shown to that person; those of a system's account have it in common. */
static bool has_owner(const struct vm_sockets *sockets, const struct vm_entry *entry)
{
    uid_t uid = entry->vm->uid;

    return uid >= sockets->people.min && uid <= sockets->people.max &&
           uid != sockets->directory->account.uid;
}

/* @file NULL: into the directory. The others get what is theirs all the same. */
static void let_in(struct vm_sockets *sockets, const struct vm_entry *entry, const char *file)
{
    const uid_t *owner = has_owner(sockets, entry) ? &entry->vm->uid : NULL;
    enum access_kind kind = file ? ACCESS_SOCKET : ACCESS_DIRECTORY;
    char path[PATH_MAX];
    int err;

    put_path(sockets, entry, file, path);
    err = account_let_in(&sockets->directory->account, path, kind, owner);
    if (err && owner)
        serve_log_seldom(&sockets->strangers, SERVE_WARNING,
                         "%s: user %u, whose VM it is, can't be let in: %s", path, *owner,
                         strerror(-err));
    else if (err)
        serve_log_seldom(&sockets->strangers, SERVE_WARNING, "%s: the group can't be let in: %s",
                         path, strerror(-err));
}

/* What was just made, with the mode that says all for most. */
static void let_into_new(struct vm_sockets *sockets, const struct vm_entry *entry, const char *file)
{
    const uid_t *owner = has_owner(sockets, entry) ? &entry->vm->uid : NULL;

    if (account_needs_list(&sockets->directory->account, owner))
        let_in(sockets, entry, file);
}

static int make_directory(struct vm_sockets *sockets, struct vm_entry *entry)
{
    int err;

    if (entry->name[0])
        return 0;
    err = run_directory_add(sockets->directory, entry->vm->name, entry->name);
    if (err)
        entry->name[0] = '\0';
    else
        let_into_new(sockets, entry, NULL);
    return err;
}

/*
 * However many VMs anybody makes, there are files for passes, without which no VM would be seen to end and
 * none be given back; and for clients, beside those that they leave to all else.
 */
enum { FILES_LEFT_SHARE = 4 };

static uint32_t files_left(void)
{
    uint32_t part = file_limit_part(FILES_LEFT_SHARE), for_clients = 2 * server_files_left();

    return part > for_clients ? part : for_clients;
}

static bool are_files_left(const struct vm_sockets *sockets)
{
    uint32_t n_left = files_left();
    int fds[VM_SOCKETS], n = 0;
    bool are_left = true;

    while (n < VM_SOCKETS && are_left) {
        fds[n] = fcntl(sockets->directory->vms, F_DUPFD_CLOEXEC, 0);
        are_left = fds[n] >= 0 && file_limit_leaves(fds[n], n_left);
        n += fds[n] >= 0;
    }
    while (n > 0)
        close(fds[--n]);
    return are_left;
}

/* The listener takes the socket over; its file goes with the directory. */
static int listen_on(const struct vm_sockets *sockets, struct vm_entry *entry,
                     enum vm_socket_kind kind, int fd)
{
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .fd = fd,
                                                  .dialect = speech[kind].dialect,
                                                  .providers = speech[kind].providers};
    int err =
        vitals_server_listen(sockets->server, entry->vm->ctx, &options, &entry->listeners[kind]);

    if (err)
        close(fd);
    else
        listener_set_gate(entry->listeners[kind], &entry->gate->gate);
    return err;
}

static int make_socket(struct vm_sockets *sockets, struct vm_entry *entry, enum vm_socket_kind kind)
{
    char path[PATH_MAX];
    int fd, err;

    if (entry->listeners[kind])
        return 0;
    vm_socket_path(sockets, entry, kind, path);
    fd = own_socket_make(path, run_directory_socket_mode(sockets->directory));
    if (fd < 0)
        return fd;
    err = listen_on(sockets, entry, kind, fd);
    if (err)
        unlink(path);
    else
        let_into_new(sockets, entry, file_names[kind]);
    return err;
}

static int make_gate(const struct vm_sockets *sockets, struct vm_entry *entry)
{
    if (entry->gate)
        return 0;
    entry->gate = malloc(sizeof(*entry->gate));
    if (!entry->gate)
        return -ENOMEM;
    vm_gate_init(entry->gate, sockets->reads, entry->vm);
    return 0;
}

static void set_error(struct vm_sockets *sockets, struct vm_entry *entry, int err)
{
    sockets->n_waiting += err == -EMFILE;
    sockets->n_waiting -= entry->err == -EMFILE;
    entry->err = err;
}

static void open_entry(struct vm_sockets *sockets, struct vm_entry *entry)
{
    int err = are_files_left(sockets) ? make_gate(sockets, entry) : -EMFILE;

    if (!err)
        err = make_directory(sockets, entry);
    for (size_t i = 0; i < VM_SOCKETS && !err; i++)
        err = make_socket(sockets, entry, i);
    if (err && !entry->err)
        serve_log_seldom(&sockets->failures, SERVE_WARNING,
                         "%s: not all sockets of this VM can be made: %s", entry->vm->name,
                         strerror(-err));
    set_error(sockets, entry, err);
}

static void drop_sockets(struct vm_sockets *sockets, struct vm_entry *entry)
{
    for (size_t i = 0; i < VM_SOCKETS; i++) {
        vitals_listener_close(entry->listeners[i]);
        entry->listeners[i] = NULL;
    }
    if (entry->name[0])
        run_directory_remove(sockets->directory, entry->name);
    entry->name[0] = '\0';
    free(entry->gate);
    entry->gate = NULL;
}

/* Another user's VM has its files. */
static void shut_entry(struct vm_sockets *sockets, struct vm_entry *entry)
{
    drop_sockets(sockets, entry);
    serve_log_seldom(&sockets->failures, SERVE_WARNING,
                     "%s: this VM has no sockets any more: there are not files for those of all, "
                     "and another user has fewer",
                     entry->vm->name);
    set_error(sockets, entry, -EMFILE);
}

static void close_entry(struct vm_sockets *sockets, struct vm_entry *entry)
{
    drop_sockets(sockets, entry);
    set_error(sockets, entry, 0);
    host_vm_unref(entry->vm);
}

/* ---- all ------------------------------------------------------------------------------------ */

void vm_sockets_close(struct vm_sockets *sockets)
{
    for (size_t i = 0; i < sockets->n; i++)
        close_entry(sockets, &sockets->entries[i]);
    free(sockets->entries);
    sockets->entries = NULL;
    sockets->n = sockets->cap = 0;
}

/* True: there are more of them. */
static bool drop_gone(struct vm_sockets *sockets, uint64_t until_ns)
{
    size_t n = 0;
    bool is_late = false, is_more = false;

    for (size_t i = 0; i < sockets->n; i++) {
        struct vm_entry *entry = &sockets->entries[i];

        is_more |= entry->vm->is_gone && is_late;
        if (!entry->vm->is_gone || is_late) {
            sockets->entries[n++] = *entry;
            continue;
        }
        close_entry(sockets, entry);
        is_late = clock_now_ns() >= until_ns;
    }
    sockets->n = n;
    return is_more;
}

static bool reserve(struct vm_sockets *sockets, size_t n)
{
    struct vm_entry *entries;

    if (n <= sockets->cap)
        return true;
    entries = reallocarray(sockets->entries, 2 * n, sizeof(*entries));
    if (!entries)
        return false;
    sockets->entries = entries;
    sockets->cap = 2 * n;
    return true;
}

/* Who waits longer is not passed by. */
static void open_or_wait(struct vm_sockets *sockets, struct vm_entry *entry)
{
    if (sockets->n_waiting)
        set_error(sockets, entry, -EMFILE);
    else
        open_entry(sockets, entry);
}

/*
 * Those that were there before stand in the same order; what is new stands behind them. True: there is more
 * of it.
 */
static bool add_new(struct vm_sockets *sockets, struct host_vm *const *vms, size_t n,
                    uint64_t until_ns)
{
    if (!reserve(sockets, n))
        return false;
    while (sockets->n < n) {
        struct vm_entry *entry = &sockets->entries[sockets->n];

        *entry =
            (struct vm_entry){.vm = host_vm_ref(vms[sockets->n]), .number = ++sockets->last_number};
        open_or_wait(sockets, entry);
        sockets->n++;
        if (clock_now_ns() >= until_ns)
            break;
    }
    return sockets->n < n;
}

void vm_sockets_retry(struct vm_sockets *sockets)
{
    sockets->retries = true;
    sockets->next = 0;
}

/* True: there are more of them. */
static bool retry(struct vm_sockets *sockets, uint64_t until_ns)
{
    while (sockets->retries && sockets->next < sockets->n) {
        struct vm_entry *entry = &sockets->entries[sockets->next++];

        if (!entry->err || entry->err == -EMFILE)
            continue;
        open_entry(sockets, entry);
        if (clock_now_ns() >= until_ns)
            return true;
    }
    sockets->retries = false;
    return false;
}

static bool share(struct vm_sockets *sockets, uint64_t until_ns)
{
    static const struct vm_shares_ops ops = {
        .are_files_left = are_files_left, .open = open_entry, .shut = shut_entry};

    return sockets->n_waiting && vm_shares_give(sockets, &ops, until_ns);
}

bool vm_sockets_update(struct vm_sockets *sockets, const struct host *host, uint64_t until_ns)
{
    size_t n;
    struct host_vm *const *vms = host_vms(host, &n);

    return drop_gone(sockets, until_ns) || retry(sockets, until_ns) ||
           add_new(sockets, vms, n, until_ns) || share(sockets, until_ns);
}

const struct vm_entry *vm_sockets_after(const struct vm_sockets *sockets, uint64_t number)
{
    size_t low = 0, high = sockets->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sockets->entries[middle].number <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sockets->n ? &sockets->entries[low] : NULL;
}

void vm_sockets_allow(struct vm_sockets *sockets, struct person_range people)
{
    sockets->people = people;
    for (size_t i = 0; i < sockets->n; i++) {
        const struct vm_entry *entry = &sockets->entries[i];

        if (entry->name[0])
            let_in(sockets, entry, NULL);
        for (size_t kind = 0; kind < VM_SOCKETS; kind++)
            if (entry->listeners[kind])
                let_in(sockets, entry, file_names[kind]);
    }
}
