/* SPDX-License-Identifier: MIT */
/* `vitals list`: which VMs there are on this host, or at sockets, and whose they are. */
#include <stdlib.h>

#include "args/cli.h"
#include "look/look.h"
#include "look/peer_text.h"
#include "show/origin.h"

static void put_vm(struct record_writer *to, const struct client *client)
{
    const struct client_status *status = client_status(client);
    char version[PEER_VERSION_MAX], text[PEER_TEXT_MAX];
    bool has_peer = client_peer(client) != CLIENT_LOCAL, is_of_host = client_is_of_host(client);
    size_t n_vcpus, n_stats;

    client_vcpus(client, &n_vcpus);
    client_stats(client, &n_stats);
    peer_version(version, client);
    peer_text(text, client);
    record_text(to, "vm", "VM", client_vm_name(client));
    record_text(to, "socket", NULL, client_socket(client));
    record_text(to, "peer", NULL, peer_name(client));
    record_text(to, "dialect", NULL, peer_dialect(client));
    record_text(to, "version", NULL, has_peer ? version : NULL);
    record_text(to, "state", "STATE", *status->text ? status->text : NULL);
    record_u64(to, "vcpus", "VCPUS", n_vcpus);
    record_u64(to, "stats", "STATS", n_stats);
    origin_put(to, client_origin(client), is_of_host);
    record_text(to, NULL, is_of_host ? "WAY" : "SPEAKS", text);
    record_text(to, NULL, is_of_host ? NULL : "SOCKET", client_socket(client));
}

struct reading {
    const struct look *look;
    struct client_error *errors; /* of each VM; empty: there was none */
};

static void read_status(void *opaque, size_t i)
{
    const struct reading *reading = opaque;

    if (client_read_status(reading->look->vms[i].client, &reading->errors[i]) == 0)
        reading->errors[i].text[0] = '\0';
}

/* A VM that fails now is listed nevertheless: it has said the rest. */
static void read_all(struct look *look)
{
    struct reading reading = {look, calloc(look->n_vms + 1, sizeof(*reading.errors))};

    if (!reading.errors)
        return;
    look_each_vm(look, look->n_vms, read_status, &reading);
    for (size_t i = 0; i < look->n_vms; i++)
        if (reading.errors[i].text[0])
            look_complain(look, &reading.errors[i]);
    free(reading.errors);
}

static void print_vms(const struct look *look)
{
    struct record_writer to = look_record_writer(look);

    record_open(&to);
    record_list(&to, "vms");
    for (size_t i = 0; i < look->n_vms; i++) {
        record_begin(&to);
        put_vm(&to, look->vms[i].client);
        record_end(&to);
    }
    record_close(&to);
    record_free(&to);
}

static int connect_and_print(void *self)
{
    struct look *look = self;
    int status = look_connect(look);

    if (status)
        return status;
    read_all(look);
    print_vms(look);
    if (look->options.format == OUTPUT_TABLE)
        look_say_what_is_seen(look);
    return look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct cli_args *args)
{
    return look_run(args, &(struct look){0}, connect_and_print);
}

const struct verb verb_list = {
    .name = "list",
    .summary = "list the VMs of this host, or at sockets",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct look, options.sockets),
    .about =
        "Lists all VMs of this host, or those that answer at sockets: name, number of vCPUs and "
        "statistics, and whose they are, or what the socket speaks.",
    .tables = {look_socket_options, look_vm_options, look_output_options},
    .notes =
        "-o json prints one object: {\"schema_version\": 1, \"vms\": [...]}. Each VM has vm, "
        "socket, peer (vitals or qemu), dialect, version, vcpus, stats, vmm, pid, uid, way "
        "(kernel or socket) and uuid; what is not known is null. -o csv has the same in columns.\n"
        "\n"
        "Exit status: 0, 1 for an error, 2 for wrong usage.",
    .run = run,
};
