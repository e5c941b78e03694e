/* SPDX-License-Identifier: MIT */
/*
 * Contexts, providers and the statistics they publish.
 *
 * A context (struct vitals_ctx) is everything of one virtual machine (VM). A provider registers
 * groups in it: a group is the statistics of one provider and one target ("vm", "vcpu", or another
 * kind of objects, such as "block") that one call of collect() obtains together. A group's values are
 * rows: one row per object (the VM, one vCPU, one disk), an array of uint64_t in which each statistic
 * owns a fixed slice.
 *
 *      vitals_register() ──> collect()* ──> vitals_unregister() ──> release()
 *             │                                                        ▲
 *             └── failed, or the context is freed ─────────────────────┘
 *
 * Rules of this header:
 *  - An int result is 0 or a negative errno value, and for each there is a text that says more: the
 *    context has that of its last error (vitals_error_text()), the server that of the calls of
 *    vitals/qmp.h. A call that makes a context or a server puts it into a buffer of its options.
 *    (Not for what gets NULL in place of what would have it.) Results go through ret_ pointers,
 *    written only on success.
 *  - What is passed in is copied, unless the text says that it is borrowed.
 *  - Every function may be called from any thread at any time, unless the text says otherwise.
 *  - The library never logs, exits, forks, changes signals, locale or environment, and writes to no
 *    global. It calls the log callback of the context, if there is one.
 *  - A struct that the caller fills begins with its own size (set by its _INIT macro), so that it
 *    can grow: members are only ever appended, and enums only grow. 0 in a new member is what was
 *    before it. So a program and a library of different releases fit: members that the program's
 *    header did not have read as 0, and members that the library does not know must be 0; one that
 *    is not is -E2BIG, and the text of the error names its first byte. -EINVAL: a size that no
 *    release's struct has; beyond 4096 bytes, which no struct will have, -E2BIG. All this holds for
 *    each struct vitals_stat too (stat_size).
 */
#ifndef VITALS_STATS_H
#define VITALS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits on what a provider may register; one past it is -E2BIG. */
#define VITALS_NAME_MAX    63    /* bytes in the name of a provider, target or statistic */
#define VITALS_OBJECT_MAX  1023  /* bytes in the path of an object */
#define VITALS_STATS_MAX   4096  /* statistics in one group */
#define VITALS_ROW_MAX     65536 /* elements in one row: 512 KiB */
#define VITALS_TARGETS_MAX 64    /* targets that a context has groups of */

struct vitals_ctx;   /* everything of one VM; see vitals_ctx_new() for what two of them share */
struct vitals_group; /* a registered group */
struct vitals_sink;  /* where one collection goes; dead when collect() returns */

/* ---- contexts ------------------------------------------------------------------------------- */

enum vitals_log_level { VITALS_LOG_ERROR, VITALS_LOG_WARNING, VITALS_LOG_INFO };

struct vitals_ctx_options {
    size_t size;      /* VITALS_CTX_OPTIONS_INIT */
    const char *name; /* the VM's name, UTF-8, or NULL: it has none */
    /*
     * Called for what concerns the operator, not the caller: a statistic of the kernel that is left
     * out, an object that can't be read. At most once per cause. From any thread that calls into
     * the context; must not call back into it. NULL: nothing is logged.
     */
    void (*log)(void *log_opaque, enum vitals_log_level level, const char *text);
    void *log_opaque; /* borrowed for the life of the context */
    /*
     * Another context of this process with which to share parsed schemas, which are never changed
     * after they were made. A process with many VMs passes its first one, so that 1000 VMs hold one
     * copy. Needed only during the call. NULL: share nothing.
     */
    struct vitals_ctx *share_schemas_with;
    const char *uuid; /* the VM's UUID in its usual form, or NULL: it has none */
    /*
     * Where the text goes if vitals_ctx_new() fails, cut to error_size with its NUL; else nothing is
     * written. NULL: nowhere. A struct whose size is wrong gets none.
     */
    char *error;
    size_t error_size;
};
#define VITALS_CTX_OPTIONS_INIT .size = sizeof(struct vitals_ctx_options)

