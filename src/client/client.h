/* SPDX-License-Identifier: MIT */
/*
 * A QMP client for the two commands of statistics. It speaks to the sockets of this project, in
 * both dialects, and to QEMU 7.1 and later; what it returns looks the same whichever it was:
 * vCPUs by their index, statistics in the order of their provider, histograms smallest bucket
 * first, booleans as 0 and 1 without a unit.
 *
 * A peer need not mean well. Names are UTF-8 without control characters and never empty; a
 * statistic has its names for itself, and stands once in an object; what is no histogram has one
 * value.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/error.h"
#include "vitals/stats.h"

enum {
    CLIENT_TIMEOUT_MS = 5000,
    CLIENT_STATS_MAX = 8192, /* that a peer may have; with more it is refused */
    CLIENT_VCPUS_MAX = 8192,
    CLIENT_OBJECTS_MAX = 8192,               /* of any other target */
    CLIENT_TARGETS_MAX = VITALS_TARGETS_MAX, /* that a peer may have beside "vm" and "vcpu" */
    CLIENT_NAME_MAX =
        1023, /* bytes; VMs have their names cut, what else has longer ones is left out */
};

/*
 * In place of a target: all that are neither "vm" nor "vcpu", in the order in which the peer names
 * them. Each peer has its own; their objects are known by their paths.
 */
#define CLIENT_OTHER_TARGETS ""

/* CLIENT_LOCAL: no peer, but a context of this process (client/local.h). */
enum client_peer { CLIENT_GROUPED, CLIENT_FLAT, CLIENT_QEMU, CLIENT_LOCAL };

/* Whose VM it is, as far as is known. */
struct client_origin {
    const char *way;  /* by which it is read: "socket", "kernel" */
    int64_t pid, uid; /* of the VMM's process, or of what stands before it; -1: not known */
    const char *vmm;  /* the program, "qemu" or other; NULL: not known */
    const char *uuid; /* of the VM, or NULL */
};

struct client_stat {
    /* Without what only a provider knows: count and slot. For help see client_read_help(). */
    struct vitals_stat desc;
    const char *provider;
    const char *target; /* "vm", "vcpu", or what the peer calls others */
};

/* What a VM does, or a vCPU. */
enum client_state {
    CLIENT_UNKNOWN,
    CLIENT_RUNNING,
    CLIENT_PAUSED,
    CLIENT_NEVER_RAN,
    CLIENT_HALTED,  /* a vCPU: waits for an interrupt */
    CLIENT_OUTSIDE, /* no vCPU runs: its VMM is at work, or at rest */
    CLIENT_STATES,
};

enum { CLIENT_STATE_MAX = 32 };

struct client_status {
    enum client_state state;
    char text[CLIENT_STATE_MAX]; /* the peer's word for it: "running", "io-error"; or empty */
};

struct client_vcpu {
    const char *path;
    int64_t index;
    int64_t thread; /* that runs it, as the peer calls it; -1: not known */
    enum client_state state;
};

struct client_value {
    const struct client_stat *stat;
    uint64_t *values; /* one, or the buckets: at least one */
    size_t n_values;
};

/* Its values stand in the order of the client's statistics. */
struct client_object {
    const char *target;
    const char *path;  /* NULL: the VM */
    int64_t cpu_index; /* -1: no vCPU, or one that the peer did not list */
    enum client_state state;
    struct client_value *values;
    size_t n_values;
    int64_t thread; /* as struct client_vcpu has it; 0: not known, either */
};

/* A reply to query-stats; of several targets, the replies one after the other. */
struct client_snapshot {
    struct client_object *objects;
    size_t n_objects;
    uint64_t time_ns; /* CLOCK_MONOTONIC, when the last reply had come */
    bool is_reversed; /* its histograms came last bucket first, as far as is known */
};

struct client_request {
    const char *target;       /* or CLIENT_OTHER_TARGETS */
    const bool *wanted;       /* one for each statistic of the client */
    const char *const *paths; /* of the vCPUs, or other objects, that are wanted; NULL: all */
    size_t n_paths;
};

struct client;

/*
 * Whether what was found at @path may be connected to: @fd is that, opened with O_PATH, and nothing
 * else will be connected to, wherever the path leads by then. 0, or as client_fail(). NULL: it may.
 */
typedef int client_check(int fd, const char *path, struct client_error *error);

