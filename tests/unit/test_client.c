/* SPDX-License-Identifier: MIT */
/* The QMP client against a scripted peer: what may go wrong, and peers that differ. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/bucket_order.h"
#include "stats/histogram.h"
#include "base/buf.h"
#include "peer.h"
#include "script.h"

#define SHORT_TIMEOUT_MS 1000 /* where the peer falls silent, long enough for what it says before */

/* ---- opening -------------------------------------------------------------------------------- */

static void check_open(struct script script, int err, const char *text, const char *hint)
{
    struct client *client = NULL;
    struct client_error error;

    script.timeout_ms = err == ETIMEDOUT ? SHORT_TIMEOUT_MS : SCRIPT_TIMEOUT_MS;
    check_error(script_open(&script, &client, &error), err);
    assert_null(client);
    assert_contains(error.text, "fake.sock: ");
    assert_contains(error.text, text);
    assert_contains(error.hint, hint);
    assert_null(strchr(error.text, '\n'));
    script_end(&script);
}

static void test_silent_peer(void **state)
{
    (void)state;
    check_open((struct script){0}, ETIMEDOUT, "no greeting within 1 s", "one client at a time");
    check_open((struct script){.replies = {"{\"QMP\": {\"ver"}}, ETIMEDOUT, "no greeting", "");
    check_open((struct script){.replies = {QEMU_GREETING}}, ETIMEDOUT,
               "no reply to qmp_capabilities within 1 s", "--timeout");
    check_open((struct script){.replies = {QEMU_GREETING, OK, "{\"return\": ["}}, ETIMEDOUT,
               "no reply to query-stats-schemas", "");
}

static void test_peer_that_is_not_qmp(void **state)
{
    const char *const texts[] = {"SSH-2.0-OpenSSH\r\n", "220 smtp\r\n", "[1, 2]\r\n",
                                 "{\"hello\": 1}\r\n"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        check_open((struct script){.replies = {texts[i]}}, EPROTO, "this is no QMP socket", "");
}

static void test_peer_that_closes(void **state)
{
    (void)state;
    check_open((struct script){.closes = true, .replies = {QEMU_GREETING, OK}}, ECONNRESET,
               "closed by the server while it was asked for query-stats-schemas", "ended");
    check_open((struct script){.hangs_up = true, .replies = {QEMU_GREETING, OK, "{\"return\": ["}},
               ECONNRESET, "closed by the server while it was asked for query-stats-schemas", "");
}

/* Its text could do something to the terminal that shows it. */
static void test_error_text_with_control_characters(void **state)
{
    (void)state;
    check_open((struct script){.replies = {QEMU_GREETING, OK,
                                           "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                                           "\"\\u001b[2J\\u009b1m\\u007f\\n\u00e9\"}}\r\n"}},
               EREMOTEIO, "query-stats-schemas: ?[2J?1m??\u00e9", "");
}

static void test_peer_that_closes_without_a_greeting(void **state)
{
    struct client *client = NULL;
    struct client_error error = {0};
    int fds[2];

    (void)state;
    check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    close(fds[1]);
    check_error(client_adopt(fds[0], "fake.sock", SCRIPT_TIMEOUT_MS, &client, &error), ECONNRESET);
    assert_contains(error.text, "closed by the server without a greeting");
}

static void test_refusals(void **state)
{
    (void)state;
    check_open((struct script){.replies = {QEMU_GREETING, OK, NOT_FOUND}}, EOPNOTSUPP,
               "has no command query-stats-schemas", "since version 7.1");
    check_open((struct script){.replies = {QEMU_GREETING, OK,
                                           "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                                           "\"too early\"}}\r\n"}},
               EREMOTEIO, "query-stats-schemas: too early", "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, "{\"return\": 5}\r\n"}}, EPROTO,
               "not a list of schemas", "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, "{\"what\": 5}\r\n"}}, EPROTO,
               "is not QMP", "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, "{\"return\": }\r\n"}}, EPROTO,
               "is not QMP", "");
}

static const bool all[] = {true, true, true, true};

static struct client_snapshot *query(struct client *client, const bool *wanted)
{
    const struct client_request request = {.target = "vcpu", .wanted = wanted};
    struct client_snapshot *snapshot = NULL;
    struct client_error error = {0};

    check_ok(client_query(client, &request, &snapshot, &error));
    return snapshot;
}

