/* SPDX-License-Identifier: MIT */
/*
 * A VMM's own statistics of one provider and target, as it has registered them: a schema, and a memory
 * file in which it keeps the rows. What is here never changes but for who refers to it: other objects
 * make another one. Whoever has a reference can read rows, in any thread, and waits for no VMM.
 *
 * A row is a sequence, and twice as many numbers as the schema's rows have: by an even sequence the first
 * ones are the present ones, by an odd one the second. So a row is whole if the sequence is the same
 * before and after it was read.
 */
#ifndef HOST_OWN_STATS_H
#define HOST_OWN_STATS_H

#include <stdatomic.h>

#include "base/error.h"
#include "host/shared_file.h"
#include "stats/schema.h"

enum {
    OWN_OBJECTS_MAX = 1024, /* of one provider and target */
    OWN_READS_MAX = 4,      /* of a row, whose VMM changes it each time */
};

struct own_object {
    char *path;
    uint64_t row;
};

struct own_stats {
    atomic_uint users;
    struct stats_schema *schema;
    struct shared_file *file;
    uint64_t offset, row_size; /* bytes */
    uint64_t n_rows;
    struct own_object *objects; /* in the order in which they came */
    size_t n_objects;
};

/*
 * Whether @fd is a memory file that can be read and does not shrink. The kernel answers by itself,
 * whatever the file is.
 */
bool own_stats_is_memory(int fd);

/*
 * @ops has the description, and @file must be such a file, to which this takes a reference. @row_size 0:
 * what a row takes. -EINVAL: the numbers don't go together, or there is no room for a row; and as
 * schema_new().
 */
int own_stats_new(const struct vitals_group_ops *ops, struct shared_file *file, uint64_t offset,
                  uint64_t row_size, struct error_text *error, struct own_stats **ret_own);
struct own_stats *own_stats_ref(struct own_stats *own);
void own_stats_unref(struct own_stats *own); /* NULL is allowed */

/* The same with more objects, which are copied. -EEXIST, -EINVAL, -E2BIG, -ENOMEM. */
int own_stats_add(const struct own_stats *own, const struct own_object *objects, size_t n,
                  struct error_text *error, struct own_stats **ret_own);
/* The same without some. -ENOENT, -ENOMEM. */
int own_stats_remove(const struct own_stats *own, const char *const *paths, size_t n,
                     struct error_text *error, struct own_stats **ret_own);

/* All rows, as collect(). */
void own_stats_collect(const struct own_stats *own, struct vitals_sink *sink);

#endif