/* @timeout_ms bounds the connecting and the wait for each message. */
int client_open(const char *path, client_check *check, unsigned timeout_ms,
                struct client **ret_client, struct client_error *error);

/* The same over @fd, which is connected already; it is closed also on failure. */
int client_adopt(int fd, const char *path, unsigned timeout_ms, struct client **ret_client,
                 struct client_error *error);
void client_free(struct client *client);

/*
 * client_open() in two steps, so that another thread can end the second one, which waits. The first
 * does not: a server whose queue of clients is full is an error. Between them there is nothing to
 * ask, but client_interrupt() and client_free() can be called.
 */
int client_connect(const char *path, client_check *check, unsigned timeout_ms,
                   struct client **ret_client, struct client_error *error);
int client_introduce(struct client *client, struct client_error *error);

/*
 * A server that has one client at a time can take another one while we don't ask: client_let_go()
 * closes the connection, and behind client_reconnect(), which does not wait, and client_negotiate()
 * all is as it was; what is there then is checked as before. -ESTALE: by now another process has the socket, so the VM may be another one.
 * Between them there is nothing to ask, but client_interrupt() and client_free() can be called.
 */
void client_let_go(struct client *client);
int client_reconnect(struct client *client, const char *path, struct client_error *error);
int client_negotiate(struct client *client, struct client_error *error);

/*
 * Whether the VM has statistics that it did not have when the client was opened, or describes one in
 * another way: only a new client knows them. Of a peer of vitals it asks for all descriptions.
 */
int client_look_for_news(struct client *client, bool *ret_has, struct client_error *error);

/* From another thread: what waits for the peer fails now, and so does all that comes later. */
void client_interrupt(struct client *client);

const char *client_path(const struct client *client);    /* to be shown; its odd bytes are ? */
const char *client_socket(const struct client *client);  /* the same; NULL: it has none */
const char *client_vm_name(const struct client *client); /* without one: from the socket's path */

/* What a VM is called that has no name, from the path of its socket. From malloc(), or NULL. */
char *client_name_from_path(const char *path);

enum client_peer client_peer(const struct client *client);
const struct client_origin *client_origin(const struct client *client);

/*
 * Of a VM that a daemon has told of: whose it is, in place of the peer, which is the daemon. The texts are
 * copied. Once, before others use the client. -ENOMEM.
 */
int client_tell_origin(struct client *client, const struct client_origin *origin);

/*
 * Whether the VM is one of this host, read from the kernel by this process or by a daemon: the threads
 * of its vCPUs have the numbers that they have here.
 */
bool client_is_of_host(const struct client *client);

/* The version of QEMU that the peer is, or speaks like: 10000 * major + 100 * minor + micro. */
unsigned client_qemu_version(const struct client *client);

/* Those of the VM, then those of vCPUs, then those of other targets. Valid until the client is closed. */
const struct client_stat *client_stats(const struct client *client, size_t *ret_n);

/*
 * Whether anything of the VM has statistics. QEMU 8 and later describe those of crypto devices, which
 * have nothing to do with KVM, also where there is no such device.
 */
bool client_has_statistics(const struct client *client);

/*
 * Asks what the statistics that have no explanation here (kvm/meanings.h) say of themselves: sets help of
 * their descriptions, where a peer of this project has it. Before others use the client.
 */
int client_read_help(struct client *client, struct client_error *error);

/*
 * Asks why nothing of a provider and target could be read when somebody asked for it last, where a peer
 * of this project says so; then client_failure() has it for each of its statistics, or NULL. Before
 * others use the client.
 */
int client_read_failures(struct client *client, struct client_error *error);
const char *client_failure(const struct client *client, const struct client_stat *stat);

/* By their index: those of when the client was opened, or of the last query for vCPUs. */
const struct client_vcpu *client_vcpus(const struct client *client, size_t *ret_n);

/* Asks whether the VM runs. A peer that does not say so is no error. */
int client_read_status(struct client *client, struct client_error *error);

/* Of the last client_read_status(). */
const struct client_status *client_status(const struct client *client);

/* For people. NULL: it is not known. */
const char *client_state_name(enum client_state state);

int client_query(struct client *client, const struct client_request *request,
                 struct client_snapshot **ret_snapshot, struct client_error *error);

/* NULL: the object has none of @stat. */
const struct client_value *client_find_value(const struct client_object *object,
                                             const struct client_stat *stat);
void client_snapshot_free(struct client_snapshot *snapshot);

#endif
