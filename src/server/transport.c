/* SPDX-License-Identifier: MIT */
/*
 * The transport of one client. A client is read only while it has no reply left to take, and one of
 * its messages is served at a time, so that it costs one request and one reply of memory, or a part of
 * one that is written in parts. What takes time is done in turns, see turns.h.
 */
#include "server/internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/passed_files.h"

/* ---- queues --------------------------------------------------------------------------------- */

static struct transport *transport_of(struct turn *turn)
{
    return (struct transport *)((char *)turn - offsetof(struct transport, turn));
}

static void leave_queue(struct transport *transport)
{
    struct vitals_server *server = transport->server;

    timer_cancel(&server->timers, TIMER_NOISE_PAUSE, &transport->noise_pause);
    timer_cancel(&server->timers, TIMER_PART, &transport->part_pause);
    turns_stop_waiting(&server->turns, &transport->turn);
}

static void enter_queue(struct transport *transport)
{
    struct vitals_server *server = transport->server;

    turns_wait(&server->turns, &transport->turn);
    if (!server->serving)
        server_wake(server);
}

static void set_interest(struct transport *transport, uint32_t interest)
{
    if (interest != transport->interest)
        slot_set_interest(transport->server, transport->slot, transport->fd, interest);
    transport->interest = interest;
}

/* ---- memory --------------------------------------------------------------------------------- */

static void count_held(struct transport *transport)
{
    const struct protocol *protocol = transport->protocol;
    size_t held = protocol->ops->memory(protocol) + transport->input.cap + transport->output.cap;

    if (!transport->held)
        transport->progress_ns = clock_now_ns();
    transport->server->held += held - transport->held;
    transport->account->held += held - transport->held;
    transport->held = held;
}

