/* SPDX-License-Identifier: MIT */
/* The program `vitals demo`: a VM, or a recording of one, whose statistics are served over QMP. */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <stdbool.h>
#include <stddef.h>

#include "demo/vmm.h"
#include "vitals/qmp.h"

#define DEMO_SOCKETS_MAX 16

struct demo_options {
    const char *name; /* of the VM */
    const char *uuid; /* of the VM, or NULL */
    unsigned n_vcpus;
    enum demo_guest guest;
    const char *guest_name;
    bool sched; /* its provider 'sched', too */
    struct vitals_listen_options sockets[DEMO_SOCKETS_MAX];
    size_t n_sockets;
    double seconds;        /* 0: until a signal */
    double pause_after;    /* seconds; 0: never */
    const char *recording; /* directory to show instead of running a guest, or NULL */
    const char *record;    /* directory to write to, or NULL */
};

/* Serves until it is time to end. What goes wrong is said on stderr. Returns 0 or -errno. */
int demo_run(const struct demo_options *options);

#endif
