/* SPDX-License-Identifier: MIT */
/* The QMP client against peers that do not mean well. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/bucket_order.h"
#include "stats/histogram.h"
#include "base/json_memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/buf.h"
#include "script.h"

static const bool all[] = {true, true, true, true};

/* ---- texts ---------------------------------------------------------------------------------- */

static void check_plain(const char *text, const char *expected)
{
    char copy[64];

    snprintf(copy, sizeof(copy), "%s", text);
    text_make_plain(copy);
    assert_string_equal(copy, expected);
    assert_int_equal(text_is_plain(text), !strcmp(text, expected));
    assert_true(text_is_plain(copy));
}

static void test_plain_texts(void **state)
{
    (void)state;
    check_plain("", "");
    check_plain("halt_wait_ns", "halt_wait_ns");
    check_plain("Büro 3 – 東京 😀", "Büro 3 – 東京 😀");
    check_plain("\033[2J\tx\r\n\x7f", "?[2J?x???");
    check_plain("a\xc2\x9b"
                "b",
                "a?b");                             /* the terminal's CSI in one character */
    check_plain("\xe2\x80\xaegnp.exe", "?gnp.exe"); /* from right to left */
    check_plain("a\xe2\x80\xa8"
                "b",
                "a?b"); /* a line of its own */
    check_plain("\xff"
                "a\xc3",
                "?a?"); /* not UTF-8, and half a character */
    check_plain("\xc0\x80", "?");
}