/* QEMU hands the reply to a client that has left to the next one, and events come at any time. */
#define OF_OTHERS                                                                                  \
    "{\"id\": \"other\", \"return\": {}}\r\n"                                                      \
    "{\"id\": \"other\", \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}\r\n"       \
    "{\"id\": 1, \"return\": [{\"qom-path\": \"/x\", \"cpu-index\": 7}]}\r\n"                      \
    "{\"id\": \"vitals-0123456789abcdef-1\", \"return\": []}\r\n"                                  \
    " {\"return\": {}}\r\n"                                                                        \
    " {\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n"              \
    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n"

static void test_replies_to_others(void **state)
{
    struct script script = {
        .replies = {OF_OTHERS QEMU_GREETING, OF_OTHERS OK, OF_OTHERS QEMU_SCHEMA, OF_OTHERS NAME,
                    OF_OTHERS CPUS, OF_OTHERS CPUS,
                    OF_OTHERS RETURN(VCPU("/a", STAT("halt_wait_ns", "9"))) OF_OTHERS}};
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;
    size_t n;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    assert_string_equal(client_vm_name(client), "web1");
    assert_int_equal(client_peer(client), CLIENT_QEMU);
    client_stats(client, &n);
    assert_int_equal(n, 4);
    client_vcpus(client, &n);
    assert_int_equal(n, 2);
    snapshot = query(client, all);
    assert_int_equal(snapshot->n_objects, 1);
    assert_int_equal(snapshot->objects[0].values[0].values[0], 9);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
}

/* Two clients of one socket are told apart, too. */
static void test_ids_are_never_the_same(void **state)
{
    char *requests[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct script script = {.replies = {QEMU_GREETING, OK, QEMU_SCHEMA, NAME, CPUS}};
        struct client *client;
        struct client_error error;

        check_ok(script_open(&script, &client, &error));
        client_free(client);
        pthread_join(script.thread, NULL);
        requests[i] = script.requests;
        assert_contains(requests[i], "\"id\": \"vitals-");
        close(script.fd);
    }
    assert_string_not_equal(requests[0], requests[1]);
    free(requests[0]);
    free(requests[1]);
}

static void test_replies_without_the_id(void **state)
{
    (void)state;
    check_open((struct script){.replies = {QEMU_GREETING, OF_OTHERS}}, ETIMEDOUT,
               "no reply to qmp_capabilities within 1 s, only one without its id: JSON parse error",
               "send the id of a command back");
    check_open((struct script){.replies = {QEMU_GREETING, " {\"return\": {}}\r\n"}}, ETIMEDOUT,
               "no reply to qmp_capabilities within 1 s, only one without its id", "send the id");
}

#define TOO_MANY                                                                                   \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Too many clients, at most 2\"}}\r\n"

static void test_error_in_place_of_the_greeting(void **state)
{
    const char *text = "no greeting, but an error: Too many clients, at most 2";

    (void)state;
    check_open((struct script){.replies = {TOO_MANY}, .hangs_up = true}, ECONNRESET, text, "");
    check_open((struct script){.replies = {TOO_MANY}}, ETIMEDOUT, text, "");
    check_open((struct script){.replies = {"{\"error\": 5}\r\n"}, .hangs_up = true}, ECONNRESET,
               "closed by the server without a greeting", "");
}

static char *events(size_t n, const char *then)
{
    struct buf text = {0};

    for (size_t i = 0; i < n; i++)
        buf_puts(&text, EVENT);
    buf_puts(&text, then);
    buf_append(&text, "", 1);
    return text.data;
}

static void test_most_events(void **state)
{
    char *good = events(CLIENT_SKIPPED_MAX, OK), *bad = events(CLIENT_SKIPPED_MAX + 1, OK);
    struct script script = {.replies = {QEMU_GREETING, good, QEMU_SCHEMA, NAME, CPUS}};
    struct client *client;
    struct client_error error;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    client_free(client);
    script_end(&script);
    check_open((struct script){.replies = {QEMU_GREETING, bad}}, EOVERFLOW,
               "more than 4096 other messages, and no reply to qmp_capabilities", "");
    free(good);
    free(bad);
}

