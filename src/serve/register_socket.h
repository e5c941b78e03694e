/* SPDX-License-Identifier: MIT */
/*
 * DIR/register.sock: VMMs tell of their VMs, each on a connection of its own, and send the statistics
 * files. Anyone may come, so nothing is believed: a file is looked at by its link in /proc alone before
 * it is known to be the kernel's own, and closed by a thread that does nothing else if it is not.
 */
#ifndef SERVE_REGISTER_SOCKET_H
#define SERVE_REGISTER_SOCKET_H

#include <sys/queue.h>

#include "base/closer.h"
#include "host/host.h"
#include "qmp/call.h"
#include "serve/run_directory.h"
#include "server/speak.h"
#include "vitals/qmp.h"

enum {
    REGISTER_CLIENTS_MAX_OF_ALL = 4096, /* connections, each of which takes two files; or fewer: */
    REGISTER_CLIENTS_SHARE = 8,         /* one of so many files of the daemon */
    REGISTER_CLIENTS_MAX = 1024,        /* connections of one user */
    REGISTER_THREADS_LOOKED_AT =
        16384, /* for one message, to find those of vCPUs: a quarter of a second */
    REGISTER_FILES_WAITING = 506,    /* of one connection, for messages that are still under way */
    REGISTER_FILES_SHARE = 4,        /* a user has at most one of so many files of the daemon, */
    REGISTER_FILES_SHARE_OF_ALL = 2, /* all users together one of so many, */
    REGISTER_FILES_LEFT_SHARE = 16,  /* and one of so many is left, whoever has the others */
    REGISTER_VCPUS_AT_A_TIME = 253,  /* of one message: SCM_MAX_FD */
    /*
     * What VMMs' own statistics take, in words of 8 bytes: each number of a row one; besides, a
     * statistic and an object what they take in our memory. Of one user, and of all users.
     */
    REGISTER_WORDS_MAX = 4 << 20,
    REGISTER_WORDS_OF_ALL_MAX = 16 << 20,
    REGISTER_WORDS_OF_STAT = 64,
    REGISTER_WORDS_OF_OBJECT = 128,
    REGISTER_STATS_AT_A_TIME = 1024, /* of one message, and of one provider and target */
    REGISTER_HELP_MAX = 255,         /* bytes of what a statistic says of itself */
};

/* What one user's connections take together. */
struct register_user {
    uid_t uid;
    uint32_t n_clients;
    uint32_t n_files;      /* that are taken, or wait for their message */
    uint64_t n_words;      /* of its VMMs' own statistics */
    struct closer *closer; /* of what it sent that is refused */
    LIST_ENTRY(register_user) link;
};

/* One connection. */
struct registrant {
    struct register_socket *socket;
    struct register_user *user;
    pid_t pid;
    struct shared_file *process; /* the pidfd of who has connected, or for whom that speaks; NULL:
                                  * can't be had */
    struct host_vm *vm;          /* a reference, or NULL: not registered yet, or no more */
    uint32_t n_files;            /* counted at the user, those that wait too */
    uint32_t n_waiting;
    int waiting[REGISTER_FILES_WAITING];
    LIST_ENTRY(registrant) link;
};

struct register_socket {
    struct host *host;
    struct roster *roster;       /* whom the VMs are told to; NULL: nobody */
    const struct qmp_gate *gate; /* a pass that has begun later; NULL: nothing need come first */
    struct vitals_ctx *ctx;      /* of no VM: its clients are accounted for by it */
    struct vitals_listener *listener;
    char *path; /* of the socket, if it was made here, and goes with it */
    struct listener_speech speech;
    uint32_t clients_max; /* of one user */
    uint32_t files_max;   /* of one user, with those that are still being closed */
    uint32_t files_of_all_max;
    bool has_changed;
    bool (*is_statistics)(int fd, enum kvm_kind kind); /* by its link, which nobody can imitate */
    LIST_HEAD(, register_user) users;
    LIST_HEAD(, registrant) registrants;
};

/* How many connections its server is to have, all users together. */
uint32_t register_clients_max(void);

/*
 * It must stay where it is, and the host and the directory must stay until it is closed. @roster: to
 * which the VMs are told as well, or NULL. -errno.
 */
int register_socket_open(struct register_socket *socket, struct host *host, struct roster *roster,
                         const struct run_directory *directory, struct vitals_server *server,
                         int fd);
void register_socket_close(struct register_socket *socket); /* one of all zeros is allowed */

/* Of one user, for those that come from now on; 0: the default. */
void register_socket_limit(struct register_socket *socket, unsigned long clients,
                           unsigned long files);

/* Before a pass: VMs whose processes have ended are gone. */
void register_socket_look(struct register_socket *socket);

/* Whether the VMs of the host are others than at the last call. */
bool register_socket_has_changed(struct register_socket *socket);

/* ---- for what carries its messages in another way: tests and fuzzers ------------------------- */

void register_socket_init(struct register_socket *socket, struct host *host);
extern const struct qmp_dialect register_dialect;

/* A connection of this user. -EDQUOT, -ENOMEM. @pidfd belongs to it if this succeeds. */
int registrant_new(struct register_socket *socket, uid_t uid, pid_t pid, int pidfd,
                   struct registrant **ret_registrant);
/* False: they are more than one may have, and are closed; the connection must be, too. */
bool registrant_take_fds(struct registrant *registrant, const int *fds, uint32_t count);
void registrant_free(struct registrant *registrant);

#endif
