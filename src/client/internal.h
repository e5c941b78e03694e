/* SPDX-License-Identifier: MIT */
/* What the parts of the client share. */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include "client/client.h"
#include "client/connection.h"
#include "client/json.h"
#include "base/arena.h"

struct ask;
struct fleet;
struct host_list_vm;
struct json_object;
struct local;
struct query;

struct client {
    struct connection connection;
    struct local *local; /* in place of the connection, or NULL */
    struct fleet *fleet; /* the same: its VMs are asked together; not its own */
    size_t place;        /* in the fleet's list, as far as is known */
    struct client_origin origin;
    bool is_told;      /* the origin, by a daemon; */
    struct arena told; /* its texts */
    int64_t peer_pid;  /* of the process at the other end; -1: not known */
    struct client_status status;
    enum client_peer peer;
    unsigned qemu_version;
    int64_t reversals; /* verdicts for reversed histograms, less those against */
    char *path, *vm_name;
    struct arena names; /* in @stats: a reply may be large, and most of it be something else */
    const char *targets[CLIENT_TARGETS_MAX]; /* beside "vm" and "vcpu" */
    size_t n_targets;
    bool has_statistics;
    struct client_stat *stats;
    struct client_stat **by_name; /* sorted */
    size_t n_stats;
    const char **failures; /* one for each; NULL: they were not asked for */
    struct arena paths;    /* in @vcpus */
    struct client_vcpu *vcpus;
    struct client_vcpu **by_path; /* sorted */
    size_t n_vcpus;
};

/* Reads query-stats-schemas, and finds out what kind of peer it is. */
int client_read_schemas(struct client *client, bool is_vitals, struct client_error *error);

/* Reads query-cpus-fast again; a peer without that command has a list of none. */
int client_read_vcpus(struct client *client, struct client_error *error);

/* Sorts what was read, and drops what has the name of another. */
int client_index_stats(struct client *client);

/* Drops the vCPUs and makes room for @n others; then sorts them. -E2BIG, -ENOMEM. */
int client_reserve_vcpus(struct client *client, size_t n);
void client_sort_vcpus(struct client *client);

/* Of a client without a connection. -ENOMEM. */
int local_read_vcpus(struct client *client);
int local_query(struct query *query);
bool local_has_news(const struct client *client);
bool local_is_gone(const struct client *client);
void local_free(struct local *local);

/* Of the vCPU with this number, or with -1 of the VM. */
enum client_state local_state(const struct client *client, int64_t vcpu);

/* Of a VM of a fleet: as client_ask(), and the part is the caller's to put. */
int fleet_ask(struct client *client, const struct ask *ask, struct json_object **ret_part,
              struct client_error *error);
/* NULL: it has ended. */
const struct host_list_vm *fleet_vm_of(struct client *client);
/* A client without a connection, which still has to be introduced. */
int client_make_member(struct fleet *fleet, const struct host_list_vm *vm, size_t place,
                       struct client **ret_client, struct client_error *error);

/* NULL: there is none. */
const struct client_stat *client_find_stat(const struct client *client, const char *target,
                                           const char *provider, const char *name);

/* Adds to the other targets what is none of them yet. -E2BIG, -ENOMEM. */
int client_add_target(struct client *client, const char *target);

/* NULL: there is no vCPU at @path, or it is not known. */
const struct client_vcpu *client_find_vcpu(const struct client *client, const char *path);

/* NULL: no memory. */
char *client_copy(struct arena *arena, const char *text);

#endif
