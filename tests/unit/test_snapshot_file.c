/* SPDX-License-Identifier: MIT */
/* Snapshots from anywhere, and what came between two of them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "look/snapshot_life.h"
#include "base/json_memory.h"
#include "base/buf.h"

/* ---- texts ---------------------------------------------------------------------------------- */

#define SNAPSHOT(time, rows) "{\"schema_version\": 1, \"time\": " time ", \"stats\": [" rows "]}"
#define OBJECT(vm, path)                                                                           \
    "\"vm\": \"" vm                                                                                \
    "\", \"socket\": \"a.sock\", \"target\": \"vcpu\", \"vcpu\": 0, \"path\": " path ", "
#define AT(socket, vm, value)                                                                      \
    "{\"vm\": \"" vm "\", \"socket\": \"" socket                                                   \
    "\", \"target\": \"vm\", \"vcpu\": null, \"path\": null, " STAT("kvm", "a", "cumulative",      \
                                                                    "0") "\"value\": " value "}"
#define STAT(provider, name, type, exponent)                                                       \
    "\"provider\": \"" provider "\", \"name\": \"" name "\", \"type\": \"" type                    \
    "\", \"unit\": \"none\", \"base\": 10, \"exponent\": " exponent ", "
#define COUNTER(name, value)                                                                       \
    "{" OBJECT("vm", "\"/a\"") STAT("kvm", name, "cumulative", "0") "\"value\": " value "}"

static void read_ok(const char *text, struct snapshot_file *snapshot)
{
    char error[SNAPSHOT_ERROR_MAX];

    if (snapshot_parse("file", text, strlen(text), snapshot, error))
        fail_msg("%s", error);
}

static void check_refused(const char *text, size_t len, const char *expected)
{
    char error[SNAPSHOT_ERROR_MAX];
    struct snapshot_file snapshot;

    assert_int_equal(snapshot_parse("file", text, len, &snapshot, error), -1);
    assert_contains(error, "file: ");
    assert_contains(error, expected);
    assert_null(snapshot.rows);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void test_what_is_no_snapshot(void **state)
{
    const char *const texts[][2] = {
        {"", "empty"},
        {"null ", "'vitals snap' writes them"},
        {"time,vm\n1,web\n", "not a snapshot: no JSON object"},
        {"[1]", "not a snapshot: no JSON object"},
        {"{\"schema_version\": 1, \"st", "its end is missing"},
        {SNAPSHOT("1.0", "") "\n" SNAPSHOT("2.0", ""), "has more than one output"},
        {SNAPSHOT("1.0", "") "{", "has more than one output"},
        {SNAPSHOT("1.0", "") "]", "not a snapshot: "},
        {"{\"stats\": [1 {}]}", "not a snapshot: "},
        {"{\"stats\" {}}", "not a snapshot: "},
        {"{{}}", "not a snapshot: "},
        {"1 {}", "not a snapshot: "},
        {SNAPSHOT("1.0", COUNTER("a", "18446744073709551616")), "a number of more than 64 bits"},
        {SNAPSHOT("1.0", COUNTER("a", "1") ","), "a comma before a closing bracket"},
        {SNAPSHOT("1.0", COUNTER("a", "1,")), "a comma before a closing bracket"},
        {SNAPSHOT("-1", ""), "'vitals snap' writes them"},
        {SNAPSHOT("1000000000001", ""), "'vitals snap' writes them"},
        {SNAPSHOT("\"1\"", ""), "'vitals snap' writes them"},
        {SNAPSHOT("-1.0", ""), "'vitals snap' writes them"},
        {SNAPSHOT("1e300", ""), "'vitals snap' writes them"},
        {SNAPSHOT("1e400", ""), "'vitals snap' writes them"},
        {SNAPSHOT("1.0", "5"), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("a", "1") ", " COUNTER("a", "-1")), "statistic 2 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("a", "1.5")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("a", "1, \"reply_time\": -1.0")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("a", "1, \"reply_time\": 1e300")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("a", "1, \"reply_time\": null")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("", "1")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("\\u001b[2J", "1")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("a\\u0000b", "1")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", COUNTER("\xff", "1")), "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", "{" OBJECT("vm\\n", "null") STAT("kvm", "a", "peak", "0") "\"value\": 1}"),
         "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", "{" OBJECT("vm", "5") STAT("kvm", "a", "peak", "0") "\"value\": 1}"),
         "statistic 1 lacks a member"},
        {SNAPSHOT("1.0", "{" OBJECT("vm", "null") STAT("kvm", "a", "peak", "65536") "\"value\": "
                                                                                    "1}"),
         "statistic 1 lacks a member"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        check_refused(texts[i][0], strlen(texts[i][0]), texts[i][1]);
}

