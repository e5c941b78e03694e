/* SPDX-License-Identifier: MIT */
#include "qmp/session.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "qmp/dialect.h"
#include "base/clock.h"
#include "base/json_members.h"
#include "base/json_memory.h"
#include "base/json_write.h"
#include "qmp/json_value.h"
#include "qmp/task.h"
#include "qmp/version.h"
#include "qapi_commands.h"
#include "stats/registry.h"

/* ---- workbench and session ------------------------------------------------------------------ */

enum {
    TEXT_MAX = 4 * VITALS_MESSAGE_MAX, /* a quote may need an escape that it had not */
    KEPT = 64 * 1024, /* bytes of each thing on the bench that are kept for the next message */
};

/* The scanner is stricter: the parser never sees more than VITALS_NESTING_MAX. */
static struct json_tokener *new_parser(void)
{
    return json_tokener_new_ex(VITALS_NESTING_MAX + 2);
}

int qmp_workbench_init(struct qmp_workbench *bench)
{
    *bench = (struct qmp_workbench){.text = {.max = TEXT_MAX},
                                    .error = {.max = TEXT_MAX},
                                    .arena = {.kept = KEPT},
                                    .collection = {.rows_max = STATS_ROWS_MAX}};
    bench->parser = new_parser();
    return bench->parser ? 0 : -ENOMEM;
}

/* A parser keeps room for the longest string that it has seen. Without memory for another it stays. */
static void renew_parser(struct qmp_workbench *bench)
{
    struct json_tokener *parser = new_parser();

    if (!parser)
        return;
    json_tokener_free(bench->parser);
    bench->parser = parser;
}

/* Behind a message whose text had @len bytes: what an unusual one took goes back. */
static void clear_bench(struct qmp_workbench *bench, size_t len)
{
    json_tokener_reset(bench->parser); /* of one that had an error it has the beginning */
    if (len > KEPT)
        renew_parser(bench);
    if (bench->error.cap > KEPT)
        buf_free(&bench->error);
    arena_reset(&bench->arena);
    stats_collection_trim(&bench->collection);
}

void qmp_workbench_free(struct qmp_workbench *bench)
{
    if (bench->parser)
        json_tokener_free(bench->parser);
    json_object_put(bench->last_message);
    buf_free(&bench->last_text);
    buf_free(&bench->text);
    buf_free(&bench->error);
    arena_free(&bench->arena);
    stats_collection_free(&bench->collection);
}

void qmp_session_init(struct qmp_session *session, struct vitals_ctx *ctx,
                      enum vitals_dialect dialect, struct providers *providers)
{
    *session = (struct qmp_session){
        .ctx = ctx, .dialect = qmp_dialect(dialect), .providers = providers_ref(providers)};
}

void qmp_session_free(struct qmp_session *session)
{
    buf_free(&session->partial);
    qmp_task_free(session->task);
    providers_unref(session->providers);
}

void qmp_session_greet(const struct qmp_session *session, struct buf *out)
{
    buf_puts(out, "{\"QMP\": {\"version\": ");
    qmp_put_version(out, session->dialect);
    buf_puts(out, ", \"capabilities\": []}}\r\n");
}

/* ---- replies -------------------------------------------------------------------------------- */

static const char *c_string(struct buf *buf)
{
    if (!buf_reserve(buf, 1))
        return "out of memory";
    buf->data[buf->len] = '\0';
    return buf->data;
}

enum { DESCRIPTION_MAX = 4096 }; /* bytes: what a client misspelt need not be repeated for long */

/* Of a long one, what is before the character at the limit. */
static const char *description(struct buf *error)
{
    if (error->len > DESCRIPTION_MAX && !error->failed) {
        error->len = DESCRIPTION_MAX;
        while (((uint8_t)error->data[error->len] & 0xc0) == 0x80)
            error->len--;
        buf_puts(error, "...");
    }
    return c_string(error);
}

static void put_error(struct buf *out, struct json_object *message, const char *error_class,
                      const char *description)
{
    struct json_object *id;

    buf_puts(out, "{");
    if (message && json_object_object_get_ex(message, "id", &id)) {
        buf_puts(out, "\"id\": ");
        json_put_value(out, id);
        buf_puts(out, ", ");
    }
    buf_printf(out, "\"error\": {\"class\": \"%s\", \"desc\": ", error_class);
    json_put_string(out, description);
    buf_puts(out, "}}\r\n");
}