/* A value that can't be what was asked for is none. */
static void test_values_of_another_type(void **state)
{
    const char *const list = "{\"return\": []}\r\n", *const text = "{\"return\": \"a\"}\r\n";
    const char *const odd = "a reply that can't be understood", *const form =
                                                                    "not a list of schemas";

    (void)state;
    check_open((struct script){.replies = {QEMU_GREETING, list}}, EPROTO, odd, "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, OK}}, EPROTO, form, "");
    check_open((struct script){.replies = {FLAT_GREETING, OK, OK}}, EPROTO, form, "");
    check_open((struct script){.replies = {FLAT_GREETING, OK, GROUPED_SCHEMA}}, EPROTO, form, "");
    check_open((struct script){.replies = {GROUPED_GREETING, OK, FLAT_SCHEMA}}, EPROTO, form, "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, QEMU_SCHEMA, list}}, EPROTO, odd, "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, QEMU_SCHEMA, text}}, EPROTO, odd, "");
    check_open((struct script){.replies = {QEMU_GREETING, OK, QEMU_SCHEMA, NAME, OK}}, EPROTO, odd,
               "");
}

static void test_reply_without_end(void **state)
{
    struct client *client = NULL;
    struct client_error error;
    struct script script = {.replies = {QEMU_GREETING, OK, "{\"return\": \""},
                            .filler = CLIENT_REPLY_MAX + 4096};

    (void)state;
    check_error(script_open(&script, &client, &error), EMSGSIZE);
    assert_contains(error.text, "the reply to query-stats-schemas is longer than 16 MiB");
    script_end(&script);
}

/* Whoever reads line by line, or byte by byte, must come to the same. */
static void test_forms_of_messages(void **state)
{
    const char *const greetings[] = {QEMU_GREETING, "\n{\n  \"QMP\":\n  {\n}\n}\n"};
    const size_t chunks[] = {0, 1, 7};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(greetings) * N_ELEMENTS(chunks); i++) {
        struct script script = {
            .replies = {greetings[i % 2], EVENT OK, EVENT EVENT QEMU_SCHEMA, NAME EVENT, CPUS},
            .chunk = chunks[i / 2],
        };
        struct client *client;
        struct client_error error;
        size_t n;

        check_ok(script_open(&script, &client, &error));
        assert_string_equal(client_vm_name(client), "web1");
        assert_string_equal(client_path(client), "fake.sock");
        assert_int_equal(client_peer(client), CLIENT_QEMU);
        assert_string_equal(client_stats(client, &n)[0].desc.name, "guest_mode");
        assert_int_equal(n, 4);
        assert_int_equal(client_vcpus(client, &n)[1].index, 1);
        assert_int_equal(n, 2);
        client_free(client);
        script_end(&script);
    }
}

static void test_name_from_path(void **state)
{
    struct script script = {.replies = {GROUPED_GREETING, OK, GROUPED_SCHEMA, OK, NOT_FOUND}};
    struct client *client;
    struct client_error error;
    const struct client_stat *stats;
    size_t n;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    assert_string_equal(client_vm_name(client), "fake");
    assert_int_equal(client_peer(client), CLIENT_GROUPED);
    stats = client_stats(client, &n);
    assert_int_equal(n, 1); /* the other has a type that nobody knows */
    assert_int_equal(stats[0].desc.base, 2);
    assert_int_equal(stats[0].desc.exponent, 12);
    assert_int_equal(stats[0].desc.unit, VITALS_BYTES);
    client_vcpus(client, &n);
    assert_int_equal(n, 0);
    client_free(client);
    script_end(&script);
}

/* ---- queries -------------------------------------------------------------------------------- */

#define QEMU(...)                                                                                  \
    {                                                                                              \
        .replies = { QEMU_GREETING, OK, QEMU_SCHEMA, NAME, CPUS, CPUS, __VA_ARGS__ }               \
    }
#define FLAT(...)                                                                                  \
    {                                                                                              \
        .replies = { FLAT_GREETING, OK, FLAT_SCHEMA, NAME, CPUS, CPUS, __VA_ARGS__ }               \
    }

static const struct client_value *value_of(const struct client_object *object, const char *name)
{
    for (size_t i = 0; i < object->n_values; i++)
        if (!strcmp(object->values[i].stat->desc.name, name))
            return &object->values[i];
    fail();
    return NULL;
}

static void check_buckets(const struct client_object *object, const char *name, uint64_t first,
                          uint64_t last)
{
    const struct client_value *value = value_of(object, name);

    assert_int_equal(value->values[0], first);
    assert_int_equal(value->values[value->n_values - 1], last);
}

/* Waits of 0, 4 and 5 ns. In the other order, they would be at least 10 ns together. */
#define HIST_REVERSED STAT("halt_wait_hist", "[0, 2, 0, 0, 1]")
#define HIST_FORWARD  STAT("halt_wait_hist", "[1, 0, 0, 2, 0]")
#define WAIT_9_NS     STAT("halt_wait_ns", "9")
#define OTHER         STAT("other_hist", "[1, 2, 3, 4]")
#define GUEST_MODE    STAT("guest_mode", "true")

