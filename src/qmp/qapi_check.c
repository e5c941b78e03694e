/* SPDX-License-Identifier: MIT */
#include "qmp/qapi.h"

#include <string.h>

const struct qapi_command *qapi_find_command(const struct qapi_schema *schema, const char *name)
{
    size_t i;

    for (i = 0; i < schema->n_commands; i++)
        if (!strcmp(schema->commands[i].name, name))
            return &schema->commands[i];
    return NULL;
}

/* ---- errors --------------------------------------------------------------------------------- */

struct check {
    const struct qapi_open_enums *open;
    struct buf *text;
};

/* Where a value is: a member of its parent, or with name NULL an element of it. */
struct place {
    const struct place *parent; /* NULL: the arguments themselves */
    const char *name;
    size_t index;
};

static void put_path(struct buf *text, const struct place *place)
{
    if (place->parent)
        put_path(text, place->parent);
    if (!place->name)
        buf_printf(text, "[%zu]", place->index);
    else
        buf_printf(text, "%s%s", place->parent ? "." : "", place->name);
}

/* In some errors QEMU names only the last part, and an element has no name. */
static const char *last_name(const struct place *place)
{
    return place->name ? place->name : "null";
}

static bool fail_parameter(struct check *check, const struct place *place, const char *problem)
{
    buf_puts(check->text, "Parameter '");
    put_path(check->text, place);
    buf_printf(check->text, "' %s", problem);
    return false;
}

static bool fail_type(struct check *check, const struct place *place, const char *expected)
{
    buf_puts(check->text, "Invalid parameter type for '");
    put_path(check->text, place);
    buf_printf(check->text, "', expected: %s", expected);
    return false;
}

/* ---- simple values -------------------------------------------------------------------------- */

static bool check_json_type(struct check *check, const struct place *place,
                            struct json_object *value, enum json_type type, const char *name)
{
    return json_object_is_type(value, type) || fail_type(check, place, name);
}

static bool check_integer(struct check *check, const struct place *place,
                          const struct qapi_type *type, struct json_object *value)
{
    int64_t number;

    if (!json_object_is_type(value, json_type_int) || json_object_get_uint64(value) > INT64_MAX)
        return fail_type(check, place, "integer");
    number = json_object_get_int64(value);
    if (number >= type->range.min && number <= type->range.max)
        return true;
    buf_printf(check->text, "Parameter '%s' expects %s", last_name(place), type->name);
    return false;
}

static bool has_value(const struct qapi_type *type, const char *value)
{
    size_t i;

    for (i = 0; i < type->enumeration.n_values; i++)
        if (!strcmp(type->enumeration.values[i], value))
            return true;
    return false;
}

static bool accepts(const struct check *check, const struct qapi_type *type, const char *value)
{
    return has_value(type, value) ||
           (type->enumeration.open && check->open->accepts(check->open->opaque, type->name, value));
}

static bool check_enum(struct check *check, const struct place *place, const struct qapi_type *type,
                       struct json_object *value)
{
    const char *text;

    if (!json_object_is_type(value, json_type_string))
        return fail_type(check, place, "string");
    text = json_object_get_string(value);
    if (accepts(check, type, text))
        return true;
    buf_printf(check->text, "Parameter '%s' does not accept value '%s'", last_name(place), text);
    return false;
}

/* ---- values with parts ---------------------------------------------------------------------- */

static bool check_value(struct check *check, const struct place *place,
                        const struct qapi_type *type, struct json_object *value);

static bool check_list(struct check *check, const struct place *place, const struct qapi_type *type,
                       struct json_object *list)
{
    struct place element = {.parent = place};

    if (!json_object_is_type(list, json_type_array))
        return fail_type(check, place, "array");
    for (; element.index < json_object_array_length(list); element.index++)
        if (!check_value(check, &element, type->element,
                         json_object_array_get_idx(list, element.index)))
            return false;
    return true;
}

/* ---- objects -------------------------------------------------------------------------------- */

/* Of the arguments themselves @place is NULL, and @object too if there are none. */
static bool check_members(struct check *check, const struct place *place,
                          const struct qapi_type *type, struct json_object *object)
{
    size_t i;

    for (i = 0; i < type->object.n_members; i++) {
        const struct qapi_member *member = &type->object.members[i];
        const struct place inside = {.parent = place, .name = member->name};
        struct json_object *value;

        if (json_object_object_get_ex(object, member->name, &value)) {
            if (!check_value(check, &inside, member->type, value))
                return false;
        } else if (!member->optional) {
            return fail_parameter(check, &inside, "is missing");
        }
    }
    return true;
}

static const struct qapi_member *find_member(const struct qapi_type *type, const char *name)
{
    size_t i;

    for (i = 0; type && i < type->object.n_members; i++)
        if (!strcmp(type->object.members[i].name, name))
            return &type->object.members[i];
    return NULL;
}

/* The members that come with the tag's value: an object type, or NULL. The tag has been checked. */
static const struct qapi_type *chosen_variant(const struct qapi_type *type,
                                              struct json_object *object)
{
    const char *value;
    bool is_known;
    size_t i;

    if (!type->object.tag)
        return NULL;
    value = json_object_get_string(json_object_object_get(object, type->object.tag));
    is_known = has_value(find_member(type, type->object.tag)->type, value);
    for (i = 0; i < type->object.n_variants; i++) {
        const char *of = type->object.variants[i].tag_value;

        if (of ? !strcmp(of, value) : !is_known)
            return type->object.variants[i].object;
    }
    return NULL;
}

/* Of several, the first of the message. */
static bool check_nothing_else(struct check *check, const struct place *place,
                               const struct qapi_type *type, const struct qapi_type *variant,
                               struct json_object *object)
{
    struct place unexpected = {.parent = place};

    if (!object)
        return true;
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        unexpected.name = key;
        if (!find_member(type, key) && !find_member(variant, key))
            return fail_parameter(check, &unexpected, "is unexpected");
    }
    return true;
}

static bool check_object(struct check *check, const struct place *place,
                         const struct qapi_type *type, struct json_object *object)
{
    const struct qapi_type *variant;

    if (!check_members(check, place, type, object))
        return false;
    variant = chosen_variant(type, object);
    if (variant && !check_members(check, place, variant, object))
        return false;
    return check_nothing_else(check, place, type, variant, object);
}

/* ---- any value ------------------------------------------------------------------------------ */

static bool check_value(struct check *check, const struct place *place,
                        const struct qapi_type *type, struct json_object *value)
{
    switch (type->kind) {
    case QAPI_STRING:
        return check_json_type(check, place, value, json_type_string, "string");
    case QAPI_INTEGER:
        return check_integer(check, place, type, value);
    case QAPI_BOOLEAN:
        return check_json_type(check, place, value, json_type_boolean, "boolean");
    case QAPI_ENUM:
        return check_enum(check, place, type, value);
    case QAPI_OBJECT:
        return check_json_type(check, place, value, json_type_object, "object") &&
               check_object(check, place, type, value);
    case QAPI_LIST:
        return check_list(check, place, type, value);
    }
    return false;
}

bool qapi_check_arguments(const struct qapi_type *type, struct json_object *arguments,
                          const struct qapi_open_enums *open, struct buf *ret_text)
{
    struct check check = {.open = open, .text = ret_text};

    return check_object(&check, NULL, type, arguments);
}