static void limit_memory(struct vitals_server *server)
{
    while (server->held > server->options.memory_max)
        transport_close(account_find_burden(server));
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

static void start_reply(struct vitals_server *server)
{
    if (server->reply.cap > SERVER_REPLY_KEPT)
        buf_free(&server->reply);
    buf_reset(&server->reply);
    server->reply.max = server->options.memory_max < SERVER_REPLY_MAX ? server->options.memory_max
                                                                      : SERVER_REPLY_MAX;
}

/* What the socket does not take at once stays with the client; the server gets another buffer. */
static int send_reply(struct transport *transport)
{
    struct buf *reply = &transport->server->reply;
    ssize_t n = 0;

    if (reply->failed)
        return -ENOMEM;
    if (reply->len)
        n = send_bytes(transport->fd, reply->data, reply->len);
    if (n < 0)
        return (int)n;
    if ((size_t)n < reply->len) {
        transport->output = *reply;
        transport->sent = (size_t)n;
        *reply = (struct buf){0};
    }
    return 0;
}

static void give_buffer_back(struct transport *transport)
{
    struct vitals_server *server = transport->server;

    if (server->reply.data || transport->output.cap > SERVER_REPLY_KEPT)
        buf_free(&transport->output);
    else
        server->reply = transport->output;
    transport->output = (struct buf){0};
    transport->sent = 0;
}

static int unread_bytes(const struct transport *transport)
{
    int n = 0;

    ioctl(transport->fd, SIOCOUTQ, &n);
    return n;
}

static void start_stall(struct transport *transport)
{
    transport->unread = unread_bytes(transport);
    timer_set(&transport->server->timers, TIMER_STALL, &transport->stall);
}

static void watch_for_stall(struct transport *transport)
{
    if (!transport->output.data)
        timer_cancel(&transport->server->timers, TIMER_STALL, &transport->stall);
    else if (!transport->stall.at_ms)
        start_stall(transport);
}

static int send_rest(struct transport *transport)
{
    struct buf *output = &transport->output;
    ssize_t n;

    if (!output->data)
        return 0;
    n = send_bytes(transport->fd, output->data + transport->sent, output->len - transport->sent);
    if (n < 0)
        return (int)n;
    transport->sent += (size_t)n;
    if (n)
        transport->progress_ns = clock_now_ns();
    if (transport->sent == output->len)
        give_buffer_back(transport);
    else if (n)
        start_stall(transport);
    return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* A reply is complete. */
static void note_answer(struct transport *transport)
{
    transport->noise = transport->protocol->refused ? transport->noise + 1 : 0;
    transport->answered = true;
    transport->progress_ns = clock_now_ns();
}

/* Feeds the bytes that lie ready to the protocol, up to one reply. */
static size_t feed(struct transport *transport, const uint8_t *bytes, size_t len)
{
    struct vitals_server *server = transport->server;
    struct protocol *protocol = transport->protocol;
    size_t taken = protocol->ops->feed(protocol, bytes, len, &server->reply);

    if (server->reply.len && !protocol->replying)
        note_answer(transport);
    return taken;
}

static void feed_input(struct transport *transport)
{
    struct buf *input = &transport->input;

    transport->fed +=
        feed(transport, (uint8_t *)input->data + transport->fed, input->len - transport->fed);
    if (transport->fed == input->len) {
        buf_free(input);
        transport->fed = 0;
    }
}

static ssize_t receive_bytes(struct transport *transport)
{
    struct vitals_server *server = transport->server;
    struct protocol *protocol = transport->protocol;
    struct received_fds fds;
    ssize_t n;

    if (protocol->ops->take_fds) {
        n = receive_with_fds(transport->fd, server->input, sizeof(server->input), server->closer,
                             &fds);
        if (n >= 0 && fds.count && !protocol->ops->take_fds(protocol, fds.fds, fds.count))
            return -EDQUOT;
        return n;
    }
    if (transport->passes_files)
        return passed_files_receive(transport->fd, server->input, sizeof(server->input));
    n = recv(transport->fd, server->input, sizeof(server->input), MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static int receive(struct transport *transport)
{
    struct vitals_server *server = transport->server;
    ssize_t n = receive_bytes(transport);
    size_t taken;

    if (n < 0)
        return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
    transport->ended = n == 0;
    taken = feed(transport, server->input, (size_t)n);
    buf_append(&transport->input, server->input + taken, (size_t)n - taken);
    return transport->input.failed ? -ENOMEM : 0;
}

static void pause_noise(struct transport *transport)
{
    set_interest(transport, 0);
    timer_set(&transport->server->timers, TIMER_NOISE_PAUSE, &transport->noise_pause);
}

static void pause_reply(struct transport *transport)
{
    set_interest(transport, 0);
    timer_set(&transport->server->timers, TIMER_PART, &transport->part_pause);
}

/*
 * What the client does next follows from what it has left to do. Who waits for a turn is often served
 * before epoll is asked again: what is asked of its socket stays as it is.
 */
static void schedule(struct transport *transport)
{
    leave_queue(transport);
    if (transport->output.data)
        set_interest(transport, EPOLLOUT);
    else if (transport->protocol->is_at_gate)
        set_interest(transport, 0);
    else if (transport->protocol->waits)
        pause_reply(transport);
    else if (transport->noise > NOISE_MESSAGES)
        pause_noise(transport);
    else if (transport->input.data || transport->wants_write)
        enter_queue(transport);
    else
        set_interest(transport, EPOLLIN);
    watch_for_stall(transport);
}

/* What waits for its socket waits for this as well. All others are scheduled later. */
void transport_request_write(struct transport *transport)
{
    transport->wants_write = true;
    if (transport->interest == EPOLLIN)
        enter_queue(transport);
}

/* Unasked, or the next part of a reply. */
static void write_more(struct transport *transport)
{
    struct protocol *protocol = transport->protocol;
    bool replying = protocol->replying;

    transport->wants_write = false;
    protocol->ops->write(protocol, &transport->server->reply);
    if (replying && !protocol->replying)
        note_answer(transport);
}

/* The client sends no more, and its requests are answered. */
static bool has_to_finish(const struct transport *transport)
{
    return transport->ended && !transport->input.data && !transport->protocol->replying;
}

/* At most one message, at most one reply. */
static int serve_message(struct transport *transport)
{
    struct vitals_server *server = transport->server;
    int err = 0;

    start_reply(server);
    if (transport->wants_write)
        write_more(transport);
    else if (transport->input.data)
        feed_input(transport);
    else
        err = receive(transport);
    if (has_to_finish(transport))
        transport->protocol->ops->finish(transport->protocol, &server->reply);
    return err ? err : send_reply(transport);
}

/* One turn. */
static void serve(struct transport *transport)
{
    int err = transport->output.data ? send_rest(transport) : serve_message(transport);

    if (err || (has_to_finish(transport) && !transport->output.data)) {
        transport_close(transport);
        return;
    }
    if (transport->answered && !transport->output.data) {
        transport->answered = false;
        turns_answered(&transport->server->turns);
    }
    schedule(transport);
    count_held(transport);
    limit_memory(transport->server);
}

/* ---- events --------------------------------------------------------------------------------- */

/* Greets into the server's buffer. */
static int add_transport(struct transport *transport)
{
    struct vitals_server *server = transport->server;
    int err;

    start_reply(server);
    transport->protocol->ops->greet(transport->protocol, &server->reply);
    if (server->reply.failed)
        return -ENOMEM;
    err = slot_add(server, SLOT_TRANSPORT, transport, transport->fd, EPOLLIN, &transport->slot);
    if (err)
        return err;
    transport->interest = EPOLLIN;
    server->n_clients++;
    return 0;
}

/* Those who share the server's memory, and its time. */
static int join(struct transport *transport)
{
    struct vitals_server *server = transport->server;
    struct account *account = account_join(server, transport->protocol->ctx, transport->fd);
    int err;

    if (!account)
        return -ENOMEM;
    transport->account = account;
    err = turns_join(&server->turns, &transport->turn, account->user);
    if (!err) {
        err = add_transport(transport);
        if (err)
            turns_leave(&server->turns, &transport->turn);
    }
    if (err)
        account_leave(account);
    return err;
}

int transport_open(struct vitals_server *server, int fd, struct protocol *protocol,
                   struct vitals_listener *listener)
{
    struct transport *transport;
    int err;

    if (server->n_clients + closer_pending(server->closer) >= server->options.clients_max)
        return -EUSERS;
    transport = calloc(1, sizeof(*transport));
    if (!transport)
        return -ENOMEM;
    *transport = (struct transport){.server = server,
                                    .listener = listener,
                                    .fd = fd,
                                    .protocol = protocol,
                                    .input = {.max = SERVER_READ_SIZE}};
    transport->part_pause.owner = transport;
    transport->noise_pause.owner = transport->stall.owner = transport;
    transport->passes_files = protocol->ops->take_fds || !passed_files_refuse(fd);
    if (transport->passes_files)
        passed_files_expect(fd);
    protocol->transport = transport;
    err = join(transport);
    if (err) {
        free(transport);
        return err;
    }
    if (listener)
        listener->n_clients++;
    if (send_reply(transport))
        transport_close(transport);
    else
        schedule(transport);
    return 0;
}

void transport_close(struct transport *transport)
{
    struct vitals_server *server = transport->server;

    leave_queue(transport);
    turns_leave(&server->turns, &transport->turn);
    slot_remove(server, transport->slot, transport->fd);
    timer_cancel(&server->timers, TIMER_STALL, &transport->stall);
    hang_up(server, transport->fd, transport->passes_files);
    server->n_clients--;
    if (transport->listener)
        transport->listener->n_clients--;
    server->held -= transport->held;
    transport->account->held -= transport->held;
    account_leave(transport->account);
    transport->protocol->ops->free(transport->protocol);
    buf_free(&transport->input);
    buf_free(&transport->output);
    free(transport);
}

/* Outside of a turn: its user pays for it. */
static void close_between_turns(struct transport *transport)
{
    struct vitals_server *server = transport->server;
    uid_t user = transport->account->user;
    uint64_t start_ns = clock_now_ns();

    transport_close(transport);
    turns_charge(&server->turns, user, clock_now_ns() - start_ns);
}

void transport_event(struct transport *transport, uint32_t events)
{
    /* Both directions are closed: no reply can arrive any more. */
    if (events & (EPOLLHUP | EPOLLERR))
        close_between_turns(transport);
    else if (!(events & transport->interest))
        return;
    else if (turn_waits(&transport->turn))
        set_interest(transport, 0); /* it will wait for long, and need not be told each time */
    else
        enter_queue(transport);
}

/* A turn may have the client wait again, or close it or another one. */
bool transports_serve_one(struct vitals_server *server)
{
    struct turn *turn = turns_begin(&server->turns);

    if (turn)
        serve(transport_of(turn));
    return turn;
}

void transport_look_again(void *opaque)
{
    struct transport *transport = opaque;

    transport->protocol->waits = false;
    transport->wants_write = true;
    schedule(transport);
}

void transport_ask_again(struct transport *transport)
{
    if (!transport->protocol->is_at_gate)
        return;
    transport->protocol->is_at_gate = false;
    transport->wants_write = true;
    schedule(transport);
}

void transport_resume(void *opaque)
{
    struct transport *transport = opaque;

    transport->noise = NOISE_MESSAGES; /* one more, and it is quiet again */
    schedule(transport);
}

/* A reader so slow that its socket has no room for more is none that has stalled. */
void transport_stalled(void *opaque)
{
    struct transport *transport = opaque;

    if (unread_bytes(transport) < transport->unread)
        start_stall(transport);
    else
        close_between_turns(transport);
}
