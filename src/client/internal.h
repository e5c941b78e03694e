/* SPDX-License-Identifier: MIT */
/* What the parts of the client share. */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include "client/client.h"
#include "client/connection.h"
#include "client/json.h"
#include "base/arena.h"

struct client {
    struct connection connection;
    enum client_peer peer;
    unsigned qemu_version;
    int64_t reversals; /* verdicts for reversed histograms, less those against */
    char *path, *vm_name;
    struct arena names; /* in @stats: a reply may be large, and most of it be something else */
    struct client_stat *stats;
    struct client_stat **by_name; /* sorted */
    size_t n_stats;
    struct arena paths; /* in @vcpus */
    struct client_vcpu *vcpus;
    struct client_vcpu **by_path; /* sorted */
    size_t n_vcpus;
};

/* Reads query-stats-schemas, and finds out what kind of peer it is. */
int client_read_schemas(struct client *client, bool is_vitals, struct client_error *error);

/* Reads query-cpus-fast again; a peer without that command has a list of none. */
int client_read_vcpus(struct client *client, struct client_error *error);

/* NULL: there is none. */
const struct client_stat *client_find_stat(const struct client *client, const char *target,
                                           const char *provider, const char *name);

/* The index of the vCPU at @path, or -1. */
int64_t client_find_index(const struct client *client, const char *path);

/* NULL: no memory. */
char *client_copy(struct arena *arena, const char *text);

#endif
