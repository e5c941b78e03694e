/* SPDX-License-Identifier: MIT */
/* The provider 'kvm': one group for the VM, one for its vCPUs, one pread() per object and query. */
#define _GNU_SOURCE
#include "vitals/kvm.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/schema.h"
#include "kvm/stats_fd.h"
#include "kvm/stats_file.h"
#include "kvm/vcpus.h"
#include "stats/collect.h"
#include "stats/paths.h"
#include "stats/report.h"

/* What has a statistics file: the VM, or a vCPU. */
struct kvm_object {
    int fd;
    off_t data_offset;
    struct stats_schema *schema;
    /* What the file says of a vCPU; -1: nothing. */
    int64_t thread; /* which created it */
    int64_t vcpu_id;
};

struct kvm_vcpu {
    struct kvm_object object;
    uint64_t serial;
    char path[];
};

struct vitals_kvm {
    struct vitals_ctx *ctx;
    struct vitals_group *vm_group, *vcpu_group; /* vm_group: NULL if the VM has no statistics */
    struct kvm_object vm;
    atomic_uint users; /* who hands its files on */

    pthread_rwlock_t lock;   /* all below; queries read */
    struct kvm_vcpu **vcpus; /* in the order in which they were added */
    size_t n_vcpus, vcpus_cap;
    uint64_t next_serial;
    struct path_table paths; /* the index of a vCPU by its path */
};

/* ---- objects -------------------------------------------------------------------------------- */

static int describe(struct vitals_ctx *ctx, struct kvm_stats_file *file, const char *target,
                    struct error_text *error, struct stats_schema **ret_schema)
{
    struct error_text first;
    int err = kvm_schema_new(file, target, &first, error, ret_schema);

    if (!err && file->n_left_out)
        ctx_log(ctx, VITALS_LOG_WARNING,
                "provider 'kvm', target '%s': %u of the kernel's %u statistics are left out; "
                "the first: %s",
                target, file->n_left_out, file->n_descriptors, first.text);
    return err;
}

/* The schema of all files with the same descriptors is one, made when the first of them is seen. */
static int get_schema(struct vitals_ctx *ctx, struct kvm_stats_file *file, const char *target,
                      struct error_text *error, struct stats_schema **ret_schema)
{
    const struct schema_source source = {.provider = KVM_PROVIDER,
                                         .target = target,
                                         .form = file->name_size,
                                         .bytes = file->descriptors,
                                         .size = file->descriptors_size};
    struct stats_schema *schema;
    int err;

    *ret_schema = schema_pool_find(ctx->pool, &source);
    if (*ret_schema)
        return 0;
    err = describe(ctx, file, target, error, &schema);
    if (err)
        return err;
    *ret_schema = schema_pool_add(ctx->pool, &source, schema);
    schema_unref(schema);
    return *ret_schema ? 0 : error_set(error, -ENOMEM, "no memory for a schema");
}

static int read_file(struct vitals_ctx *ctx, const char *target, struct error_text *error,
                     struct kvm_object *object)
{
    struct kvm_stats_file file;
    uint8_t *bytes;
    size_t size;
    int err;

    err = kvm_stats_fd_load(object->fd, error, &bytes, &size);
    if (err)
        return err;
    err = kvm_stats_file_parse(bytes, size, error, &file);
    if (!err)
        err = get_schema(ctx, &file, target, error, &object->schema);
    if (!err) {
        object->data_offset = file.data_offset;
        object->thread = file.thread;
        object->vcpu_id = file.vcpu_id;
    }
    free(bytes);
    return err;
}

static int open_object(struct vitals_ctx *ctx, const char *target, int fd,
                       struct kvm_object *ret_object)
{
    struct kvm_object object = {.fd = -1};
    struct error_text error;
    int err;

    object.fd = kvm_stats_fd_open(fd, &error);
    if (object.fd < 0)
        return ctx_fail(ctx, object.fd, "%s", error.text);
    err = read_file(ctx, target, &error, &object);
    if (err) {
        close(object.fd);
        return ctx_fail(ctx, err, "%s", error.text);
    }
    *ret_object = object;
    return 0;
}

static void close_object(struct kvm_object *object)
{
    if (object->fd >= 0)
        close(object->fd);
    schema_unref(object->schema);
}

/* ---- collection ----------------------------------------------------------------------------- */

