/* SPDX-License-Identifier: MIT */
/* Members of what strangers wrote, each with its type checked. NULL: there is no such member. */
#ifndef CLIENT_JSON_H
#define CLIENT_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct json_object *client_member(struct json_object *object, const char *name, json_type type);
struct json_object *client_array(struct json_object *object, const char *name);

/* Of all elements of @list, which is an array: how many elements their arrays of this name have. */
size_t client_count_in_arrays(struct json_object *list, const char *name);

const char *client_string(struct json_object *object, const char *name);

/* False: nothing, too much, or not plain. */
bool client_is_name(const char *text);

/* NULL also for what no name can be. */
const char *client_name(struct json_object *object, const char *name);

/* An integer that 63 bits and a sign can say. NULL also for a larger one: nearest to it is not equal. */
struct json_object *client_signed(struct json_object *object, const char *name);

int64_t client_integer(struct json_object *object, const char *name, int64_t without);

/* Element @i, from the end where @is_reversed. */
struct json_object *client_element(struct json_object *array, size_t i, bool is_reversed);

#endif