/* All that have the property Bidi_Control, and those beside them that have not. */
static void test_no_text_turns_the_direction_of_writing(void **state)
{
    static const uint32_t turns[] = {0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c,
                                     0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069};
    static const uint32_t others[] = {0x061b, 0x061d, 0x200d, 0x2010, 0x202f, 0x2065, 0x206a};
    char text[UTF8_MAX + 1];
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(turns); i++) {
        text[utf8_encode(turns[i], text)] = '\0';
        check_plain(text, "?");
    }
    for (i = 0; i < N_ELEMENTS(others); i++) {
        text[utf8_encode(others[i], text)] = '\0';
        check_plain(text, text);
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct client *open_ok(struct script *script)
{
    struct client *client = NULL;
    struct client_error error;

    if (script_open(script, &client, &error))
        fail_msg("%s", error.text);
    return client;
}

static void check_refused(struct script script, int err, const char *text)
{
    struct client *client = NULL;
    struct client_error error;

    check_error(script_open(&script, &client, &error), err);
    assert_null(client);
    assert_contains(error.text, text);
    script_end(&script);
}

static void test_words_of_the_peer_are_made_plain(void **state)
{
    (void)state;
    check_refused((struct script){.replies = {QEMU_GREETING, OK,
                                              "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                                              "\"\\u001b[2J\\nvitals: all is well\"}}\r\n"}},
                  EREMOTEIO, "query-stats-schemas: ?[2J?vitals: all is well");
}

#define SCHEMA_ENTRY(name, more) "{\"name\": \"" name "\", \"type\": \"instant\"" more "}"
#define SCHEMA(entries)                                                                            \
    "{\"return\": [{\"provider\": \"p\", \"target\": \"vm\", \"stats\": [" entries "]}]}\r\n"

/* Of the statistics in the schema only "good" may be left. */
static void check_only_good_is_left(const char *schema)
{
    struct script script = {.replies = {FLAT_GREETING, OK, schema, NAME, CPUS}};
    struct client *client = open_ok(&script);
    size_t n;
    const struct client_stat *stats = client_stats(client, &n);

    assert_int_equal(n, 1);
    assert_string_equal(stats[0].desc.name, "good");
    assert_int_equal(stats[0].desc.exponent, 0);
    client_free(client);
    script_end(&script);
}

static void test_statistics_that_are_left_out(void **state)
{
    const char *const schemas[] = {
        SCHEMA(SCHEMA_ENTRY("a\\u001b[31m", "") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("good", "") ", " SCHEMA_ENTRY("good\\u0000not", "")),
        SCHEMA(SCHEMA_ENTRY("", "") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("\xff", "") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("good", "") ", " SCHEMA_ENTRY("good", ", \"exponent\": 3")),
        SCHEMA(SCHEMA_ENTRY("a", ", \"exponent\": 65536") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("a", ", \"exponent\": 1.5") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("a", ", \"base\": 8") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("a", ", \"base\": 258") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("a", ", \"base\": \"pow8\"") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA(SCHEMA_ENTRY("a", ", \"bucket-size\": 4294967296") ", " SCHEMA_ENTRY("good", "")),
        SCHEMA("{\"name\": \"a\", \"type\": \"linear-histogram\"}, " SCHEMA_ENTRY("good", "")),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(schemas); i++)
        check_only_good_is_left(schemas[i]);
}

static void check_name_length(size_t len, size_t n_stats)
{
    struct buf schema = {0};
    struct script script = {.replies = {FLAT_GREETING, OK, NULL, NAME, CPUS}};
    struct client *client;
    size_t n;

    buf_printf(&schema, "%.*s", (int)(strlen(SCHEMA("")) - strlen("]}]}\r\n")), SCHEMA(""));
    buf_printf(&schema, "{\"type\": \"peak\", \"name\": \"%0*d\"}]}]}\r\n", (int)len, 0);
    script.replies[2] = schema.data;
    client = open_ok(&script);
    client_stats(client, &n);
    assert_int_equal(n, n_stats);
    client_free(client);
    script_end(&script);
    buf_free(&schema);
}

static void test_long_names(void **state)
{
    (void)state;
    check_name_length(CLIENT_NAME_MAX, 1);
    check_name_length(CLIENT_NAME_MAX + 1, 0);
}

static void check_vm_name(const char *reply, const char *expected)
{
    struct script script = {.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, reply, CPUS}};
    struct client *client = open_ok(&script);

    assert_string_equal(client_vm_name(client), expected);
    client_free(client);
    script_end(&script);
}

static void test_names_of_vms(void **state)
{
    struct buf reply = {0}, cut = {0};

    (void)state;
    check_vm_name("{\"return\": {\"name\": \"\\u001b]0;x\\u0007 B\\u00fcro\"}}\r\n", "?]0;x? Büro");
    check_vm_name("{\"return\": {\"name\": \"web\\u00001\"}}\r\n", "fake");
    buf_printf(&cut, "%0*d", CLIENT_NAME_MAX, 0);
    buf_append(&cut, "", 1);
    buf_printf(&reply, "{\"return\": {\"name\": \"%s\"}}\r\n", cut.data);
    check_vm_name(reply.data, cut.data);
    buf_reset(&reply);
    buf_printf(&reply, "{\"return\": {\"name\": \"%s0\"}}\r\n", cut.data);
    check_vm_name(reply.data, cut.data);
    buf_free(&reply);
    buf_free(&cut);
}

/* The number next to one that is too large would be another. */
static void test_numbers_with_a_sign_have_63_bits(void **state)
{
    struct script script = {
        .replies = {FLAT_GREETING, OK, FLAT_SCHEMA, NAME,
                    "{\"return\": [{\"qom-path\": \"/large\", \"cpu-index\": 9223372036854775808}, "
                    "{\"qom-path\": \"/most\", \"cpu-index\": 9223372036854775807, "
                    "\"thread-id\": 9223372036854775807}, "
                    "{\"qom-path\": \"/a\", \"cpu-index\": 1, "
                    "\"thread-id\": 18446744073709551615}]}\r\n"}};
    struct client *client = open_ok(&script);
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(client, &n);

    (void)state;
    assert_int_equal(n, 2);
    assert_string_equal(vcpus[0].path, "/a");
    assert_int_equal(vcpus[0].thread, -1);
    assert_string_equal(vcpus[1].path, "/most");
    assert_true(vcpus[1].index == INT64_MAX && vcpus[1].thread == INT64_MAX);
    client_free(client);
    script_end(&script);
}

static void test_vcpus_are_sorted(void **state)
{
    struct script script = {
        .replies = {FLAT_GREETING, OK, FLAT_SCHEMA, NAME,
                    "{\"return\": [{\"qom-path\": \"/c\", \"cpu-index\": 9}, "
                    "{\"qom-path\": \"/x\\u001b\", \"cpu-index\": 2}, "
                    "{\"qom-path\": \"/y\", \"cpu-index\": -1}, "
                    "{\"qom-path\": \"/a\", \"cpu-index\": 1}, {\"cpu-index\": 3}, 5]}\r\n"}};
    struct client *client = open_ok(&script);
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(client, &n);

    (void)state;
    assert_int_equal(n, 2);
    assert_string_equal(vcpus[0].path, "/a");
    assert_string_equal(vcpus[1].path, "/c");
    client_free(client);
    script_end(&script);
}

/* ---- limits --------------------------------------------------------------------------------- */

/* @piece, which takes a number, @n times between @begin and @end. */
static char *repeat(const char *begin, const char *piece, size_t n, const char *end)
{
    struct buf text = {0};

    buf_puts(&text, begin);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&text, i ? ", " : "");
        for (const char *at = piece; *at; at++) {
            if (*at == '#')
                buf_printf(&text, "%zu", i);
            else
                buf_append(&text, at, 1);
        }
    }
    buf_puts(&text, end);
    buf_append(&text, "", 1);
    return text.data;
}