/*
 * @options may be NULL. -EINVAL: also a UUID that is none; -E2BIG: a member of a newer header is not
 * 0; -ENOMEM.
 */
int vitals_ctx_new(const struct vitals_ctx_options *options, struct vitals_ctx **ret_ctx);

/*
 * Unregisters the groups that are left and frees the context. No other thread may use it any more.
 * -EBUSY, and nothing happens: a socket or a client is still served with it, or it has a provider of
 * vitals/kvm.h, vitals/sched.h; or this is inside collect(). NULL is allowed.
 */
int vitals_ctx_free(struct vitals_ctx *ctx);

/*
 * After fork(), the child has a copy of each context, of its groups and providers, which works as
 * before if no other thread was inside the library at the fork. If one was, calls may wait for ever,
 * but for those that free: they are -ECHILD then and leave the copy as it is. A copy that the child
 * only frees may be freed whatever uses it in the parent. From its first use on, or from
 * vitals_server_take_over(), it is the child's: what frees waits for the child's queries, and
 * vitals_ctx_free() is -EBUSY as above. That first call ends before other threads of the child call.
 * release() is called in each process that frees. (KVM itself refuses a VM to all but the process that
 * created it.)
 */

/*
 * The text of the last error of any thread, or ""; always ends in NUL. Returns its whole length. One
 * line for people; programs look at the errno value.
 */
size_t vitals_error_text(struct vitals_ctx *ctx, char *buf, size_t size);

/* Whether the guest is running (true at first) or paused: what query-status says. */
void vitals_set_running(struct vitals_ctx *ctx, bool running);

/* ---- statistics ----------------------------------------------------------------------------- */

/* As in the kernel's binary statistics (Linux Documentation/virt/kvm/api.rst, 4.133). */
enum vitals_type {
    VITALS_CUMULATIVE,  /* only grows, but may be reset */
    VITALS_INSTANT,     /* goes up and down */
    VITALS_PEAK,        /* the highest value so far */
    VITALS_LINEAR_HIST, /* bucket i counts values in [i * bucket_size, (i + 1) * bucket_size) */
    VITALS_LOG_HIST,    /* bucket 0 counts the value 0, bucket i counts [2^(i - 1), 2^i) */
};                      /* the last bucket of a histogram has no upper bound */

/* For a histogram: the unit of its bounds. The buckets hold plain counts. */
enum vitals_unit { VITALS_NONE, VITALS_BYTES, VITALS_SECONDS, VITALS_CYCLES, VITALS_BOOLEAN };

/*
 * Elements [slot, slot + count) of a row, which are no other statistic's of the group.
 *
 * What tells a statistic from all others is its target, its provider and its name. Two providers of
 * a target may have one name, since a kernel may add any name to provider 'kvm'; a filter by name
 * alone finds both. Some clients look at the name alone: libvirt says "Duplicate hash table key" and
 * takes no statistic at all where one name is there twice, in two providers or in targets "vm" and
 * "vcpu". A provider that begins its names with its own, and has none in both targets, is safe from
 * that; one that is not can be hidden from such clients (vitals_listen_options, vitals/qmp.h).
 */
struct vitals_stat {
    const char *name;     /* [a-z][a-z0-9_-]{0,62}; once in a group, see above */
    const char *help;     /* one sentence for people, UTF-8, or NULL; `vitals describe` shows it */
    uint8_t type;         /* enum vitals_type */
    uint8_t unit;         /* enum vitals_unit */
    uint8_t base;         /* 10 or 2 */
    int16_t exponent;     /* value in units = raw value * base^exponent; nanoseconds: 10^-9 */
    uint16_t count;       /* number of buckets, smallest first; 1 where it is no histogram */
    uint32_t slot;        /* index of the first element in the row */
    uint32_t bucket_size; /* width of a linear histogram's buckets, else 0 */
};

