/* SPDX-License-Identifier: MIT */
/* `vitals list`: which VMs answer at these sockets, and what they speak. */
#include <stdio.h>
#include <stdlib.h>

#include "args/cli.h"
#include "look/look.h"
#include "look/peer_text.h"
#include "base/json_write.h"
#include "base/count.h"

/* What is said of a VM. */
struct entry {
    const char *vm, *socket, *peer, *dialect;
    char version[PEER_VERSION_MAX], text[PEER_TEXT_MAX];
    size_t n_vcpus, n_stats;
};

static void read_entry(struct entry *entry, const struct client *client)
{
    *entry = (struct entry){
        .vm = client_vm_name(client),
        .socket = client_path(client),
        .peer = client_peer(client) == CLIENT_QEMU ? "qemu" : "vitals",
        .dialect = peer_dialect(client),
    };
    peer_version(entry->version, client);
    peer_text(entry->text, client);
    client_vcpus(client, &entry->n_vcpus);
    client_stats(client, &entry->n_stats);
}

/* ---- the three forms ------------------------------------------------------------------------ */

static void print_table(const struct entry *entries, size_t n, bool has_legend)
{
    const struct table_column columns[] = {
        {.title = "VM"},
        {.title = "VCPUS", .is_right = true},
        {.title = "STATS", .is_right = true},
        {.title = "SPEAKS"},
        {.title = "SOCKET"},
    };
    struct table table = {.columns = columns, .n_columns = COUNT(columns)};

    for (size_t i = 0; i < n; i++) {
        table_cell(&table, "%s", entries[i].vm);
        table_cell(&table, "%zu", entries[i].n_vcpus);
        table_cell(&table, "%zu", entries[i].n_stats);
        table_cell(&table, "%s", entries[i].text);
        table_cell(&table, "%s", entries[i].socket);
    }
    table_print(&table, has_legend);
    table_clear(&table);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\": ", name);
    json_put_string(out, text);
    buf_puts(out, ", ");
}

static void print_json(const struct entry *entries, size_t n)
{
    struct buf out = {0};

    buf_puts(&out, "{\"schema_version\": 1, \"vms\": [");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&out, i ? ", {" : "{");
        put_member(&out, "vm", entries[i].vm);
        put_member(&out, "socket", entries[i].socket);
        put_member(&out, "peer", entries[i].peer);
        put_member(&out, "dialect", entries[i].dialect);
        put_member(&out, "version", entries[i].version);
        buf_printf(&out, "\"vcpus\": %zu, \"stats\": %zu}", entries[i].n_vcpus, entries[i].n_stats);
    }
    buf_puts(&out, "]}");
    csv_end(&out);
    buf_free(&out);
}

static void print_csv(const struct entry *entries, size_t n, bool has_legend)
{
    struct buf line = {0};

    if (has_legend)
        puts("vm,socket,peer,dialect,version,vcpus,stats");
    for (size_t i = 0; i < n; i++) {
        csv_text(&line, entries[i].vm);
        csv_text(&line, entries[i].socket);
        csv_text(&line, entries[i].peer);
        csv_text(&line, entries[i].dialect);
        csv_text(&line, entries[i].version);
        csv_u64(&line, entries[i].n_vcpus);
        csv_u64(&line, entries[i].n_stats);
        csv_end(&line);
    }
    buf_free(&line);
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int print_vms(const struct look *look)
{
    struct entry *entries = calloc(look->n_vms + 1, sizeof(*entries));
    bool has_legend = !look->options.no_legend;

    if (!entries) {
        fprintf(stderr, "%s: out of memory\n", look->options.command);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < look->n_vms; i++)
        read_entry(&entries[i], look->vms[i].client);
    switch (look->options.format) {
    case OUTPUT_TABLE:
        print_table(entries, look->n_vms, has_legend);
        break;
    case OUTPUT_JSON:
        print_json(entries, look->n_vms);
        break;
    case OUTPUT_CSV:
        print_csv(entries, look->n_vms, has_legend);
        break;
    }
    free(entries);
    return look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int connect_and_print(void *self)
{
    struct look *look = self;
    int status = look_connect(look);

    return status ? status : print_vms(look);
}

static int run(struct cli_args *args)
{
    return look_run(args, &(struct look){0}, connect_and_print);
}

const struct verb verb_list = {
    .name = "list",
    .summary = "list the VMs at sockets",
    .about =
        "Lists the VMs that answer at these sockets: name, number of vCPUs and statistics, and "
        "what they speak.",
    .tables = {look_socket_options, look_output_options},
    .notes = "-o json prints one object: {\"schema_version\": 1, \"vms\": [...]}. Each VM has vm, "
             "socket, peer (vitals or qemu), dialect, version, vcpus and stats, which are numbers. "
             "-o csv has the same in columns.\n"
             "\n"
             "Exit status: 0, 1 for an error, 2 for wrong usage.",
    .run = run,
};