static void test_names_outside_of_ascii(void **state)
{
    struct snapshot_file snapshot;

    (void)state;
    read_ok(SNAPSHOT("1.0", COUNTER("b\xc3\xbcro", "1")), &snapshot);
    assert_string_equal(snapshot.rows[0].stat->name, "b\xc3\xbcro");
    snapshot_free(&snapshot);
}

/* Commas in a text count as well, so that neither file takes the memory. */
static void check_memory(size_t memory, bool is_good)
{
    const char *begin = "{\"schema_version\": 1, \"time\": 1.0, \"stats\": [], \"note\": \"";
    size_t left = memory - json_memory(begin, strlen(begin)) - json_memory("\"}", 2);
    size_t comma = json_memory(",", 1), len = strlen(begin) + left / comma + left % comma + 2;
    char *text = malloc(len + 1);
    struct snapshot_file snapshot;

    strcpy(text, begin);
    memset(text + strlen(begin), ',', left / comma);
    memset(text + strlen(begin) + left / comma, 'x', left % comma);
    strcpy(text + len - 2, "\"}");
    if (is_good) {
        read_ok(text, &snapshot);
        snapshot_free(&snapshot);
    } else {
        check_refused(text, len, "larger than a snapshot can be");
    }
    free(text);
}

static void test_most_memory(void **state)
{
    (void)state;
    check_memory(SNAPSHOT_MEMORY_MAX, true);
    check_memory(SNAPSHOT_MEMORY_MAX + 1, false);
}

static void test_most_bytes(void **state)
{
    const char *snapshot_text = SNAPSHOT("1.0", "");
    size_t len = strlen(snapshot_text);
    char *text = malloc(SNAPSHOT_FILE_MAX + 1), error[SNAPSHOT_ERROR_MAX];
    struct snapshot_file snapshot;

    (void)state;
    memset(text, ' ', SNAPSHOT_FILE_MAX + 1);
    memcpy(text + SNAPSHOT_FILE_MAX - len, snapshot_text, len);
    check_refused(text, SNAPSHOT_FILE_MAX + 1, "larger than a snapshot can be");
    check_ok(snapshot_parse("file", text, SNAPSHOT_FILE_MAX, &snapshot, error));
    snapshot_free(&snapshot);
    free(text);
}

static void check_name_length(size_t len, bool is_good)
{
    struct buf text = {0};
    struct snapshot_file snapshot;

    buf_printf(&text, SNAPSHOT("1.0", COUNTER("%0*d", "1")), (int)len, 0);
    buf_append(&text, "", 1);
    if (is_good) {
        read_ok(text.data, &snapshot);
        snapshot_free(&snapshot);
    } else {
        check_refused(text.data, strlen(text.data), "statistic 1 lacks a member");
    }
    buf_free(&text);
}

static void test_long_names(void **state)
{
    (void)state;
    check_name_length(CLIENT_NAME_MAX, true);
    check_name_length(CLIENT_NAME_MAX + 1, false);
}

/* ---- two of them ---------------------------------------------------------------------------- */

static void test_subtraction(void **state)
{
    struct snapshot_file before, after;
    uint64_t deltas[1];
    struct row row;

    (void)state;
    read_ok(SNAPSHOT("1.5", COUNTER("b", "7") ", " COUNTER("a", "18446744073709551614")), &before);
    read_ok(SNAPSHOT("2.0", COUNTER("a", "18446744073709551615") ", " COUNTER(
                                "b", "6") ", " COUNTER("c", "1")),
            &after);
    assert_true(snapshot_subtract(&before, &after, 0, false, deltas, &row));
    assert_true(row.deltas == deltas && deltas[0] == 1 && row.before[0] == UINT64_MAX - 1);
    assert_true(row.seconds == 0.5);
    assert_true(snapshot_subtract(&before, &after, 1, false, deltas, &row));
    assert_true(row.is_reset && !row.deltas);
    assert_false(snapshot_subtract(&before, &after, 2, false, deltas, &row));
    snapshot_free(&before);
    snapshot_free(&after);
}

