/* SPDX-License-Identifier: MIT */
/*
 * The argument checks, on the schema that QEMU speaks, on our own, and on one that has each part of
 * the language (tests/qapi/good/everything.json). What is called recorded is what QEMU 7.2
 * answered.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "qapi_commands.h"
#include "base/buf.h"
#include "qmp/qapi.h"
#include "test_schemas.h"

/* ---- helpers -------------------------------------------------------------------------------- */

/* The handlers of the test's own schema: only their addresses matter. */
void qmp_take_numbers(struct qmp_call *call)
{
    (void)call;
}

void qmp_take_lists(struct qmp_call *call)
{
    (void)call;
}

void qmp_take_all(struct qmp_call *call)
{
    (void)call;
}

void qmp_take_painting(struct qmp_call *call)
{
    (void)call;
}

void qmp_take_nothing(struct qmp_call *call)
{
    (void)call;
}

/* The provider 'kvm', the plugins 'moon' and 'sunset', and 'fog'; @opaque counts the questions. */
static bool accepts(void *opaque, const char *enum_name, const char *value)
{
    ++*(unsigned *)opaque;
    if (!strcmp(enum_name, QAPI_STATS_PROVIDER))
        return !strcmp(value, "kvm");
    if (!strcmp(enum_name, QAPI_STATS_TARGET))
        return false;
    if (!strcmp(enum_name, QAPI_WEATHER))
        return !strcmp(value, "fog");
    assert_string_equal(enum_name, "Plugin");
    return !strcmp(value, "moon") || !strcmp(value, "sunset");
}

static struct json_object *parsed(const char *text)
{
    struct json_object *value = json_tokener_parse(text);

    if (!value)
        fail_msg("not JSON: %s", text);
    return value;
}

/* The error's text, to be freed, or NULL. */
static char *check_object(const struct qapi_schema *schema, const char *command,
                          struct json_object *arguments)
{
    unsigned questions = 0;
    const struct qapi_open_enums open = {.accepts = accepts, .opaque = &questions};
    const struct qapi_command *found = qapi_find_command(schema, command);
    struct buf text = {0};

    assert_non_null(found);
    if (qapi_check_arguments(found->arguments, arguments, &open, &text)) {
        assert_int_equal(text.len, 0);
        buf_free(&text);
        return NULL;
    }
    assert_false(text.failed);
    buf_append(&text, "", 1);
    return text.data;
}

struct sample {
    const char *command;
    const char *arguments; /* NULL: the message has none */
    const char *error;     /* NULL: they are fine */
};

static void check_sample(const struct qapi_schema *schema, const struct sample *sample)
{
    struct json_object *arguments = sample->arguments ? parsed(sample->arguments) : NULL;
    char *error = check_object(schema, sample->command, arguments);
    const char *got = error ? error : "fine";
    const char *expected = sample->error ? sample->error : "fine";

    if (strcmp(got, expected))
        fail_msg("%s %s: %s, expected: %s", sample->command, sample->arguments, got, expected);
    free(error);
    json_object_put(arguments);
}

#define check_samples(schema, samples) check_all((schema), (samples), N_ELEMENTS(samples))

static void check_all(const struct qapi_schema *schema, const struct sample *samples, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        check_sample(schema, &samples[i]);
}

/* ---- commands ------------------------------------------------------------------------------- */

static void commands_are_found_by_their_whole_name(void **state)
{
    (void)state;
    assert_ptr_equal(qapi_find_command(&flat_schema, "query-stats")->run, qmp_query_stats);
    assert_ptr_equal(qapi_find_command(&flat_schema, "qmp_capabilities")->run,
                     qmp_qmp_capabilities);
    assert_null(qapi_find_command(&flat_schema, "query-stat"));
    assert_null(qapi_find_command(&flat_schema, "query-stats-"));
    assert_null(qapi_find_command(&flat_schema, "query_stats"));
    assert_null(qapi_find_command(&flat_schema, "quit"));
    assert_null(qapi_find_command(&flat_schema, ""));
}

/* ---- QEMU's commands ------------------------------------------------------------------------ */

