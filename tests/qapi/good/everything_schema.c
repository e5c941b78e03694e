/* SPDX-License-Identifier: MIT */
/* Made by qapi_gen.py from everything.json. */
#include "qapi_commands.h"

static const struct qapi_type type_Numbers;
static const struct qapi_type type_int;
static const struct qapi_type type_int8;
static const struct qapi_type type_int16;
static const struct qapi_type type_int32;
static const struct qapi_type type_int64;
static const struct qapi_type type_uint8;
static const struct qapi_type type_uint16;
static const struct qapi_type type_uint32;
static const struct qapi_type type_uint64;
static const struct qapi_type type_size;
static const struct qapi_type type_number;
static const struct qapi_type type_arguments_of_take_bytes;
static const struct qapi_type list_of_uint8;
static const struct qapi_type list_of_size;
static const struct qapi_type list_of_int16;
static const struct qapi_type type_arguments_of_take_all;
static const struct qapi_type type_bool;
static const struct qapi_type type_null;
static const struct qapi_type type_any;
static const struct qapi_type type_str;
static const struct qapi_type type_Color;
static const struct qapi_type list_of_Color;
static const struct qapi_type list_of_Plugin;
static const struct qapi_type type_Plugin;
static const struct qapi_type type_NameOrNot;
static const struct qapi_type list_of_str;
static const struct qapi_type type_Odd;
static const struct qapi_type list_of_NameOrNot;
static const struct qapi_type type_ColorOrNumber;
static const struct qapi_type type_Tree;
static const struct qapi_type list_of_Tree;
static const struct qapi_type type_Painting;
static const struct qapi_type type_Sunset;
static const struct qapi_type list_of_Extension;
static const struct qapi_type type_Extension;

