/* SPDX-License-Identifier: MIT */
/*
 * A session, from bytes to replies. Each conversation is held whole, byte by byte, and cut in two at
 * each place: the replies must be the same.
 */
#define _GNU_SOURCE
#include "qmp/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "fake.h"
#include "stats/ctx.h"

/* ---- a VM to talk about --------------------------------------------------------------------- */

struct vm {
    struct vitals_ctx *ctx;
    struct fake sched, mem;
    struct qmp_workbench bench;
};

static const char *const cpus[] = {"cpu/0", "cpu/1", NULL};

static int make_vm(void **state)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "web\xc3\xa4"};
    struct vm *vm = calloc(1, sizeof(*vm));

    check_ok(vitals_ctx_new(&options, &vm->ctx));
    vm->sched = (struct fake){
        .provider = "sched", .target = "vcpu", .names = {"runs", "waits"}, .objects = cpus};
    vm->mem = (struct fake){.provider = "mem", .target = "vm", .names = {"used"}, .base = 7};
    check_ok(fake_register(vm->ctx, &vm->sched, NULL));
    check_ok(fake_register(vm->ctx, &vm->mem, NULL));
    check_ok(qmp_workbench_init(&vm->bench));
    *state = vm;
    return 0;
}

static int free_vm(void **state)
{
    struct vm *vm = *state;

    qmp_workbench_free(&vm->bench);
    check_ok(vitals_ctx_free(vm->ctx));
    free(vm);
    return 0;
}

/* ---- talking -------------------------------------------------------------------------------- */

static size_t count_lines(const struct buf *out)
{
    size_t i, n = 0;

    for (i = 0; i < out->len; i++)
        n += out->data[i] == '\n';
    return n;
}

/* Feeds a piece as a server does: again and again, until the bytes are taken. */
static void say(struct qmp_session *session, struct qmp_workbench *bench, const char *bytes,
                size_t len, struct buf *out)
{
    size_t taken, lines = count_lines(out);

    do {
        taken = qmp_session_feed(session, bench, bytes, len, out);
        while (session->task)
            qmp_session_go_on(session, bench, out);
        assert_true(taken <= len);
        assert_true(taken == len || count_lines(out) == lines + 1);
        assert_true(count_lines(out) <= lines + 1);
        lines = count_lines(out);
        bytes += taken;
        len -= taken;
    } while (len);
}

static struct qmp_session new_session(struct vm *vm, bool negotiated)
{
    struct qmp_session session;

    qmp_session_init(&session, vm->ctx, VITALS_DIALECT_GROUPED, NULL);
    session.negotiated = negotiated;
    return session;
}

static char *end_talk(struct qmp_session *session, struct vm *vm, struct buf *out)
{
    qmp_session_finish(session, &vm->bench, out);
    qmp_session_free(session);
    buf_append(out, "", 1);
    return out->data;
}

static char *talk_in_two(struct vm *vm, bool negotiated, const char *input, size_t len, size_t cut)
{
    struct qmp_session session = new_session(vm, negotiated);
    struct buf out = {0};

    say(&session, &vm->bench, input, cut, &out);
    say(&session, &vm->bench, input + cut, len - cut, &out);
    return end_talk(&session, vm, &out);
}

static char *talk_by_bytes(struct vm *vm, bool negotiated, const char *input, size_t len)
{
    struct qmp_session session = new_session(vm, negotiated);
    struct buf out = {0};
    size_t i;

    for (i = 0; i < len; i++)
        say(&session, &vm->bench, input + i, 1, &out);
    return end_talk(&session, vm, &out);
}

static void check_reply(char *replies, const char *expected, const char *input)
{
    if (strcmp(replies, expected))
        fail_msg("%s\n%sexpected:\n%s", input, replies, expected);
    free(replies);
}

static void check_talk(struct vm *vm, bool negotiated, const char *input, size_t len,
                       const char *expected)
{
    size_t cut;

    for (cut = 0; cut <= len; cut++)
        check_reply(talk_in_two(vm, negotiated, input, len, cut), expected, input);
    check_reply(talk_by_bytes(vm, negotiated, input, len), expected, input);
}

#define assert_talk(input, expected)                                                               \
    check_talk(*state, true, (input), sizeof(input) - 1, (expected))
#define assert_first_talk(input, expected)                                                         \
    check_talk(*state, false, (input), sizeof(input) - 1, (expected))

#define RETURN(value)   "{\"return\": " value "}\r\n"
#define ERROR(desc)     "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}\r\n"
#define NOT_FOUND(desc) "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"" desc "\"}}\r\n"
#define STATUS          "{\"status\": \"running\", \"singlestep\": false, \"running\": true}"

/* ---- greeting and negotiation --------------------------------------------------------------- */

static void a_session_begins_with_a_greeting(void **state)
{
    struct qmp_session session = new_session(*state, false);
    struct buf out = {0};

    qmp_session_greet(&session, &out);
    buf_append(&out, "", 1);
    assert_string_equal(out.data, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, "
                                  "\"major\": 7}, \"package\": \"vitals " VITALS_VERSION
                                  "\"}, \"capabilities\": []}}\r\n");
    buf_free(&out);
    qmp_session_free(&session);
}

static void nothing_is_found_before_the_negotiation(void **state)
{
    assert_first_talk("{'execute':'query-status'}",
                      NOT_FOUND("Expecting capabilities negotiation with 'qmp_capabilities'"));
    assert_first_talk("{'execute':'no-such-command'}",
                      NOT_FOUND("Expecting capabilities negotiation with 'qmp_capabilities'"));
    assert_first_talk("{'execute':1}", ERROR("QMP input member 'execute' must be a string"));
}

static void the_negotiation_opens_the_session(void **state)
{
    assert_first_talk("{'execute':'qmp_capabilities'}{'execute':'query-status'}",
                      RETURN("{}") RETURN(STATUS));
    assert_first_talk("{'execute':'qmp_capabilities','arguments':{'enable':[]}}", RETURN("{}"));
}

static void the_negotiation_can_be_done_once(void **state)
{
    assert_talk("{'execute':'qmp_capabilities'}",
                NOT_FOUND("Capabilities negotiation is already complete, command ignored"));
}