static void read_object(struct vitals_sink *sink, const struct kvm_object *object, const char *path)
{
    size_t size = object->schema->row_len * sizeof(uint64_t);
    uint64_t *row;
    ssize_t n;

    /* The schema may have changed since the query came here, if all vCPUs were replaced. */
    if (object->schema != sink_schema(sink))
        return;
    row = vitals_row(sink, path);
    if (!row)
        return;
    n = pread(object->fd, row, size, object->data_offset);
    if (n != (ssize_t)size)
        vitals_row_fail(sink, n < 0 ? -errno : -EIO);
}

static int collect_vm(void *opaque, struct vitals_sink *sink)
{
    const struct vitals_kvm *kvm = opaque;

    read_object(sink, &kvm->vm, NULL);
    return 0;
}

static int compare_indices(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

enum { FEW_VCPUS = 64 };

/* Goes straight to a few vCPUs, whatever number there is. They come in the order of the others. */
static void collect_few(struct vitals_kvm *kvm, struct vitals_sink *sink, const char *const *paths,
                        size_t n_paths)
{
    size_t found[FEW_VCPUS], n = 0, i;

    for (i = 0; i < n_paths; i++) {
        int64_t index = paths_find(&kvm->paths, paths[i]);

        if (index >= 0)
            found[n++] = (size_t)index;
    }
    qsort(found, n, sizeof(*found), compare_indices);
    for (i = 0; i < n; i++)
        read_object(sink, &kvm->vcpus[found[i]]->object, kvm->vcpus[found[i]]->path);
}

static int collect_vcpus(void *opaque, struct vitals_sink *sink)
{
    struct vitals_kvm *kvm = opaque;
    const char *const *paths;
    size_t n_paths, i;

    paths = vitals_wanted_objects(sink, &n_paths);
    pthread_rwlock_rdlock(&kvm->lock);
    if (paths && n_paths <= FEW_VCPUS)
        collect_few(kvm, sink, paths, n_paths);
    else
        for (i = 0; i < kvm->n_vcpus; i++)
            read_object(sink, &kvm->vcpus[i]->object, kvm->vcpus[i]->path);
    pthread_rwlock_unlock(&kvm->lock);
    return 0;
}

/* ---- the provider --------------------------------------------------------------------------- */

static int add_group(struct vitals_kvm *kvm, struct stats_schema *schema,
                     int (*collect)(void *, struct vitals_sink *), struct vitals_group **ret_group)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .flags = VITALS_GROUP_CONCURRENT,
                                         .collect = collect, .opaque = kvm};

    return registry_add(kvm->ctx, &ops, schema, ret_group);
}

/*
 * What a vCPU has is known when the first one is added. Until then its group is empty, so that the
 * provider has its place in the order of replies, and its name is known to queries.
 */
static int add_vcpu_group(struct vitals_kvm *kvm)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = KVM_PROVIDER,
                                         .target = "vcpu"};
    struct stats_schema *schema;
    struct error_text error;
    int err;

    err = schema_new(&ops, &error, &schema);
    if (err)
        return ctx_fail(kvm->ctx, err, "%s", error.text);
    err = add_group(kvm, schema, collect_vcpus, &kvm->vcpu_group);
    schema_unref(schema);
    return err;
}

static int add_vm_group(struct vitals_kvm *kvm, int fd)
{
    int err;

    if (fd == -1)
        return 0;
    err = open_object(kvm->ctx, "vm", fd, &kvm->vm);
    if (err)
        return err;
    return add_group(kvm, kvm->vm.schema, collect_vm, &kvm->vm_group);
}

/* A thread that adds a vCPU must not starve because queries follow one another without a gap. */
static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;

    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attr);
    pthread_rwlockattr_destroy(&attr);
}

int vitals_kvm_new(struct vitals_ctx *ctx, int fd, struct vitals_kvm **ret_kvm)
{
    struct vitals_kvm *kvm;
    int err;

    /* What fails half-way is unregistered again, which can't be done there. */
    if (registry_is_collecting(ctx))
        return ctx_fail(ctx, -EBUSY, "a provider can't be made from inside collect()");
    kvm = calloc(1, sizeof(*kvm));
    if (!kvm)
        return ctx_fail(ctx, -ENOMEM, "no memory for provider 'kvm'");
    kvm->ctx = ctx;
    ctx_use(ctx);
    kvm->vm.fd = -1;
    init_lock(&kvm->lock);
    err = add_vm_group(kvm, fd);
    if (!err)
        err = add_vcpu_group(kvm);
    if (err) {
        vitals_kvm_free(kvm);
        return err;
    }
    *ret_kvm = kvm;
    return 0;
}