/* ---- providers ------------------------------------------------------------------------------ */

enum vitals_group_flags {
    /*
     * collect() may run on several threads at the same time. Without it, the library calls the
     * collect() of one group by one thread at a time. (Of two groups: at any time.)
     */
    VITALS_GROUP_CONCURRENT = 1 << 0,
    /*
     * collect() may take long, or wait for something: a lock that the VMM holds while it calls the
     * server, a device, a network. It then runs apart, in a thread that lives as long as the call, and
     * is asked for all statistics of all objects, whatever the query wants. Only who asks for the group
     * waits for it, at most deadline_ms: then the group is left out of the reply, and that is logged
     * once. So it is at once as long as a call is past its deadline. What costs only those who ask still
     * costs a thread for each query.
     *
     * Its rows are kept until the next call, for all who ask. So they have a limit of their own,
     * VITALS_APART_ROWS_MAX bytes, or one row: vitals_row() gives NULL for the objects behind it, which
     * is logged once. What has more comes as several groups.
     *
     * vitals_unregister() of this group, and what frees its context, wait until the call has come back;
     * nothing else does. Only QMP clients get what such a group has.
     */
    VITALS_GROUP_MAY_BLOCK = 1 << 1,
};

#define VITALS_DEADLINE_MS    1000      /* for groups that may block, by default */
#define VITALS_APART_ROWS_MAX (4 << 20) /* bytes of rows that such a group gives */

struct vitals_group_ops {
    size_t size;      /* these two: VITALS_GROUP_OPS_INIT */
    size_t stat_size; /* sizeof(struct vitals_stat), the stride of @stats */
    const char *provider;
    const char *target; /* "vm", "vcpu", or the VMM's own, such as "block"; not "vcpus" */
    const struct vitals_stat *stats; /* their order is the order of the schema and of replies */
    uint32_t n_stats;
    uint32_t row_len; /* elements of a row; every statistic's slice must be inside */
    uint32_t flags;   /* enum vitals_group_flags */
    /*
     * Obtains the wanted rows: for each object it has, in the order in which the objects were
     * added, vitals_row() and, if that is not NULL, fill it. Called for each query that wants at
     * least one statistic of the group; several rows may be filled at a time. An object that can't
     * be read is dropped by vitals_row_fail(), which costs no other object anything. Returns 0, or
     * -errno: then the whole group is left out of the reply, and the other groups are answered.
     * A query of more than 4 MiB of rows calls it several times, and takes some objects each time:
     * what costs much to obtain belongs behind vitals_row().
     * Must not call vitals_unregister() or vitals_ctx_free() (-EBUSY). No C++ exception may leave
     * it, nor longjmp(): locks would be held for ever. Declare it noexcept, and catch inside.
     */
    int (*collect)(void *opaque, struct vitals_sink *sink);
    /*
     * Called exactly once, when no collect() runs and none will; may be NULL. Two groups that share
     * what opaque points to may leave it NULL, and their owner frees it behind vitals_unregister().
     */
    void (*release)(void *opaque);
    void *
        opaque; /* belongs to the library from the call of vitals_register() on, also if it fails */
    uint32_t deadline_ms; /* of VITALS_GROUP_MAY_BLOCK; 0: VITALS_DEADLINE_MS */
    uint32_t reserved;    /* must be 0 */
};
#define VITALS_GROUP_OPS_INIT                                                                      \
    .size = sizeof(struct vitals_group_ops), .stat_size = sizeof(struct vitals_stat)