static void a_negotiation_that_fails_can_be_tried_again(void **state)
{
    assert_first_talk("{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}"
                      "{'execute':'query-status'}"
                      "{'execute':'qmp_capabilities'}",
                      ERROR("Capability oob not available")
                          NOT_FOUND("Expecting capabilities negotiation with 'qmp_capabilities'")
                              RETURN("{}"));
}

/* ---- the id --------------------------------------------------------------------------------- */

static void the_id_is_echoed(void **state)
{
    assert_talk("{'execute':'query-status','id':7}", "{\"return\": " STATUS ", \"id\": 7}\r\n");
    assert_talk("{'id':'a\\u00e4\\u0000','execute':'query-status'}",
                "{\"return\": " STATUS ", \"id\": \"a\\u00E4\\u0000\"}\r\n");
    assert_talk("{'id':null,'execute':'query-status'}",
                "{\"return\": " STATUS ", \"id\": null}\r\n");
    assert_talk("{'id':[1,-2.5,{'x':[]},true],'execute':'query-status'}",
                "{\"return\": " STATUS ", \"id\": [1, -2.5, {\"x\": []}, true]}\r\n");
    assert_talk("{'id':18446744073709551615,'execute':'query-status'}",
                "{\"return\": " STATUS ", \"id\": 18446744073709551615}\r\n");
    assert_talk("{'id':18446744073709551616,'execute':'query-status'}",
                "{\"return\": " STATUS ", \"id\": 1.8446744073709552e+19}\r\n");
}

static void the_id_is_echoed_with_errors_of_form(void **state)
{
    assert_talk("{'execute':'nope','id':1}",
                "{\"id\": 1, \"error\": {\"class\": \"CommandNotFound\", "
                "\"desc\": \"The command nope has not been found\"}}\r\n");
    assert_talk("{'id':2}", "{\"id\": 2, \"error\": {\"class\": \"GenericError\", "
                            "\"desc\": \"QMP input lacks member 'execute'\"}}\r\n");
    assert_talk("{'id':3,'execute':'query-stats'}",
                "{\"id\": 3, \"error\": {\"class\": \"GenericError\", "
                "\"desc\": \"Parameter 'target' is missing\"}}\r\n");
}

static void the_id_is_not_echoed_with_errors_of_syntax(void **state)
{
    assert_talk("{'id':1,'execute':'\\x'}",
                ERROR("JSON parse error, invalid escape sequence in string"));
    assert_talk("{'id':1,}", ERROR("JSON parse error, expecting value"));
}

/* ---- the form of a message ------------------------------------------------------------------ */

static void a_message_is_an_object(void **state)
{
    assert_talk("[]", ERROR("QMP input must be a JSON object"));
    assert_talk("\"execute\"", ERROR("QMP input must be a JSON object"));
    assert_talk("1 ", ERROR("QMP input must be a JSON object"));
    assert_talk("null ", ERROR("QMP input must be a JSON object"));
    assert_talk("true ", ERROR("QMP input must be a JSON object"));
}

static void the_members_of_a_message_are_checked(void **state)
{
    assert_talk("{}", ERROR("QMP input lacks member 'execute'"));
    assert_talk("{'execute':[]}", ERROR("QMP input member 'execute' must be a string"));
    assert_talk("{'execute':null}", ERROR("QMP input member 'execute' must be a string"));
    assert_talk("{'execute':'query-status','arguments':[]}",
                ERROR("QMP input member 'arguments' must be an object"));
    assert_talk("{'execute':'query-status','arguments':null}",
                ERROR("QMP input member 'arguments' must be an object"));
    assert_talk("{'execute':'query-status','extra':1}",
                ERROR("QMP input member 'extra' is unexpected"));
    assert_talk("{'exec-oob':'query-status'}", ERROR("QMP input member 'exec-oob' is unexpected"));
}

/* Those of QEMU are in the order of its hash table. */
static void of_several_wrong_members_the_first_is_named(void **state)
{
    assert_talk("{'b':1,'a':1,'execute':'query-status'}",
                ERROR("QMP input member 'b' is unexpected"));
    assert_talk("{'a':1,'b':1,'execute':[]}", ERROR("QMP input member 'a' is unexpected"));
    assert_talk("{'execute':[],'a':1}", ERROR("QMP input member 'execute' must be a string"));
}

static void an_id_comes_back_in_its_own_order(void **state)
{
    assert_talk("{'execute':'query-status','id':{'a10':0,'a11':{'z':1,'y':[]},'a12':null}}",
                "{\"return\": " STATUS ", \"id\": {\"a10\": 0, \"a11\": {\"z\": 1, \"y\": []}, "
                "\"a12\": null}}\r\n");
}

static void unknown_commands_are_not_found(void **state)
{
    assert_talk("{'execute':'quit'}", NOT_FOUND("The command quit has not been found"));
    assert_talk("{'execute':''}", NOT_FOUND("The command  has not been found"));
    assert_talk("{'execute':'a\\u0000\\n\\u00e4\"'}",
                NOT_FOUND("The command a\\u0000\\n\\u00E4\\\" has not been found"));
}

/* A description of at most 4096 bytes, 31 of which are not the name's. */
enum { WHOLE_NAME = 4096 - 31 };

static void check_name_of(struct vm *vm, const char *start, const char *letter, size_t n,
                          size_t expected_n, const char *end)
{
    struct buf input = {0}, expected = {0}, out = {0};
    struct qmp_session session = new_session(vm, true);
    size_t i;

    buf_printf(&input, "{'execute':'%s", start);
    for (i = 0; i < n; i++)
        buf_puts(&input, letter);
    buf_puts(&input, "'}");
    buf_printf(&expected,
               "{\"error\": {\"class\": \"CommandNotFound\", "
               "\"desc\": \"The command %s",
               start);
    for (i = 0; i < expected_n; i++)
        buf_puts(&expected, *letter == 'x' ? "x" : "\\u00E9");
    buf_printf(&expected, "%s\"}}\r\n", end);
    say(&session, &vm->bench, input.data, input.len, &out);
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.data, expected.data, out.len);
    qmp_session_free(&session);
    buf_free(&input);
    buf_free(&expected);
    buf_free(&out);
}

