/* SPDX-License-Identifier: MIT */
/*
 * Embedding with poll(): a VMM's own loop serves QMP beside its other work, without a thread. Here
 * the other work is standard input; the program ends with it.
 *
 *      ./embed_poll /tmp/vm.sock
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vitals/vitals.h>

static uint64_t lines_read;

static int collect(void *opaque, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, NULL); /* NULL: the VM itself */

    if (row)
        row[0] = *(const uint64_t *)opaque;
    return 0;
}

static int register_provider(struct vitals_ctx *ctx)
{
    static const struct vitals_stat stat = {
        .name = "input_reads", .type = VITALS_CUMULATIVE, .base = 10, .count = 1};
    struct vitals_group_ops group = {VITALS_GROUP_OPS_INIT, .provider = "loop",   .target = "vm",
                                     .stats = &stat,        .n_stats = 1,         .row_len = 1,
                                     .collect = collect,    .opaque = &lines_read};

    return vitals_register(ctx, &group, NULL);
}

static int loop(struct vitals_server *server)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = vitals_server_fd(server), .events = POLLIN}};
    char buf[256];

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (fds[1].revents)
            vitals_server_process(server); /* never blocks */
        if (fds[0].revents && read(STDIN_FILENO, buf, sizeof(buf)) <= 0)
            return 0;
        lines_read += fds[0].revents != 0;
    }
}

int main(int argc, char **argv)
{
    struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "example"};
    struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .mode = 0660};
    struct vitals_server *server = NULL;
    struct vitals_ctx *ctx = NULL;
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: embed_poll SOCKET\n");
        return 2;
    }
    listen.path = argv[1];
    err = vitals_ctx_new(&options, &ctx);
    if (!err)
        err = register_provider(ctx);
    if (!err)
        err = vitals_server_new(NULL, &server);
    if (!err)
        err = vitals_server_listen(server, ctx, &listen, NULL);
    if (!err)
        err = loop(server);
    if (err)
        fprintf(stderr, "embed_poll: %s\n", strerror(-err));
    vitals_server_free(server); /* before its contexts */
    vitals_ctx_free(ctx);
    return err != 0;
}