static void recorded_errors_of_capabilities(void **state)
{
    static const struct sample samples[] = {
        {"qmp_capabilities", "{\"enable\": [\"oob\", \"bogus\"]}",
         "Parameter 'null' does not accept value 'bogus'"},
        {"qmp_capabilities", "{\"enable\": \"oob\"}",
         "Invalid parameter type for 'enable', expected: array"},
        {"qmp_capabilities", "{\"enable\": [1]}",
         "Invalid parameter type for 'enable[0]', expected: string"},
        {"qmp_capabilities", "{\"enable\": null}",
         "Invalid parameter type for 'enable', expected: array"},
        {"qmp_capabilities", "{\"enable\": [\"bogus\"]}",
         "Parameter 'null' does not accept value 'bogus'"},
        {"qmp_capabilities", "{\"foo\": 1}", "Parameter 'foo' is unexpected"},
        {"query-name", "{\"foo\": 1}", "Parameter 'foo' is unexpected"},
    };

    (void)state;
    check_samples(&flat_schema, samples);
    check_samples(&grouped_schema, samples);
}

static void recorded_errors_of_query_stats(void **state)
{
    static const struct sample samples[] = {
        {"query-stats", NULL, "Parameter 'target' is missing"},
        {"query-stats", "{}", "Parameter 'target' is missing"},
        {"query-stats", "{\"target\": \"VM\"}", "Parameter 'target' does not accept value 'VM'"},
        {"query-stats", "{\"target\": \"\"}", "Parameter 'target' does not accept value ''"},
        {"query-stats", "{\"target\": \"a'b\\\"c\"}",
         "Parameter 'target' does not accept value 'a'b\"c'"},
        {"query-stats", "{\"target\": 5}", "Invalid parameter type for 'target', expected: string"},
        {"query-stats", "{\"target\": null}",
         "Invalid parameter type for 'target', expected: string"},
        {"query-stats", "{\"vcpus\": [\"/machine/unattached/device[0]\"]}",
         "Parameter 'target' is missing"},
        {"query-stats", "{\"target\": \"vm\", \"foo\": 1}", "Parameter 'foo' is unexpected"},
        {"query-stats", "{\"target\": \"vcpu\", \"foo\": 1}", "Parameter 'foo' is unexpected"},
        {"query-stats", "{\"target\": \"vm\", \"zoo\": 1, \"foo\": 1}",
         "Parameter 'zoo' is unexpected"},
        {"query-stats", "{\"target\": \"vcpu\", \"vcpus\": {}}",
         "Invalid parameter type for 'vcpus', expected: array"},
        {"query-stats", "{\"target\": \"vcpu\", \"vcpus\": [\"/machine/unattached/device[0]\", 1]}",
         "Invalid parameter type for 'vcpus[1]', expected: string"},
        {"query-stats", "{\"target\": \"vcpu\", \"vcpus\": [null]}",
         "Invalid parameter type for 'vcpus[0]', expected: string"},
        {"query-stats", "{\"target\": \"vcpu\", \"vcpus\": [[\"/machine\"]]}",
         "Invalid parameter type for 'vcpus[0]', expected: string"},
        {"query-stats", "{\"target\": \"vm\", \"vcpus\": []}", "Parameter 'vcpus' is unexpected"},
        {"query-stats", "{\"target\": \"vm\", \"providers\": \"kvm\"}",
         "Invalid parameter type for 'providers', expected: array"},
        {"query-stats", "{\"target\": \"vm\", \"providers\": [{}]}",
         "Parameter 'providers[0].provider' is missing"},
        {"query-stats",
         "{\"target\": \"vm\", \"providers\": [{\"provider\": \"kvm\", \"fields\": [\"exits\"]}]}",
         "Parameter 'providers[0].fields' is unexpected"},
        {"query-stats",
         "{\"target\": \"vm\", \"providers\": [{\"provider\": \"kvm\", \"names\": \"exits\"}]}",
         "Invalid parameter type for 'providers[0].names', expected: array"},
        {"query-stats",
         "{\"target\": \"vm\", \"providers\": [{\"provider\": \"kvm\", \"names\": [\"a\", 5]}]}",
         "Invalid parameter type for 'providers[0].names[1]', expected: string"},
        {"query-stats",
         "{\"target\": \"vm\", \"providers\": [{\"provider\": \"kvm\"}, "
         "{\"provider\": \"kvm\", \"names\": [null]}]}",
         "Invalid parameter type for 'providers[1].names[0]', expected: string"},
        {"query-stats", "{\"target\": \"foo\", \"providers\": [{\"provider\": \"xyz\"}]}",
         "Parameter 'target' does not accept value 'foo'"},
        {"query-stats",
         "{\"target\": \"vm\", \"providers\": [{\"provider\": \"xyz\"}], \"zzz\": 1}",
         "Parameter 'provider' does not accept value 'xyz'"},
        {"query-stats", "{\"providers\": \"kvm\"}", "Parameter 'target' is missing"},
        {"query-stats", "{\"target\": \"vcpu\", \"vcpus\": \"x\", \"extra\": 1}",
         "Invalid parameter type for 'vcpus', expected: array"},
        {"query-stats-schemas", "{\"provider\": \"cryptodev\"}",
         "Parameter 'provider' does not accept value 'cryptodev'"},
        {"query-stats-schemas", "{\"provider\": null}",
         "Invalid parameter type for 'provider', expected: string"},
        {"query-stats-schemas", "{\"target\": \"vm\"}", "Parameter 'target' is unexpected"},
    };

    (void)state;
    check_samples(&flat_schema, samples);
}