static void the_description_of_an_error_has_a_limit(void **state)
{
    check_name_of(*state, "", "x", WHOLE_NAME, WHOLE_NAME, " has not been found");
    check_name_of(*state, "", "x", WHOLE_NAME + 1, WHOLE_NAME + 1, " has not been foun...");
    check_name_of(*state, "", "x", 100 * 1000, 4096 - 12, "...");
    check_name_of(*state, "", "\xc3\xa9", 100 * 1000, (4096 - 12) / 2, "...");
    check_name_of(*state, "x", "\xc3\xa9", 100 * 1000, (4096 - 12) / 2 - 1, "...");
}

#define VALUE    ERROR("JSON parse error, expecting value")
#define KEY      ERROR("JSON parse error, key is not a string in object")
#define COLON    ERROR("JSON parse error, missing : in object pair")
#define LIST_SEP ERROR("JSON parse error, expected separator in list")
#define DICT_SEP ERROR("JSON parse error, expected separator in dict")

/* What QEMU 7.2 answers. */
static void errors_of_grammar_have_the_words_of_qemu(void **state)
{
    assert_talk("{'a' 1}", COLON);
    assert_talk("{'a'}", COLON);
    assert_talk("{'a','b'}", COLON);
    assert_talk("{1:2}", KEY);
    assert_talk("{'a':}", VALUE);
    assert_talk("{'a':'b',}", VALUE);
    assert_talk("{'a':'b' 'c':2}", DICT_SEP);
    assert_talk("{'a':'x''y'}", DICT_SEP);
    assert_talk("['a' 'b']", LIST_SEP);
    assert_talk("['a':2]", LIST_SEP);
    assert_talk("['a',]", VALUE);
    assert_talk("[,'a']", VALUE);
    assert_talk("]", VALUE);
    assert_talk(":", VALUE);
    assert_talk("[}", VALUE);
}

/* The parser goes on behind a trailing comma. */
static void the_first_error_counts(void **state)
{
    assert_talk("{'a':['b',],'c' 2}", VALUE);
    assert_talk("{'c' 2,'a':['b',]}", COLON);
    assert_talk("{'a':{'b':1,},'c':['d' 'e']}", VALUE);
    assert_talk("{'id':',]','a':['\\\\',']' 1]}", LIST_SEP);
}

static void so_have_those_where_a_key_should_start(void **state)
{
    assert_talk("{]", VALUE);
    assert_talk("{,}", VALUE);
    assert_talk("{:1}", VALUE);
    assert_talk("{'a':1,,'b':2}", VALUE);
    assert_talk("{[]:1}", KEY);
    assert_talk("{true:1}", KEY);
}

static void so_have_those_behind_a_number(void **state)
{
    assert_talk("{'a':1 'b':2}", DICT_SEP);
    assert_talk("{'a':1 2}", DICT_SEP);
    assert_talk("[1'a']", LIST_SEP);
    assert_talk("[1:2]", LIST_SEP);
    assert_talk("[1-2]", LIST_SEP);
    assert_talk("[1true]", LIST_SEP);
    assert_talk("[1{}]", LIST_SEP);
}

static void two_numbers_are_not_one(void **state)
{
    assert_talk("[1 2]", LIST_SEP);
    assert_talk("{'execute':'query-status','id':[1 2]}", LIST_SEP);
    assert_talk("{'execute':'query-status','id':1\n2}", DICT_SEP);
}

static void a_key_may_be_given_once(void **state)
{
    assert_talk("{'execute':'quit','execute':'query-status'}",
                ERROR("JSON parse error, duplicate key"));
    assert_talk("{'execute':'query-status','id':{'a':[{'b':1,'b':1}]}}",
                ERROR("JSON parse error, duplicate key"));
    assert_talk("{'execute':'query-status','id':{'a':{'a':1}}}",
                "{\"return\": " STATUS ", \"id\": {\"a\": {\"a\": 1}}}\r\n");
}

static void infinity_is_refused(void **state)
{
    assert_talk("{'execute':'query-status','id':1e400}",
                ERROR("JSON parse error, number is too large"));
    assert_talk("{'execute':'query-status','id':[{'a':-1e400}]}",
                ERROR("JSON parse error, number is too large"));
}

/* ---- several messages ----------------------------------------------------------------------- */

static void messages_are_answered_in_order(void **state)
{
    assert_talk("{'execute':'query-name','id':1}\n{'execute':'nope'} []{'execute':'query-name'}",
                "{\"return\": {\"name\": \"web\\u00E4\"}, \"id\": 1}\r\n" NOT_FOUND(
                    "The command nope has not been found") ERROR("QMP input must be a JSON object")
                    RETURN("{\"name\": \"web\\u00E4\"}"));
}

static void after_an_error_the_session_goes_on(void **state)
{
    assert_talk("{'execute': @ }\n{'execute':'query-status'}",
                ERROR("JSON parse error, stray '@'") RETURN(STATUS));
    assert_talk("{\"execute\": \"query-\xff{'execute':'query-status'}",
                ERROR("JSON parse error, stray '\\\"query-\\uFFFD'") RETURN(STATUS));
}

static void half_a_message_is_an_error_at_the_end(void **state)
{
    assert_talk("{'execute':'query-status'", ERROR("JSON parse error, the message has no end"));
    assert_talk("", "");
    assert_talk(" \r\n", "");
}

static void sessions_share_a_workbench_without_mixing(void **state)
{
    struct vm *vm = *state;
    struct qmp_session one = new_session(vm, true), other = new_session(vm, true);
    struct buf out = {0};

    say(&one, &vm->bench, "{'execute':'query-na", 20, &out);
    say(&other, &vm->bench, "{'execute':'query-sta", 21, &out);
    assert_int_equal(out.len, 0);
    assert_true(qmp_session_memory(&one) > 0);
    say(&one, &vm->bench, "me'}", 4, &out);
    say(&other, &vm->bench, "tus'}", 5, &out);
    buf_append(&out, "", 1);
    assert_string_equal(out.data, RETURN("{\"name\": \"web\\u00E4\"}") RETURN(STATUS));
    assert_int_equal(qmp_session_memory(&one), 0);
    assert_int_equal(qmp_session_memory(&other), 0);
    buf_free(&out);
    qmp_session_free(&one);
    qmp_session_free(&other);
}