static char *schema_of(size_t n)
{
    return repeat("{\"return\": [{\"provider\": \"p\", \"target\": \"vm\", \"stats\": [",
                  "{\"name\": \"s#\", \"type\": \"peak\"}", n, "]}]}\r\n");
}

static void test_most_statistics(void **state)
{
    char *good = schema_of(CLIENT_STATS_MAX), *bad = schema_of(CLIENT_STATS_MAX + 1);
    struct script script = {.replies = {FLAT_GREETING, OK, good, NAME, CPUS}};
    struct client *client = open_ok(&script);
    size_t n;

    (void)state;
    assert_string_equal(client_stats(client, &n)[CLIENT_STATS_MAX - 1].desc.name, "s8191");
    assert_int_equal(n, CLIENT_STATS_MAX);
    client_free(client);
    script_end(&script);
    check_refused((struct script){.replies = {FLAT_GREETING, OK, bad}}, E2BIG,
                  "fake.sock: has more than 8192 statistics");
    free(good);
    free(bad);
}

static char *vcpus_of(size_t n)
{
    return repeat("{\"return\": [", "{\"qom-path\": \"/#\", \"cpu-index\": #}", n, "]}\r\n");
}

static void test_most_vcpus(void **state)
{
    char *good = vcpus_of(CLIENT_VCPUS_MAX), *bad = vcpus_of(CLIENT_VCPUS_MAX + 1);
    struct script script = {.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, NAME, good}};
    struct client *client = open_ok(&script);
    size_t n;

    (void)state;
    client_vcpus(client, &n);
    assert_int_equal(n, CLIENT_VCPUS_MAX);
    client_free(client);
    script_end(&script);
    check_refused((struct script){.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, NAME, bad}}, E2BIG,
                  "fake.sock: has more than 8192 vCPUs");
    free(good);
    free(bad);
}

static char *reply_of_bytes(size_t bytes)
{
    const char *begin = "{\"return\": {\"name\": \"", *end = "\"}}";
    char *text = malloc(bytes + 1);

    memset(text, 'x', bytes);
    strcpy(text + bytes - strlen(end), end);
    memcpy(text, begin, strlen(begin));
    return text;
}

static void test_most_bytes(void **state)
{
    size_t most = CLIENT_REPLY_MAX - SCRIPT_ID_BYTES;
    char *good = reply_of_bytes(most), *bad = reply_of_bytes(most + 1);
    struct script script = {.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, good, CPUS}};
    struct client *client = open_ok(&script);

    (void)state;
    client_free(client);
    script_end(&script);
    check_refused((struct script){.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, bad}}, EMSGSIZE,
                  "the reply to query-name is longer than 16 MiB");
    free(good);
    free(bad);
}

/* What json-c takes for @piece again and again, as far as malloc() says: not with a sanitizer. */
static void check_estimate(const char *begin, const char *piece, const char *end)
{
    struct mallinfo2 before, after;
    char *text = repeat(begin, piece, 100000, end);
    struct json_object *json;

    before = mallinfo2();
    json = json_tokener_parse(text);
    after = mallinfo2();
    assert_non_null(json);
    assert_true(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd <=
                json_memory(text, strlen(text)));
    json_object_put(json);
    free(text);
}

