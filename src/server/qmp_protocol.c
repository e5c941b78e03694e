/* SPDX-License-Identifier: MIT */
/* A QMP session as a protocol of the server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "qmp/task.h"
#include "server/internal.h"

struct qmp_protocol {
    struct protocol protocol;
    struct qmp_session session;
    struct qmp_workbench *bench;          /* the server's */
    const struct listener_speech *speech; /* which knows this client; or NULL */
};

static struct qmp_protocol *qmp_of(struct protocol *protocol)
{
    return (struct qmp_protocol *)protocol;
}

static void greet(struct protocol *protocol, struct buf *out)
{
    qmp_session_greet(&qmp_of(protocol)->session, out);
}

static void note_task(struct protocol *protocol)
{
    protocol->replying = qmp_of(protocol)->session.task;
    protocol->refused = qmp_of(protocol)->session.refused;
    protocol->waits = protocol->replying && qmp_of(protocol)->session.task->waits;
    protocol->is_at_gate = protocol->replying && qmp_of(protocol)->session.task->is_at_gate;
    if (protocol->replying && !protocol->waits && !protocol->is_at_gate)
        transport_request_write(protocol->transport);
}

static size_t feed(struct protocol *protocol, const void *bytes, size_t len, struct buf *out)
{
    struct qmp_protocol *qmp = qmp_of(protocol);
    size_t taken;

    taken = qmp_session_feed(&qmp->session, qmp->bench, bytes, len, out);
    note_task(protocol);
    return taken;
}

static void write_part(struct protocol *protocol, struct buf *out)
{
    qmp_session_go_on(&qmp_of(protocol)->session, qmp_of(protocol)->bench, out);
    note_task(protocol);
}

static void finish(struct protocol *protocol, struct buf *out)
{
    qmp_session_finish(&qmp_of(protocol)->session, qmp_of(protocol)->bench, out);
}

static size_t memory(const struct protocol *protocol)
{
    return qmp_session_memory(&((const struct qmp_protocol *)protocol)->session);
}

static bool take_fds(struct protocol *protocol, const int *fds, uint32_t count)
{
    struct qmp_protocol *qmp = qmp_of(protocol);

    return qmp->speech->take_fds(qmp->session.opaque, fds, count);
}

static void free_qmp(struct protocol *protocol)
{
    if (qmp_of(protocol)->speech)
        qmp_of(protocol)->speech->close(qmp_of(protocol)->session.opaque);
    ctx_leave(qmp_of(protocol)->session.ctx);
    qmp_session_free(&qmp_of(protocol)->session);
    free(protocol);
}

static const struct protocol_ops qmp_ops = {.greet = greet,
                                            .feed = feed,
                                            .write = write_part,
                                            .finish = finish,
                                            .memory = memory,
                                            .free = free_qmp};
static const struct protocol_ops qmp_ops_with_fds = {.greet = greet,
                                                     .feed = feed,
                                                     .take_fds = take_fds,
                                                     .write = write_part,
                                                     .finish = finish,
                                                     .memory = memory,
                                                     .free = free_qmp};

struct protocol *qmp_protocol_new(struct vitals_server *server, struct vitals_ctx *ctx,
                                  enum vitals_dialect dialect, struct providers *providers)
{
    struct qmp_protocol *qmp = calloc(1, sizeof(*qmp));

    if (!qmp)
        return NULL;
    qmp->protocol.ops = &qmp_ops;
    qmp->protocol.ctx = ctx;
    ctx_use(ctx);
    qmp->bench = &server->bench;
    qmp_session_init(&qmp->session, ctx, dialect, providers);
    return &qmp->protocol;
}

void qmp_protocol_set_gate(struct protocol *protocol, const struct qmp_gate *gate)
{
    qmp_of(protocol)->session.gate = gate;
}

int qmp_protocol_speak(struct protocol *protocol, const struct listener_speech *speech, int fd)
{
    struct qmp_protocol *qmp = qmp_of(protocol);
    int err = 0;

    qmp->session.dialect = speech->dialect;
    qmp->session.opaque = speech->opaque;
    if (!speech->open)
        return 0;
    err = speech->open(speech->opaque, fd, &qmp->session.opaque);
    if (err)
        return err;
    qmp->speech = speech;
    protocol->ops = &qmp_ops_with_fds;
    return 0;
}

void qmp_protocol_refuse(const struct vitals_server *server, int fd, int err)
{
    char reason[64] = "its process can have no more open files", text[192];
    int len;

    if (err == -EUSERS)
        snprintf(reason, sizeof(reason), "at most %u", server->options.clients_max);
    else if (err == -EDQUOT)
        snprintf(reason, sizeof(reason), "of one user");
    else if (err != -EMFILE)
        return;
    len = snprintf(text, sizeof(text),
                   "{\"error\": {\"class\": \"GenericError\", "
                   "\"desc\": \"Too many clients, %s\"}}\r\n",
                   reason);
    send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}