static void what_qemu_takes_is_taken(void **state)
{
    static const struct sample samples[] = {
        {"qmp_capabilities", NULL, NULL},
        {"qmp_capabilities", "{}", NULL},
        {"qmp_capabilities", "{\"enable\": []}", NULL},
        {"qmp_capabilities", "{\"enable\": [\"oob\", \"oob\"]}", NULL},
        {"query-name", NULL, NULL},
        {"query-name", "{}", NULL},
        {"query-stats", "{\"target\": \"vm\"}", NULL},
        {"query-stats", "{\"vcpus\": [], \"providers\": [], \"target\": \"vcpu\"}", NULL},
        {"query-stats",
         "{\"target\": \"vcpu\", \"vcpus\": [\"\", \"/machine\"], "
         "\"providers\": [{\"names\": [\"exits\", \"*\"], \"provider\": \"kvm\"}]}",
         NULL},
        {"query-stats-schemas", NULL, NULL},
        {"query-stats-schemas", "{\"provider\": \"kvm\"}", NULL},
    };

    (void)state;
    check_samples(&flat_schema, samples);
}

/* ---- our own commands ----------------------------------------------------------------------- */

static void the_grouped_form_is_checked_alike(void **state)
{
    static const struct sample samples[] = {
        {"query-stats", "{\"target\": \"vm\"}", NULL},
        {"query-stats", "{\"target\": \"vm\", \"filters\": [{}]}", NULL},
        {"query-stats",
         "{\"target\": \"vcpu\", \"vcpus\": [\"/machine/unattached/device[2]\"], "
         "\"filters\": [{\"provider\": \"kvm\", \"fields\": [\"l1d_flush\", \"exits\"]}]}",
         NULL},
        {"query-stats", "{}", "Parameter 'target' is missing"},
        {"query-stats", "{\"target\": \"vm\", \"vcpus\": []}", "Parameter 'vcpus' is unexpected"},
        {"query-stats", "{\"target\": \"vm\", \"providers\": []}",
         "Parameter 'providers' is unexpected"},
        {"query-stats", "{\"target\": \"vm\", \"filters\": [{\"provider\": \"foo\"}]}",
         "Parameter 'provider' does not accept value 'foo'"},
        {"query-stats", "{\"target\": \"vm\", \"filters\": [{}, {\"fields\": [\"a\", 5]}]}",
         "Invalid parameter type for 'filters[1].fields[1]', expected: string"},
        {"query-stats-schemas", "{\"provider\": \"kvm\"}", NULL},
    };

    (void)state;
    check_samples(&grouped_schema, samples);
}

/* ---- simple values -------------------------------------------------------------------------- */

