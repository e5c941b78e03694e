/* SPDX-License-Identifier: MIT */
/*
 * A VM of a VMM that the shim has told of: from its first vCPU on, shown by a daemon or by a socket of
 * its own, until the VMM has let it go. One that goes at once is never shown: VMMs make VMs to see what
 * the host can.
 */
#ifndef RUN_VM_H
#define RUN_VM_H

#include <stdint.h>
#include <sys/queue.h>

#include "run/user_socket.h"
#include "run/registration.h"
#include "run/watched.h"

enum {
    RUN_SHOWN_AFTER_MS = 100,  /* of its first vCPU */
    RUN_COME_BACK_MS = 250,    /* between tries to find a daemon again */
    RUN_DAEMON_LATE_MS = 1000, /* the same, where there was none when the VM was made */
    RUN_SILENT_MS = 3000, /* after one that does not answer, for all VMs: it has kept all waiting */
    RUN_REFUSED_MS = 5000, /* and where it has refused vCPUs twice, perhaps for what others take */
};

/* Where the VMs of one `vitals run` are shown. */
struct run_place {
    const char *name;       /* of its VMs; NULL: as their command lines say */
    const char *daemons[2]; /* directories, the first that has one is taken; NULL: no further one */
    uint64_t silent_until_ns[2]; /* each of them: it does not answer, and is not asked before */
    const char *own;             /* the directory of own sockets */
    struct vitals_server *server;
};

struct run_vcpu {
    int fd; /* the VMM's; -1: it has closed it */
    struct registration_vcpu shown;
};

struct run_vm {
    struct watched process;
    int fd; /* the VMM's */
    int file;
    struct run_vcpu *vcpus;
    size_t n_vcpus, n_told, n_added; /* of them, at the daemon; at the own socket */
    struct identity identity;        /* once it is shown */
    bool is_shown;
    int registration;   /* the connection, or -1 */
    unsigned n_refused; /* connections in a row at which vCPUs could not be told of */
    struct user_socket own;
    uint64_t next_ns; /* when something is to be done */
    LIST_ENTRY(run_vm) link;
};

/* The file is the VM's if this succeeds. -errno. */
int run_vm_new(pid_t pid, int fd, int file, struct run_vm **ret_vm);

/* Not shown any more when this returns. */
void run_vm_free(struct run_vm *vm);

/* The file is the VM's in any case. */
void run_vm_add_vcpu(struct run_vm *vm, int fd, unsigned id, int file);

/* The number now is another file's. */
void run_vm_forget_fd(struct run_vm *vm, int fd);

/* Whether the VMM has let go of it, or is gone. */
bool run_vm_has_ended(const struct run_vm *vm);

/* Does what is due by now: shows it, tells of further vCPUs, comes back to a daemon. */
void run_vm_go_on(struct run_vm *vm, struct run_place *place, uint64_t now);

#endif