/*
 * Adds a group behind those that are registered; queries see it from now on. @ret_group may be NULL.
 * -EINVAL: a name, type, unit, base, slice or flag is not as described above; -E2BIG: a limit above,
 * or a member of a newer header is not 0; -EEXIST: a name is there twice, or in another group of the
 * provider and target with another description, or these are those of a provider of vitals/kvm.h,
 * vitals/sched.h, vitals/counters.h; -ENOMEM. On every error, release() has been called, unless
 * @ops->size is too small to have it.
 *
 * A provider can have several groups for a target, so that what is plugged in brings its own: to
 * clients they are one, with the statistics of all. Groups whose statistics are equal share their
 * description, so that 1000 cost little. If two of them give a row of one object, it is that of
 * the group that was registered first.
 */
int vitals_register(struct vitals_ctx *ctx, const struct vitals_group_ops *ops,
                    struct vitals_group **ret_group);

/*
 * Removes a group, waits until no collect() of it runs, and calls release(). -EBUSY from inside a
 * collect() of this context: nothing has happened then. NULL is allowed.
 */
int vitals_unregister(struct vitals_group *group);

/* ---- objects -------------------------------------------------------------------------------- */

/*
 * An object has its path. It can have a number and a thread of the host besides: for a vCPU these
 * are cpu-index and thread-id of query-cpus-fast, and by its number people and programs choose it.
 * Provider 'kvm' does all of it for the vCPUs that it is given. Rows are not bound to any of this:
 * a provider may give rows of objects that were never added.
 *
 * An object that several groups of a target add is one, and goes with the last that removes it. Its
 * number stays: the path has the same one when it returns. Numbers may have gaps. (Beyond 1024
 * objects of a target that are gone, the one gone for longest is forgotten and counts as new.)
 *
 * These may be called from inside collect(), too.
 */
#define VITALS_NUMBER_ANY (-1)       /* the one it had, or the next above all that were given */
#define VITALS_NUMBER_MAX 2147483647 /* to be asked for */

/*
 * The group has this object until it removes it, or is unregistered. @number: as the VMM counts its
 * objects, or VITALS_NUMBER_ANY. -EEXIST: the group has it already, or the number is another object's,
 * or the object has another number from another group; -EINVAL: no such path or number, or target
 * "vm", or no group (NULL); -E2BIG: objects of more than 64 targets; -ENOMEM.
 */
int vitals_object_add(struct vitals_group *group, const char *path, int64_t number);

/* -ENOENT: the group has no such object; -EINVAL: no group (NULL). */
int vitals_object_remove(struct vitals_group *group, const char *path);

/*
 * The thread that runs the object from now on, as gettid() gives it; -1: not known, or none. Whoever
 * added the object, its VMM can say this, and again whenever it changes. Of a vCPU the kernel only
 * says which thread created it, which is all that provider 'kvm' knows by itself. -ENOENT: there is
 * no such object; -EINVAL.
 */
int vitals_object_set_thread(struct vitals_ctx *ctx, const char *target, const char *path,
                             pid_t thread);

/* ---- inside collect() ----------------------------------------------------------------------- */

/*
 * The row of @object (a path, e.g. "/machine/unattached/device[0]"; NULL for the VM itself): row_len
 * zeros to fill before collect() returns. NULL: this object was not asked for, or was given before,
 * or memory is short; go on with the next one.
 */
uint64_t *vitals_row(struct vitals_sink *sink, const char *object);

/*
 * The row that vitals_row() gave last can't be filled: leaves its object out. @err: -errno. Nothing
 * happens if vitals_row() gave NULL last.
 */
void vitals_row_fail(struct vitals_sink *sink, int err);

/* Whether the statistic of index @stat was asked for: ask before obtaining an expensive one. */
bool vitals_wants(const struct vitals_sink *sink, uint32_t stat);

/*
 * The objects asked for, each once, or NULL if all are. For a provider with many objects that can
 * go straight to a few by their path; vitals_row() gives the right answer for all others too.
 */
const char *const *vitals_wanted_objects(const struct vitals_sink *sink, size_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
