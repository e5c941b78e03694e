/* SPDX-License-Identifier: MIT */
/* What the verbs that look have in common: which VMs, and which of their statistics. */
#ifndef LOOK_LOOK_H
#define LOOK_LOOK_H

#include "args/cli.h"
#include "show/record.h"
#include "show/row_list.h"
#include "client/client.h"
#include "client/fleet.h"
#include "client/host_list.h"
#include "look/socket_list.h"
#include "look/watch.h"

#define EXIT_NO_MATCH 3

/* What to do where a directory stands for its sockets. */
#define LOOK_HINT_LISTING                                                                          \
    "Its mode and owner say who may list it; a socket in it can be named by itself."
#define LOOK_HINT_NO_SOCKET                                                                        \
    "Directories in it are not searched. QEMU makes a QMP socket with -qmp "                       \
    "unix:PATH,server=on,wait=off."

struct look_options {
    const char *command; /* for messages */
    bool is_host;        /* --host: all VMs of this host */
    bool opens_files;    /* the verb opens files that were named, after the VMs */
    struct cli_texts sockets, vms, vcpus, objects, globs;
    const char *default_socket; /* where no --socket is given, that of VITALS_SOCKET; or NULL */
    const char *target;         /* "vm", "vcpu", another, or NULL: all */
    const char *provider;
    enum output_format format;
    bool no_legend;
    bool is_total;        /* sums of the objects */
    enum row_order order; /* of the rows */
    unsigned long top;    /* how many of them; 0: all */
    double timeout;       /* seconds */
    double interval;      /* seconds; 0: not given */
    unsigned long count;  /* 0: not given */
    bool holds;           /* keeps the connection to a VM between two turns */
};

struct host; /* host/host.h */

/* One VM. */
struct look_vm {
    const char *socket;    /* its path as it was given, not as it is shown */
    struct client *client; /* NULL: it failed while we looked */
    bool *wanted;          /* for each statistic of the client */
    const char **paths;    /* of the wanted vCPUs; NULL: all */
    size_t n_paths;
};

struct look {
    struct look_options options; /* the first: the tables of options have offsets in it */
    struct socket_list sockets;
    size_t n_sockets;
    char **paths; /* of the vCPUs that are wanted */
    size_t n_paths;
    struct look_vm *vms;
    size_t n_vms;
    const char **lost; /* paths of sockets that could not be opened */
    size_t n_lost;
    char *daemon;                /* its socket, if its VMs are looked at; or NULL */
    struct host_list daemon_vms; /* those that it had at first */
    bool has_daemon_told;        /* which these are */
    struct fleet *fleet;         /* the same VMs, where it is asked for all of them; or NULL */
    struct host *host;           /* where its VMs are looked at, or NULL */
    struct place *place;         /* where they come from, once they are watched */
    bool shows_help;             /* what statistics say of themselves */
    bool shows_failures;         /* of their providers; where it is only looked at once */
    bool is_of_histograms;       /* no other statistic is of use */
    bool (*needs)(const struct client_stat *stat); /* asked for also where --stat leaves it out */
    bool *are_parts; /* for each of the globs: see pattern_matches(); NULL: none is */
    bool is_quiet;   /* nothing is said meanwhile */
    bool has_failed; /* one of the VMs, at least */
};

extern const struct cli_option look_socket_options[]; /* which VMs: --socket, --timeout */
extern const struct cli_option look_vm_options[];     /* --vm, beside those */
extern const struct cli_option look_stat_options[];   /* --target, --provider, --stat */
extern const struct cli_option look_object_options[]; /* --vcpu, --object, beside those */
extern const struct cli_option look_row_options[];  /* --total, --sort, --top: see look_arrange() */
extern const struct cli_option look_turn_options[]; /* -i, -n: see look/turns.h */
extern const struct cli_option look_output_options[]; /* -o, --json, --no-legend */

/*
 * A verb that looks, whose struct @self begins with a struct look: reads the options, calls @then,
 * and frees the look. Returns the exit status.
 */
int look_run(struct cli_args *args, void *self, int (*then)(void *self));

