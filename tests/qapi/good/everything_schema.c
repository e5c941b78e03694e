/* SPDX-License-Identifier: MIT */
/* Made by qapi_gen.py from everything.json. */
#include "qapi_commands.h"

static const struct qapi_type type_Integers;
static const struct qapi_type type_int;
static const struct qapi_type type_int8;
static const struct qapi_type type_int16;
static const struct qapi_type type_int32;
static const struct qapi_type type_int64;
static const struct qapi_type type_arguments_of_take_lists;
static const struct qapi_type list_of_int8;
static const struct qapi_type list_of_int16;
static const struct qapi_type type_arguments_of_take_all;
static const struct qapi_type type_bool;
static const struct qapi_type type_str;
static const struct qapi_type type_Color;
static const struct qapi_type list_of_Color;
static const struct qapi_type list_of_Plugin;
static const struct qapi_type type_Plugin;
static const struct qapi_type type_Tree;
static const struct qapi_type list_of_Tree;
static const struct qapi_type type_Painting;
static const struct qapi_type type_Sunset;
static const struct qapi_type list_of_Extension;
static const struct qapi_type type_Extension;
static const struct qapi_type type_Forecast;
static const struct qapi_type type_Weather;
static const struct qapi_type type_Odd;

static const struct qapi_type type_int = {.kind = QAPI_INTEGER, .name = "int64_t", .range = {INT64_MIN, INT64_MAX}};
static const struct qapi_type type_int8 = {.kind = QAPI_INTEGER, .name = "int8_t", .range = {INT8_MIN, INT8_MAX}};
static const struct qapi_type type_int16 = {.kind = QAPI_INTEGER, .name = "int16_t", .range = {INT16_MIN, INT16_MAX}};
static const struct qapi_type type_int32 = {.kind = QAPI_INTEGER, .name = "int32_t", .range = {INT32_MIN, INT32_MAX}};
static const struct qapi_type type_int64 = {.kind = QAPI_INTEGER, .name = "int64_t", .range = {INT64_MIN, INT64_MAX}};
static const struct qapi_member type_Integers_members[] = {
    {"int", &type_int, true},
    {"int8", &type_int8, true},
    {"int16", &type_int16, true},
    {"int32", &type_int32, true},
    {"int64", &type_int64, true},
};
static const struct qapi_type type_Integers = {.kind = QAPI_OBJECT, .object = {.members = type_Integers_members, .n_members = 5}};
static const struct qapi_type list_of_int8 = {.kind = QAPI_LIST, .element = &type_int8};
static const struct qapi_type list_of_int16 = {.kind = QAPI_LIST, .element = &type_int16};
static const struct qapi_member type_arguments_of_take_lists_members[] = {
    {"bytes", &list_of_int8, true},
    {"steps", &list_of_int16, true},
};
static const struct qapi_type type_arguments_of_take_lists = {.kind = QAPI_OBJECT, .object = {.members = type_arguments_of_take_lists_members, .n_members = 2}};
static const struct qapi_type type_bool = {.kind = QAPI_BOOLEAN};
static const struct qapi_type type_str = {.kind = QAPI_STRING};
static const char *const type_Color_values[] = {
    "red",
    "blue",
};
static const struct qapi_type type_Color = {.kind = QAPI_ENUM, .name = "Color", .enumeration = {type_Color_values, 2, false}};
static const struct qapi_type list_of_Color = {.kind = QAPI_LIST, .element = &type_Color};
static const struct qapi_type type_Plugin = {.kind = QAPI_ENUM, .name = "Plugin", .enumeration = {.open = true}};
static const struct qapi_type list_of_Plugin = {.kind = QAPI_LIST, .element = &type_Plugin};
static const struct qapi_type list_of_Tree = {.kind = QAPI_LIST, .element = &type_Tree};
static const struct qapi_member type_Tree_members[] = {
    {"UPPER_Case", &type_str, true},
    {"name", &type_str, false},
    {"children", &list_of_Tree, true},
};
static const struct qapi_type type_Tree = {.kind = QAPI_OBJECT, .object = {.members = type_Tree_members, .n_members = 3}};
static const struct qapi_member type_Sunset_members[] = {
    {"hour", &type_int8, false},
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
static const char *const type_Weather_values[] = {
    "sun",
    "rain",
};
static const struct qapi_type type_Weather = {.kind = QAPI_ENUM, .name = "Weather", .enumeration = {type_Weather_values, 2, true}};
static const struct qapi_member type_Odd_members[] = {
    {"UPPER_Case", &type_str, true},
};
static const struct qapi_type type_Odd = {.kind = QAPI_OBJECT, .object = {.members = type_Odd_members, .n_members = 1}};
static const struct qapi_member type_Forecast_members[] = {
    {"weather", &type_Weather, false},
};
static const struct qapi_variant type_Forecast_variants[] = {
    {"sun", &type_Sunset},
    {NULL, &type_Odd},
};
static const struct qapi_type type_Forecast = {.kind = QAPI_OBJECT, .object = {.members = type_Forecast_members, .n_members = 1, .tag = "weather", .variants = type_Forecast_variants, .n_variants = 2}};
static const struct qapi_member type_arguments_of_take_all_members[] = {
    {"flag", &type_bool, true},
    {"text", &type_str, true},
    {"color", &type_Color, true},
    {"colors", &list_of_Color, true},
    {"plugins", &list_of_Plugin, true},
    {"tree", &type_Tree, true},
    {"painting", &type_Painting, true},
    {"extensions", &list_of_Extension, true},
    {"forecast", &type_Forecast, true},
};
static const struct qapi_type type_arguments_of_take_all = {.kind = QAPI_OBJECT, .object = {.members = type_arguments_of_take_all_members, .n_members = 9}};

static const struct qapi_type no_arguments = {.kind = QAPI_OBJECT};

static const struct qapi_command commands[] = {
    {.name = "take-numbers", .arguments = &type_Integers, .run = qmp_take_numbers},
    {.name = "take-lists", .arguments = &type_arguments_of_take_lists, .run = qmp_take_lists},
    {.name = "take_all", .arguments = &type_arguments_of_take_all, .run = qmp_take_all},
    {.name = "take-painting", .arguments = &type_Painting, .run = qmp_take_painting},
    {.name = "take-nothing", .arguments = &no_arguments, .run = qmp_take_nothing},
};

static const struct qapi_introspection introspection[] = {
    {.text =
         "["
         "{\"name\": \"take-numbers\", \"ret-type\": \"2\", \"meta-type\": \"command\", \"arg-type\": \"1\"}"
         ", {\"name\": \"take-lists\", \"ret-type\": \"0\", \"meta-type\": \"command\", \"arg-type\": \"3\"}"
         ", {\"name\": \"take_all\", \"ret-type\": \"[5]\", \"allow-oob\": true, \"meta-type\": \"command\", \"arg-type\": \"4\", \"features\": [\"deprecated\"]}"
         ", {\"name\": \"take-painting\", \"ret-type\": \"6\", \"meta-type\": \"command\", \"arg-type\": \"6\"}"
         ", {\"name\": \"take-nothing\", \"ret-type\": \"0\", \"meta-type\": \"command\", \"arg-type\": \"0\"}"
         ", {\"name\": \"0\", \"members\": [], \"meta-type\": \"object\"}"
         ", {\"name\": \"1\", \"members\": [{\"name\": \"int\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int8\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int16\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int32\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int64\", \"default\": null, \"type\": \"int\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"2\", \"members\": [{\"name\": \"int\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int8\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int16\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int32\", \"default\": null, \"type\": \"int\"}, {\"name\": \"int64\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint8\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint16\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint32\", \"default\": null, \"type\": \"int\"}, {\"name\": \"uint64\", \"default\": null, \"type\": \"int\"}, {\"name\": \"size\", \"default\": null, \"type\": \"int\"}, {\"name\": \"number\", \"default\": null, \"type\": \"number\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"3\", \"members\": [{\"name\": \"bytes\", \"default\": null, \"type\": \"[int]\"}, {\"name\": \"steps\", \"default\": null, \"type\": \"[int]\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"4\", \"members\": [{\"name\": \"flag\", \"default\": null, \"type\": \"bool\"}, {\"name\": \"text\", \"default\": null, \"type\": \"str\"}, {\"name\": \"color\", \"default\": null, \"type\": \"7\", \"features\": [\"unstable\"]}, {\"name\": \"colors\", \"default\": null, \"type\": \"[7]\"}, {\"name\": \"plugins\", \"default\": null, \"type\": \"[8]\"}, {\"name\": \"tree\", \"default\": null, \"type\": \"9\"}, {\"name\": \"painting\", \"default\": null, \"type\": \"6\"}, {\"name\": \"extensions\", \"default\": null, \"type\": \"[10]\"}, {\"name\": \"forecast\", \"default\": null, \"type\": \"11\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"[5]\", \"element-type\": \"5\", \"meta-type\": \"array\"}"
         ", {\"name\": \"5\", \"members\": [{\"name\": \"nothing\", \"type\": \"null\"}, {\"name\": \"anything\", \"type\": \"any\"}, {\"name\": \"name\", \"type\": \"12\"}, {\"name\": \"names\", \"type\": \"[12]\"}, {\"name\": \"paint\", \"type\": \"13\"}, {\"name\": \"sizes\", \"type\": \"[int]\"}, {\"name\": \"trees\", \"type\": \"[9]\"}",
     .open_enum = "Weather",
     .value_prefix = "{\"name\": \"",
     .value_suffix = "\", \"default\": null, \"type\": \"[14]\"}",
     .follows = true},
    {.text =
         "], \"meta-type\": \"object\"}"
         ", {\"name\": \"6\", \"tag\": \"color\", \"variants\": [{\"case\": \"red\", \"type\": \"15\"}, {\"case\": \"blue\", \"type\": \"0\"}], \"members\": [{\"name\": \"color\", \"type\": \"7\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"int\", \"json-type\": \"int\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"number\", \"json-type\": \"number\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"[int]\", \"element-type\": \"int\", \"meta-type\": \"array\"}"
         ", {\"name\": \"bool\", \"json-type\": \"boolean\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"str\", \"json-type\": \"string\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"7\", \"members\": [{\"name\": \"red\"}, {\"name\": \"blue\", \"features\": [\"unstable\"]}], \"meta-type\": \"enum\", \"values\": [\"red\", \"blue\"]}"
         ", {\"name\": \"[7]\", \"element-type\": \"7\", \"meta-type\": \"array\"}"
         ", {\"name\": \"[8]\", \"element-type\": \"8\", \"meta-type\": \"array\"}"
         ", {\"name\": \"8\", \"members\": [",
     .open_enum = "Plugin",
     .value_prefix = "{\"name\": \"",
     .value_suffix = "\"}",
     .follows = false},
    {.text =
         "], \"meta-type\": \"enum\", \"values\": [",
     .open_enum = "Plugin",
     .value_prefix = "\"",
     .value_suffix = "\"",
     .follows = false},
    {.text =
         "]}"
         ", {\"name\": \"9\", \"members\": [{\"name\": \"UPPER_Case\", \"default\": null, \"type\": \"str\"}, {\"name\": \"name\", \"type\": \"str\"}, {\"name\": \"children\", \"default\": null, \"type\": \"[9]\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"[10]\", \"element-type\": \"10\", \"meta-type\": \"array\"}"
         ", {\"name\": \"10\", \"tag\": \"plugin\", \"variants\": [{\"case\": \"sunset\", \"type\": \"15\"}], \"members\": [{\"name\": \"plugin\", \"type\": \"8\"}, {\"name\": \"painting\", \"default\": null, \"type\": \"6\"}], \"meta-type\": \"object\", \"features\": [\"deprecated\"]}"
         ", {\"name\": \"11\", \"tag\": \"weather\", \"variants\": [{\"case\": \"sun\", \"type\": \"15\"}, {\"case\": \"rain\", \"type\": \"0\"}",
     .open_enum = "Weather",
     .value_prefix = "{\"case\": \"",
     .value_suffix = "\", \"type\": \"14\"}",
     .follows = true},
    {.text =
         "], \"members\": [{\"name\": \"weather\", \"type\": \"16\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"null\", \"json-type\": \"null\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"any\", \"json-type\": \"value\", \"meta-type\": \"builtin\"}"
         ", {\"name\": \"12\", \"members\": [{\"type\": \"str\"}, {\"type\": \"null\"}, {\"type\": \"[str]\"}, {\"type\": \"14\"}, {\"type\": \"int\"}, {\"type\": \"bool\"}], \"meta-type\": \"alternate\"}"
         ", {\"name\": \"[12]\", \"element-type\": \"12\", \"meta-type\": \"array\"}"
         ", {\"name\": \"13\", \"members\": [{\"type\": \"7\"}, {\"type\": \"number\"}], \"meta-type\": \"alternate\"}"
         ", {\"name\": \"[9]\", \"element-type\": \"9\", \"meta-type\": \"array\"}"
         ", {\"name\": \"[14]\", \"element-type\": \"14\", \"meta-type\": \"array\"}"
         ", {\"name\": \"14\", \"members\": [{\"name\": \"UPPER_Case\", \"default\": null, \"type\": \"str\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"15\", \"members\": [{\"name\": \"hour\", \"type\": \"int\"}], \"meta-type\": \"object\"}"
         ", {\"name\": \"16\", \"members\": [{\"name\": \"sun\"}, {\"name\": \"rain\"}",
     .open_enum = "Weather",
     .value_prefix = "{\"name\": \"",
     .value_suffix = "\"}",
     .follows = true},
    {.text =
         "], \"meta-type\": \"enum\", \"values\": [\"sun\", \"rain\"",
     .open_enum = "Weather",
     .value_prefix = "\"",
     .value_suffix = "\"",
     .follows = true},
    {.text =
         "]}"
         ", {\"name\": \"[str]\", \"element-type\": \"str\", \"meta-type\": \"array\"}"
         "]",},
};

const struct qapi_schema everything_schema = {
    .commands = commands,
    .n_commands = sizeof(commands) / sizeof(commands[0]),
    .introspection = introspection,
    .n_introspection = sizeof(introspection) / sizeof(introspection[0]),
};
