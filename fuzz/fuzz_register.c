/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes a connection to register.sock: whatever is sent, with whatever files, it is answered, and when
 * it ends no VM and no count of files is left. A line "file K N" brings N recorded statistics files of
 * kind K (0: VM, 1: vCPU), or memory files (2), or others; all else are bytes of messages.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/vm_own.h"
#include "serve/register_socket.h"
#include "stats/collect.h"

enum { FILES_AT_A_TIME = 8, UID = 1000 };

static struct world {
    struct host *host, *other; /* the other one follows by the roster */
    struct roster *roster;
    struct register_socket socket;
    struct vitals_ctx *ctx;
    struct qmp_workbench bench;
    ino_t inodes[KVM_KINDS];
} world;

static const char *const names[KVM_KINDS] = {"vm.stats", "vcpu.stats"};

static int open_recorded(enum kvm_kind kind)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/kvm/x86_64-linux-6.18/%s", TEST_DATA, names[kind]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static bool is_recorded(int fd, enum kvm_kind kind)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_ino == world.inodes[kind];
}

static void make_world(void)
{
    struct stat st;

    CHECK(!host_open_empty(&world.host));
    register_socket_init(&world.socket, world.host);
    CHECK(!host_open_empty(&world.other));
    world.roster = roster_new();
    CHECK(world.roster);
    host_follow(world.other, world.roster);
    world.socket.roster = world.roster;
    world.socket.is_statistics = is_recorded;
    CHECK(!vitals_ctx_new(NULL, &world.ctx));
    CHECK(!qmp_workbench_init(&world.bench));
    for (int kind = 0; kind < KVM_KINDS; kind++) {
        int fd = open_recorded(kind);

        CHECK(!fstat(fd, &st));
        world.inodes[kind] = st.st_ino;
        close(fd);
    }
}

/* With rows of ones, of which some lie in a hole. */
static int open_memory(void)
{
    static const uint64_t ones[512] = {1, 1, 1, 1};
    int fd = memfd_create("rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0 && !ftruncate(fd, 1 << 20) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    CHECK(pwrite(fd, ones, sizeof(ones), 0) == sizeof(ones));
    return fd;
}

static int open_kind(int kind)
{
    if (kind == 0 || kind == 1)
        return open_recorded(kind);
    return kind == 2 ? open_memory() : open("/dev/null", O_RDONLY);
}

/* False: they are more than one may have, and the connection is over. */
static bool send_files(struct registrant *registrant, const char *line)
{
    int fds[FILES_AT_A_TIME], kind = 0, n = 0;

    if (sscanf(line, "file %d %d", &kind, &n) != 2 || n < 1 || n > FILES_AT_A_TIME)
        return true;
    for (int i = 0; i < n; i++)
        fds[i] = open_kind(kind);
    return registrant_take_fds(registrant, fds, (uint32_t)n);
}

static size_t count_vcpus(const struct host *host, size_t *ret_vms)
{
    struct host_vm *const *vms = host_vms(host, ret_vms);
    size_t n = 0;

    for (size_t i = 0; i < *ret_vms; i++)
        n += vms[i]->n_vcpus;
    return n;
}

static void check_follower(void)
{
    size_t n_vms, n_followed;

    CHECK(!host_read(world.other));
    CHECK(count_vcpus(world.host, &n_vms) == count_vcpus(world.other, &n_followed));
    CHECK(n_vms == n_followed);
}

static void say(struct qmp_session *session, const char *bytes, size_t len)
{
    struct buf out = {0};

    while (len) {
        size_t taken = qmp_session_feed(session, &world.bench, bytes, len, &out);

        CHECK(taken <= len && (taken == len || out.len) && !out.failed);
        bytes += taken;
        len -= taken;
        buf_reset(&out);
    }
    buf_free(&out);
}

static void talk(struct registrant *registrant, const char *text, const char *end)
{
    struct qmp_session session;

    qmp_session_init(&session, world.ctx, VITALS_DIALECT_GROUPED, NULL);
    session.dialect = &register_dialect;
    session.opaque = registrant;
    session.negotiated = true;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline ? newline + 1 : end;

        if (!strncmp(text, "file ", 5)) {
            if (!send_files(registrant, text))
                break;
        } else {
            say(&session, text, (size_t)(next - text));
            check_follower();
        }
        text = next;
    }
    qmp_session_free(&session);
}

/* Whatever a VM has of its VMM, it can be read. */
static void read_own(void)
{
    struct stats_collection collection = {0};
    size_t n;
    struct host_vm *const *vms = host_vms(world.host, &n);

    for (size_t i = 0; n && i < vms[0]->n_own; i++) {
        struct stats_request request = {
            .target = vm_own_at(vms[0], i)->schema->target, .all_stats = true, .all_objects = true};

        CHECK(!stats_collect(&collection, vms[0]->ctx, &request));
    }
    stats_collection_free(&collection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registrant *registrant;
    char *text = malloc(size + 1);
    size_t n;

    CHECK(text);
    if (!world.host)
        make_world();
    memcpy(text, data, size);
    text[size] = '\0';
    CHECK(!registrant_new(&world.socket, UID, getpid(), -1, &registrant));
    talk(registrant, text, text + size);
    CHECK(registrant->n_files >= registrant->n_waiting);
    CHECK(!host_read(world.host));
    read_own();
    registrant_free(registrant);
    host_vms(world.host, &n);
    CHECK(n == 0);
    CHECK(LIST_EMPTY(&world.socket.users) || (LIST_FIRST(&world.socket.users)->n_files == 0 &&
                                              LIST_FIRST(&world.socket.users)->n_words == 0));
    free(text);
    return 0;
}