static void test_memory_is_estimated(void **state)
{
    (void)state;
    check_estimate("[", "{}", "]");
    check_estimate("[", "{\"a\": {}}", "]");
    check_estimate("[", "[]", "]");
    check_estimate("[", "[[]]", "]");
    check_estimate("[", "1", "]");
    check_estimate("[", "0.5", "]");
    check_estimate("[", "\"\"", "]");
    check_estimate("{", "\"#\": 1", "}");
    check_estimate("[", "{\"name\": \"s#\", \"type\": \"peak\"}", "]");
}

/* A list that may still grow takes more than one that is done. */
static void test_memory_of_open_lists_is_estimated(void **state)
{
    struct json_tokener *parser = json_tokener_new_ex(1001);
    struct mallinfo2 before, after;
    char lists[1000];

    (void)state;
    memset(lists, '[', sizeof(lists));
    before = mallinfo2();
    assert_null(json_tokener_parse_ex(parser, lists, sizeof(lists)));
    after = mallinfo2();
    assert_int_equal(json_tokener_get_error(parser), json_tokener_continue);
    assert_true(after.uordblks - before.uordblks <= json_memory(lists, sizeof(lists)));
    json_tokener_free(parser);
}

/* Commas in a text count, too, which spares the test the memory. */
static char *reply_of_memory(size_t memory)
{
    const char *begin = "{\"return\": {\"name\": \"", *end = "\"}}";
    size_t comma = json_memory(",", 1);
    size_t left = memory - json_memory(begin, strlen(begin)) - json_memory(end, strlen(end));
    struct buf text = {0};

    buf_puts(&text, begin);
    for (size_t i = 0; i < left / comma; i++)
        buf_puts(&text, ",");
    for (size_t i = 0; i < left % comma; i++)
        buf_puts(&text, "x");
    buf_puts(&text, end);
    assert_int_equal(json_memory(text.data, text.len), memory);
    buf_append(&text, "", 1);
    return text.data;
}

static void test_most_memory(void **state)
{
    size_t most = CLIENT_MEMORY_MAX - SCRIPT_ID_BYTES - json_memory(",", 1) + 1;
    char *good = reply_of_memory(most), *bad = reply_of_memory(most + 1);
    struct script script = {.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, good, CPUS}};
    struct client *client = open_ok(&script);

    (void)state;
    client_free(client);
    script_end(&script);
    check_refused((struct script){.replies = {FLAT_GREETING, OK, FLAT_SCHEMA, bad}}, E2BIG,
                  "the reply to query-name takes more than 512 MiB of memory");
    free(good);
    free(bad);
}

/* Of a large reply is kept what is of use. With a sanitizer, malloc() does not say how much. */
static void test_memory_that_is_kept(void **state)
{
    enum { KEPT_MAX = 1024 * 1024 };
    char *schema = repeat("{\"return\": [{\"provider\": \"p\", \"target\": \"vm\", \"stats\": ["
                          "{\"name\": \"s\", \"type\": \"peak\"}], \"more\": [",
                          "{\"a\": #}", 20000, "]}]}\r\n");
    char *vcpus = repeat("{\"return\": [{\"qom-path\": \"/a\", \"cpu-index\": 0, \"more\": [",
                         "{\"a\": #}", 20000, "]}]}\r\n");
    struct script script = {.replies = {FLAT_GREETING, OK, schema, NAME, vcpus}};
    size_t before = mallinfo2().uordblks;
    struct client *client = open_ok(&script);
    size_t n;

    (void)state;
    assert_true(mallinfo2().uordblks < before + KEPT_MAX);
    assert_string_equal(client_stats(client, &n)[0].desc.name, "s");
    assert_string_equal(client_vcpus(client, &n)[0].path, "/a");
    client_free(client);
    script_end(&script);
    free(schema);
    free(vcpus);
}

/* ---- time ----------------------------------------------------------------------------------- */

enum { SHORT_MS = 1000, MOMENT_MS = 10 };

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What keeps the client busy must not keep it longer than what is silent. */
static void check_time(struct script script, const char *text)
{
    int64_t begin = now_ms();

    script.timeout_ms = SHORT_MS;
    script.is_endless = true;
    script.pause_ms = MOMENT_MS;
    check_refused(script, ETIMEDOUT, text);
    assert_true(now_ms() - begin < SCRIPT_TIMEOUT_MS / 4);
}

