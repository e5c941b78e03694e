/* SPDX-License-Identifier: MIT */
/*
 * The order in which QEMU goes through the members of an object. Neither of its two orders means
 * anything, but clients and their tests have seen both: one in every printed object, the other in
 * the choice of which of several unknown members an error names.
 */
#ifndef QMP_QAPI_ORDER_H
#define QMP_QAPI_ORDER_H

#include <json-c/json.h>
#include <stddef.h>

struct qdict_entry {
    const char *key;
    struct json_object *value;
};

/*
 * Writes the members of @object in the order of QEMU's QDict: that of printed objects, and of the
 * checks of a message's members. There is room for json_object_object_length(@object).
 */
void qdict_order(struct json_object *object, struct qdict_entry *ret_entries);

/*
 * Members of an object with more of them are not put into QEMU's order, so that keys made to
 * collide can't cost much time.
 */
enum { KEY_TABLE_MAX = 1024 };

/* The keys of an object that were not visited so far, in a hash table that has GLib's order. */
struct key_table;

/* NULL: no memory, or more than KEY_TABLE_MAX members. */
struct key_table *key_table_new(struct json_object *object);
void key_table_free(struct key_table *table);
void key_table_remove(struct key_table *table, const char *key); /* @key is in the table */
const char *key_table_first(const struct key_table *table);      /* NULL: it is empty */

#endif
