/* SPDX-License-Identifier: MIT */
/*
 * Statistics in one line each: threads of a VMM count, the library keeps the numbers and answers
 * queries until the input ends.
 *
 *      cc counters.c $(pkg-config --cflags --libs vitals) -o counters
 *      ./counters /tmp/disk.sock
 */
#include <stdio.h>
#include <string.h>

#include <vitals/vitals.h>

/* A device of the VMM. What could not be made stays NULL, and counts nothing. */
static struct {
    struct vitals_counter *requests;
    struct vitals_histogram *sizes;
} disk;

static const struct vitals_stat sizes = {.name = "disk_size_hist",
                                         .help = "Requests by size.",
                                         .type = VITALS_LOG_HIST,
                                         .unit = VITALS_BYTES,
                                         .count = 24};

static void serve_request(uint64_t bytes)
{
    vitals_counter_add(disk.requests, 1);
    vitals_histogram_observe(disk.sizes, bytes);
}

static int serve(struct vitals_server *server)
{
    int c, err = vitals_server_start(server);

    while (!err && (c = getchar()) != EOF)
        serve_request((uint64_t)c); /* each byte of the input stands for a request */
    return err;
}

int main(int argc, char **argv)
{
    struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .path = argv[1]};
    struct vitals_counters *stats = NULL;
    struct vitals_server *server = NULL;
    struct vitals_ctx *ctx = NULL;
    int err = argc == 2 ? vitals_ctx_new(NULL, &ctx) : -1;

    if (!err)
        err = vitals_counters_new(ctx, "disk", "vm", &stats);
    vitals_counter_new(stats, NULL, "disk_requests", "Requests of the disk.", &disk.requests);
    vitals_histogram_new(stats, NULL, &sizes, sizeof(sizes), &disk.sizes);
    if (!err && !(err = vitals_server_new(NULL, &server)) &&
        !(err = vitals_server_listen(server, ctx, &listen, NULL)))
        err = serve(server);
    if (err)
        fprintf(stderr, "usage: counters SOCKET (%s)\n", strerror(-err));
    vitals_server_free(server);
    vitals_counters_free(stats);
    vitals_ctx_free(ctx);
    return err != 0;
}
