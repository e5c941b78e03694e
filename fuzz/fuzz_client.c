/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the client: the bytes are all that the peer sends, from its greeting on. Whatever they
 * are, a client is opened or refused with a reason, and what it returns is as client.h says.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "client/client.h"
#include "client/bucket_order.h"
#include "stats/histogram.h"
#include "stats/schema.h"
#include "base/buf.h"
#include "base/text.h"
#include "fuzz.h"

enum { TIMEOUT_MS = 2000 }; /* never waited for: behind the bytes is the end */

/* ---- the peer ------------------------------------------------------------------------------- */

static void write_all(int fd, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);

        CHECK(n > 0);
        data += n;
        size -= (size_t)n;
    }
}

/* So the ids of a client's requests are known beforehand. */
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
    (void)flags;
    memset(bytes, 0, size);
    return (ssize_t)size;
}

static bool begins_with(const uint8_t *data, size_t size, const char *begin)
{
    return size >= strlen(begin) && !memcmp(data, begin, strlen(begin));
}

/* A line that begins as a reply without an id gets that of the request whose turn it is. */
static void write_with_ids(int fd, const uint8_t *data, size_t size)
{
    struct buf bytes = {0};
    unsigned n_replies = 0;

    for (size_t i = 0; i < size; i++) {
        bool is_reply =
            (i == 0 || data[i - 1] == '\n') && (begins_with(&data[i], size - i, "{\"return\"") ||
                                                begins_with(&data[i], size - i, "{\"error\""));

        buf_append(&bytes, (const char *)&data[i], 1);
        if (is_reply)
            buf_printf(&bytes, "\"id\": \"vitals-%016x-%u\", ", 0, ++n_replies);
    }
    write_all(fd, (const uint8_t *)bytes.data, bytes.len);
    buf_free(&bytes);
}

/* All that the peer says is there before it is asked. The requests stay in the socket. */
static struct client *open_client(int fds[2], const uint8_t *data, size_t size)
{
    struct client_error error = {0};
    struct client *client = NULL;
    int err;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    write_with_ids(fds[1], data, size);
    CHECK(shutdown(fds[1], SHUT_WR) == 0);
    err = client_adopt(fds[0], "fuzzed.sock", TIMEOUT_MS, &client, &error);
    CHECK(!err == (client != NULL));
    CHECK(!err || error.text[0]);
    CHECK(text_is_plain(error.text));
    return client;
}

/* ---- what the client knows ------------------------------------------------------------------ */

static void check_name(const char *name)
{
    CHECK(name && *name && strlen(name) <= CLIENT_NAME_MAX && text_is_plain(name));
}

static int order_of(const char *target)
{
    return !strcmp(target, "vm") ? 0 : !strcmp(target, "vcpu") ? 1 : 2;
}

static void check_stats(const struct client *client)
{
    size_t n;
    const struct client_stat *stats = client_stats(client, &n);

    CHECK(n <= CLIENT_STATS_MAX);
    for (size_t i = 0; i < n; i++) {
        check_name(stats[i].desc.name);
        check_name(stats[i].provider);
        check_name(stats[i].target);
        CHECK(i == 0 || order_of(stats[i - 1].target) <= order_of(stats[i].target));
        CHECK(stats[i].desc.base == 2 || stats[i].desc.base == 10);
        CHECK(stats[i].desc.type < STAT_TYPES && stats[i].desc.unit < STAT_UNITS);
        CHECK(stats[i].desc.unit != VITALS_BOOLEAN);
        CHECK(stats[i].desc.type != VITALS_LINEAR_HIST || stats[i].desc.bucket_size);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(stats[i].desc.name, stats[j].desc.name) ||
                  strcmp(stats[i].provider, stats[j].provider) ||
                  strcmp(stats[i].target, stats[j].target));
    }
}

static void check_vcpus(const struct client *client)
{
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(client, &n);

    CHECK(n <= CLIENT_VCPUS_MAX);
    for (size_t i = 0; i < n; i++) {
        check_name(vcpus[i].path);
        CHECK(vcpus[i].index >= 0 && (i == 0 || vcpus[i].index >= vcpus[i - 1].index));
    }
}