static bool no_parsers;

struct json_tokener *__real_json_tokener_new_ex(int depth);
struct json_tokener *__wrap_json_tokener_new_ex(int depth);

struct json_tokener *__wrap_json_tokener_new_ex(int depth)
{
    return no_parsers ? NULL : __real_json_tokener_new_ex(depth);
}

/* Behind one so long that the parser is renewed, where there is no memory for another. */
static void a_broken_message_is_not_continued_by_the_next(void **state)
{
    enum { LONG = 100 * 1000 };
    struct vm *vm = *state;
    struct qmp_session session = new_session(vm, true);
    struct buf out = {0}, message = {0};
    int i;

    buf_puts(&message, "{'id':'");
    for (i = 0; i < LONG; i++)
        buf_puts(&message, "x");
    buf_puts(&message, "','b' 1}");
    no_parsers = true;
    say(&session, &vm->bench, message.data, message.len, &out);
    no_parsers = false;
    assert_true(session.refused);
    buf_reset(&out);
    say(&session, &vm->bench, "{'execute':'query-status'}", 26, &out);
    check_reply(end_talk(&session, vm, &out), RETURN(STATUS), "query-status");
    buf_free(&message);
}

static void noise_is_noted(void **state)
{
    struct vm *vm = *state;
    struct qmp_session session = new_session(vm, true);
    struct buf out = {0};

    say(&session, &vm->bench, "@\n", 2, &out);
    assert_true(session.refused);
    say(&session, &vm->bench, "{'execute':'query-status'}", 26, &out);
    assert_false(session.refused);
    say(&session, &vm->bench, "[]", 2, &out);
    assert_true(session.refused);
    say(&session, &vm->bench, "{'execute':'query-stats'}", 25, &out); /* wrong, but no noise */
    assert_false(session.refused);
    buf_free(&out);
    qmp_session_free(&session);
}

/* ---- commands ------------------------------------------------------------------------------- */

static void the_state_of_the_vm_is_told(void **state)
{
    struct vm *vm = *state;

    assert_talk("{'execute':'query-status'}", RETURN(STATUS));
    vitals_set_running(vm->ctx, false);
    assert_talk("{'execute':'query-status'}",
                RETURN("{\"status\": \"paused\", \"singlestep\": false, \"running\": false}"));
    ctx_set_state(vm->ctx, CTX_PRELAUNCH);
    assert_talk("{'execute':'query-status'}",
                RETURN("{\"status\": \"prelaunch\", \"singlestep\": false, \"running\": false}"));
    vitals_set_running(vm->ctx, true);
}

static void statistics_of_the_vm_are_told(void **state)
{
    assert_talk("{'execute':'query-stats','arguments':{'target':'vm'}}",
                RETURN("{\"vm\": [{\"provider\": \"mem\", \"stats\": "
                       "[{\"name\": \"used\", \"value\": 7}]}]}"));
}

static void statistics_of_vcpus_are_told(void **state)
{
    assert_talk(
        "{'execute':'query-stats','arguments':{'target':'vcpu'}}",
        RETURN("{\"vcpus\": [{\"path\": \"cpu/0\", \"providers\": [{\"provider\": \"sched\", "
               "\"stats\": [{\"name\": \"runs\", \"value\": 0}, {\"name\": \"waits\", "
               "\"value\": 1}]}]}, {\"path\": \"cpu/1\", \"providers\": [{\"provider\": "
               "\"sched\", \"stats\": [{\"name\": \"runs\", \"value\": 10}, {\"name\": "
               "\"waits\", \"value\": 11}]}]}]}"));
}

static void a_filter_selects(void **state)
{
    assert_talk("{'execute':'query-stats','arguments':{'target':'vcpu','vcpus':['cpu/1','x'],"
                "'filters':[{'provider':'sched','fields':['waits','nope']}]}}",
                RETURN("{\"vcpus\": [{\"path\": \"cpu/1\", \"providers\": [{\"provider\": "
                       "\"sched\", \"stats\": [{\"name\": \"waits\", \"value\": 11}]}]}]}"));
}

static void what_selects_nothing_gives_an_empty_list(void **state)
{
    assert_talk("{'execute':'query-stats','arguments':{'target':'vcpu','filters':[]}}",
                RETURN("{\"vcpus\": []}"));
    assert_talk("{'execute':'query-stats','arguments':{'target':'vcpu','vcpus':[]}}",
                RETURN("{\"vcpus\": []}"));
    assert_talk("{'execute':'query-stats','arguments':{'target':'vm','filters':[{'fields':[]}]}}",
                RETURN("{\"vm\": []}"));
}

static void wrong_arguments_are_refused(void **state)
{
    assert_talk("{'execute':'query-stats','arguments':{'target':'foo'}}",
                ERROR("Parameter 'target' does not accept value 'foo'"));
    assert_talk("{'execute':'query-stats','arguments':{'target':'vm','vcpus':[]}}",
                ERROR("Parameter 'vcpus' is unexpected"));
    assert_talk("{'execute':'query-stats','arguments':{'target':'vm','filters':"
                "[{'provider':'foo'}]}}",
                ERROR("Parameter 'provider' does not accept value 'foo'"));
    assert_talk("{'execute':'query-status','arguments':{'foo':1}}",
                ERROR("Parameter 'foo' is unexpected"));
}

static void schemas_are_told(void **state)
{
    assert_talk("{'execute':'query-stats-schemas','arguments':{'provider':'mem'}}",
                RETURN("{\"vm\": [{\"provider\": \"mem\", \"stats\": [{\"name\": \"used\", "
                       "\"unit\": \"none\", \"base\": \"pow10\", \"exponent\": 0, "
                       "\"type\": \"cumulative\"}]}]}"));
    assert_talk("{'execute':'query-stats-schemas','arguments':{'provider':'foo'}}",
                ERROR("Parameter 'provider' does not accept value 'foo'"));
}

