/* SPDX-License-Identifier: MIT */
#include "http/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "http/head.h"
#include "http/reply.h"

#define PLAIN "text/plain; charset=utf-8"

enum state {
    BEGUN, /* its head is not known to be good yet */
    NEW,
    WAITS_FOR_LOGIN,
    WAITS_FOR_DOCUMENT,
    ANSWERED,
};

struct exchange {
    struct http_rules *rules;
    struct MHD_Connection *connection;
    struct place *place; /* NULL: there was no memory for it, and the request is refused */
    enum state state;
    struct http_head head;
    const char *path;
    struct login_question question;
    struct work_item item;
};

/* ---- what all share ------------------------------------------------------------------------- */

static struct exchange *exchange_of_question(struct login_question *question)
{
    return (struct exchange *)((char *)question - offsetof(struct exchange, question));
}

static struct exchange *exchange_of_item(struct work_item *item)
{
    return (struct exchange *)((char *)item - offsetof(struct exchange, item));
}

static void login_answered(struct login_question *question)
{
    MHD_resume_connection(exchange_of_question(question)->connection);
}

static void document_made(struct work_item *item)
{
    MHD_resume_connection(exchange_of_item(item)->connection);
}

int exchange_share(const struct http_site *site, const struct web_config *config,
                   struct http_shared *ret_shared)
{
    struct http_shared *shared = ret_shared;
    int err = 0;

    *shared = (struct http_shared){.site = site};
    places_init(&shared->places, HTTP_CONNECTIONS_MAX, HTTP_DOCUMENTS_MAX);
    if (config->n_users)
        err = logins_new(config, login_answered, &shared->logins);
    if (!err)
        err = work_new(site, &shared->places, document_made, &shared->work);
    return err;
}

void exchange_end_shared(struct http_shared *shared)
{
    if (shared->logins)
        logins_end(shared->logins);
    if (shared->work)
        work_end(shared->work);
}

void exchange_free_shared(struct http_shared *shared)
{
    logins_free(shared->logins);
    work_free(shared->work);
    if (shared->site)
        places_free(&shared->places);
}

/* ---- replies -------------------------------------------------------------------------------- */

static enum MHD_Result queue(struct exchange *exchange, unsigned status,
                             struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(exchange->connection, status, response);

    exchange->state = ANSWERED;
    return result;
}

/* Who was not let in keeps no place. */
static bool is_turned_away(unsigned status)
{
    return status == MHD_HTTP_UNAUTHORIZED || status == MHD_HTTP_TOO_MANY_REQUESTS;
}

