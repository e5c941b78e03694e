/* SPDX-License-Identifier: MIT */
#include "client/json.h"

#include <string.h>

#include "client/internal.h"
#include "base/text.h"

struct json_object *client_element(struct json_object *array, size_t i, bool is_reversed)
{
    size_t n = json_object_array_length(array);

    return json_object_array_get_idx(array, is_reversed ? n - 1 - i : i);
}

struct json_object *client_member(struct json_object *object, const char *name, json_type type)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

/* A text that a NUL cuts would be mistaken for a shorter one. */
const char *client_string(struct json_object *object, const char *name)
{
    struct json_object *value = client_member(object, name, json_type_string);
    const char *text = value ? json_object_get_string(value) : NULL;

    return text && strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

bool client_is_name(const char *text)
{
    return *text && strlen(text) <= CLIENT_NAME_MAX && text_is_plain(text);
}

const char *client_name(struct json_object *object, const char *name)
{
    const char *text = client_string(object, name);

    return text && client_is_name(text) ? text : NULL;
}

struct json_object *client_array(struct json_object *object, const char *name)
{
    return client_member(object, name, json_type_array);
}

size_t client_count_in_arrays(struct json_object *list, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *array = client_array(json_object_array_get_idx(list, i), name);

        n += array ? json_object_array_length(array) : 0;
    }
    return n;
}

struct json_object *client_signed(struct json_object *object, const char *name)
{
    struct json_object *value = client_member(object, name, json_type_int);

    return value && json_object_get_uint64(value) <= INT64_MAX ? value : NULL;
}

int64_t client_integer(struct json_object *object, const char *name, int64_t without)
{
    struct json_object *value = client_signed(object, name);

    return value ? json_object_get_int64(value) : without;
}

char *client_copy(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);

    return copy ? memcpy(copy, text, size) : NULL;
}