static void end_reply(struct buf *out, struct json_object *message)
{
    struct json_object *id;

    if (json_object_object_get_ex(message, "id", &id)) {
        buf_puts(out, ", \"id\": ");
        json_put_value(out, id);
    }
    buf_puts(out, "}\r\n");
}

/* ---- the form of a message ------------------------------------------------------------------ */

/* What is wrong with a member of a message, or NULL. */
static const char *member_error(const char *name, struct json_object *value)
{
    if (!strcmp(name, "execute"))
        return json_object_is_type(value, json_type_string) ? NULL : "must be a string";
    if (!strcmp(name, "arguments"))
        return json_object_is_type(value, json_type_object) ? NULL : "must be an object";
    return strcmp(name, "id") ? "is unexpected" : NULL;
}

/* Of several errors, the first of the message. */
static bool check_form(struct qmp_call *call, struct json_object *message)
{
    json_object_object_foreach(message, name, value)
    {
        const char *error = member_error(name, value);

        if (error) {
            qmp_fail(call, QMP_GENERIC_ERROR, "QMP input member '%s' %s", name, error);
            return false;
        }
    }
    if (!json_object_object_get_ex(message, "execute", NULL)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "QMP input lacks member 'execute'");
        return false;
    }
    return true;
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static bool accepts_value(void *opaque, const char *enum_name, const char *value)
{
    const struct qmp_session *session = opaque;

    if (session->dialect->values)
        return session->dialect->values->accept(session, enum_name, value);
    if (!strcmp(enum_name, QAPI_STATS_TARGET))
        return registry_has_target(session->ctx, session->providers, value);
    return !strcmp(enum_name, QAPI_STATS_PROVIDER) && providers_have(session->providers, value) &&
           registry_has_provider(session->ctx, value);
}

static bool find_command(struct qmp_call *call, const char *name)
{
    const struct qmp_session *session = call->session;

    if (!session->negotiated && strcmp(name, "qmp_capabilities")) {
        qmp_fail(call, QMP_COMMAND_NOT_FOUND,
                 "Expecting capabilities negotiation with 'qmp_capabilities'");
        return false;
    }
    call->command = qapi_find_command(session->dialect->schema, name);
    if (!call->command)
        qmp_fail(call, QMP_COMMAND_NOT_FOUND, "The command %s has not been found", name);
    return call->command;
}

static bool check_arguments(struct qmp_call *call)
{
    const struct qapi_open_enums open = {.accepts = accepts_value, .opaque = call->session};

    buf_reset(&call->bench->error);
    if (qapi_check_arguments(call->command->arguments, call->arguments, &open, &call->bench->error))
        return true;
    call->error_class = QMP_GENERIC_ERROR;
    return false;
}

/* Nothing is told before the negotiation. */
static bool may_run(struct qmp_call *call)
{
    const struct qmp_session *session = call->session;

    return !session->gate || !session->negotiated || qmp_pass_gate(call, session->gate);
}

static void dispatch(struct qmp_call *call, struct json_object *message)
{
    if (!check_form(call, message))
        return;
    if (!find_command(call, json_object_get_string(json_object_object_get(message, "execute"))))
        return;
    json_object_object_get_ex(message, "arguments", &call->arguments);
    if (may_run(call) && check_arguments(call))
        call->command->run(call);
}

/* @asked_ns: when it arrived; 0: now. */
static void run_message(struct qmp_session *session, struct qmp_workbench *bench,
                        struct json_object *message, uint64_t asked_ns, struct buf *out)
{
    struct qmp_call call = {.session = session,
                            .bench = bench,
                            .out = out,
                            .asked_ns = asked_ns,
                            .part_start = out->len,
                            .part_start_ns = clock_now_ns()};

    buf_puts(out, "{\"return\": ");
    dispatch(&call, message);
    session->refused = !call.command;
    if (call.is_at_gate)
        out->len = call.part_start;
    if ((call.go_on || call.is_at_gate) && !call.error_class && !out->failed) {
        if (!qmp_task_start(&call, message))
            return;
        qmp_fail(&call, QMP_GENERIC_ERROR, "out of memory");
    }
    if (call.drop)
        call.drop(call.state);
    if (!call.error_class && out->failed)
        qmp_fail(&call, QMP_GENERIC_ERROR, out->full ? "The reply is too long" : "out of memory");
    if (!call.error_class) {
        end_reply(out, message);
        return;
    }
    out->len = call.part_start;
    out->failed = out->full = false;
    put_error(out, message, call.error_class, description(&bench->error));
}