/* ---- the form of values --------------------------------------------------------------------- */

static int collect_kinds(void *opaque, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, NULL);

    (void)opaque;
    row[0] = UINT64_MAX;
    row[1] = 5; /* a boolean */
    row[2] = 1;
    row[4] = 3;
    row[5] = 3;
    return 0;
}

static void register_kinds(struct vitals_ctx *ctx)
{
    static const struct vitals_stat stats[] = {
        {.name = "large", .base = 2, .count = 1, .unit = VITALS_BYTES, .exponent = 12},
        {.name = "seen",
         .base = 10,
         .count = 1,
         .slot = 1,
         .type = VITALS_PEAK,
         .unit = VITALS_BOOLEAN},
        {.name = "linear",
         .base = 10,
         .count = 3,
         .slot = 2,
         .type = VITALS_LINEAR_HIST,
         .bucket_size = 5,
         .unit = VITALS_CYCLES},
        {.name = "log",
         .base = 10,
         .count = 1,
         .slot = 5,
         .type = VITALS_LOG_HIST,
         .unit = VITALS_SECONDS,
         .exponent = -9},
    };
    const struct vitals_group_ops ops = {
        VITALS_GROUP_OPS_INIT,        .provider = "kinds", .target = "vm",          .stats = stats,
        .n_stats = N_ELEMENTS(stats), .row_len = 6,        .collect = collect_kinds};

    check_ok(vitals_register(ctx, &ops, NULL));
}

static void each_kind_of_value_has_its_form(void **state)
{
    struct vm *vm = *state;

    register_kinds(vm->ctx);
    assert_talk(
        "{'execute':'query-stats','arguments':{'target':'vm','filters':[{'provider':'kinds'}]}}",
        RETURN("{\"vm\": [{\"provider\": \"kinds\", \"stats\": ["
               "{\"name\": \"large\", \"value\": 18446744073709551615}, "
               "{\"name\": \"seen\", \"value\": 1}, "
               "{\"name\": \"linear\", \"value\": {\"values\": [1, 0, 3]}}, "
               "{\"name\": \"log\", \"value\": {\"values\": [3]}}]}]}"));
}

static void each_kind_of_statistic_has_its_schema(void **state)
{
    struct vm *vm = *state;

    register_kinds(vm->ctx);
    assert_talk(
        "{'execute':'query-stats-schemas','arguments':{'provider':'kinds'}}",
        RETURN("{\"vm\": [{\"provider\": \"kinds\", \"stats\": ["
               "{\"name\": \"large\", \"unit\": \"bytes\", \"base\": \"pow2\", \"exponent\": 12, "
               "\"type\": \"cumulative\"}, "
               "{\"name\": \"seen\", \"unit\": \"none\", \"base\": \"pow10\", \"exponent\": 0, "
               "\"type\": \"peak\"}, "
               "{\"name\": \"linear\", \"unit\": \"cycles\", \"base\": \"pow10\", "
               "\"bucket-size\": 5, \"exponent\": 0, \"type\": \"linear-hist\"}, "
               "{\"name\": \"log\", \"unit\": \"seconds\", \"base\": \"pow10\", \"exponent\": -9, "
               "\"type\": \"log-hist\"}]}]}"));
}

/* ---- long replies --------------------------------------------------------------------------- */

enum { MANY = 4000 };

static const char *const *many_paths(void)
{
    static char text[MANY][16];
    static const char *paths[MANY + 1];
    int i;

    for (i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof(text[i]), "many/%d", i);
        paths[i] = text[i];
    }
    return paths;
}

#define QUERY_ALL "{'execute':'query-stats','arguments':{'target':'vcpu'},'id':[7]}"
#define QUERY_TWICE                                                                                \
    "{'execute':'query-stats','arguments':{'target':'vcpu','providers':[{'provider':'sched'},"     \
    "{'provider':'sched','names':['runs']}]},'id':[7]}"

/* What else happens between two parts: another session has the bench. */
static void ask_something_else(struct vm *vm)
{
    struct qmp_session session = new_session(vm, true);
    struct buf out = {0};

    say(&session, &vm->bench, "{'execute':'query-name'}", strlen("{'execute':'query-name'}"), &out);
    assert_memory_equal(out.data, "{\"return\": {", strlen("{\"return\": {"));
    buf_reset(&out);
    qmp_session_feed(&session, &vm->bench, QUERY_ALL, strlen(QUERY_ALL), &out);
    assert_non_null(session.task); /* and is given up */
    buf_free(&out);
    qmp_session_free(&session);
}

struct parts {
    size_t n, largest;
};

/* The whole reply. */
static struct buf long_reply(struct vm *vm, enum vitals_dialect dialect, const char *query,
                             bool with_others, struct parts *ret_parts)
{
    struct qmp_session session;
    struct buf out = {0};
    size_t before = 0;

    qmp_session_init(&session, vm->ctx, dialect, NULL);
    session.negotiated = true;
    *ret_parts = (struct parts){0};
    assert_int_equal(qmp_session_feed(&session, &vm->bench, query, strlen(query), &out),
                     strlen(query));
    for (;;) {
        ret_parts->n++;
        if (out.len - before > ret_parts->largest)
            ret_parts->largest = out.len - before;
        before = out.len;
        if (!session.task)
            break;
        assert_true(qmp_session_memory(&session) > 1000);
        if (with_others)
            ask_something_else(vm);
        qmp_session_go_on(&session, &vm->bench, &out);
        assert_false(out.failed);
    }
    assert_int_equal(qmp_session_memory(&session), 0);
    qmp_session_free(&session);
    return out;
}