static const struct qapi_type type_int = {.kind = QAPI_SIGNED, .name = "int64_t", .signed_range = {INT64_MIN, INT64_MAX}};
static const struct qapi_type type_int8 = {.kind = QAPI_SIGNED, .name = "int8_t", .signed_range = {INT8_MIN, INT8_MAX}};
static const struct qapi_type type_int16 = {.kind = QAPI_SIGNED, .name = "int16_t", .signed_range = {INT16_MIN, INT16_MAX}};
static const struct qapi_type type_int32 = {.kind = QAPI_SIGNED, .name = "int32_t", .signed_range = {INT32_MIN, INT32_MAX}};
static const struct qapi_type type_int64 = {.kind = QAPI_SIGNED, .name = "int64_t", .signed_range = {INT64_MIN, INT64_MAX}};
static const struct qapi_type type_uint8 = {.kind = QAPI_UNSIGNED, .name = "uint8_t", .unsigned_max = UINT8_MAX};
static const struct qapi_type type_uint16 = {.kind = QAPI_UNSIGNED, .name = "uint16_t", .unsigned_max = UINT16_MAX};
static const struct qapi_type type_uint32 = {.kind = QAPI_UNSIGNED, .name = "uint32_t", .unsigned_max = UINT32_MAX};
static const struct qapi_type type_uint64 = {.kind = QAPI_UNSIGNED, .name = "uint64_t", .unsigned_max = UINT64_MAX};
static const struct qapi_type type_size = {.kind = QAPI_UNSIGNED, .name = "uint64_t", .unsigned_max = UINT64_MAX};
static const struct qapi_type type_number = {.kind = QAPI_NUMBER};
static const struct qapi_member type_Numbers_members[] = {
    {"int", &type_int, true},
    {"int8", &type_int8, true},
    {"int16", &type_int16, true},
    {"int32", &type_int32, true},
    {"int64", &type_int64, true},
    {"uint8", &type_uint8, true},
    {"uint16", &type_uint16, true},
    {"uint32", &type_uint32, true},
    {"uint64", &type_uint64, true},
    {"size", &type_size, true},
    {"number", &type_number, true},
};
static const struct qapi_type type_Numbers = {.kind = QAPI_OBJECT, .object = {.members = type_Numbers_members, .n_members = 11}};
static const struct qapi_type list_of_uint8 = {.kind = QAPI_LIST, .element = &type_uint8};
static const struct qapi_type list_of_size = {.kind = QAPI_LIST, .element = &type_size};
static const struct qapi_type list_of_int16 = {.kind = QAPI_LIST, .element = &type_int16};
static const struct qapi_member type_arguments_of_take_bytes_members[] = {
    {"bytes", &list_of_uint8, true},
    {"sizes", &list_of_size, true},
    {"steps", &list_of_int16, true},
};
static const struct qapi_type type_arguments_of_take_bytes = {.kind = QAPI_OBJECT, .object = {.members = type_arguments_of_take_bytes_members, .n_members = 3}};
static const struct qapi_type type_bool = {.kind = QAPI_BOOLEAN};
static const struct qapi_type type_null = {.kind = QAPI_NULL};
static const struct qapi_type type_any = {.kind = QAPI_ANY};
static const struct qapi_type type_str = {.kind = QAPI_STRING};
static const char *const type_Color_values[] = {
    "red",
    "blue",
};
static const struct qapi_type type_Color = {.kind = QAPI_ENUM, .name = "Color", .enumeration = {type_Color_values, 2, false}};
static const struct qapi_type list_of_Color = {.kind = QAPI_LIST, .element = &type_Color};
static const struct qapi_type type_Plugin = {.kind = QAPI_ENUM, .name = "Plugin", .enumeration = {.open = true}};
static const struct qapi_type list_of_Plugin = {.kind = QAPI_LIST, .element = &type_Plugin};
static const struct qapi_type list_of_str = {.kind = QAPI_LIST, .element = &type_str};
static const struct qapi_member type_Odd_members[] = {
    {"UPPER_Case", &type_str, true},
};
static const struct qapi_type type_Odd = {.kind = QAPI_OBJECT, .object = {.members = type_Odd_members, .n_members = 1}};
static const struct qapi_type *const type_NameOrNot_branches[] = {
    &type_str,
    &type_null,
    &list_of_str,
    &type_Odd,
    &type_uint8,
    &type_bool,
};
static const struct qapi_type type_NameOrNot = {.kind = QAPI_ALTERNATE, .name = "NameOrNot", .alternate = {type_NameOrNot_branches, 6}};
static const struct qapi_type list_of_NameOrNot = {.kind = QAPI_LIST, .element = &type_NameOrNot};
static const struct qapi_type *const type_ColorOrNumber_branches[] = {
    &type_Color,
    &type_number,
};
static const struct qapi_type type_ColorOrNumber = {.kind = QAPI_ALTERNATE, .name = "ColorOrNumber", .alternate = {type_ColorOrNumber_branches, 2}};
static const struct qapi_type list_of_Tree = {.kind = QAPI_LIST, .element = &type_Tree};
static const struct qapi_member type_Tree_members[] = {
    {"UPPER_Case", &type_str, true},
    {"name", &type_str, false},
    {"children", &list_of_Tree, true},
};
static const struct qapi_type type_Tree = {.kind = QAPI_OBJECT, .object = {.members = type_Tree_members, .n_members = 3}};
static const struct qapi_member type_Sunset_members[] = {
    {"hour", &type_uint8, false},
};
static const struct qapi_type type_Sunset = {.kind = QAPI_OBJECT, .object = {.members = type_Sunset_members, .n_members = 1}};
static const struct qapi_member type_Painting_members[] = {
    {"color", &type_Color, false},
};
static const struct qapi_variant type_Painting_variants[] = {
    {"red", &type_Sunset},
};
static const struct qapi_type type_Painting = {.kind = QAPI_OBJECT, .object = {.members = type_Painting_members, .n_members = 1, .tag = "color", .variants = type_Painting_variants, .n_variants = 1}};
static const struct qapi_member type_Extension_members[] = {
    {"plugin", &type_Plugin, false},
    {"painting", &type_Painting, true},
};
static const struct qapi_variant type_Extension_variants[] = {
    {"sunset", &type_Sunset},
};
static const struct qapi_type type_Extension = {.kind = QAPI_OBJECT, .object = {.members = type_Extension_members, .n_members = 2, .tag = "plugin", .variants = type_Extension_variants, .n_variants = 1}};
static const struct qapi_type list_of_Extension = {.kind = QAPI_LIST, .element = &type_Extension};
static const struct qapi_member type_arguments_of_take_all_members[] = {
    {"flag", &type_bool, true},
    {"nothing", &type_null, true},
    {"anything", &type_any, true},
    {"text", &type_str, true},
    {"color", &type_Color, true},
    {"colors", &list_of_Color, true},
    {"plugins", &list_of_Plugin, true},
    {"name", &type_NameOrNot, true},
    {"names", &list_of_NameOrNot, true},
    {"paint", &type_ColorOrNumber, true},
    {"tree", &type_Tree, true},
    {"painting", &type_Painting, true},
    {"extensions", &list_of_Extension, true},
};
static const struct qapi_type type_arguments_of_take_all = {.kind = QAPI_OBJECT, .object = {.members = type_arguments_of_take_all_members, .n_members = 13}};