#define REPLIED(at)                                                                                \
    "{" OBJECT("vm", "\"/a\"") STAT("kvm", "a", "cumulative", "0") at "\"value\": 1}"

static void check_seconds(const char *text_before, const char *text_after, double expected)
{
    struct snapshot_file before, after;
    uint64_t delta;
    struct row row;

    read_ok(text_before, &before);
    read_ok(text_after, &after);
    assert_int_equal(snapshot_is_later(&after, &before), expected > 0);
    assert_true(snapshot_subtract(&before, &after, 0, false, &delta, &row));
    assert_true(row.seconds == expected);
    snapshot_free(&before);
    snapshot_free(&after);
}

/* From reply to reply; a file of before there were such times has only that of the question. */
static void test_time_between(void **state)
{
    const char *late = SNAPSHOT("1.0", REPLIED("\"reply_time\": 2.5, "));
    const char *soon = SNAPSHOT("4.0", REPLIED("\"reply_time\": 4.0, "));

    (void)state;
    check_seconds(late, soon, 1.5);
    check_seconds(late, SNAPSHOT("4.0", REPLIED("")), 3);
    check_seconds(SNAPSHOT("1.0", REPLIED("")), soon, 3);
    check_seconds(SNAPSHOT("1", REPLIED("")), SNAPSHOT("3", REPLIED("")), 2);
    check_seconds(late, SNAPSHOT("4", REPLIED("\"reply_time\": 4, ")), 1.5);
    check_seconds(late, SNAPSHOT("2.0", REPLIED("\"reply_time\": 2.0, ")), -0.5);
}

/* Values of another size, or of a histogram with other bounds, have no difference. */
static void test_what_is_measured_in_another_way(void **state)
{
    struct snapshot_file before, after;

    (void)state;
    read_ok(SNAPSHOT("1.5", "{" OBJECT("vm", "\"/a\"")
                                STAT("kvm", "a", "cumulative", "0") "\"value\": 1}"),
            &before);
    read_ok(SNAPSHOT("2.0", "{" OBJECT("vm", "\"/a\"")
                                STAT("kvm", "a", "cumulative", "-9") "\"value\": 1}"),
            &after);
    assert_null(snapshot_find(&before, &after.rows[0], true, 0));
    assert_ptr_equal(snapshot_find(&after, &after.rows[0], true, 0), &after.rows[0]);
    snapshot_free(&before);
    snapshot_free(&after);
}

/* A VM that was asked twice: the place says which is which. */
static void test_one_vm_twice(void **state)
{
    struct snapshot_file snapshot;
    struct row like;

    (void)state;
    read_ok(SNAPSHOT("1.0", COUNTER("a", "1") ", " COUNTER("b", "2") ", " COUNTER(
                                "a", "3") ", " COUNTER("b", "4")),
            &snapshot);
    like = snapshot.rows[0];
    assert_ptr_equal(snapshot_find(&snapshot, &like, true, 0), &snapshot.rows[0]);
    assert_ptr_equal(snapshot_find(&snapshot, &like, true, 1), &snapshot.rows[2]);
    assert_ptr_equal(snapshot_find(&snapshot, &like, true, 2), &snapshot.rows[2]);
    assert_ptr_equal(snapshot_find(&snapshot, &like, true, 3), &snapshot.rows[0]);
    assert_ptr_equal(snapshot_find(&snapshot, &like, true, 99), &snapshot.rows[0]);
    snapshot_free(&snapshot);
}

/* How much came to each row of @after, or -1 where there is nothing to compare it with. */
static void check_differences(const char *text_before, const char *text_after,
                              const long long *expected)
{
    struct snapshot_file before, after;
    uint64_t delta;
    struct row row;

    read_ok(text_before, &before);
    read_ok(text_after, &after);
    for (size_t i = 0; i < after.n_rows; i++)
        assert_int_equal(
            snapshot_subtract(&before, &after, i, false, &delta, &row) ? (long long)delta : -1,
            expected[i]);
    snapshot_free(&before);
    snapshot_free(&after);
}