/* To read a long message and to run it are two turns. -ENOMEM: it is to be run at once. */
static int run_later(struct qmp_session *session, struct qmp_workbench *bench,
                     struct json_object *message)
{
    struct qmp_call call = {.session = session, .bench = bench};

    return qmp_task_start(&call, message);
}

static void run_now(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out)
{
    struct json_object *message = json_object_get(session->task->message);
    size_t memory = session->task->message_memory;
    uint64_t asked_ns = session->task->asked_ns;

    qmp_task_end(session);
    run_message(session, bench, message, asked_ns, out);
    if (session->task)
        session->task->message_memory = memory;
    json_object_put(message);
    clear_bench(bench, 0);
}

static void go_on(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out)
{
    struct qmp_call call = qmp_task_resume(session, bench, out);

    session->task->go_on(&call);
    if (call.error_class)
        out->failed = true; /* half a reply is sent: only closing the connection says so */
    if (call.go_on && !out->failed) {
        qmp_task_pause(&call);
        return;
    }
    if (!out->failed)
        end_reply(out, session->task->message);
    qmp_task_end(session);
    clear_bench(bench, 0);
}

void qmp_session_go_on(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out)
{
    if (session->task->go_on)
        go_on(session, bench, out);
    else
        run_now(session, bench, out);
}

size_t qmp_session_memory(const struct qmp_session *session)
{
    return session->partial.cap + (session->task ? qmp_task_memory(session->task) : 0);
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* The members of all objects inside @value. Infinite numbers, which JSON can't write, are refused. */
static uint32_t count_members(struct json_object *value, bool *ret_infinite)
{
    uint32_t members = 0;
    size_t i;

    if (json_object_is_type(value, json_type_array)) {
        for (i = 0; i < json_object_array_length(value); i++)
            members += count_members(json_object_array_get_idx(value, i), ret_infinite);
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            members += 1 + count_members(member, ret_infinite);
        }
    } else if (json_object_is_type(value, json_type_double)) {
        *ret_infinite |= !isfinite(json_object_get_double(value));
    }
    return members;
}

/* QEMU's words for the errors of grammar. @at: where the parser stopped. */
static const char *grammar_error(enum json_tokener_error error, char at)
{
    switch (error) {
    case json_tokener_error_parse_array:
        return "JSON parse error, expected separator in list";
    case json_tokener_error_parse_object_key_name:
        return strchr("{[", at) || !ispunct(at) ? "JSON parse error, key is not a string in object"
                                                : "JSON parse error, expecting value";
    case json_tokener_error_parse_object_key_sep:
        return "JSON parse error, missing : in object pair";
    case json_tokener_error_parse_object_value_sep:
        return "JSON parse error, expected separator in dict";
    default:
        return "JSON parse error, expecting value";
    }
}

/*
 * The parser takes all that the grammar has, and trailing commas: the one before @at, where it
 * stopped, is the first error.
 */
static bool has_trailing_comma(const struct frame_output *in, size_t at)
{
    return in->trailing_comma && in->trailing_comma - 1 <= at;
}

static bool has_large_object(const struct buf *text, uint32_t members)
{
    struct json_members counts = {0};

    return members > JSON_MEMBERS_MAX && !json_members_fit(&counts, text->data, text->len);
}

/*
 * json-c does not get over a lack of memory: 0.16 dies of it, or goes on with half a string. So there
 * must be as much as it can take. Another thread of the process can still take it first.
 */
static bool has_memory_to_parse(const struct frame_output *in)
{
    size_t size = json_memory(in->text->data, in->text->len);
    struct buf probe = {.max = size > KEPT ? size : 0}; /* what is small costs no system call */
    bool there = buf_reserve(&probe, size);

    buf_free(&probe);
    return there;
}

/* The text ends in NUL: a number on its own has no other end. Returns an error's description or NULL. */
static const char *parse(struct json_tokener *parser, const struct frame_output *in,
                         struct json_object **ret_message)
{
    const struct buf *text = in->text;
    bool infinite = false;
    enum json_tokener_error error;
    size_t at;