static void test_byte_after_byte(void **state)
{
    (void)state;
    check_time((struct script){.replies = {" "}, .chunk = 1}, "no greeting within 1 s");
    check_time((struct script){.replies = {QEMU_GREETING, EVENT}, .chunk = 16},
               "no reply to qmp_capabilities within 1 s");
}

static void test_events_without_end(void **state)
{
    (void)state;
    check_time((struct script){.replies = {QEMU_GREETING, EVENT}},
               "no reply to qmp_capabilities within 1 s");
}

static void test_deep_nesting(void **state)
{
    char *deep = malloc(1 << 20);

    (void)state;
    memset(deep, '[', (1 << 20) - 1);
    deep[(1 << 20) - 1] = '\0';
    memcpy(deep, "{\"return\": ", strlen("{\"return\": "));
    check_refused((struct script){.replies = {QEMU_GREETING, OK, deep}}, EPROTO, "is not QMP");
    free(deep);
}

/* ---- replies -------------------------------------------------------------------------------- */

static int ask(struct script *script, const char *target, struct client_snapshot **ret_snapshot,
               struct client **ret_client)
{
    const struct client_request request = {.target = target, .wanted = all};
    struct client_error error = {0};

    *ret_client = open_ok(script);
    return client_query(*ret_client, &request, ret_snapshot, &error);
}

#define FLAT(...)                                                                                  \
    {                                                                                              \
        .replies = { FLAT_GREETING, OK, FLAT_SCHEMA, NAME, CPUS, __VA_ARGS__ }                     \
    }

static void test_values_that_are_none(void **state)
{
    const char *const replies[] = {
        RETURN(VCPU("/a", STAT("halt_wait_ns", "-1"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "1e400"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "null"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "{}"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "[1, 2]"))),
        RETURN(VCPU("/a", STAT("halt_wait_hist", "[1, [2]]"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "1") ", " STAT("halt_wait_ns", "2"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "1") ", " STAT("halt_wait_hist", "[1]") ", " STAT(
                              "halt_wait_ns", "1"))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "1")) ", " VCPU("/a", STAT("halt_wait_ns", "1"))),
        RETURN(VCPU("/a\\u001b[2J", STAT("halt_wait_ns", "1"))),
        RETURN(VCPU("", STAT("halt_wait_ns", "1"))),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(replies); i++) {
        struct script script = FLAT(CPUS, replies[i]);
        struct client_snapshot *snapshot = NULL;
        struct client *client;

        check_error(ask(&script, "vcpu", &snapshot, &client), EPROTO);
        assert_null(snapshot);
        client_free(client);
        script_end(&script);
    }
}

/* json-c makes 2^64 - 1 of them, or refuses them, by its version. */
static void test_values_of_more_than_64_bits(void **state)
{
    const char *const values[] = {"18446744073709551616", "-9223372036854775809",
                                  "184467440737095516150"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(values) * 2; i++) {
        char reply[256];
        struct script script = FLAT(CPUS, reply);
        struct client_snapshot *snapshot = NULL;
        struct client *client;

        snprintf(reply, sizeof(reply), RETURN(VCPU("/a", STAT("%s", "%s"))),
                 i % 2 ? "halt_wait_ns" : "other", values[i / 2]);
        check_error(ask(&script, "vcpu", &snapshot, &client), ERANGE);
        assert_null(snapshot);
        client_free(client);
        script_end(&script);
    }
}

static void test_values_out_of_order(void **state)
{
    struct script script = FLAT(
        CPUS,
        RETURN(VCPU("/b", STAT("halt_wait_hist", "[7]")) ", " VCPU(
            "/a", STAT("halt_wait_hist",
                       "[1, 2]")) ", " VCPU("/zzz", "") ", " VCPU("/b",
                                                                  STAT("other", "5") ", " STAT(
                                                                      "halt_wait_ns",
                                                                      "18446744073709551615"))));
    struct client_snapshot *snapshot;
    struct client *client;
    const struct client_object *objects;

    (void)state;
    check_ok(ask(&script, "vcpu", &snapshot, &client));
    objects = snapshot->objects;
    assert_int_equal(snapshot->n_objects, 3);
    assert_string_equal(objects[0].path, "/a");
    assert_string_equal(objects[1].path, "/b");
    assert_int_equal(objects[1].n_values, 2);
    assert_string_equal(objects[1].values[0].stat->desc.name, "halt_wait_ns");
    assert_true(objects[1].values[0].values[0] == UINT64_MAX);
    assert_int_equal(objects[1].values[1].n_values, 1);
    assert_ptr_equal(client_find_value(&objects[1], objects[0].values[0].stat),
                     &objects[1].values[1]);
    assert_null(client_find_value(&objects[0], objects[1].values[0].stat));
    assert_null(client_find_value(&objects[2], objects[1].values[0].stat));
    assert_int_equal(objects[2].cpu_index, -1);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
}