static void test_qemu_is_put_right(void **state)
{
    struct script script =
        QEMU(RETURN(VCPU("/b", OTHER ", " HIST_REVERSED ", " WAIT_9_NS) ", " VCPU(
            "/a", OTHER ", " HIST_REVERSED ", " WAIT_9_NS ", " GUEST_MODE)));
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    snapshot = query(client, all);
    assert_int_equal(snapshot->n_objects, 2);
    assert_string_equal(snapshot->objects[0].path, "/a");
    assert_int_equal(snapshot->objects[1].cpu_index, 1);
    assert_string_equal(snapshot->objects[0].values[0].stat->desc.name, "guest_mode");
    assert_int_equal(snapshot->objects[0].values[0].values[0], 1);
    assert_string_equal(snapshot->objects[0].values[1].stat->desc.name, "halt_wait_ns");
    check_buckets(&snapshot->objects[0], "halt_wait_hist", 1, 0);
    check_buckets(&snapshot->objects[0], "other_hist", 4, 1);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end_asked(&script, "\"arguments\": {\"target\": \"vcpu\"}}");
}

/* A QEMU that has been repaired is believed, also later, when there is nothing to compare. */
static void test_qemu_in_the_right_order(void **state)
{
    struct script script =
        QEMU(RETURN(VCPU("/a", OTHER ", " HIST_FORWARD ", " WAIT_9_NS)), CPUS,
             RETURN(VCPU("/a", STAT("halt_wait_hist",
                                    "[0, 0, 0, 0, 0]") ", " STAT("halt_wait_ns", "0") ", " OTHER)));
    struct client *client;
    struct client_error error;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    for (size_t i = 0; i < 2; i++) {
        struct client_snapshot *snapshot = query(client, all);
        check_buckets(&snapshot->objects[0], "other_hist", 1, 4);
        client_snapshot_free(snapshot);
    }
    client_free(client);
    script_end(&script);
}

static void test_sum_is_asked_for_and_dropped(void **state)
{
    const bool only_hist[] = {false, false, true, false};
    struct script script = QEMU(RETURN(VCPU("/a", HIST_REVERSED ", " WAIT_9_NS)));
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    snapshot = query(client, only_hist);
    assert_int_equal(snapshot->objects[0].n_values, 1);
    check_buckets(&snapshot->objects[0], "halt_wait_hist", 1, 0);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end_asked(&script, "\"names\": [\"halt_wait_ns\", \"halt_wait_hist\"]");
}

static void test_ours_is_never_reversed(void **state)
{
    struct script script = FLAT(RETURN(VCPU("/a", WAIT_9_NS ", " HIST_REVERSED)));
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    assert_int_equal(client_peer(client), CLIENT_FLAT);
    snapshot = query(client, all);
    check_buckets(&snapshot->objects[0], "halt_wait_hist", 0, 1);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
}

static void test_exact_numbers(void **state)
{
    struct script script = FLAT(RETURN(VCPU("/a", STAT("halt_wait_ns", "18446744073709551615"))));
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    snapshot = query(client, all);
    assert_true(snapshot->objects[0].values[0].values[0] == UINT64_MAX);
    client_snapshot_free(snapshot);
    client_free(client);
    script_end(&script);
}

static void test_odd_replies(void **state)
{
    const char *const replies[] = {
        "{\"return\": {}}\r\n",
        RETURN("5"),
        RETURN("{\"provider\": \"kvm\", \"stats\": []}"),
        RETURN(VCPU("/a", "5")),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "\"5\""))),
        RETURN(VCPU("/a", STAT("halt_wait_ns", "1.5"))),
        RETURN(VCPU("/a", STAT("halt_wait_hist", "[]"))),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(replies); i++) {
        const struct client_request request = {.target = "vcpu", .wanted = all};
        struct script script = FLAT(replies[i]);
        struct client_snapshot *snapshot = NULL;
        struct client *client;
        struct client_error error;

        check_ok(script_open(&script, &client, &error));
        check_error(client_query(client, &request, &snapshot, &error), EPROTO);
        assert_null(snapshot);
        assert_contains(error.text, "fake.sock: query-stats: ");
        client_free(client);
        script_end(&script);
    }
}

/* ---- other targets -------------------------------------------------------------------------- */