/* Their sockets tell them apart, in any order; what is not known is not guessed. */
static void test_namesakes(void **state)
{
    const char *both = SNAPSHOT("1.0", AT("1", "x", "10") ", " AT("2", "x", "1000"));

    (void)state;
    check_differences(both, SNAPSHOT("2.0", AT("2", "x", "1001") ", " AT("1", "x", "12")),
                      (const long long[]){1, 2});
    check_differences(both, SNAPSHOT("2.0", AT("2", "x", "1001")), (const long long[]){1});
    check_differences(both, SNAPSHOT("2.0", AT("3", "x", "1001")), (const long long[]){-1});
    check_differences(SNAPSHOT("1.0", AT("3", "x", "10")),
                      SNAPSHOT("2.0", AT("1", "x", "20") ", " AT("2", "x", "1000")),
                      (const long long[]){-1, -1});
}

static void test_a_vm_that_moved(void **state)
{
    (void)state;
    check_differences(SNAPSHOT("1.0", AT("1", "x", "10") ", " AT("2", "y", "5")),
                      SNAPSHOT("2.0", AT("2", "y", "6") ", " AT("3", "x", "12")),
                      (const long long[]){1, 2});
}

static void test_later(void **state)
{
    const struct snapshot_file a = {.time = 1700000000.001}, b = {.time = 1700000000.002};
    const struct snapshot_file zero = {.time = 0}, hardly = {.time = 1e-320};

    (void)state;
    assert_true(snapshot_is_later(&b, &a));
    assert_false(snapshot_is_later(&a, &b));
    assert_false(snapshot_is_later(&a, &a));
    assert_false(snapshot_is_later(&hardly, &zero)); /* a rate would be infinite */
}

/* ---- lives ---------------------------------------------------------------------------------- */

#define BOOT(id, host, rest)                                                                       \
    "{\"schema_version\": 1, \"time\": 1.0, \"host\": \"" host "\", \"boot_id\": \"" id            \
    "\", " rest "}"
#define LIFE(process, first, second)                                                               \
    "\"vms\": [{\"vm\": \"vm\", \"socket\": \"a.sock\", " process ", \"vcpus\": ["                 \
    "{\"path\": \"/b\", " second "}, {\"path\": \"/a\", " first "}]}], "
#define PROCESS(number, start) "\"process\": " number ", \"process_start\": " start
#define THREAD(number, start)  "\"thread\": " number ", \"thread_start\": " start
#define NO_THREAD              THREAD("null", "null")
#define OF(path, name, value)                                                                      \
    "{" OBJECT("vm", path) STAT("kvm", name, "cumulative", "0") "\"value\": " value "}"
#define VALUES(a, b) "\"stats\": [" OF("\"/a\"", "x", a) ", " OF("\"/b\"", "x", b) "]"

/* Whether the rows of the vCPUs /a and /b began anew. */
static void check_resets(const char *text_before, const char *text_after, bool of_a, bool of_b)
{
    struct snapshot_file before, after;
    bool *resets;

    read_ok(text_before, &before);
    read_ok(text_after, &after);
    resets = snapshot_find_resets(&before, &after);
    assert_int_equal(resets[0], of_a);
    assert_int_equal(resets[1], of_b);
    free(resets);
    snapshot_free(&before);
    snapshot_free(&after);
}

#define ONE_LIFE                  LIFE(PROCESS("7", "70"), THREAD("8", "80"), THREAD("9", "80"))
#define NO_PROCESS(first, second) LIFE(PROCESS("null", "null"), first, second)

