/* SPDX-License-Identifier: MIT */
/*
 * One client. It is read only while it has no reply left to take, and one of its messages is served
 * at a time, so that it costs one request and one reply of memory, and the others one turn of time.
 */
#include "server/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* ---- queues --------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct client_list *list_of(struct client *client)
{
    return client->queue == QUEUE_READY ? &client->server->ready : &client->server->quiet;
}

static void leave_queue(struct client *client)
{
    if (client->queue == QUEUE_NONE)
        return;
    TAILQ_REMOVE(list_of(client), client, link);
    client->server->n_ready -= client->queue == QUEUE_READY;
    client->queue = QUEUE_NONE;
}

static void set_timer(struct vitals_server *server, uint64_t at_ms)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000}};

    timerfd_settime(server->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void enter_queue(struct client *client, enum client_queue queue)
{
    struct vitals_server *server = client->server;

    client->queue = queue;
    if (queue == QUEUE_READY) {
        if (!server->n_ready++)
            eventfd_write(server->wake_fd, 1);
    } else {
        client->resume_at = now_ms() + NOISE_PAUSE_MS;
        if (TAILQ_EMPTY(&server->quiet))
            set_timer(server, client->resume_at);
    }
    TAILQ_INSERT_TAIL(list_of(client), client, link);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void count_held(struct client *client)
{
    size_t held = qmp_session_memory(&client->session) + client->input.cap + client->output.cap;

    client->server->held += held - client->held;
    client->held = held;
}

static struct client *largest_client(struct vitals_server *server)
{
    struct client *largest = NULL;
    uint32_t i;

    for (i = 0; i < server->n_slots; i++) {
        struct client *client = server->slots[i].owner;

        if (server->slots[i].kind == SLOT_CLIENT && (!largest || client->held > largest->held))
            largest = client;
    }
    return largest;
}

static void limit_memory(struct vitals_server *server)
{
    while (server->held > server->options.memory_max)
        client_close(largest_client(server));
}

/* ---- replies -------------------------------------------------------------------------------- */

/* Returns the number of bytes that the socket took, or -errno. */
static ssize_t send_bytes(int fd, const char *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* For long replies: while the rest is written. */
static void send_early(void *opaque, struct buf *reply)
{
    struct client *client = opaque;
    struct vitals_server *server = client->server;
    ssize_t n;

    if (server->reply_error)
        return;
    n = send_bytes(client->fd, reply->data + server->reply_sent, reply->len - server->reply_sent);
    if (n < 0) {
        server->reply_error = (int)n;
        return;
    }
    server->reply_sent += (size_t)n;
    if (server->reply_sent == reply->len)
        reply->len = server->reply_sent = 0;
}

static void start_reply(struct vitals_server *server)
{
    buf_reset(&server->reply);
    server->reply_sent = 0;
    server->reply_error = 0;
}

/* What the socket does not take at once stays with the client; the server gets another buffer. */
static int send_reply(struct client *client)
{
    struct vitals_server *server = client->server;
    struct buf *reply = &server->reply;

    if (reply->failed)
        return -ENOMEM;
    if (reply->len)
        send_early(client, reply);
    if (server->reply_error)
        return server->reply_error;
    if (reply->len) {
        client->output = *reply;
        client->sent = server->reply_sent;
        *reply = (struct buf){0};
    }
    return 0;
}

static void give_buffer_back(struct client *client)
{
    struct vitals_server *server = client->server;

    if (server->reply.data)
        buf_free(&client->output);
    else
        server->reply = client->output;
    client->output = (struct buf){0};
    client->sent = 0;
}

static int send_rest(struct client *client)
{
    struct buf *output = &client->output;
    ssize_t n;

    if (!output->data)
        return 0;
    n = send_bytes(client->fd, output->data + client->sent, output->len - client->sent);
    if (n < 0)
        return (int)n;
    client->sent += (size_t)n;
    if (client->sent == output->len)
        give_buffer_back(client);
    return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Feeds the bytes that lie ready to the session, up to one reply. */
static size_t feed(struct client *client, const uint8_t *bytes, size_t len)
{
    struct vitals_server *server = client->server;
    size_t taken;

    server->bench.send_opaque = client;
    taken = qmp_session_feed(&client->session, &server->bench, bytes, len, &server->reply);
    if (server->reply.len)
        client->noise = client->session.refused ? client->noise + 1 : 0;
    return taken;
}

static void feed_input(struct client *client)
{
    struct buf *input = &client->input;

    client->fed += feed(client, (uint8_t *)input->data + client->fed, input->len - client->fed);
    if (client->fed == input->len) {
        buf_free(input);
        client->fed = 0;
    }
}

static int receive(struct client *client)
{
    struct vitals_server *server = client->server;
    ssize_t n = recv(client->fd, server->input, sizeof(server->input), MSG_DONTWAIT);
    size_t taken;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    client->ended = n == 0;
    taken = feed(client, server->input, (size_t)n);
    buf_append(&client->input, server->input + taken, (size_t)n - taken);
    return client->input.failed ? -ENOMEM : 0;
}

/* What the client does next follows from what it has left to do. */
static void schedule(struct client *client)
{
    uint32_t interest = 0;

    if (client->output.data)
        interest = EPOLLOUT;
    else if (client->noise > NOISE_MESSAGES)
        enter_queue(client, QUEUE_QUIET);
    else if (client->input.data)
        enter_queue(client, QUEUE_READY);
    else
        interest = EPOLLIN;
    if (interest != client->interest)
        slot_set_interest(client->server, client->slot, client->fd, interest);
    client->interest = interest;
}

static bool has_finished(const struct client *client)
{
    return client->ended && !client->input.data && !client->output.data;
}

/* One turn: at most one message, at most one reply. */
static void serve(struct client *client)
{
    struct vitals_server *server = client->server;
    int err = 0;

    start_reply(server);
    if (client->input.data)
        feed_input(client);
    else
        err = receive(client);
    if (client->ended && !client->input.data)
        qmp_session_finish(&client->session, &server->bench, &server->reply);
    if (!err)
        err = send_reply(client);
    if (err || has_finished(client)) {
        client_close(client);
        return;
    }
    schedule(client);
    count_held(client);
    limit_memory(server);
}

/* ---- events --------------------------------------------------------------------------------- */

static bool add_client(struct vitals_server *server, struct client *client)
{
    if (slot_add(server, SLOT_CLIENT, client, client->fd, EPOLLIN, &client->slot))
        return false;
    client->interest = EPOLLIN;
    server->n_clients++;
    return true;
}

static void refuse_client(struct vitals_server *server, int fd)
{
    char text[128];
    int len = snprintf(text, sizeof(text),
                       "{\"error\": {\"class\": \"GenericError\", "
                       "\"desc\": \"Too many clients, at most %u\"}}\r\n",
                       server->options.clients_max);

    send_bytes(fd, text, (size_t)len);
    close(fd);
}

void client_accepted(struct vitals_listener *listener, int fd)
{
    struct vitals_server *server = listener->server;
    struct client *client;

    if (server->n_clients >= server->options.clients_max) {
        refuse_client(server, fd);
        return;
    }
    client = calloc(1, sizeof(*client));
    if (!client) {
        close(fd);
        return;
    }
    client->server = server;
    client->listener = listener;
    client->fd = fd;
    if (!add_client(server, client)) {
        close(fd);
        free(client);
        return;
    }
    qmp_session_init(&client->session, listener->ctx, listener->dialect);
    start_reply(server);
    qmp_session_greet(&client->session, &server->reply);
    if (send_reply(client))
        client_close(client);
    else
        schedule(client);
}

void client_close(struct client *client)
{
    struct vitals_server *server = client->server;

    leave_queue(client);
    slot_remove(server, client->slot, client->fd);
    close(client->fd);
    server->n_clients--;
    server->held -= client->held;
    qmp_session_free(&client->session);
    buf_free(&client->input);
    buf_free(&client->output);
    free(client);
}

void clients_init(struct vitals_server *server)
{
    TAILQ_INIT(&server->ready);
    TAILQ_INIT(&server->quiet);
    server->bench.send_early = send_early;
}

void client_event(struct client *client, uint32_t events)
{
    /* Both directions are closed: no reply can arrive any more. */
    if (events & (EPOLLHUP | EPOLLERR)) {
        client_close(client);
        return;
    }
    if (events & EPOLLIN & client->interest) {
        serve(client);
    } else if (events & EPOLLOUT & client->interest) {
        if (send_rest(client) || has_finished(client)) {
            client_close(client);
            return;
        }
        schedule(client);
        count_held(client);
    }
}

void clients_serve_ready(struct vitals_server *server)
{
    uint32_t turns = server->n_ready;
    struct client *client;

    /* A turn may put the client at the end again, or close it or another one. */
    for (; turns && (client = TAILQ_FIRST(&server->ready)); turns--) {
        leave_queue(client);
        serve(client);
    }
}

void clients_resume(struct vitals_server *server)
{
    uint64_t now = now_ms();
    struct client *client;

    while ((client = TAILQ_FIRST(&server->quiet)) && client->resume_at <= now) {
        leave_queue(client);
        client->noise = NOISE_MESSAGES; /* one more, and it is quiet again */
        schedule(client);
    }
    if (client)
        set_timer(server, client->resume_at);
}