#define OTHERS_SCHEMA                                                                                 \
    "{\"return\": [{\"provider\": \"p\", \"target\": \"disk\", \"stats\": [{\"name\": \"reads\", "    \
    "\"type\": \"cumulative\"}]}, {\"provider\": \"p\", \"target\": \"nic\", \"stats\": [{\"name\": " \
    "\"reads\", \"type\": \"cumulative\"}]}, {\"provider\": \"kvm\", \"target\": \"vcpu\", "          \
    "\"stats\": [{\"name\": \"exits\", \"type\": \"cumulative\"}]}, {\"provider\": \"p\", "           \
    "\"target\": \"\\u001b\", \"stats\": [{\"name\": \"reads\", \"type\": \"peak\"}]}]}\r\n"
#define DEVICE(path, value)                                                                        \
    "{\"provider\": \"p\", \"qom-path\": \"" path "\", \"stats\": [" STAT("reads", value) "]}"

static struct client_snapshot *query_others(struct client *client)
{
    const struct client_request request = {.target = CLIENT_OTHER_TARGETS, .wanted = all};
    struct client_snapshot *snapshot = NULL;
    struct client_error error = {0};

    check_ok(client_query(client, &request, &snapshot, &error));
    return snapshot;
}

/* Also one at the path of a vCPU, and two of one path. */
static void test_objects_of_other_targets(void **state)
{
    static const char *const targets[] = {"disk", "disk", "nic"}, *const paths[] = {"/a", "/d",
                                                                                    "/d"};
    struct script script = {.replies = {FLAT_GREETING, OK, OTHERS_SCHEMA, NAME, CPUS,
                                        RETURN(DEVICE("/a", "1") ", " DEVICE("/d", "2")),
                                        RETURN(DEVICE("/d", "3"))}};
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;
    size_t n;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    assert_string_equal(client_stats(client, &n)[0].target, "vcpu");
    assert_string_equal(client_stats(client, &n)[1].target, "disk");
    assert_int_equal(n, 3);
    snapshot = query_others(client);
    assert_int_equal(snapshot->n_objects, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct client_object *object = &snapshot->objects[i];

        assert_string_equal(object->target, targets[i]);
        assert_string_equal(object->path, paths[i]);
        assert_int_equal(object->cpu_index, -1);
        assert_int_equal(object->values[0].values[0], i + 1);
        assert_string_equal(object->values[0].stat->target, targets[i]);
    }
    client_snapshot_free(snapshot);
    client_free(client);
    script_end_asked(&script, "\"arguments\": {\"target\": \"nic\"}}");
}

#define REFUSED(parameter, value)                                                                  \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter '" parameter                  \
    "' does not accept value " value "\"}}\r\n"

/* The last object of a target, or of a provider, has taken the name along. */
static void test_targets_that_are_gone(void **state)
{
    struct script script = {.replies = {FLAT_GREETING, OK, OTHERS_SCHEMA, NAME, CPUS,
                                        REFUSED("target", "'disk'"), RETURN(DEVICE("/d", "3")),
                                        RETURN(DEVICE("/a", "4")), REFUSED("provider", "'p'")}};
    static const uint64_t values[] = {3, 4};
    struct client *client;
    struct client_error error;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        struct client_snapshot *snapshot = query_others(client);

        assert_int_equal(snapshot->n_objects, 1);
        assert_string_equal(snapshot->objects[0].target, i ? "disk" : "nic");
        assert_int_equal(snapshot->objects[0].values[0].values[0], values[i]);
        client_snapshot_free(snapshot);
    }
    client_free(client);
    script_end(&script);
}

#define TWO_PROVIDERS                                                                              \
    "{\"return\": [{\"provider\": \"p\", \"target\": \"disk\", \"stats\": [{\"name\": \"reads\", " \
    "\"type\": \"cumulative\"}]}, {\"provider\": \"q\", \"target\": \"disk\", \"stats\": "         \
    "[{\"name\": \"reads\", \"type\": \"cumulative\"}]}, {\"provider\": \"kvm\", \"target\": "     \
    "\"vm\", \"stats\": [{\"name\": \"pages\", \"type\": \"instant\"}]}]}\r\n"

/* A provider takes no other along, and is asked for again the next time. */
static void test_providers_that_are_gone(void **state)
{
    struct script script = {.replies = {FLAT_GREETING, OK, TWO_PROVIDERS, NAME, CPUS,
                                        REFUSED("provider", "'q'"), RETURN(DEVICE("/d", "3")),
                                        REFUSED("provider", "'q'"), REFUSED("provider", "'p'")}};
    struct client *client;
    struct client_error error;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    for (size_t n = 1; n < 2; n--) {
        struct client_snapshot *snapshot = query_others(client);

        assert_int_equal(snapshot->n_objects, n);
        client_snapshot_free(snapshot);
    }
    client_free(client);
    script_end_asked(&script, "\"providers\": [{\"provider\": \"p\", \"names\": [\"reads\"]}]");
}