/* In their order, and @rounds times. */
static void assert_has_all(struct buf *reply, int rounds)
{
    struct json_object *parsed;
    const char *at;
    char path[16];
    int i;

    assert_true(buf_reserve(reply, 1));
    reply->data[reply->len] = '\0';
    at = reply->data;
    for (i = 0; i < rounds * MANY; i++) {
        snprintf(path, sizeof(path), "\"many/%d\"", i % MANY);
        at = strstr(at, "\"many/");
        assert_non_null(at);
        assert_memory_equal(at, path, strlen(path));
        at += strlen(path);
    }
    assert_null(strstr(at, "\"many/"));
    parsed = json_tokener_parse(reply->data);
    assert_non_null(parsed);
    json_object_put(parsed);
}

static void a_long_reply_is_written_in_parts(void **state)
{
    struct vm *vm = *state;
    enum vitals_dialect dialect;

    vm->sched.objects = many_paths();
    for (dialect = VITALS_DIALECT_GROUPED; dialect <= VITALS_DIALECT_FLAT; dialect++) {
        const char *query = dialect == VITALS_DIALECT_FLAT ? QUERY_TWICE : QUERY_ALL;
        struct parts alone, beside;
        struct buf whole = long_reply(vm, dialect, query, false, &alone);
        struct buf same = long_reply(vm, dialect, query, true, &beside);

        assert_true(alone.n > 3 && alone.n >= whole.len / (QMP_PART + 1024));
        assert_true(alone.largest < QMP_PART + 1024);
        assert_int_equal(same.len, whole.len);
        assert_memory_equal(same.data, whole.data, whole.len);
        assert_has_all(&whole, dialect == VITALS_DIALECT_FLAT ? 2 : 1);
        buf_free(&whole);
        buf_free(&same);
    }
}

/* ---- many schemas --------------------------------------------------------------------------- */

/* Groups of one provider, each with statistics of its own and one that all have. */
struct many_schemas {
    struct vitals_ctx *ctx, *former;
    size_t n;
    struct fake *fakes;
    char (*names)[FAKE_STATS_MAX][16];
};

/* They are the VM's until they are freed. */
static struct many_schemas make_schemas(size_t n, struct vm *vm)
{
    struct many_schemas many = {new_ctx(), vm->ctx, n, calloc(n, sizeof(*many.fakes)),
                                calloc(n, sizeof(*many.names))};
    size_t i, j;

    for (i = 0; i < n; i++) {
        many.fakes[i] = (struct fake){.provider = "disk", .target = "block", .names = {"common"}};
        for (j = 1; j < FAKE_STATS_MAX; j++) {
            snprintf(many.names[i][j], sizeof(many.names[i][j]), "own-%zu-%zu", i, j);
            many.fakes[i].names[j] = many.names[i][j];
        }
        check_ok(fake_register(many.ctx, &many.fakes[i], NULL));
    }
    vm->ctx = many.ctx;
    return many;
}

static void free_schemas(struct many_schemas *many, struct vm *vm)
{
    vm->ctx = many->former;
    check_ok(vitals_ctx_free(many->ctx));
    free(many->fakes);
    free(many->names);
}

#define QUERY_SCHEMAS "{'execute':'query-stats-schemas'}"

/* That of the first of all targets and providers. */
static struct json_object *statistics(struct json_object *reply, enum vitals_dialect dialect)
{
    struct json_object *list = json_object_object_get(reply, "return");

    if (dialect == VITALS_DIALECT_GROUPED)
        list = json_object_object_get(list, "block");
    assert_int_equal(json_object_array_length(list), 1);
    return json_object_object_get(json_object_array_get_idx(list, 0), "stats");
}

/* Each once, in their order. */
static void assert_describes(struct buf *reply, const struct many_schemas *many,
                             enum vitals_dialect dialect)
{
    struct json_object *parsed, *stats;
    const char *expected;
    size_t i;

    buf_append(reply, "", 1);
    parsed = json_tokener_parse(reply->data);
    stats = statistics(parsed, dialect);
    assert_int_equal(json_object_array_length(stats), 1 + many->n * (FAKE_STATS_MAX - 1));
    for (i = 0; i < json_object_array_length(stats); i++) {
        struct json_object *stat = json_object_array_get_idx(stats, i);

        expected =
            i ? many->names[(i - 1) / (FAKE_STATS_MAX - 1)][1 + (i - 1) % (FAKE_STATS_MAX - 1)]
              : "common";
        assert_string_equal(json_object_get_string(json_object_object_get(stat, "name")), expected);
    }
    json_object_put(parsed);
}

static void many_schemas_are_written_in_parts(void **state)
{
    struct vm *vm = *state;
    struct many_schemas many = make_schemas(800, vm);
    enum vitals_dialect dialect;

    for (dialect = VITALS_DIALECT_GROUPED; dialect <= VITALS_DIALECT_FLAT; dialect++) {
        struct parts parts;
        struct buf reply = long_reply(vm, dialect, QUERY_SCHEMAS, false, &parts);

        assert_true(parts.n > 3 && parts.n >= reply.len / (QMP_PART + 1024));
        assert_true(parts.largest < QMP_PART + 1024);
        assert_describes(&reply, &many, dialect);
        buf_free(&reply);
    }
    free_schemas(&many, vm);
}

/* Groups may leave meanwhile, and so may the client. */
static void schemas_stay_until_they_are_written(void **state)
{
    struct vm *vm = *state;
    struct many_schemas many = make_schemas(800, vm);
    struct buf out = {0};
    int i;

    for (i = 0; i < 2; i++) {
        struct qmp_session session = new_session(vm, true);

        qmp_session_feed(&session, &vm->bench, QUERY_SCHEMAS, strlen(QUERY_SCHEMAS), &out);
        assert_non_null(session.task);
        while (i && session.task) {
            while (many.ctx->groups)
                check_ok(vitals_unregister(many.ctx->groups));
            qmp_session_go_on(&session, &vm->bench, &out);
        }
        qmp_session_free(&session);
        if (!i)
            buf_reset(&out);
    }
    assert_describes(&out, &many, VITALS_DIALECT_GROUPED);
    buf_free(&out);
    free_schemas(&many, vm);
}

