/* SPDX-License-Identifier: MIT */
/* What the daemon is told: that of the context which it has not been told yet, in as few messages. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>

#include "base/json_write.h"
#include "base/passed_files.h"
#include "kvm/vcpus.h"
#include "publish/publication.h"

static int64_t thread_of(struct publication *publication, const char *path)
{
    return objects_thread(&publication->ctx->objects, "vcpu", path);
}

/* ---- the VM --------------------------------------------------------------------------------- */

int tell_vm(struct publication *publication)
{
    const struct vitals_ctx_options *options = &publication->ctx->options;
    int fd = kvm_vm_fd(publication->kvm);
    ssize_t sent;

    told_free(&publication->told);
    message_begin(publication, "register-vm");
    buf_puts(&publication->out, ", \"arguments\": {\"name\": ");
    json_put_string(&publication->out, options->name);
    json_put_text_member(&publication->out, "uuid", options->uuid ? options->uuid : "");
    json_put_text_member(&publication->out, "vmm", publication->vmm);
    message_end(publication, "}}");
    sent = connection_send(publication, &fd, 1);
    return sent < 0 ? (int)sent : connection_finish(publication, (size_t)sent);
}

/* ---- vCPUs that are gone -------------------------------------------------------------------- */

/* While they are listed. Both are by serial. */
static bool mark_gone(struct publication *publication, size_t n)
{
    struct told *told = &publication->told;
    bool has_gone = false;
    size_t next = 0;

    for (size_t i = 0; i < told->n; i++) {
        while (next < n && kvm_vcpu_at(publication->kvm, next).serial < told->vcpus[i].serial)
            next++;
        told->vcpus[i].is_gone =
            next == n || kvm_vcpu_at(publication->kvm, next).serial != told->vcpus[i].serial;
        has_gone = has_gone || told->vcpus[i].is_gone;
    }
    return has_gone;
}

static bool look_for_gone(struct publication *publication)
{
    bool has_gone;
    size_t n;

    kvm_list_vcpus(publication->kvm, &n);
    has_gone = mark_gone(publication, n);
    kvm_unlist_vcpus(publication->kvm);
    return has_gone;
}

/* What another element of a list begins with. */
static const char *comma(uint32_t n)
{
    return n ? ", " : "";
}

static bool is_full(const struct publication *publication, uint32_t n)
{
    return n >= PASSED_FILES_MAX || publication->out.len >= PUBLISH_MESSAGE_MAX;
}

/* 1: there may be more; 0: there was none. */
static int tell_removed(struct publication *publication)
{
    struct told *told = &publication->told;
    uint32_t n = 0;
    size_t i;
    int err;

    if (!look_for_gone(publication))
        return 0;
    message_begin(publication, "remove-vcpus");
    buf_puts(&publication->out, ", \"arguments\": {\"paths\": [");
    for (i = 0; i < told->n && !is_full(publication, n); i++) {
        if (!told->vcpus[i].is_gone || told->vcpus[i].is_refused)
            continue;
        buf_puts(&publication->out, comma(n++));
        json_put_string(&publication->out, told->vcpus[i].path);
    }
    message_end(publication, "]}}");
    err = n ? connection_ask(publication) : 0;
    told_forget_gone(told, i);
    return err < 0 ? err : 1;
}

/* ---- vCPUs that are new, and their threads -------------------------------------------------- */

static void put_vcpu(struct publication *publication, uint32_t n, const char *path, int64_t thread)
{
    struct buf *out = &publication->out;

    buf_puts(out, comma(n));
    buf_puts(out, "{\"path\": ");
    json_put_string(out, path);
    if (thread >= 0) {
        buf_puts(out, ", \"thread\": ");
        json_put_i64(out, thread);
    }
    buf_puts(out, "}");
}

/* Behind one that is refused with others, until it is known which one it was. */
static bool goes_alone(const struct told *told, uint64_t serial)
{
    return serial < told->single_until;
}

