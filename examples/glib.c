/* SPDX-License-Identifier: MIT */
/*
 * A VMM whose loop is GLib's, as QEMU's is: the server is one more fd to watch. What a call leaves
 * undone keeps the fd readable, so other sources have their turn in between.
 *
 *      ./glib /tmp/vm.sock         the program ends with its standard input
 */
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vitals/vitals.h>

static gboolean serve(gint fd, GIOCondition condition, gpointer server)
{
    (void)fd;
    (void)condition;
    return vitals_server_process(server) >= 0; /* FALSE removes the source */
}

static gboolean read_input(gint fd, GIOCondition condition, gpointer loop)
{
    char buf[256];

    (void)condition;
    if (read(fd, buf, sizeof(buf)) > 0)
        return TRUE;
    g_main_loop_quit(loop);
    return FALSE;
}

int main(int argc, char **argv)
{
    char error[256] = "usage: glib SOCKET";
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "glib",
                                               .error = error, .error_size = sizeof(error)};
    struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .path = argv[1]};
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    struct vitals_server *server = NULL;
    struct vitals_counters *counters = NULL;
    struct vitals_counter *starts = NULL;
    struct vitals_ctx *ctx = NULL;
    int err = argc == 2 ? vitals_ctx_new(&options, &ctx) : -1;

    if (!err && !(err = vitals_counters_new(ctx, "loop", "vm", &counters)))
        err = vitals_counter_new(counters, NULL, "loop_starts", "Starts of the loop.", &starts);
    vitals_counter_add(starts, 1);
    if (!err && !(err = vitals_server_new(NULL, &server)) &&
        (err = vitals_server_listen(server, ctx, &listen, NULL)))
        vitals_server_error_text(server, error, sizeof(error));
    if (!err) {
        g_unix_fd_add(vitals_server_fd(server), G_IO_IN, serve, server);
        g_unix_fd_add(STDIN_FILENO, (GIOCondition)(G_IO_IN | G_IO_HUP), read_input, loop);
        g_main_loop_run(loop);
    } else {
        fprintf(stderr, "glib: %s\n", error);
    }
    vitals_server_free(server);
    vitals_counters_free(counters);
    vitals_ctx_free(ctx);
    g_main_loop_unref(loop);
    return err != 0;
}
