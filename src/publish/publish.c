/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "vitals/publish.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library_thread.h"
#include "base/sized.h"
#include "kvm/vcpus.h"
#include "publish/publication.h"
#include "stats/registry.h"
#include "stats/report.h"

/* ---- the thread ----------------------------------------------------------------------------- */

/* How many ms are left, or -1: there is nothing to wait for. */
static int own_pause(const struct publication *publication)
{
    uint64_t due = publication->own.due_ns;

    return due ? clock_ms_until(due) : -1;
}

/* As long as there are such groups: where there are none, somebody says when one comes. */
static int look_after_own(struct publication *publication)
{
    struct own *own = &publication->own;

    if (publication->is_kvm_alone || own_pause(publication) > 0)
        return 0;
    if (!own->n && !own_has_groups(publication)) {
        own->due_ns = 0;
        return 0;
    }
    own->due_ns = clock_now_ns() + (uint64_t)publication->interval_ms * 1000000;
    return own_update(publication);
}

/* Until the connection ends, or what is published. */
static int follow(struct publication *publication)
{
    int result;

    do {
        result = tell_changes(publication);
        if (!result)
            result = look_after_own(publication);
        if (!result)
            publication->n_ended = 0;
        while (!result && !publication->has_changed && own_pause(publication))
            result = publication_sleep(publication, POLLIN, own_pause(publication));
    } while (!result);
    return result < 0 ? result : -EPIPE; /* nothing is to come: what does is the end */
}

/* By a word, or by the end of the connection: a daemon that ends itself does that once, and is soon back. */
static bool is_refused(const struct publication *publication, int result)
{
    return result > 0 || publication->n_ended > 1;
}

/* Returns after how many ms there is another attempt. */
static int attempt(struct publication *publication)
{
    int result = connection_open(publication);

    if (!result)
        result = tell_vm(publication);
    publication->n_ended = result ? 0 : publication->n_ended + 1;
    if (!result)
        follow(publication);
    connection_close(publication);
    own_free(&publication->own);
    return is_refused(publication, result) ? PUBLISH_REFUSED_MS : PUBLISH_RETRY_MS;
}

static void pause_for(struct publication *publication, int ms)
{
    uint64_t end = clock_now_ns() + (uint64_t)ms * 1000000;
    int err = 0;

    while (err >= 0 && (ms = clock_ms_until(end)) > 0)
        err = publication_sleep(publication, 0, ms);
}

static void *run(void *opaque)
{
    struct publication *publication = opaque;

    prctl(PR_SET_NAME, "vitals-publish");
    if (publication->hook.run)
        publication->hook.run(publication->hook.opaque);
    pthread_mutex_lock(&publication->lock);
    while (!publication->stopping)
        pause_for(publication, attempt(publication));
    pthread_mutex_unlock(&publication->lock);
    return NULL;
}

/* ---- making and freeing --------------------------------------------------------------------- */

static const struct sized sized_options =
    SIZED("vitals_publish", struct vitals_publish_options, interval_ms);

static int take_options(struct publication *publication,
                        const struct vitals_publish_options *options, struct error_text *error)
{
    const char *path = options->path ? options->path : VITALS_REGISTER_SOCKET;
    const char *vmm = options->vmm ? options->vmm : "";

    if (strlen(path) >= sizeof(publication->address.sun_path))
        return error_set(error, -ENAMETOOLONG,
                         "the path '%.200s' has %zu bytes, must have at most %zu", path,
                         strlen(path), sizeof(publication->address.sun_path) - 1);
    if (!path[0] || path[0] == '@')
        return error_set(error, -EINVAL, "'%s' is no path of a socket", path);
    if (strlen(vmm) > PUBLISH_VMM_MAX || (options->vmm && !vmm[0]))
        return error_set(error, -EINVAL, "vmm has %zu bytes, must have 1 to %d", strlen(vmm),
                         PUBLISH_VMM_MAX);
    publication->address.sun_family = AF_UNIX;
    strcpy(publication->address.sun_path, path);
    strcpy(publication->vmm, vmm);
    if (options->flags & ~(uint32_t)VITALS_PUBLISH_KVM_ALONE)
        return error_set(error, -EINVAL, "flags 0x%x has unknown ones", options->flags);
    publication->is_kvm_alone = options->flags & VITALS_PUBLISH_KVM_ALONE;
    publication->interval_ms =
        options->interval_ms ? options->interval_ms : VITALS_PUBLISH_INTERVAL_MS;
    publication->hook = (struct thread_hook){options->on_thread, options->on_thread_opaque};
    return 0;
}