    if (has_large_object(text, in->members))
        return "JSON member count limit exceeded";
    if (!has_memory_to_parse(in))
        return "out of memory";
    *ret_message = json_tokener_parse_ex(parser, text->data, (int)text->len + 1);
    error = json_tokener_get_error(parser);
    at = json_tokener_get_parse_end(parser);
    if (has_trailing_comma(in, at))
        return "JSON parse error, expecting value";
    if (error != json_tokener_success)
        return grammar_error(error, text->data[at]);
    if (count_members(*ret_message, &infinite) != in->members)
        return "JSON parse error, duplicate key";
    if (infinite)
        return "JSON parse error, number is too large";
    if (!json_object_is_type(*ret_message, json_type_object))
        return "QMP input must be a JSON object";
    return NULL;
}

enum { LAST_TEXT_MAX = 4096, LAST_TOKENS_MAX = 1024 }; /* longer messages are not kept */

static bool is_last_message(const struct qmp_workbench *bench, const struct buf *text)
{
    return bench->last_message && !text->failed && text->len == bench->last_text.len &&
           memcmp(text->data, bench->last_text.data, text->len) == 0;
}

static void keep_message(struct qmp_workbench *bench, const struct frame_output *in,
                         struct json_object *message)
{
    const struct buf *text = in->text;

    json_object_put(bench->last_message);
    bench->last_message = NULL;
    if (text->len > LAST_TEXT_MAX || in->tokens > LAST_TOKENS_MAX)
        return;
    buf_reset(&bench->last_text);
    buf_append(&bench->last_text, text->data, text->len);
    if (!bench->last_text.failed)
        bench->last_message = json_object_get(message);
}

/* A message of the same text as the last one means the same: two fifths of a small query is parsing. */
static const char *parse_or_recall(struct qmp_workbench *bench, const struct frame_output *in,
                                   struct json_object **ret_message)
{
    const char *error;

    if (is_last_message(bench, in->text)) {
        *ret_message = json_object_get(bench->last_message);
        return NULL;
    }
    c_string(in->text);
    error = in->text->failed ? "out of memory" : parse(bench->parser, in, ret_message);
    if (!error)
        keep_message(bench, in, *ret_message);
    return error;
}

/* In bytes, or in what there is to do. */
static bool is_long(const struct frame_output *in)
{
    return in->text->len > QMP_PART || in->tokens > QMP_PART_TOKENS;
}

static void take_message(struct qmp_session *session, struct qmp_workbench *bench,
                         const struct frame_output *in, struct buf *out)
{
    struct json_object *message = NULL;
    const char *error = parse_or_recall(bench, in, &message);

    if (error) {
        put_error(out, NULL, QMP_GENERIC_ERROR, error);
        session->refused = true;
    } else if (!is_long(in) || run_later(session, bench, message)) {
        run_message(session, bench, message, 0, out);
    }
    if (session->task)
        session->task->message_memory = json_memory(in->text->data, in->text->len);
    json_object_put(message);
    clear_bench(bench, in->text->len);
}

/* ---- bytes in ------------------------------------------------------------------------------- */

static void refuse_bytes(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out)
{
    put_error(out, NULL, QMP_GENERIC_ERROR, description(&bench->error));
    session->refused = true;
}

size_t qmp_session_feed(struct qmp_session *session, struct qmp_workbench *bench, const void *bytes,
                        size_t len, struct buf *out)
{
    struct buf *text = session->partial.data ? &session->partial : &bench->text;
    struct frame_output output = {.text = text, .error = &bench->error};
    enum frame_event event;
    size_t taken = frame_feed(&session->frame, bytes, len, &output, &event);

    if (event == FRAME_MORE) {
        if (text == &bench->text && text->len) { /* the rest comes later: the session keeps it */
            session->partial = bench->text;
            bench->text = (struct buf){.max = TEXT_MAX};
        }
        return taken;
    }
    if (event == FRAME_MESSAGE)
        take_message(session, bench, &output, out);
    else
        refuse_bytes(session, bench, out);
    buf_reset(text);
    buf_free(&session->partial);
    return taken;
}

void qmp_session_finish(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out)
{
    struct frame_output output = {.text = &bench->text, .error = &bench->error};

    if (frame_finish(&session->frame, &output))
        refuse_bytes(session, bench, out);
    buf_free(&session->partial);
}
