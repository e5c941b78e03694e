/* SPDX-License-Identifier: MIT */
/*
 * A provider in 90 lines: two statistics of each vCPU, served over QMP until the input ends.
 *
 *      cc provider.c $(pkg-config --cflags --libs vitals) -o provider
 *      ./provider /tmp/xyz.sock
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <vitals/vitals.h>

/* What is measured. A VMM's threads count here while queries read. */
struct vcpu {
    const char *path;
    atomic_ulong requests;
};
static struct vcpu vcpus[] = {{"/machine/unattached/device[0]", 12},
                              {"/machine/unattached/device[1]", 34}};

/* The schema: element 0 of a row is a counter, elements 1 to 4 are the buckets of a histogram. */
static const struct vitals_stat stats[] = {
    {.name = "somestat",
     .help = "Requests that the vCPU made.",
     .type = VITALS_CUMULATIVE,
     .base = 10,
     .count = 1,
     .slot = 0},
    {.name = "request_size_hist",
     .help = "Requests by size.",
     .type = VITALS_LINEAR_HIST,
     .unit = VITALS_BYTES,
     .base = 2,
     .exponent = 10,
     .count = 4,
     .slot = 1,
     .bucket_size = 16},
};

/* One call fills the rows of all vCPUs that were asked for; for others, vitals_row() gives NULL. */
static int collect(void *opaque, struct vitals_sink *sink)
{
    struct vcpu *all = opaque;

    for (size_t i = 0; i < sizeof(vcpus) / sizeof(vcpus[0]); i++) {
        uint64_t *row = vitals_row(sink, all[i].path);

        if (!row)
            continue;
        row[0] = atomic_load(&all[i].requests);
        row[1] = row[0]; /* all were smaller than 16 KiB */
    }
    return 0;
}

/* So that each has a number, by which people and programs choose it. */
static int add_vcpus(struct vitals_group *group)
{
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(vcpus) / sizeof(vcpus[0]); i++)
        err = vitals_object_add(group, vcpus[i].path, (int64_t)i);
    return err;
}

int main(int argc, char **argv)
{
    struct vitals_group_ops group = {VITALS_GROUP_OPS_INIT, .provider = "xyz", .target = "vcpu",
                                     .stats = stats,        .n_stats = 2,      .row_len = 5,
                                     .collect = collect,    .opaque = vcpus};
    struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .path = argv[1]};
    struct vitals_server *server = NULL;
    struct vitals_group *xyz = NULL;
    struct vitals_ctx *ctx = NULL;
    int err = argc == 2 ? vitals_ctx_new(NULL, &ctx) : -1;

    if (!err && !(err = vitals_register(ctx, &group, &xyz)) && !(err = add_vcpus(xyz)) &&
        !(err = vitals_server_new(NULL, &server)) &&
        !(err = vitals_server_listen(server, ctx, &listen, NULL)) &&
        !(err = vitals_server_start(server)))
        while (getchar() != EOF)
            ;
    if (err)
        fprintf(stderr, "usage: provider SOCKET (%s)\n", strerror(-err));
    vitals_server_free(server);
    vitals_ctx_free(ctx);
    return err != 0;
}