static int check_vm(const struct vitals_ctx *ctx, const struct vitals_kvm *kvm,
                    struct error_text *error)
{
    if (!kvm)
        return error_set(error, -EINVAL, "there is no provider 'kvm' to be published");
    if (kvm_ctx(kvm) != ctx)
        return error_set(error, -EINVAL, "the provider 'kvm' is another context's");
    if (kvm_vm_fd(kvm) < 0)
        return error_set(error, -EINVAL, "the provider 'kvm' was made without an fd of the VM");
    if (!ctx->options.name || !ctx->options.name[0])
        return error_set(error, -EINVAL, "the context has no name, by which the VM would be known");
    return 0;
}

static int init(struct publication *publication, const struct vitals_publish_options *given,
                struct error_text *error)
{
    struct vitals_publish_options options = {VITALS_PUBLISH_OPTIONS_INIT};
    int err = given ? sized_take(&sized_options, given, &options, error) : 0;

    if (!err)
        err = take_options(publication, &options, error);
    if (!err)
        err = check_vm(publication->ctx, publication->kvm, error);
    if (err)
        return err;
    publication->changes_fd = ctx_watch(publication->ctx);
    return publication->changes_fd < 0
               ? error_set(error, publication->changes_fd, "no eventfd can be made: %s",
                           strerror(-publication->changes_fd))
               : 0;
}

static void free_publication(struct publication *publication)
{
    connection_close(publication);
    told_free(&publication->told);
    own_free(&publication->own);
    buf_free(&publication->out);
    buf_free(&publication->in);
    pthread_mutex_destroy(&publication->lock);
    free(publication);
}

static int start(struct publication *publication, struct error_text *error)
{
    int err = library_thread_create(&publication->thread, NULL, run, publication);

    if (err)
        return error_set(error, -err, "no thread can be made: %s", strerror(err));
    ctx_use(publication->ctx);
    kvm_use(publication->kvm);
    return 0;
}

/* Under ctx->publishing. */
static int make(struct vitals_ctx *ctx, struct vitals_kvm *kvm,
                const struct vitals_publish_options *options, struct error_text *error)
{
    struct publication *publication;
    int err;

    if (ctx->publication)
        return error_set(error, -EEXIST, "the context is published already");
    publication = calloc(1, sizeof(*publication));
    if (!publication)
        return error_set(error, -ENOMEM, "no memory for a registration");
    publication->ctx = ctx;
    publication->kvm = kvm;
    publication->process = getpid();
    publication->fd = -1;
    publication->in.max = PUBLISH_REPLY_MAX;
    pthread_mutex_init(&publication->lock, NULL);
    err = init(publication, options, error);
    if (!err)
        err = start(publication, error);
    if (err)
        free_publication(publication);
    else
        ctx->publication = publication;
    return err;
}

int vitals_publish(struct vitals_ctx *ctx, struct vitals_kvm *kvm,
                   const struct vitals_publish_options *options)
{
    struct error_text error;
    int err;

    if (registry_is_collecting(ctx))
        return ctx_fail(ctx, -EBUSY, "this can't be done from inside collect()");
    ctx_adopt(ctx);
    pthread_mutex_lock(&ctx->publishing);
    err = make(ctx, kvm, options, &error);
    pthread_mutex_unlock(&ctx->publishing);
    return err ? ctx_fail(ctx, err, "%s", error.text) : 0;
}

static void stop(struct publication *publication)
{
    publication->stopping = true;
    eventfd_write(publication->changes_fd, 1);
    pthread_join(publication->thread, NULL);
    free_publication(publication);
}

/*
 * The connection is the parent's, too, so it is not shut down. What the parent's thread was changing
 * when it was copied is in no order, and stays.
 */
static void forget_copy(struct publication *publication)
{
    int fd = atomic_exchange(&publication->fd, -1);

    if (fd >= 0)
        close(fd);
    if (pthread_mutex_trylock(&publication->lock))
        return;
    pthread_mutex_unlock(&publication->lock);
    free_publication(publication);
}

/* Under ctx->publishing. */
static void end(struct publication *publication)
{
    ctx_leave(publication->ctx);
    kvm_leave(publication->kvm);
    publication->ctx->publication = NULL;
    if (publication->process == getpid())
        stop(publication);
    else
        forget_copy(publication);
}

int vitals_unpublish(struct vitals_ctx *ctx)
{
    int err = ctx_check_copy(ctx);

    if (err)
        return err;
    if (registry_is_collecting(ctx))
        return ctx_fail(ctx, -EBUSY, "this can't be done from inside collect()");
    pthread_mutex_lock(&ctx->publishing);
    if (ctx->publication)
        end(ctx->publication);
    pthread_mutex_unlock(&ctx->publishing);
    return 0;
}