static const struct qapi_type no_arguments = {.kind = QAPI_OBJECT};

static const struct qapi_command commands[] = {
    {.name = "take-numbers", .arguments = &type_Numbers, .run = qmp_take_numbers},
    {.name = "take-bytes", .arguments = &type_arguments_of_take_bytes, .run = qmp_take_bytes},
    {.name = "take_all", .arguments = &type_arguments_of_take_all, .run = qmp_take_all},
    {.name = "take-painting", .arguments = &type_Painting, .run = qmp_take_painting},
    {.name = "take-nothing", .arguments = &no_arguments, .run = qmp_take_nothing},
};

static const struct qapi_introspection introspection[] = {
    {.text =
         "["
         "{\"name\": \"take-numbers\", \"ret-type\": \"0\", \"meta-type\": \"command\", \"arg-type\": \"1\"}"
         ", {\"name\": \"take-bytes\", \"ret-type\": \"0\", \"meta-type\": \"command\", \"arg-type\": \"2\"}"
         ", {\"name\": \"take_all\", \"ret-type\": \"[4]\", \"allow-oob\": true, \"meta-type\": \"command\", \"arg-type\": \"3\", \"features\": [\"deprecated\"]}"
         ", {\"name\": \"take-painting\", \"ret-type\": \"5\", \"meta-type\": \"command\", \"arg-type\": \"5\"}"
         ", {\"name\": \"take-nothing\", \"ret-type\": \"0\", \"meta-type\": \"command\", \"arg-type\": \"0\"}"
         ", {\"name\": \"0\", \"members\": [], \"meta-type\": \"object\"}"
         ", {\"name\": \"1\", \"members\": [{\"name\": \"int\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int8\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int16\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int32\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int64\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint8\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint16\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint32\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint64\", \"default\": null, \"type\": \"int\"}, {\"name\": \"size\", \"default\": null, \"type\": \"int\"}, {\"name\": \"number\", \"default\": null, \"type\": \"number\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"2\", \"members\": [{\"name\": \"bytes\", \"default\": null, \"type\": \"[int]\"}, {\"name\": \"sizes\", \"default\": null, \"type\": \"[int]\"}, {\"name\": \"steps\", \"default\": null, \"type\": \"[int]\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"3\", \"members\": [{\"name\": \"flag\", \"default\": null, \"type\": \"bool\"}, {\"name\": \"nothing\", \"default\": null, \"type\": \"null\"}, {\"name\": \"anything\", \"default\": null, \"type\": \"any\"}, {\"name\": \"text\", \"default\": null, \"type\": \"str\"}, {\"name\": \"color\", \"default\": null, \"type\": \"6\", \"features\": [\"unstable\"]}, {\"name\": \"colors\", \"default\": null, \"type\": \"[6]\"}, {\"name\": \"plugins\", \"default\": null, \"type\": \"[7]\"}, {\"name\": \"name\", \"default\": null, \"type\": \"8\"}, {\"name\": \"names\", \"default\": null, \"type\": \"[8]\"}, {\"name\": \"paint\", \"default\": null, \"type\": \"9\"}, {\"name\": \"tree\", \"default\": null, \"type\": \"4\"}, {\"name\": \"painting\", \"default\": null, \"type\": \"5\"}, {\"name\": \"extensions\", \"default\": null, \"type\": \"[10]\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"[4]\", \"element-type\": \"4\", \"meta-type\": \"array\"}"
         ", {\"name\": \"4\", \"members\": [{\"name\": \"UPPER_Case\", \"default\": null, \"type\": \"str\"}, {\"name\": \"name\", \"type\": \"str\"}, {\"name\": \"children\", \"default\": null, \"type\": \"[4]\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"5\", \"tag\": \"color\", \"variants\": [{\"case\": \"red\", \"type\": \"11\"}, {\"case\": \"blue\", \"type\": \"0\"}], \"members\": [{\"name\": \"color\", \"type\": \"6\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"int\", \"json-type\": \"int\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"number\", \"json-type\": \"number\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"[int]\", \"element-type\": \"int\", \"meta-type\": \"array\"}"
         ", {\"name\": \"bool\", \"json-type\": \"boolean\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"null\", \"json-type\": \"null\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"any\", \"json-type\": \"value\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"str\", \"json-type\": \"string\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"6\", \"members\": [{\"name\": \"red\"}, {\"name\": \"blue\", \"features\": [\"unstable\"]}], \"meta-type\": \"enum\", \"values\": [\"red\", \"blue\"]}"
         ", {\"name\": \"[6]\", \"element-type\": \"6\", \"meta-type\": \"array\"}"
         ", {\"name\": \"[7]\", \"element-type\": \"7\", \"meta-type\": \"array\"}"
         ", {\"name\": \"7\", \"members\": [",
     .open_enum = "Plugin",
     .value_prefix = "{\"name\": \"",
     .value_suffix = "\"}"},
    {.text =
         "], \"meta-type\": \"enum\", \"values\": [",
     .open_enum = "Plugin",
     .value_prefix = "\"",
     .value_suffix = "\""},
    {.text =
         "]}"
         ", {\"name\": \"8\", \"members\": [{\"type\": \"str\"}, {\"type\": \"null\"}, {\"type\": \"[str]\"}, {\"type\": \"12\"}, {\"type\": \"int\"}, {\"type\": \"bool\"}], \"meta-type\": \"alternate\"}"
         ", {\"name\": \"[8]\", \"element-type\": \"8\", \"meta-type\": \"array\"}"
         ", {\"name\": \"9\", \"members\": [{\"type\": \"6\"}, {\"type\": \"number\"}], \"meta-type\": \"alternate\"}"
         ", {\"name\": \"[10]\", \"element-type\": \"10\", \"meta-type\": \"array\"}"
         ", {\"name\": \"10\", \"tag\": \"plugin\", \"variants\": [{\"case\": \"sunset\", \"type\": \"11\"}], \"members\": [{\"name\": \"plugin\", \"type\": \"7\"}, {\"name\": \"painting\", \"default\": null, \"type\": \"5\"}], \"meta-type\": \"object\", \"features\": [\"deprecated\"]}"
         ", {\"name\": \"11\", \"members\": [{\"name\": \"hour\", \"type\": \"int\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"[str]\", \"element-type\": \"str\", \"meta-type\": \"array\"}"
         ", {\"name\": \"12\", \"members\": [{\"name\": \"UPPER_Case\", \"default\": null, \"type\": \"str\"}], \"meta-type\": \"object\"}"
         "]",},
};

const struct qapi_schema everything_schema = {
    .commands = commands,
    .n_commands = sizeof(commands) / sizeof(commands[0]),
    .introspection = introspection,
    .n_introspection = sizeof(introspection) / sizeof(introspection[0]),
};