/* What was not asked for can't be gone: a peer that refuses it again and again is an error. */
static void test_refusals_that_are_errors(void **state)
{
    const char *const replies[] = {
        REFUSED("target", "'nic'"),
        REFUSED("provider", "'r'"),
        REFUSED("provider", "p"),
        REFUSED("provider", "'p"),
        REFUSED("provider", "'"),
        REFUSED("provider", ""),
        REFUSED("names", "'p'"),
        REFUSED("", "'p'"),
        REFUSED("a-name-that-is-much-longer-than-any", "'p'"),
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n",
        "{\"error\": {\"class\": \"GenericError\"}}\r\n",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(replies); i++) {
        const struct client_request request = {.target = "disk", .wanted = all};
        struct script script = {
            .replies = {FLAT_GREETING, OK, OTHERS_SCHEMA, NAME, CPUS, replies[i]}};
        struct client_snapshot *snapshot = NULL;
        struct client *client;
        struct client_error error;

        check_ok(script_open(&script, &client, &error));
        check_error(client_query(client, &request, &snapshot, &error), EREMOTEIO);
        assert_contains(error.text, "fake.sock: query-stats: ");
        client_free(client);
        script_end(&script);
    }
}

/* As long as a name can be, and one byte more. */
static void test_long_values_that_are_refused(void **state)
{
    char value[CLIENT_NAME_MAX + 4] = "'";

    (void)state;
    for (size_t n = CLIENT_NAME_MAX; n <= CLIENT_NAME_MAX + 1; n++) {
        const struct client_request request = {.target = "disk", .wanted = all};
        struct client_snapshot *snapshot = NULL;
        struct client *client;
        struct client_error error;
        struct buf text = {0};
        struct script script;

        memset(value + 1, 'x', n);
        strcpy(value + 1 + n, "'");
        buf_printf(&text, REFUSED("provider", "%s"), value);
        buf_append(&text, "", 1);
        script =
            (struct script){.replies = {FLAT_GREETING, OK, OTHERS_SCHEMA, NAME, CPUS, text.data}};
        check_ok(script_open(&script, &client, &error));
        check_error(client_query(client, &request, &snapshot, &error), EREMOTEIO);
        client_free(client);
        script_end(&script);
        buf_free(&text);
    }
}

static void test_the_vm_is_never_gone(void **state)
{
    const struct client_request request = {.target = "vcpu", .wanted = all};
    struct script script = {.replies = {FLAT_GREETING, OK, OTHERS_SCHEMA, NAME, CPUS, CPUS,
                                        REFUSED("provider", "'kvm'")}};
    struct client_snapshot *snapshot = NULL;
    struct client *client;
    struct client_error error;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    check_error(client_query(client, &request, &snapshot, &error), EREMOTEIO);
    assert_contains(error.text, "Parameter 'provider' does not accept value 'kvm'");
    client_free(client);
    script_end(&script);
}

static char *schemas_of_targets(size_t n)
{
    struct buf text = {0};

    buf_puts(&text, "{\"return\": [{\"provider\": \"p\", \"target\": \"vm\", \"stats\": []}");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, ", {\"provider\": \"p\", \"target\": \"t%zu\", \"stats\": []}", i);
    buf_puts(&text, "]}\r\n");
    buf_append(&text, "", 1);
    return text.data;
}

static void test_most_targets(void **state)
{
    char *good = schemas_of_targets(CLIENT_TARGETS_MAX);
    char *bad = schemas_of_targets(CLIENT_TARGETS_MAX + 1);
    struct script script = {.replies = {FLAT_GREETING, OK, good, NAME, CPUS}};
    struct client *client;
    struct client_error error;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    client_free(client);
    script_end(&script);
    check_open((struct script){.replies = {FLAT_GREETING, OK, bad}}, E2BIG,
               "has more than 66 targets", "");
    free(good);
    free(bad);
}

static char *devices(size_t n)
{
    struct buf text = {0};

    buf_puts(&text, "{\"return\": [");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s{\"provider\": \"p\", \"qom-path\": \"/%zu\", \"stats\": []}",
                   i ? ", " : "", i);
    buf_puts(&text, "]}\r\n");
    buf_append(&text, "", 1);
    return text.data;
}