/* While they are listed. -ENOMEM. */
static int put_new(struct publication *publication, size_t n_listed, int *fds, uint32_t *ret_n)
{
    struct told *told = &publication->told;
    uint32_t n = 0;

    for (size_t i = 0; i < n_listed && !is_full(publication, n); i++) {
        struct kvm_listed_vcpu vcpu = kvm_vcpu_at(publication->kvm, i);
        int64_t thread;

        if (vcpu.serial < told->next_serial)
            continue;
        thread = thread_of(publication, vcpu.path);
        if (told_append(told, vcpu.serial, vcpu.path, thread))
            return -ENOMEM;
        put_vcpu(publication, n, vcpu.path, thread);
        fds[n++] = vcpu.fd;
        if (goes_alone(told, vcpu.serial))
            break;
    }
    *ret_n = n;
    return 0;
}

/* As long as their files can't be closed. *ret_n is 0 where another path may be in the way first. */
static ssize_t send_new(struct publication *publication, uint32_t *ret_n)
{
    int fds[PASSED_FILES_MAX];
    ssize_t sent = 0;
    size_t n_listed;

    *ret_n = 0;
    message_begin(publication, "add-vcpus");
    buf_puts(&publication->out, ", \"arguments\": {\"vcpus\": [");
    kvm_list_vcpus(publication->kvm, &n_listed);
    if (mark_gone(publication, n_listed))
        publication->has_changed = true;
    else
        sent = put_new(publication, n_listed, fds, ret_n);
    message_end(publication, "]}}");
    if (!sent && *ret_n)
        sent = connection_send(publication, fds, *ret_n);
    kvm_unlist_vcpus(publication->kvm);
    return sent;
}

/* Of a message with @n new ones, the last that have been told. */
static void take_answer(struct told *told, uint32_t n, bool is_refused)
{
    uint64_t end = told->vcpus[told->n - 1].serial + 1;

    if (is_refused && n > 1) {
        told->single_until = end;
        told_cut(told, told->n - n);
        return;
    }
    told->vcpus[told->n - 1].is_refused = is_refused;
    told->next_serial = end;
}

static int tell_added(struct publication *publication)
{
    struct told *told = &publication->told;
    size_t n_before = told->n;
    ssize_t result;
    uint32_t n;

    result = send_new(publication, &n);
    if (!result && !n)
        return 0;
    if (result == -EAGAIN) {
        told_cut(told, n_before);
        result = publication_sleep(publication, POLLOUT, -1);
        return result < 0 ? (int)result : 1;
    }
    if (result > 0)
        result = connection_finish(publication, (size_t)result);
    if (result < 0)
        return (int)result;
    take_answer(told, n, result);
    return 1;
}

static int tell_threads(struct publication *publication)
{
    struct told *told = &publication->told;
    uint32_t n = 0;
    int err;

    message_begin(publication, "set-threads");
    buf_puts(&publication->out, ", \"arguments\": {\"vcpus\": [");
    for (size_t i = 0; i < told->n && !is_full(publication, n); i++) {
        struct told_vcpu *vcpu = &told->vcpus[i];
        int64_t thread = thread_of(publication, vcpu->path);

        if (thread == vcpu->thread || vcpu->is_refused)
            continue;
        vcpu->thread = thread;
        put_vcpu(publication, n++, vcpu->path, thread);
    }
    message_end(publication, "]}}");
    if (!n)
        return 0;
    err = connection_ask(publication);
    return err < 0 ? err : 1;
}

/* ---- whether the guest runs ----------------------------------------------------------------- */

static int tell_running(struct publication *publication)
{
    bool is_paused = atomic_load(&publication->ctx->state) != CTX_RUNNING;
    int err;

    if (is_paused == publication->told.is_paused)
        return 0;
    publication->told.is_paused = is_paused;
    message_begin(publication, "set-running");
    buf_printf(&publication->out, ", \"arguments\": {\"running\": %s",
               is_paused ? "false" : "true");
    message_end(publication, "}}");
    err = connection_ask(publication);
    return err < 0 ? err : 1;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int tell_one(struct publication *publication)
{
    static int (*const steps[])(struct publication * publication) = {tell_removed, tell_added,
                                                                     tell_threads, tell_running};
    int result = 0;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !result; i++)
        result = steps[i](publication);
    return result;
}

int tell_changes(struct publication *publication)
{
    int result;

    do {
        publication->has_changed = false;
        result = tell_one(publication);
    } while (result > 0 || (!result && publication->has_changed));
    return result;
}