/* Of CPU: the least of a few tries. */
static double seconds_to_describe(struct vm *vm, size_t n)
{
    struct many_schemas many = make_schemas(n, vm);
    struct qmp_session session;
    struct timespec start, end;
    double least = 1e9, seconds;
    struct buf out = {0};

    qmp_session_init(&session, many.ctx, VITALS_DIALECT_GROUPED, NULL);
    session.negotiated = true;
    for (int i = 0; i < 20; i++) {
        buf_reset(&out);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
        qmp_session_feed(&session, &vm->bench, QUERY_SCHEMAS, strlen(QUERY_SCHEMAS), &out);
        while (session.task) {
            buf_reset(&out);
            qmp_session_go_on(&session, &vm->bench, &out);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
        least = seconds < least ? seconds : least;
    }
    buf_free(&out);
    qmp_session_free(&session);
    free_schemas(&many, vm);
    return least;
}

/* Ten times as many cost ten times as much. Where each is compared with each, it is a hundred times. */
static void schemas_cost_no_more_where_they_are_many(void **state)
{
    double many = seconds_to_describe(*state, 1000), few = seconds_to_describe(*state, 100);

    assert_true(IS_SANITIZED || many < 50 * few);
}

/* ---- long messages -------------------------------------------------------------------------- */

/* Returns whether it was run in the turn in which it was complete. */
static bool is_run_at_once(struct vm *vm, const struct buf *message)
{
    struct qmp_session session = new_session(vm, true);
    struct buf out = {0};
    bool at_once;

    assert_int_equal(qmp_session_feed(&session, &vm->bench, message->data, message->len, &out),
                     message->len);
    at_once = !session.task;
    assert_true(at_once == (out.len > 0));
    if (!at_once)
        qmp_session_go_on(&session, &vm->bench, &out);
    assert_null(session.task);
    assert_true(out.len > message->len - 100);
    assert_memory_equal(out.data, "{\"return\": {", strlen("{\"return\": {"));
    buf_free(&out);
    qmp_session_free(&session);
    return at_once;
}

static bool are_bytes_run_at_once(struct vm *vm, size_t len)
{
    static const char start[] = "{\"execute\": \"query-name\", \"id\": \"", end[] = "\"}";
    size_t padding = len - (sizeof(start) - 1) - (sizeof(end) - 1);
    struct buf message = {0};
    bool at_once;

    buf_puts(&message, start);
    while (padding--)
        buf_puts(&message, "x");
    buf_puts(&message, end);
    assert_int_equal(message.len, len);
    at_once = is_run_at_once(vm, &message);
    buf_free(&message);
    return at_once;
}

/* With an id of so many numbers. Returns how many tokens that are. */
static uint32_t make_tokens(size_t n, struct buf *ret_message)
{
    struct frame frame = {0};
    struct buf text = {0}, error = {0};
    struct frame_output out = {.text = &text, .error = &error};
    enum frame_event event;

    buf_puts(ret_message, "{\"execute\": \"query-name\", \"id\": [0");
    while (n--)
        buf_puts(ret_message, ", 0");
    buf_puts(ret_message, "]}");
    frame_feed(&frame, (const uint8_t *)ret_message->data, ret_message->len, &out, &event);
    assert_int_equal(event, FRAME_MESSAGE);
    buf_free(&text);
    buf_free(&error);
    return out.tokens;
}

static void to_read_a_long_message_and_to_run_it_are_two_turns(void **state)
{
    assert_true(are_bytes_run_at_once(*state, 1000));
    assert_true(are_bytes_run_at_once(*state, QMP_PART));
    assert_false(are_bytes_run_at_once(*state, QMP_PART + 1));
}

static void so_are_they_of_one_with_many_tokens(void **state)
{
    uint32_t tokens = 0;
    size_t n;

    for (n = QMP_PART_TOKENS / 2 - 16; tokens <= QMP_PART_TOKENS; n++) {
        struct buf message = {0};

        tokens = make_tokens(n, &message);
        assert_true(message.len < QMP_PART);
        assert_in_range(tokens, QMP_PART_TOKENS - 64, QMP_PART_TOKENS + 2);
        assert_true(is_run_at_once(*state, &message) == (tokens <= QMP_PART_TOKENS));
        buf_free(&message);
    }
}

#define WITH_VM(test) cmocka_unit_test_setup_teardown(test, make_vm, free_vm)
/* ---- the same message again ----------------------------------------------------------------- */

#define ASK(id)       "{'execute':'query-status','id':" id "}"
#define STATUS_OF(id) "{\"return\": " STATUS ", \"id\": " id "}\r\n"

static void the_same_message_is_answered_again(void **state)
{
    assert_talk(ASK("1") ASK("1") ASK("2") ASK("1"),
                STATUS_OF("1") STATUS_OF("1") STATUS_OF("2") STATUS_OF("1"));
    assert_talk(ASK("1") "{'execute':'x'}" ASK("1"),
                STATUS_OF("1") NOT_FOUND("The command x has not been found") STATUS_OF("1"));
    assert_talk(ASK("1") "[]" ASK("1"),
                STATUS_OF("1") ERROR("QMP input must be a JSON object") STATUS_OF("1"));
    assert_talk("[][]",
                ERROR("QMP input must be a JSON object") ERROR("QMP input must be a JSON object"));
}

/* Says the same twice; returns whether the second time it needed no parsing. */
static bool is_recalled(struct vm *vm, const char *input)
{
    struct json_object *parsed;
    bool recalled;

    free(talk_in_two(vm, true, input, strlen(input), 0));
    parsed = json_object_get(vm->bench.last_message);
    free(talk_in_two(vm, true, input, strlen(input), 0));
    recalled = parsed && parsed == vm->bench.last_message;
    json_object_put(parsed);
    return recalled;
}

static void the_same_message_is_parsed_once(void **state)
{
    char input[4096 + 2], *pad = input + sizeof("{'id':'") - 1;
    size_t quotes = sizeof("{'id':''}") - 1, len;

    assert_true(is_recalled(*state, ASK("1")));
    for (len = 4096; len <= 4097; len++) {
        memset(input, 'x', len);
        memcpy(input, "{'id':'", sizeof("{'id':'") - 1);
        memset(pad, 'x', len - quotes);
        memcpy(input + len - 2, "'}", sizeof("'}"));
        assert_true(is_recalled(*state, input) == (len == 4096));
    }
}

/* ---- a gate --------------------------------------------------------------------------------- */

struct gate_keeper {
    bool is_open;
    uint32_t n_asked;
    uint64_t asked_ns;
};

static bool ask_keeper(void *opaque, uint64_t asked_ns)
{
    struct gate_keeper *keeper = opaque;

    keeper->n_asked++;
    assert_true(keeper->asked_ns == 0 || keeper->asked_ns == asked_ns);
    keeper->asked_ns = asked_ns;
    return keeper->is_open;
}

static const char query_with_id[] = "{'execute':'query-status','id':1}";

static void a_command_waits_until_its_gate_opens(void **state)
{
    struct gate_keeper keeper = {.is_open = false};
    const struct qmp_gate gate = {.opens = ask_keeper, .opaque = &keeper};
    struct vm *vm = *state;
    struct qmp_session session = new_session(vm, true);
    struct buf out = {0};

    session.gate = &gate;
    assert_int_equal(
        qmp_session_feed(&session, &vm->bench, query_with_id, strlen(query_with_id), &out),
        strlen(query_with_id));
    assert_non_null(session.task);
    assert_true(session.task->is_at_gate);
    qmp_session_go_on(&session, &vm->bench, &out);
    assert_non_null(session.task);
    assert_int_equal(out.len, 0);
    assert_int_equal(keeper.n_asked, 2);
    keeper.is_open = true;
    qmp_session_go_on(&session, &vm->bench, &out);
    assert_null(session.task);
    assert_non_null(memmem(out.data, out.len, "\"id\": 1", 7));
    assert_int_equal(keeper.n_asked, 3);
    qmp_session_free(&session);
    buf_free(&out);
}

static void one_that_is_refused_waits_for_nothing(void **state)
{
    struct gate_keeper keeper = {.is_open = false};
    const struct qmp_gate gate = {.opens = ask_keeper, .opaque = &keeper};
    struct vm *vm = *state;
    struct qmp_session session = new_session(vm, false);
    struct buf out = {0};

    session.gate = &gate;
    say(&session, &vm->bench, query_with_id, strlen(query_with_id), &out);
    say(&session, &vm->bench, "{'execute':'qmp_capabilities'}", 30, &out);
    say(&session, &vm->bench, "{'execute':'query-nothing'}", 27, &out);
    assert_int_equal(count_lines(&out), 3);
    assert_int_equal(keeper.n_asked, 0);
    qmp_session_free(&session);
    buf_free(&out);
}

static void what_is_accepted_is_known_after_the_gate(void **state)
{
    struct gate_keeper keeper = {.is_open = false};
    const struct qmp_gate gate = {.opens = ask_keeper, .opaque = &keeper};
    struct vm *vm = *state;
    struct qmp_session session = new_session(vm, true);
    struct buf out = {0};
    const char *query = "{'execute':'query-stats','arguments':{'target':'disk'}}";

    session.gate = &gate;
    qmp_session_feed(&session, &vm->bench, query, strlen(query), &out);
    assert_int_equal(keeper.n_asked, 1);
    qmp_session_free(&session);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VM(what_is_accepted_is_known_after_the_gate),
        WITH_VM(a_session_begins_with_a_greeting),
        WITH_VM(nothing_is_found_before_the_negotiation),
        WITH_VM(the_negotiation_opens_the_session),
        WITH_VM(the_negotiation_can_be_done_once),
        WITH_VM(a_negotiation_that_fails_can_be_tried_again),
        WITH_VM(the_id_is_echoed),
        WITH_VM(the_id_is_echoed_with_errors_of_form),
        WITH_VM(the_id_is_not_echoed_with_errors_of_syntax),
        WITH_VM(a_message_is_an_object),
        WITH_VM(the_members_of_a_message_are_checked),
        WITH_VM(of_several_wrong_members_the_first_is_named),
        WITH_VM(an_id_comes_back_in_its_own_order),
        WITH_VM(unknown_commands_are_not_found),
        WITH_VM(the_description_of_an_error_has_a_limit),
        WITH_VM(errors_of_grammar_have_the_words_of_qemu),
        WITH_VM(the_first_error_counts),
        WITH_VM(so_have_those_where_a_key_should_start),
        WITH_VM(so_have_those_behind_a_number),
        WITH_VM(two_numbers_are_not_one),
        WITH_VM(a_key_may_be_given_once),
        WITH_VM(infinity_is_refused),
        WITH_VM(messages_are_answered_in_order),
        WITH_VM(after_an_error_the_session_goes_on),
        WITH_VM(half_a_message_is_an_error_at_the_end),
        WITH_VM(sessions_share_a_workbench_without_mixing),
        WITH_VM(a_broken_message_is_not_continued_by_the_next),
        WITH_VM(noise_is_noted),
        WITH_VM(the_state_of_the_vm_is_told),
        WITH_VM(statistics_of_the_vm_are_told),
        WITH_VM(statistics_of_vcpus_are_told),
        WITH_VM(a_filter_selects),
        WITH_VM(what_selects_nothing_gives_an_empty_list),
        WITH_VM(wrong_arguments_are_refused),
        WITH_VM(schemas_are_told),
        WITH_VM(each_kind_of_value_has_its_form),
        WITH_VM(each_kind_of_statistic_has_its_schema),
        WITH_VM(a_long_reply_is_written_in_parts),
        WITH_VM(many_schemas_are_written_in_parts),
        WITH_VM(schemas_stay_until_they_are_written),
        WITH_VM(schemas_cost_no_more_where_they_are_many),
        WITH_VM(to_read_a_long_message_and_to_run_it_are_two_turns),
        WITH_VM(so_are_they_of_one_with_many_tokens),
        WITH_VM(the_same_message_is_answered_again),
        WITH_VM(the_same_message_is_parsed_once),
        WITH_VM(a_command_waits_until_its_gate_opens),
        WITH_VM(one_that_is_refused_waits_for_nothing),
    };

    return cmocka_run_group_tests_name("the session", tests, NULL, NULL);
}