static void test_most_objects(void **state)
{
    char *good = devices(CLIENT_OBJECTS_MAX), *bad = devices(CLIENT_OBJECTS_MAX + 1);
    const struct client_request request = {.target = CLIENT_OTHER_TARGETS, .wanted = all};
    struct script script = {
        .replies = {FLAT_GREETING, OK, OTHERS_SCHEMA, NAME, CPUS, good, good, bad}};
    struct client *client;
    struct client_error error;
    struct client_snapshot *snapshot;

    (void)state;
    check_ok(script_open(&script, &client, &error));
    snapshot = query_others(client);
    assert_int_equal(snapshot->n_objects, 2 * CLIENT_OBJECTS_MAX);
    client_snapshot_free(snapshot);
    check_error(client_query(client, &request, &snapshot, &error), E2BIG);
    assert_contains(error.text, "query-stats: more than 8192 objects");
    client_free(client);
    script_end(&script);
    free(good);
    free(bad);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void check_connect(const char *path, int err, const char *text)
{
    struct client *client = NULL;
    struct client_error error = {0};

    check_error(client_open(path, NULL, SHORT_TIMEOUT_MS, &client, &error), err);
    assert_contains(error.text, path);
    assert_contains(error.text, text);
}

static int bound_fd(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    check_ok(bind(fd, (struct sockaddr *)&address, sizeof(address)));
    return fd;
}

static void test_connect_errors(void **state)
{
    char long_path[200];
    FILE *file = fopen(in_dir("file"), "w");
    int fd = bound_fd(in_dir("dead.sock"));

    (void)state;
    fclose(file);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    check_connect(in_dir("nothing"), ENOENT, "no such file");
    check_connect(in_dir("file"), ECONNREFUSED, "is no socket");
    check_connect(in_dir("dead.sock"), ECONNREFUSED, "nobody listens");
    check_connect(long_path, ENAMETOOLONG, "longer than");
    close(fd);
}

static void test_full_queue(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = bound_fd(in_dir("full.sock")), client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct client_error error;
    struct client *opened;

    (void)state;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", in_dir("full.sock"));
    check_ok(listen(server, 0));
    check_ok(connect(client, (struct sockaddr *)&address, sizeof(address)));
    check_connect(in_dir("full.sock"), ETIMEDOUT, "takes no more clients");
    check_error(client_connect(in_dir("full.sock"), NULL, 3600 * 1000, &opened, &error), ETIMEDOUT);
    assert_contains(error.text, "takes no more clients");
    close(client);
    close(server);
}

/* Puts another socket in the place of the one that it is asked about. */
static int let_be_and_replace(int fd, const char *path, struct client_error *error)
{
    (void)error;
    assert_true(fd >= 0);
    return rename(in_dir("other.sock"), path);
}

static int forbid(int fd, const char *path, struct client_error *error)
{
    (void)fd;
    return client_fail(error, EPERM, NULL, "%s: is not for us", path);
}

static int let_one_go(int fd, const char *path, struct client_error *error)
{
    static int n_asked;

    return n_asked++ ? forbid(fd, path, error) : 0;
}

static int n_clients(int server)
{
    int client, n = 0;

    while ((client = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        close(client);
        n++;
    }
    return n;
}

static int listening_without_waiting(const char *path)
{
    int fd = listening_fd(path);

    check_ok(fcntl(fd, F_SETFL, O_NONBLOCK));
    return fd;
}

static void test_what_was_looked_at_is_connected_to(void **state)
{
    int looked_at = listening_without_waiting(in_dir("vm.sock")),
        other = listening_without_waiting(in_dir("other.sock"));
    struct client_error error;
    struct client *client;

    (void)state;
    check_error(client_connect(in_dir("vm.sock"), forbid, 1, &client, &error), EPERM);
    assert_contains(error.text, "is not for us");
    check_error(client_open(in_dir("vm.sock"), forbid, 1, &client, &error), EPERM);
    assert_int_equal(n_clients(looked_at), 0);
    check_ok(client_connect(in_dir("vm.sock"), let_be_and_replace, 1, &client, &error));
    assert_int_equal(n_clients(looked_at), 1);
    assert_int_equal(n_clients(other), 0);
    client_free(client);
    close(looked_at);
    close(other);
}

static void test_who_comes_back_looks_again(void **state)
{
    int server = listening_without_waiting(in_dir("vm.sock"));
    struct client_error error;
    struct client *client;

    (void)state;
    check_ok(client_connect(in_dir("vm.sock"), NULL, 1, &client, &error));
    client_let_go(client);
    check_ok(client_reconnect(client, in_dir("vm.sock"), &error));
    client_free(client);
    assert_int_equal(n_clients(server), 2);
    client = NULL;
    check_ok(client_connect(in_dir("vm.sock"), let_one_go, 1, &client, &error));
    client_let_go(client);
    check_error(client_reconnect(client, in_dir("vm.sock"), &error), EPERM);
    client_free(client);
    assert_int_equal(n_clients(server), 1);
    close(server);
}

/* ---- histograms ----------------------------------------------------------------------------- */

static void test_bounds(void **state)
{
    const struct vitals_stat log = {.type = VITALS_LOG_HIST};
    const struct vitals_stat linear = {.type = VITALS_LINEAR_HIST, .bucket_size = 32};

    (void)state;
    assert_int_equal(histogram_lower_bound(&log, 0), 0);
    assert_int_equal(histogram_lower_bound(&log, 1), 1);
    assert_int_equal(histogram_lower_bound(&log, 31), 1 << 30);
    assert_true(histogram_lower_bound(&log, 64) == UINT64_C(1) << 63);
    assert_true(histogram_lower_bound(&log, 65) == UINT64_MAX);
    assert_int_equal(histogram_lower_bound(&linear, 3), 96);
}

static void test_percentiles(void **state)
{
    const uint64_t buckets[] = {50, 40, 9, 1};

    (void)state;
    assert_int_equal(histogram_percentile(buckets, 4, 50), 0);
    assert_int_equal(histogram_percentile(buckets, 4, 51), 1);
    assert_int_equal(histogram_percentile(buckets, 4, 90), 1);
    assert_int_equal(histogram_percentile(buckets, 4, 99), 2);
    assert_int_equal(histogram_percentile(buckets, 4, 100), 3);
}

static void test_order(void **state)
{
    const struct vitals_stat log = {.type = VITALS_LOG_HIST};
    const uint64_t buckets[] = {0, 0, 3, 0};
    const uint64_t nothing[] = {0, 0, 0, 0};

    (void)state;
    /* 3 values of 2 or 3, or of 1. */
    assert_int_equal(histogram_order(&log, buckets, 4, 8), HISTOGRAM_FORWARD);
    assert_int_equal(histogram_order(&log, buckets, 4, 3), HISTOGRAM_REVERSED);
    assert_int_equal(histogram_order(&log, buckets, 4, 6), HISTOGRAM_EITHER);
    assert_int_equal(histogram_order(&log, buckets, 4, 1), HISTOGRAM_EITHER);
    assert_int_equal(histogram_order(&log, nothing, 4, 0), HISTOGRAM_EITHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_peer),
        cmocka_unit_test(test_peer_that_is_not_qmp),
        cmocka_unit_test(test_peer_that_closes),
        cmocka_unit_test(test_error_text_with_control_characters),
        cmocka_unit_test(test_peer_that_closes_without_a_greeting),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_replies_to_others),
        cmocka_unit_test(test_ids_are_never_the_same),
        cmocka_unit_test(test_replies_without_the_id),
        cmocka_unit_test(test_error_in_place_of_the_greeting),
        cmocka_unit_test(test_most_events),
        cmocka_unit_test(test_values_of_another_type),
        cmocka_unit_test(test_reply_without_end),
        cmocka_unit_test(test_forms_of_messages),
        cmocka_unit_test(test_name_from_path),
        cmocka_unit_test(test_qemu_is_put_right),
        cmocka_unit_test(test_qemu_in_the_right_order),
        cmocka_unit_test(test_sum_is_asked_for_and_dropped),
        cmocka_unit_test(test_ours_is_never_reversed),
        cmocka_unit_test(test_exact_numbers),
        cmocka_unit_test(test_odd_replies),
        cmocka_unit_test(test_objects_of_other_targets),
        cmocka_unit_test(test_targets_that_are_gone),
        cmocka_unit_test(test_providers_that_are_gone),
        cmocka_unit_test(test_refusals_that_are_errors),
        cmocka_unit_test(test_long_values_that_are_refused),
        cmocka_unit_test(test_the_vm_is_never_gone),
        cmocka_unit_test(test_most_targets),
        cmocka_unit_test(test_most_objects),
        cmocka_unit_test_setup_teardown(test_connect_errors, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_full_queue, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_what_was_looked_at_is_connected_to, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(test_who_comes_back_looks_again, make_dir, remove_dir),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