/* What depends on more than one option. 0, or the exit status. */
int look_complete_options(struct look_options *options);

/* Whether sockets are named, here or in the environment. Without any, VMs of this host are meant. */
bool look_names_sockets(const struct look_options *options);

unsigned look_timeout_ms(const struct look_options *options);

void look_free(struct look *look);

/* For records in the form that the options ask for. */
struct record_writer look_record_writer(const struct look *look);

/* Opens all VMs. 0, or the exit status. */
int look_connect(struct look *look);

/* The same, and finds what is wanted in their schemas. 0, or the exit status. */
int look_open(struct look *look);

/* Finds what is wanted in the schemas of the VMs that are open. 0, or the exit status. */
int look_choose(struct look *look);

/*
 * Calls work(@opaque, i) for each i below @n, of the VMs of the look: at once, where one can keep others waiting;
 * what is at hand, or asked for together, would only get threads that cost memory.
 */
void look_each_vm(const struct look *look, size_t n, void (*work)(void *opaque, size_t i),
                  void *opaque);

/* Says what has happened to a VM, which may be nothing that is wrong. */
void look_say(const struct look *look, const struct client_error *error);

/*
 * Where this host is looked at: says that it has no VMs, or that not all of them are seen. Nothing is
 * wrong.
 */
void look_say_what_is_seen(const struct look *look);

/* Says what went wrong with a VM. */
void look_complain(struct look *look, const struct client_error *error);

/* Whether the VMs are all of this host, read from the kernel or told by a daemon: they come and go. */
static inline bool look_is_of_host(const struct look *look)
{
    return look->host || look->daemon;
}

/* Whether @err says that such a VM has ended, which is no failure; one that was named is missed. */
bool look_has_ended(const struct look *look, int err);

/*
 * Which statistics of a client the options want: one for each, from malloc(). NULL: no memory. Any
 * thread may ask.
 */
bool *look_want(const struct look *look, const struct client *client);

/* The same, by a thread: @look is a const struct look. As struct watch_options says. */
int look_wish(const void *look, const struct client *client, struct watch_wish *ret_wish);

/*
 * Adds up, sorts and cuts the rows, as the options say; leaves those that @is_shown, or all with NULL.
 */
void look_arrange(const struct look_options *options, struct row_list *rows,
                  bool (*is_shown)(const struct row *row));

/* Calls @visit for each object that is neither the VM nor a vCPU, which takes a query. */
void look_each_object(struct client *client, void (*visit)(void *opaque, const char *path),
                      void *opaque);

/* Says that there is no such object. Returns the exit status. */
int look_refuse_object(struct look *look, const char *path);

/* Whether --object means it, or is not there. @target: of the object at @path. */
bool look_wants_object(const struct look *look, const char *target, const char *path);

/* By its name, or its UUID, which may be NULL. */
bool look_wants_vm(const struct look *look, const char *name, const char *uuid);

/* @target: or CLIENT_OTHER_TARGETS, of which some may be wanted. */
bool look_wants_target(const struct look *look, const char *target);
bool look_wants_stat(const struct look *look, const struct client_stat *stat);

/* Whether @text, as --vcpu has it, means this vCPU. */
bool look_is_vcpu(const char *text, const struct client_vcpu *vcpu);

/*
 * Says that @text means none, and which numbers there are: @numbers come in any order, perhaps
 * repeated, and are sorted here. Returns the exit status.
 */
int look_refuse_vcpu(struct look *look, const char *text, int64_t *numbers, size_t n);

/*
 * Whether each --vm matches one of these names, of which some may be UUIDs. 0, or the exit status once
 * it has been said.
 */
int look_check_vms(struct look *look, const char *const *names, size_t n);

/* Statistics that there are. */
struct look_stats {
    const struct client_stat *stats;
    size_t n;
};

/*
 * Whether each option that chooses statistics finds some among all of @lists. 0, or the exit status
 * once it has been said what may have been meant.
 */
int look_check_stats(struct look *look, const struct look_stats *lists, size_t n_lists);

#endif