static void check_client(const struct client *client)
{
    check_name(client_vm_name(client));
    CHECK(client_peer(client) <= CLIENT_QEMU);
    CHECK(client_qemu_version(client) <= 999999);
    check_stats(client);
    check_vcpus(client);
}

/* ---- what it returns ------------------------------------------------------------------------ */

static void check_histogram(const struct client_value *value)
{
    const uint64_t *buckets = value->values;
    size_t n = value->n_values;
    uint64_t count = histogram_count(buckets, n);

    for (size_t i = 0; i < n; i++) {
        CHECK(buckets[i] <= count);
        CHECK(i == 0 || histogram_lower_bound(&value->stat->desc, i) >=
                            histogram_lower_bound(&value->stat->desc, i - 1));
    }
    if (count) {
        size_t median = histogram_percentile(buckets, n, 50);
        size_t most = histogram_percentile(buckets, n, 99);

        CHECK(median <= most && most < n && buckets[median] && buckets[most]);
    }
    histogram_order(&value->stat->desc, buckets, n, count);
}

static void check_object(const struct client *client, const struct client_object *object,
                         const bool *wanted)
{
    size_t n_stats;
    const struct client_stat *stats = client_stats(client, &n_stats);

    for (size_t i = 0; i < object->n_values; i++) {
        const struct client_value *value = &object->values[i];

        CHECK(value->stat >= stats && value->stat < stats + n_stats);
        CHECK(wanted[value->stat - stats]);
        CHECK(value->stat->target == object->target ||
              !strcmp(value->stat->target, object->target));
        CHECK(i == 0 || value->stat > object->values[i - 1].stat);
        CHECK(client_find_value(object, value->stat) == value);
        CHECK(value->n_values >= 1 && (value->n_values == 1 || histogram_is(&value->stat->desc)));
        if (histogram_is(&value->stat->desc))
            check_histogram(value);
    }
}

static void check_snapshot(const struct client *client, const struct client_snapshot *snapshot,
                           const struct client_request *request)
{
    bool is_vm = !strcmp(request->target, "vm"), is_vcpu = !strcmp(request->target, "vcpu");

    CHECK(snapshot->n_objects <= (is_vm     ? 1
                                  : is_vcpu ? CLIENT_VCPUS_MAX
                                            : CLIENT_OBJECTS_MAX * CLIENT_TARGETS_MAX));
    CHECK(!snapshot->is_reversed || client_peer(client) == CLIENT_QEMU);
    for (size_t i = 0; i < snapshot->n_objects; i++) {
        const struct client_object *object = &snapshot->objects[i];

        CHECK(object->cpu_index >= -1 && (is_vcpu || object->cpu_index == -1));
        CHECK(order_of(object->target) == order_of(request->target));
        CHECK(i == 0 || (uint64_t)object[-1].cpu_index <= (uint64_t)object->cpu_index);
        CHECK(is_vm == !object->path);
        if (object->path)
            check_name(object->path);
        check_object(client, object, request->wanted);
    }
}

static void query(struct client *client, const struct client_request *request)
{
    struct client_snapshot *snapshot = NULL;
    struct client_error error = {0};

    if (client_query(client, request, &snapshot, &error)) {
        CHECK(!snapshot && error.text[0] && text_is_plain(error.text));
        return;
    }
    check_snapshot(client, snapshot, request);
    check_vcpus(client);
    client_snapshot_free(snapshot);
}

/* All of all targets, and then every second statistic of vCPUs only. */
static void query_all(struct client *client)
{
    size_t n;
    bool *wanted = (client_stats(client, &n), calloc(n + 1, sizeof(*wanted)));

    for (size_t i = 0; i < n; i++)
        wanted[i] = true;
    query(client, &(struct client_request){.target = "vm", .wanted = wanted});
    query(client, &(struct client_request){.target = "vcpu", .wanted = wanted});
    query(client, &(struct client_request){.target = CLIENT_OTHER_TARGETS, .wanted = wanted});
    for (size_t i = 0; i < n; i += 2)
        wanted[i] = false;
    query(client, &(struct client_request){.target = "vcpu", .wanted = wanted});
    free(wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    struct client *client = open_client(fds, data, size);

    if (client) {
        check_client(client);
        query_all(client);
    }
    client_free(client);
    close(fds[1]);
    return 0;
}
