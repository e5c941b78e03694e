/* SPDX-License-Identifier: MIT */
#include "stats/ctx.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/sized.h"
#include "stats/registry.h"
#include "stats/report.h"

enum { UUID_LEN = 36, UUID_SHOWN_MAX = 64 };

/* Eight, four, four, four and twelve hexadecimal digits. */
static bool is_uuid(const char *text)
{
    size_t i;

    for (i = 0; text[i]; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (i >= UUID_LEN || (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])))
            return false;
    }
    return i == UUID_LEN;
}

/* NULL stays NULL. */
static int copy_text(const char **text)
{
    if (!*text)
        return 0;
    *text = strdup(*text);
    return *text ? 0 : -ENOMEM;
}

static void free_options(struct vitals_ctx_options *options)
{
    free((char *)options->name);
    free((char *)options->uuid);
}

static int no_memory(struct error_text *error)
{
    return error_set(error, -ENOMEM, "no memory for a context");
}

static const struct sized sized_options = SIZED("vitals_ctx_new", struct vitals_ctx_options, size);

static int copy_options(struct vitals_ctx *ctx, const struct vitals_ctx_options *given,
                        struct error_text *error)
{
    struct vitals_ctx_options options;
    int err;

    if (!given)
        return 0;
    err = sized_take(&sized_options, given, &options, error);
    if (err)
        return err;
    if (options.uuid && !is_uuid(options.uuid))
        return error_set(error, -EINVAL, "uuid '%.*s' is none: 8-4-4-4-12 hexadecimal digits",
                         UUID_SHOWN_MAX, options.uuid);
    ctx->options = options;
    ctx->options.uuid = NULL;
    if (copy_text(&ctx->options.name))
        return no_memory(error);
    ctx->options.uuid = options.uuid;
    return copy_text(&ctx->options.uuid) ? no_memory(error) : 0;
}

static int init(struct vitals_ctx *ctx, struct error_text *error)
{
    struct vitals_ctx *other = ctx->options.share_schemas_with;

    ctx->options.share_schemas_with = NULL;
    ctx->pool = other ? schema_pool_ref(other->pool) : schema_pool_new();
    if (!ctx->pool)
        return no_memory(error);
    ctx->process = getpid();
    atomic_init(&ctx->state, CTX_RUNNING);
    objects_init(&ctx->objects);
    pthread_mutex_init(&ctx->lock, NULL);
    pthread_cond_init(&ctx->unpinned, NULL);
    pthread_mutex_init(&ctx->publishing, NULL);
    atomic_init(&ctx->changes_fd, -1);
    return 0;
}

static int make(const struct vitals_ctx_options *options, struct error_text *error,
                struct vitals_ctx **ret_ctx)
{
    struct vitals_ctx *ctx = calloc(1, sizeof(*ctx));
    int err;

    if (!ctx)
        return no_memory(error);
    err = copy_options(ctx, options, error);
    if (!err)
        err = init(ctx, error);
    if (err) {
        free_options(&ctx->options);
        free(ctx);
        return err;
    }
    *ret_ctx = ctx;
    return 0;
}

int vitals_ctx_new(const struct vitals_ctx_options *options, struct vitals_ctx **ret_ctx)
{
    size_t end = SIZED_END(struct vitals_ctx_options, error_size);
    struct error_text error;
    int err = make(options, &error, ret_ctx);

    if (err && options && sized_has(&sized_options, options->size, end))
        error_tell(&error, options->error, options->error_size);
    return err;
}

bool ctx_is_copy(const struct vitals_ctx *ctx)
{
    return ctx->process != getpid();
}

static bool is_free(pthread_mutex_t *lock)
{
    if (pthread_mutex_trylock(lock))
        return false;
    pthread_mutex_unlock(lock);
    return true;
}

int ctx_check_copy(struct vitals_ctx *ctx)
{
    return !ctx_is_copy(ctx) ||
                   (is_free(&ctx->lock) && is_free(&ctx->objects.lock) && is_free(&ctx->publishing))
               ? 0
               : -ECHILD;
}

static void close_changes(struct vitals_ctx *ctx)
{
    int fd = atomic_exchange(&ctx->changes_fd, -1);

    if (fd >= 0)
        close(fd);
}

/*
 * Under both locks. A thread of the parent that waited left its mark in the condition, and the parent's
 * thread sleeps at its own copy of the file.
 */
static void adopt(struct vitals_ctx *ctx)
{
    if (!ctx_is_copy(ctx))
        return;
    close_changes(ctx);
    registry_forget_pins(ctx);
    pthread_cond_init(&ctx->unpinned, NULL);
    ctx->process = getpid();
}

void ctx_adopt(struct vitals_ctx *ctx)
{
    if (!ctx_is_copy(ctx))
        return;
    pthread_mutex_lock(&ctx->lock);
    pthread_mutex_lock(&ctx->objects.lock);
    adopt(ctx);
    pthread_mutex_unlock(&ctx->objects.lock);
    pthread_mutex_unlock(&ctx->lock);
}

int ctx_take_over(struct vitals_ctx *ctx)
{
    int err = -EBUSY;

    if (!ctx_is_copy(ctx))
        return 0;
    if (pthread_mutex_trylock(&ctx->lock))
        return err;
    if (pthread_mutex_trylock(&ctx->objects.lock) == 0) {
        adopt(ctx);
        pthread_mutex_unlock(&ctx->objects.lock);
        err = 0;
    }
    pthread_mutex_unlock(&ctx->lock);
    return err;
}

int vitals_ctx_free(struct vitals_ctx *ctx)
{
    int err;

    if (!ctx)
        return 0;
    err = ctx_check_copy(ctx);
    if (err)
        return err;
    if (registry_is_collecting(ctx))
        return ctx_fail(ctx, -EBUSY, "a context can't be freed from inside collect()");
    if (ctx->users && !ctx_is_copy(ctx))
        return ctx_fail(
            ctx, -EBUSY,
            "the context has %u listeners, clients and providers, or a registration, which "
            "go first",
            ctx->users);
    while (ctx->groups)
        vitals_unregister(ctx->groups);
    objects_free(&ctx->objects);
    schema_pool_unref(ctx->pool);
    if (!ctx_is_copy(ctx)) /* where a thread waits for it that has not been copied */
        pthread_cond_destroy(&ctx->unpinned);
    pthread_mutex_destroy(&ctx->lock);
    pthread_mutex_destroy(&ctx->publishing);
    close_changes(ctx);
    free_options(&ctx->options);
    free(ctx->collectors.entries);
    free(ctx);
    return 0;
}

void ctx_changed(struct vitals_ctx *ctx)
{
    int fd = ctx->changes_fd;

    if (fd >= 0 && !ctx_is_copy(ctx))
        eventfd_write(fd, 1);
}

int ctx_watch(struct vitals_ctx *ctx)
{
    int fd = ctx->changes_fd;

    if (fd >= 0)
        return fd;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    ctx->changes_fd = fd;
    return fd;
}

void ctx_set_state(struct vitals_ctx *ctx, enum ctx_state state)
{
    if (atomic_exchange(&ctx->state, (int)state) != (int)state)
        ctx_changed(ctx);
}

void vitals_set_running(struct vitals_ctx *ctx, bool running)
{
    ctx_set_state(ctx, running ? CTX_RUNNING : CTX_PAUSED);
}