static void test_lives(void **state)
{
    const char *before = BOOT("b", "h", ONE_LIFE VALUES("10", "10"));
    const char *behind_proxy =
        BOOT("b", "h", NO_PROCESS(THREAD("8", "80"), THREAD("9", "80")) VALUES("10", "10"));

    (void)state;
    check_resets(before, BOOT("b", "h", ONE_LIFE VALUES("11", "10")), false, false);
    check_resets(before, BOOT("c", "h", ONE_LIFE VALUES("11", "10")), true, true);
    /* The number of the process is another's, or only its begin. */
    check_resets(before,
                 BOOT("b", "h", LIFE(PROCESS("6", "70"), NO_THREAD, NO_THREAD) VALUES("11", "11")),
                 true, true);
    check_resets(before,
                 BOOT("b", "h", LIFE(PROCESS("7", "71"), NO_THREAD, NO_THREAD) VALUES("11", "11")),
                 true, true);
    /* A vCPU was unplugged, and another one took its place: also what it has less of is its own. */
    check_resets(before,
                 BOOT("b", "h",
                      LIFE(PROCESS("7", "70"), THREAD("8", "80"), THREAD("9", "99"))
                          VALUES("11", "2")),
                 false, true);
    check_resets(
        behind_proxy,
        BOOT("b", "h", NO_PROCESS(THREAD("8", "80"), THREAD("9", "99")) VALUES("11", "11")), false,
        true);
    check_resets(
        behind_proxy,
        BOOT("b", "h", NO_PROCESS(THREAD("8", "81"), THREAD("9", "81")) VALUES("11", "11")), true,
        true);
    check_resets(behind_proxy, BOOT("b", "h", NO_PROCESS(NO_THREAD, NO_THREAD) VALUES("11", "11")),
                 false, false);
    /* One that went down is enough. */
    check_resets(before, BOOT("b", "h", ONE_LIFE VALUES("9", "11")), true, true);
    check_resets(SNAPSHOT("1.0", OF("\"/a\"", "x", "5") ", " OF("\"/b\"", "x", "5")),
                 SNAPSHOT("2.0", OF("\"/a\"", "x", "6") ", " OF("\"/b\"", "x", "4")), true, true);
}

static void test_lives_that_are_wrong(void **state)
{
    static const char *const texts[] = {
        BOOT("b", "h", "\"vms\": 5, " VALUES("1", "1")),
        BOOT("b", "h", "\"vms\": [5], " VALUES("1", "1")),
        BOOT("b", "h", LIFE(PROCESS("-7", "70"), NO_THREAD, NO_THREAD) VALUES("1", "1")),
        BOOT("b", "h",
             LIFE(PROCESS("9223372036854775808", "70"), NO_THREAD, NO_THREAD) VALUES("1", "1")),
        BOOT("b", "h", LIFE(PROCESS("7", "null"), NO_THREAD, NO_THREAD) VALUES("1", "1")),
        BOOT("b", "h", LIFE(PROCESS("7", "1.5"), NO_THREAD, NO_THREAD) VALUES("1", "1")),
        BOOT("b", "h", LIFE(PROCESS("7", "70"), THREAD("8", "-1"), NO_THREAD) VALUES("1", "1")),
        BOOT("b", "h", LIFE(PROCESS("7", "70"), "\"thread\": \"8\"", NO_THREAD) VALUES("1", "1")),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        check_refused(texts[i], strlen(texts[i]), "lacks a member, or has a wrong one");
}

/* ---- many ----------------------------------------------------------------------------------- */

static void read_many(size_t n, const char *prefix, struct snapshot_file *snapshot)
{
    struct buf text = {0};

    buf_puts(&text, "{\"schema_version\": 1, \"time\": 1.0, \"stats\": [");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s" COUNTER("%s%zu", "1"), i ? ", " : "", prefix, i);
    buf_append(&text, "]}", 3);
    read_ok(text.data, snapshot);
    buf_free(&text);
}

/* A search through all rows for each row would take minutes. */
static void test_many_rows_that_do_not_match(void **state)
{
    enum { ROWS = 100000, SECONDS = 20 };
    struct snapshot_file before, after;
    time_t begin;

    (void)state;
    read_many(ROWS, "before", &before);
    read_many(ROWS, "after", &after);
    begin = time(NULL);
    for (size_t i = 0; i < ROWS; i++)
        assert_null(snapshot_find(&before, &after.rows[i], true, i));
    assert_true(time(NULL) - begin < SECONDS);
    snapshot_free(&before);
    snapshot_free(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_snapshot),
        cmocka_unit_test(test_names_outside_of_ascii),
        cmocka_unit_test(test_most_memory),
        cmocka_unit_test(test_most_bytes),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_subtraction),
        cmocka_unit_test(test_time_between),
        cmocka_unit_test(test_what_is_measured_in_another_way),
        cmocka_unit_test(test_one_vm_twice),
        cmocka_unit_test(test_namesakes),
        cmocka_unit_test(test_a_vm_that_moved),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_lives_that_are_wrong),
        cmocka_unit_test(test_many_rows_that_do_not_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