static void free_vcpu(struct kvm_vcpu *vcpu)
{
    close_object(&vcpu->object);
    free(vcpu);
}

static int unregister(struct vitals_group **group)
{
    int err = vitals_unregister(*group);

    if (!err)
        *group = NULL;
    return err;
}

int vitals_kvm_free(struct vitals_kvm *kvm)
{
    size_t i;
    int err;

    if (!kvm)
        return 0;
    err = ctx_check_copy(kvm->ctx);
    if (err)
        return err;
    if (registry_is_collecting(kvm->ctx))
        return ctx_fail(kvm->ctx, -EBUSY, "a provider can't be freed from inside collect()");
    if (kvm->users && !ctx_is_copy(kvm->ctx))
        return ctx_fail(kvm->ctx, -EBUSY, "the VM is published: vitals_unpublish() comes first");
    err = unregister(&kvm->vcpu_group);
    if (!err)
        err = unregister(&kvm->vm_group);
    if (err)
        return err;
    for (i = 0; i < kvm->n_vcpus; i++)
        free_vcpu(kvm->vcpus[i]);
    free(kvm->vcpus);
    paths_free(&kvm->paths);
    close_object(&kvm->vm);
    pthread_rwlock_destroy(&kvm->lock);
    ctx_leave(kvm->ctx);
    free(kvm);
    return 0;
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static int new_vcpu(struct vitals_kvm *kvm, const char *path, int fd, struct kvm_vcpu **ret_vcpu)
{
    size_t size = strlen(path) + 1;
    struct kvm_vcpu *vcpu;
    int err;

    if (size == 1 || size > VITALS_OBJECT_MAX + 1)
        return ctx_fail(kvm->ctx, -EINVAL, "a vCPU's path has %zu bytes, must have 1 to %d",
                        size - 1, VITALS_OBJECT_MAX);
    vcpu = malloc(sizeof(*vcpu) + size);
    if (!vcpu)
        return ctx_fail(kvm->ctx, -ENOMEM, "no memory for a vCPU");
    memcpy(vcpu->path, path, size);
    err = open_object(kvm->ctx, "vcpu", fd, &vcpu->object);
    if (err) {
        free(vcpu);
        return err;
    }
    *ret_vcpu = vcpu;
    return 0;
}

/* Under the lock. All vCPUs of a VM have one schema; the first one brings it. */
static int adopt_schema(struct vitals_kvm *kvm, struct stats_schema *schema)
{
    if (!kvm->n_vcpus)
        registry_set_schema(kvm->vcpu_group, schema);
    else if (schema != kvm->vcpus[0]->object.schema)
        return ctx_fail(kvm->ctx, -EBADMSG, "the vCPU has other statistics than '%s'",
                        kvm->vcpus[0]->path);
    return 0;
}

static int reserve_vcpu(struct vitals_kvm *kvm)
{
    size_t cap = kvm->vcpus_cap ? kvm->vcpus_cap * 2 : 8;
    struct kvm_vcpu **vcpus;

    if (kvm->n_vcpus < kvm->vcpus_cap)
        return 0;
    vcpus = realloc(kvm->vcpus, cap * sizeof(*vcpus));
    if (!vcpus)
        return -ENOMEM;
    kvm->vcpus = vcpus;
    kvm->vcpus_cap = cap;
    return 0;
}

/* The number is KVM's own. Files that are copies have one in common, which only the first can have. */
static int add_object(struct vitals_kvm *kvm, const struct kvm_vcpu *vcpu)
{
    struct object_claim claim = {.owner = kvm->vcpu_group,
                                 .target = "vcpu",
                                 .path = vcpu->path,
                                 .number = vcpu->object.vcpu_id,
                                 .thread = vcpu->object.thread};
    struct error_text error;
    int err = objects_add(&kvm->ctx->objects, &claim, &error);

    if (err == -EEXIST) {
        claim.number = VITALS_NUMBER_ANY;
        err = objects_add(&kvm->ctx->objects, &claim, &error);
    }
    return err ? ctx_fail(kvm->ctx, err, "%s", error.text) : 0;
}

static void remove_object(struct vitals_kvm *kvm, const struct kvm_vcpu *vcpu)
{
    struct error_text error;

    objects_remove(&kvm->ctx->objects, kvm->vcpu_group, "vcpu", vcpu->path, &error);
}

/* Under the lock. */
static int insert_vcpu(struct vitals_kvm *kvm, struct kvm_vcpu *vcpu)
{
    int err;

    if (paths_find(&kvm->paths, vcpu->path) >= 0)
        return ctx_fail(kvm->ctx, -EEXIST, "there is a vCPU '%s' already", vcpu->path);
    err = adopt_schema(kvm, vcpu->object.schema);
    if (err)
        return err;
    if (reserve_vcpu(kvm))
        return ctx_fail(kvm->ctx, -ENOMEM, "no memory for a vCPU");
    err = add_object(kvm, vcpu);
    if (err)
        return err;
    if (paths_add(&kvm->paths, vcpu->path)) {
        remove_object(kvm, vcpu);
        return ctx_fail(kvm->ctx, -ENOMEM, "no memory for a vCPU");
    }
    vcpu->serial = kvm->next_serial++;
    kvm->vcpus[kvm->n_vcpus++] = vcpu;
    return 0;
}

int vitals_kvm_add_vcpu(struct vitals_kvm *kvm, const char *path, int fd)
{
    struct kvm_vcpu *vcpu = NULL;
    int err;

    err = new_vcpu(kvm, path, fd, &vcpu);
    if (err)
        return err;
    pthread_rwlock_wrlock(&kvm->lock);
    err = insert_vcpu(kvm, vcpu);
    pthread_rwlock_unlock(&kvm->lock);
    if (err)
        free_vcpu(vcpu);
    else
        ctx_changed(kvm->ctx);
    return err;
}

/* Under the lock. The table keeps its memory, so nothing can fail here. */
static struct kvm_vcpu *take_vcpu(struct vitals_kvm *kvm, size_t index)
{
    struct kvm_vcpu *vcpu = kvm->vcpus[index];
    size_t i;

    remove_object(kvm, vcpu);
    kvm->n_vcpus--;
    memmove(&kvm->vcpus[index], &kvm->vcpus[index + 1],
            (kvm->n_vcpus - index) * sizeof(*kvm->vcpus));
    paths_reset(&kvm->paths);
    for (i = 0; i < kvm->n_vcpus; i++)
        paths_add(&kvm->paths, kvm->vcpus[i]->path);
    return vcpu;
}

int vitals_kvm_remove_vcpu(struct vitals_kvm *kvm, const char *path)
{
    struct kvm_vcpu *vcpu = NULL;
    int64_t index;

    pthread_rwlock_wrlock(&kvm->lock);
    index = paths_find(&kvm->paths, path);
    if (index >= 0)
        vcpu = take_vcpu(kvm, (size_t)index);
    pthread_rwlock_unlock(&kvm->lock);
    if (!vcpu)
        return ctx_fail(kvm->ctx, -ENOENT, "there is no vCPU '%s'", path);
    free_vcpu(vcpu);
    ctx_changed(kvm->ctx);
    return 0;
}

/* ---- for those who hand its files on -------------------------------------------------------- */

struct vitals_ctx *kvm_ctx(const struct vitals_kvm *kvm)
{
    return kvm->ctx;
}

int kvm_vm_fd(const struct vitals_kvm *kvm)
{
    return kvm->vm.fd;
}

void kvm_list_vcpus(struct vitals_kvm *kvm, size_t *ret_n)
{
    pthread_rwlock_rdlock(&kvm->lock);
    *ret_n = kvm->n_vcpus;
}

struct kvm_listed_vcpu kvm_vcpu_at(const struct vitals_kvm *kvm, size_t index)
{
    const struct kvm_vcpu *vcpu = kvm->vcpus[index];

    return (struct kvm_listed_vcpu){
        .serial = vcpu->serial, .path = vcpu->path, .fd = vcpu->object.fd};
}

void kvm_unlist_vcpus(struct vitals_kvm *kvm)
{
    pthread_rwlock_unlock(&kvm->lock);
}

void kvm_use(struct vitals_kvm *kvm)
{
    kvm->users++;
}

void kvm_leave(struct vitals_kvm *kvm)
{
    kvm->users--;
}