static void integers_have_ranges(void **state)
{
    static const struct sample samples[] = {
        {"take-numbers", "{\"int8\": -128, \"int16\": -32768, \"int32\": -2147483648}", NULL},
        {"take-numbers", "{\"int8\": 127, \"int16\": 32767, \"int32\": 2147483647}", NULL},
        {"take-numbers", "{\"int\": -9223372036854775808, \"int64\": 9223372036854775807}", NULL},
        {"take-numbers", "{\"int8\": -129}", "Parameter 'int8' expects int8_t"},
        {"take-numbers", "{\"int8\": 128}", "Parameter 'int8' expects int8_t"},
        {"take-numbers", "{\"int16\": 32768}", "Parameter 'int16' expects int16_t"},
        {"take-numbers", "{\"int16\": -32769}", "Parameter 'int16' expects int16_t"},
        {"take-numbers", "{\"int32\": 2147483648}", "Parameter 'int32' expects int32_t"},
        {"take-numbers", "{\"int32\": -2147483649}", "Parameter 'int32' expects int32_t"},
        {"take-numbers", "{\"int64\": 9223372036854775808}",
         "Invalid parameter type for 'int64', expected: integer"},
        {"take-numbers", "{\"int\": 18446744073709551615}",
         "Invalid parameter type for 'int', expected: integer"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

static void fractions_are_no_integers(void **state)
{
    static const struct sample samples[] = {
        {"take-numbers", "{\"int\": 1.0}", "Invalid parameter type for 'int', expected: integer"},
        {"take-numbers", "{\"int8\": 1e2}", "Invalid parameter type for 'int8', expected: integer"},
        {"take-numbers", "{\"int\": \"1\"}", "Invalid parameter type for 'int', expected: integer"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

static void integers_past_64_bits_are_refused(void **state)
{
    struct json_object *arguments = parsed("{}");
    char *error;

    (void)state;
    json_object_object_add(arguments, "int64", json_object_new_double(18446744073709551616.0));
    error = check_object(&everything_schema, "take-numbers", arguments);
    assert_string_equal(error, "Invalid parameter type for 'int64', expected: integer");
    free(error);
    json_object_put(arguments);
}

/* Some errors name the whole path, some only the last member, and an element has no name. */
static void errors_of_elements_name_them_or_not(void **state)
{
    static const struct sample samples[] = {
        {"take-lists", "{\"bytes\": [1, 128]}", "Parameter 'null' expects int8_t"},
        {"take-lists", "{\"steps\": [40000]}", "Parameter 'null' expects int16_t"},
        {"take-lists", "{\"bytes\": [1, \"2\"]}",
         "Invalid parameter type for 'bytes[1]', expected: integer"},
        {"take-lists", "{\"steps\": [1, 2, null]}",
         "Invalid parameter type for 'steps[2]', expected: integer"},
        {"take_all", "{\"colors\": [\"red\", \"green\"]}",
         "Parameter 'null' does not accept value 'green'"},
        {"take_all", "{\"colors\": [\"red\", 1]}",
         "Invalid parameter type for 'colors[1]', expected: string"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

static void simple_types_are_told_apart(void **state)
{
    static const struct sample samples[] = {
        {"take_all", "{\"flag\": true, \"text\": \"\", \"color\": \"blue\"}", NULL},
        {"take_all", "{\"flag\": 0}", "Invalid parameter type for 'flag', expected: boolean"},
        {"take_all", "{\"flag\": null}", "Invalid parameter type for 'flag', expected: boolean"},
        {"take_all", "{\"text\": 1}", "Invalid parameter type for 'text', expected: string"},
        {"take_all", "{\"color\": \"Red\"}", "Parameter 'color' does not accept value 'Red'"},
        {"take_all", "{\"color\": false}", "Invalid parameter type for 'color', expected: string"},
        {"take_all", "{\"tree\": []}", "Invalid parameter type for 'tree', expected: object"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

static void open_enums_ask(void **state)
{
    static const struct sample samples[] = {
        {"take_all", "{\"plugins\": [\"moon\", \"sunset\"]}", NULL},
        {"take_all", "{\"plugins\": [\"moon\", \"mars\"]}",
         "Parameter 'null' does not accept value 'mars'"},
        {"take_all", "{\"plugins\": [null]}",
         "Invalid parameter type for 'plugins[0]', expected: string"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

static void open_enums_have_values_of_their_own(void **state)
{
    static const struct sample samples[] = {
        {"take_all", "{\"forecast\": {\"weather\": \"sun\", \"hour\": 1}}", NULL},
        {"take_all", "{\"forecast\": {\"weather\": \"sun\", \"UPPER_Case\": \"\"}}",
         "Parameter 'forecast.hour' is missing"},
        {"take_all", "{\"forecast\": {\"weather\": \"rain\"}}", NULL},
        {"take_all", "{\"forecast\": {\"weather\": \"rain\", \"UPPER_Case\": \"\"}}",
         "Parameter 'forecast.UPPER_Case' is unexpected"},
        {"take_all", "{\"forecast\": {\"weather\": \"fog\", \"UPPER_Case\": \"\"}}", NULL},
        {"take_all", "{\"forecast\": {\"weather\": \"fog\", \"hour\": 1}}",
         "Parameter 'forecast.hour' is unexpected"},
        {"take_all", "{\"forecast\": {\"weather\": \"hail\"}}",
         "Parameter 'weather' does not accept value 'hail'"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

/* U+0000 is two bytes in our strings, so that it does not end them. */
static void strings_pass_as_they_are(void **state)
{
    static const struct sample samples[] = {
        {"take_all", "{\"color\": \"\xc0\x80\xc3\xa9\"}",
         "Parameter 'color' does not accept value '\xc0\x80\xc3\xa9'"},
        {"take_all", "{\"\xc0\x80\": 1}", "Parameter '\xc0\x80' is unexpected"},
        {"take_all", "{\"%s\": 1}", "Parameter '%s' is unexpected"},
        {"take_all", "{\"\": 1}", "Parameter '' is unexpected"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

/* ---- values with parts ---------------------------------------------------------------------- */

static void objects_nest(void **state)
{
    static const struct sample samples[] = {
        {"take_all", "{\"tree\": {\"name\": \"a\", \"children\": [{\"name\": \"b\"}]}}", NULL},
        {"take_all", "{\"tree\": {\"name\": \"a\", \"children\": [{\"name\": \"b\"}, {}]}}",
         "Parameter 'tree.children[1].name' is missing"},
        {"take_all", "{\"tree\": {\"UPPER_Case\": 1}}",
         "Invalid parameter type for 'tree.UPPER_Case', expected: string"},
        {"take_all",
         "{\"tree\": {\"name\": \"a\", \"children\": [{\"name\": \"b\", \"children\": "
         "[{\"name\": \"c\", \"x\": 1}]}]}}",
         "Parameter 'tree.children[0].children[0].x' is unexpected"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

static void unions_have_the_members_of_one_branch(void **state)
{
    static const struct sample samples[] = {
        {"take-painting", "{\"color\": \"blue\"}", NULL},
        {"take-painting", "{\"hour\": 19, \"color\": \"red\"}", NULL},
        {"take-painting", "{\"hour\": 19}", "Parameter 'color' is missing"},
        {"take-painting", "{\"color\": \"red\"}", "Parameter 'hour' is missing"},
        {"take-painting", "{\"color\": \"red\", \"hour\": 128}", "Parameter 'hour' expects int8_t"},
        {"take-painting", "{\"color\": \"blue\", \"hour\": 19}", "Parameter 'hour' is unexpected"},
        {"take-painting", "{\"color\": \"green\", \"hour\": 19}",
         "Parameter 'color' does not accept value 'green'"},
        {"take_all",
         "{\"extensions\": [{\"plugin\": \"moon\"}, {\"plugin\": \"sunset\", "
         "\"hour\": 1, \"painting\": {\"color\": \"red\", \"hour\": 2}}]}",
         NULL},
        {"take_all",
         "{\"extensions\": [{\"plugin\": \"sunset\", \"painting\": "
         "{\"color\": \"red\"}}]}",
         "Parameter 'extensions[0].painting.hour' is missing"},
        {"take_all", "{\"extensions\": [{\"plugin\": \"sunset\"}]}",
         "Parameter 'extensions[0].hour' is missing"},
        {"take_all", "{\"extensions\": [{\"plugin\": \"moon\", \"hour\": 1}]}",
         "Parameter 'extensions[0].hour' is unexpected"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

/* As declared, whatever the order in the message; what is unexpected comes last in each object. */
static void the_first_error_is_reported(void **state)
{
    static const struct sample samples[] = {
        {"take_all", "{\"z\": 1, \"text\": 1, \"flag\": 1}",
         "Invalid parameter type for 'flag', expected: boolean"},
        {"take_all", "{\"z\": 1, \"tree\": {\"z\": 1, \"name\": \"a\"}, \"text\": 1}",
         "Invalid parameter type for 'text', expected: string"},
        {"take_all", "{\"z\": 1, \"painting\": 1, \"tree\": {\"y\": 1, \"name\": \"a\"}}",
         "Parameter 'tree.y' is unexpected"},
        {"take-nothing", "{\"name\": null}", "Parameter 'name' is unexpected"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

/* QEMU names the one that its hash table has first. */
static void of_several_unexpected_members_the_first_is_named(void **state)
{
    static const struct sample samples[] = {
        {"take-nothing", "{\"k0\": 1, \"k1\": 1}", "Parameter 'k0' is unexpected"},
        {"take-nothing", "{\"k1\": 1, \"k0\": 1}", "Parameter 'k1' is unexpected"},
        {"take_all", "{\"z\": 1, \"text\": \"\", \"a\": 1}", "Parameter 'z' is unexpected"},
        {"take-painting", "{\"hour\": 1, \"y\": 1, \"color\": \"red\", \"x\": 1}",
         "Parameter 'y' is unexpected"},
        {"take_all", "{\"tree\": {\"c\": 1, \"name\": \"a\", \"b\": 1}}",
         "Parameter 'tree.c' is unexpected"},
    };

    (void)state;
    check_samples(&everything_schema, samples);
}

/* ---- introspection -------------------------------------------------------------------------- */

static void put_values(struct buf *text, const struct qapi_introspection *piece)
{
    static const char *const values[] = {"moon", "sunset"};
    size_t i;

    for (i = 0; piece->open_enum && i < N_ELEMENTS(values); i++)
        buf_printf(text, "%s%s%s%s", i || piece->follows ? ", " : "", piece->value_prefix,
                   values[i], piece->value_suffix);
}

/* The enum that has 'moon' for a value. */
static struct json_object *find_open_enum(struct json_object *entries)
{
    struct json_object *values, *first;
    size_t i;

    for (i = 0; i < json_object_array_length(entries); i++) {
        struct json_object *entry = json_object_array_get_idx(entries, i);

        if (!json_object_object_get_ex(entry, "values", &values))
            continue;
        first = json_object_array_get_idx(values, 0);
        if (!strcmp(json_object_get_string(first), "moon"))
            return entry;
    }
    return NULL;
}

static void the_introspection_takes_the_values_of_open_enums(void **state)
{
    struct json_object *entries, *found;
    struct buf text = {0};
    size_t i;

    (void)state;
    for (i = 0; i < everything_schema.n_introspection; i++) {
        buf_puts(&text, everything_schema.introspection[i].text);
        put_values(&text, &everything_schema.introspection[i]);
    }
    buf_append(&text, "", 1);
    entries = parsed(text.data);
    found = find_open_enum(entries);
    assert_non_null(found);
    assert_string_equal(json_object_to_json_string_ext(json_object_object_get(found, "members"),
                                                       JSON_C_TO_STRING_PLAIN),
                        "[{\"name\":\"moon\"},{\"name\":\"sunset\"}]");
    json_object_put(entries);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_found_by_their_whole_name),
        cmocka_unit_test(recorded_errors_of_capabilities),
        cmocka_unit_test(recorded_errors_of_query_stats),
        cmocka_unit_test(what_qemu_takes_is_taken),
        cmocka_unit_test(the_grouped_form_is_checked_alike),
        cmocka_unit_test(integers_have_ranges),
        cmocka_unit_test(fractions_are_no_integers),
        cmocka_unit_test(integers_past_64_bits_are_refused),
        cmocka_unit_test(errors_of_elements_name_them_or_not),
        cmocka_unit_test(simple_types_are_told_apart),
        cmocka_unit_test(open_enums_ask),
        cmocka_unit_test(open_enums_have_values_of_their_own),
        cmocka_unit_test(strings_pass_as_they_are),
        cmocka_unit_test(objects_nest),
        cmocka_unit_test(unions_have_the_members_of_one_branch),
        cmocka_unit_test(the_first_error_is_reported),
        cmocka_unit_test(of_several_unexpected_members_the_first_is_named),
        cmocka_unit_test(the_introspection_takes_the_values_of_open_enums),
    };

    return cmocka_run_group_tests_name("argument checks", tests, NULL, NULL);
}