static enum MHD_Result reply_text(struct exchange *exchange, const struct http_answer *answer,
                                  const char *header, const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->len, (void *)answer->text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    reply_add_headers(response, answer->type ? answer->type : PLAIN);
    if (answer->policy)
        MHD_add_response_header(response, "Content-Security-Policy", answer->policy);
    if (header)
        MHD_add_response_header(response, header, value);
    if (is_turned_away(answer->status))
        MHD_add_response_header(response, "Connection", "close");
    result = queue(exchange, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Why not: one line. */
static enum MHD_Result refuse(struct exchange *exchange, unsigned status, const char *why)
{
    static const struct {
        unsigned status;
        const char *header, *value;
    } headers[] = {
        {MHD_HTTP_UNAUTHORIZED, "WWW-Authenticate", "Basic realm=\"vitals\", charset=\"UTF-8\""},
        {MHD_HTTP_METHOD_NOT_ALLOWED, "Allow", "GET, HEAD"},
        {MHD_HTTP_TOO_MANY_REQUESTS, "Retry-After", "1"},
        {MHD_HTTP_SERVICE_UNAVAILABLE, "Retry-After", "1"},
    };
    const struct http_answer answer = {.status = status, .text = why, .len = strlen(why)};

    for (size_t i = 0; i < COUNT(headers); i++)
        if (headers[i].status == status)
            return reply_text(exchange, &answer, headers[i].header, headers[i].value);
    return reply_text(exchange, &answer, NULL, NULL);
}

static enum MHD_Result reply_document(struct exchange *exchange)
{
    struct work_item *item = &exchange->item;
    struct http_shared *shared = exchange->rules->shared;
    enum MHD_Result result;

    if (item->is_dropped)
        return MHD_NO;
    if (item->is_missing)
        return refuse(exchange, MHD_HTTP_NOT_FOUND, "There is no such VM.\n");
    if (!item->made)
        return refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "It can't be made now.\n");
    places_reads(&shared->places, exchange->place, made_body(item->made));
    result = queue(exchange, MHD_HTTP_OK, made_response(item->made));
    made_unref(item->made);
    item->made = NULL;
    return result;
}

/* ---- what is asked -------------------------------------------------------------------------- */

const char *http_argument(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value((struct MHD_Connection *)request->connection,
                                       MHD_GET_ARGUMENT_KIND, name);
}

static const char *header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static void give_up_document(void *opaque)
{
    struct exchange *exchange = opaque;

    work_drop(exchange->rules->shared->work, &exchange->item);
}

static enum MHD_Result wait_for_document(struct exchange *exchange,
                                         const struct http_answer *answer)
{
    struct http_shared *shared = exchange->rules->shared;
    struct place *place = exchange->place;

    exchange->item = (struct work_item){
        .document = answer->document,
        .type = answer->type,
        .is_zipped = http_wants_gzip(header(exchange, "Accept-Encoding")),
        .fd = place->fd,
        .peer = place->peer,
    };
    exchange->state = WAITS_FOR_DOCUMENT;
    if (!places_waits(&shared->places, place, give_up_document, exchange))
        return MHD_NO;
    MHD_suspend_connection(exchange->connection);
    if (work_add(shared->work, &exchange->item))
        return MHD_YES;
    MHD_resume_connection(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result find(struct exchange *exchange)
{
    const struct http_site *site = exchange->rules->shared->site;
    const struct http_request request = {
        .path = exchange->path,
        .wants_openmetrics = http_wants_openmetrics(header(exchange, "Accept")),
        .connection = exchange->connection,
    };
    struct http_answer answer = {0};

    site->find(site->opaque, &request, &answer);
    if (answer.status == MHD_HTTP_OK && !answer.text)
        return wait_for_document(exchange, &answer);
    return reply_text(exchange, &answer, NULL, NULL);
}

static enum MHD_Result ask_for_login(struct exchange *exchange)
{
    struct logins *logins = exchange->rules->shared->logins;

    if (!logins)
        return find(exchange);
    exchange->state = WAITS_FOR_LOGIN;
    if (!places_waits(&exchange->rules->shared->places, exchange->place, NULL, NULL))
        return MHD_NO;
    exchange->question.peer = exchange->place->peer;
    /* It may be answered before logins_ask() returns. */
    MHD_suspend_connection(exchange->connection);
    switch (logins_ask(logins, header(exchange, "Authorization"), &exchange->question)) {
    case LOGIN_WAITS:
        return MHD_YES;
    case LOGIN_TURNED_AWAY:
        exchange->question.is_turned_away = true;
        break;
    case LOGIN_RIGHT:
        exchange->question.is_right = true;
        break;
    case LOGIN_WRONG:
        break;
    }
    MHD_resume_connection(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result take_login(struct exchange *exchange)
{
    if (exchange->question.is_turned_away)
        return refuse(exchange, MHD_HTTP_TOO_MANY_REQUESTS, "Too many logins at once.\n");
    if (!exchange->question.is_right)
        return refuse(exchange, MHD_HTTP_UNAUTHORIZED, "A login is needed.\n");
    places_know(&exchange->rules->shared->places, exchange->place);
    return find(exchange);
}

/* ---- what is let in ------------------------------------------------------------------------- */

static enum MHD_Result add_up(void *opaque, enum MHD_ValueKind kind, const char *name,
                              const char *value)
{
    size_t *sum = opaque;

    (void)kind;
    *sum += strlen(name) + (value ? strlen(value) : 0);
    return MHD_YES;
}

static bool is_too_long(const struct exchange *exchange)
{
    size_t sum = strlen(exchange->path);

    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, add_up, &sum);
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, add_up, &sum);
    return sum > HTTP_HEADERS_MAX;
}

static bool has_body(const struct exchange *exchange)
{
    const char *length = header(exchange, "Content-Length");

    return header(exchange, "Transfer-Encoding") || (length && strcmp(length, "0") != 0);
}

static enum MHD_Result check(struct exchange *exchange, const char *method, const char *version)
{
    struct http_rules *rules = exchange->rules;

    if (exchange->head.is_too_long)
        return refuse(exchange, MHD_HTTP_URI_TOO_LONG, "There are too many arguments.\n");
    if (head_has_nul(&exchange->head, exchange->connection, method, version))
        return refuse(exchange, MHD_HTTP_BAD_REQUEST,
                      "A line of the request has a NUL in it, or goes on in the next one.\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        return refuse(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "Nothing here can be changed.\n");
    if (has_body(exchange))
        return refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "A request has no body here.\n");
    if (is_too_long(exchange))
        return refuse(exchange, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                      "The head of the request is too long.\n");
    if (!exchange->place ||
        !places_count_request(&rules->shared->places, exchange->place, HTTP_REQUESTS_PER_SECOND))
        return refuse(exchange, MHD_HTTP_TOO_MANY_REQUESTS, "Too many requests a second.\n");
    if (rules->checks_host && !http_host_is_local(header(exchange, "Host")))
        return refuse(exchange, MHD_HTTP_FORBIDDEN,
                      "This host is called localhost, 127.0.0.1 or [::1] here.\n");
    return MHD_YES;
}

/* The first call brings the head alone: what is refused then is not read any further. */
static enum MHD_Result begin(struct exchange *exchange, const char *url, const char *method,
                             const char *version)
{
    exchange->path = url;
    exchange->state = NEW;
    return check(exchange, method, version);
}

enum MHD_Result exchange_handle(void *opaque, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **ret_exchange)
{
    struct exchange *exchange = *ret_exchange;

    (void)opaque;
    (void)connection;
    (void)upload;
    if (!exchange)
        return MHD_NO;
    if (exchange->state == BEGUN)
        return begin(exchange, url, method, version);
    *upload_size = 0;
    switch (exchange->state) {
    case BEGUN:
        break;
    case NEW:
        return ask_for_login(exchange);
    case WAITS_FOR_LOGIN:
        return take_login(exchange);
    case WAITS_FOR_DOCUMENT:
        return reply_document(exchange);
    case ANSWERED:
        break;
    }
    return MHD_YES;
}

/* ---- begin and end -------------------------------------------------------------------------- */

void *exchange_begin(void *opaque, const char *target, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return NULL;
    exchange->rules = opaque;
    exchange->connection = connection;
    exchange->place = info ? info->socket_context : NULL;
    exchange->head = head_of_target(target);
    return exchange;
}

void exchange_note_connection(void *opaque, struct MHD_Connection *connection, void **place,
                              enum MHD_ConnectionNotificationCode code)
{
    struct http_rules *rules = opaque;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *place = info ? places_enter(&rules->shared->places, rules, info->connect_fd) : NULL;
    else if (*place)
        places_leave(&rules->shared->places, *place);
}

void exchange_end(void *opaque, struct MHD_Connection *connection, void **ret_exchange,
                  enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *ret_exchange;

    (void)opaque;
    (void)connection;
    (void)code;
    if (!exchange)
        return;
    if (exchange->place)
        places_reads(&exchange->rules->shared->places, exchange->place, NULL);
    made_unref(exchange->item.made);
    explicit_bzero(&exchange->question, sizeof(exchange->question));
    free(exchange);
    *ret_exchange = NULL;
}