/* The VM has no path, whatever the peer says. */
static void test_path_of_the_vm(void **state)
{
    struct script script = {
        .replies = {FLAT_GREETING, OK, SCHEMA(SCHEMA_ENTRY("good", "")), NAME, CPUS,
                    RETURN("{\"provider\": \"p\", \"qom-path\": \"/a\", \"stats\": [" STAT(
                        "good", "5") "]}")}};
    struct client_snapshot *snapshot;
    struct client *client;

    (void)state;
    check_ok(ask(&script, "vm", &snapshot, &client));
    assert_int_equal(snapshot->n_objects, 1);
    assert_null(snapshot->objects[0].path);
    assert_int_equal(snapshot->objects[0].cpu_index, -1);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
}

static void check_objects(size_t n, int err)
{
    char *reply =
        repeat("{\"return\": [", "{\"provider\": \"kvm\", \"qom-path\": \"/#\", \"stats\": []}", n,
               "]}\r\n");
    struct script script = FLAT(CPUS, reply);
    struct client_snapshot *snapshot = NULL;
    struct client *client;

    check_error(ask(&script, "vcpu", &snapshot, &client), err);
    assert_int_equal(!snapshot, !!err);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
    free(reply);
}

static void test_most_objects(void **state)
{
    (void)state;
    check_objects(CLIENT_VCPUS_MAX, 0);
    check_objects(CLIENT_VCPUS_MAX + 1, E2BIG);
}

/* One object again and again: neither a search for each, nor room for all values for each. */
static void test_parts_without_number(void **state)
{
    char *schema =
        repeat("{\"return\": [{\"provider\": \"kvm\", \"target\": \"vcpu\", \"stats\": [",
               "{\"name\": \"s#\", \"type\": \"peak\"}", CLIENT_STATS_MAX, "]}]}\r\n");
    char *reply = repeat("{\"return\": [",
                         "{\"provider\": \"kvm\", \"qom-path\": \"/a\", \"stats\": ["
                         "{\"name\": \"x#\", \"value\": 1}]}",
                         100000, "]}\r\n");
    struct script script = {.replies = {FLAT_GREETING, OK, schema, NAME, CPUS, CPUS, reply}};
    struct client *client = open_ok(&script);
    bool *wanted = malloc(CLIENT_STATS_MAX);
    const struct client_request request = {.target = "vcpu", .wanted = wanted};
    struct client_snapshot *snapshot = NULL;
    struct client_error error = {0};

    (void)state;
    memset(wanted, true, CLIENT_STATS_MAX);
    check_ok(client_query(client, &request, &snapshot, &error));
    assert_int_equal(snapshot->n_objects, 1);
    assert_int_equal(snapshot->objects[0].n_values, 0);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
    free(wanted);
    free(schema);
    free(reply);
}

/* ---- histograms ----------------------------------------------------------------------------- */

static void test_counts_past_64_bits(void **state)
{
    const uint64_t buckets[] = {UINT64_MAX, UINT64_MAX, 7};

    (void)state;
    assert_true(histogram_count(buckets, 3) == UINT64_MAX);
    assert_int_equal(histogram_percentile(buckets, 3, 50), 0);
    assert_int_equal(histogram_percentile(buckets, 3, 99), 0);
}

/* Waits of 0, 4 and 5 ns; the peer is a QEMU that is or is not repaired. */
#define REVERSED(path)                                                                             \
    VCPU(path, STAT("halt_wait_hist", "[0, 2, 0, 0, 1]") ", " STAT("halt_wait_ns", "9"))
#define FORWARD(path)                                                                              \
    VCPU(path, STAT("halt_wait_hist", "[1, 0, 0, 2, 0]") ", " STAT("halt_wait_ns", "9"))
#define OTHER(path) VCPU(path, STAT("other_hist", "[1, 2, 3, 4]"))

static void check_order(struct client *client, uint64_t first)
{
    const struct client_request request = {.target = "vcpu", .wanted = all};
    struct client_snapshot *snapshot = NULL;
    struct client_error error = {0};
    const struct client_object *last;

    check_ok(client_query(client, &request, &snapshot, &error));
    last = &snapshot->objects[snapshot->n_objects - 1];
    assert_string_equal(last->values[last->n_values - 1].stat->desc.name, "other_hist");
    assert_int_equal(last->values[last->n_values - 1].values[0], first);
    assert_int_equal(snapshot->is_reversed, first == 4);
    client_snapshot_free(snapshot);
}

/* Each vCPU has a voice, and what they said before counts. Nothing said: it is as QEMU is known. */
static void test_order_is_a_habit(void **state)
{
    const struct {
        const char *reply;
        uint64_t first;
    } turns[] = {
        {RETURN(OTHER("/z")), 4},
        {RETURN(FORWARD("/a") ", " FORWARD("/b") ", " OTHER("/z")), 1},
        {RETURN(OTHER("/z")), 1},
        {RETURN(REVERSED("/a") ", " OTHER("/z")), 1},
        {RETURN(REVERSED("/a") ", " OTHER("/z")), 4},
    };
    struct script script = {.replies = {QEMU_GREETING, OK, QEMU_SCHEMA, NAME, CPUS}};
    struct client *client;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(turns); i++) {
        script.replies[5 + 2 * i] = CPUS;
        script.replies[6 + 2 * i] = turns[i].reply;
    }
    client = open_ok(&script);
    for (size_t i = 0; i < N_ELEMENTS(turns); i++)
        check_order(client, turns[i].first);
    client_free(client);
    script_end(&script);
}

static void test_orders_that_nothing_tells(void **state)
{
    const struct vitals_stat log = {.type = VITALS_LOG_HIST};
    const uint64_t same[] = {5, 0, 0, 5}, one[] = {0, 9, 0, 0};
    const uint64_t huge[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

    (void)state;
    assert_int_equal(histogram_order(&log, same, 4, 100), HISTOGRAM_EITHER);
    assert_int_equal(histogram_order(&log, one, 4, 0), HISTOGRAM_EITHER);
    assert_int_equal(histogram_order(&log, one, 1, 0), HISTOGRAM_EITHER);
    assert_int_equal(histogram_order(&log, huge, 4, UINT64_MAX), HISTOGRAM_EITHER);
    /* All in one bucket: 9 values of 1, or of 2 or 3. */
    assert_int_equal(histogram_order(&log, one, 4, 9), HISTOGRAM_FORWARD);
    assert_int_equal(histogram_order(&log, one, 4, 20), HISTOGRAM_REVERSED);
    /* The counter has moved on by one value, and the histogram has not. */
    assert_int_equal(histogram_order(&log, one, 4, 10), HISTOGRAM_FORWARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_texts),
        cmocka_unit_test(test_no_text_turns_the_direction_of_writing),
        cmocka_unit_test(test_words_of_the_peer_are_made_plain),
        cmocka_unit_test(test_statistics_that_are_left_out),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_names_of_vms),
        cmocka_unit_test(test_numbers_with_a_sign_have_63_bits),
        cmocka_unit_test(test_vcpus_are_sorted),
        cmocka_unit_test(test_most_statistics),
        cmocka_unit_test(test_most_vcpus),
        cmocka_unit_test(test_most_bytes),
        cmocka_unit_test(test_memory_is_estimated),
        cmocka_unit_test(test_memory_of_open_lists_is_estimated),
        cmocka_unit_test(test_most_memory),
        cmocka_unit_test(test_memory_that_is_kept),
        cmocka_unit_test(test_byte_after_byte),
        cmocka_unit_test(test_events_without_end),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_values_that_are_none),
        cmocka_unit_test(test_values_of_more_than_64_bits),
        cmocka_unit_test(test_values_out_of_order),
        cmocka_unit_test(test_path_of_the_vm),
        cmocka_unit_test(test_most_objects),
        cmocka_unit_test(test_parts_without_number),
        cmocka_unit_test(test_counts_past_64_bits),
        cmocka_unit_test(test_order_is_a_habit),
        cmocka_unit_test(test_orders_that_nothing_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
