/* SPDX-License-Identifier: MIT */
/*
 * What the shim in a VMM tells `vitals run`: one message for a VM or a vCPU that has been made, on a
 * connection of its own (AF_UNIX, SOCK_SEQPACKET), with the statistics file. Both are of one build.
 */
#ifndef RUN_MESSAGE_H
#define RUN_MESSAGE_H

#include <stdint.h>

/* The path of the socket. */
#define RUN_VARIABLE "VITALS_RUN_SOCKET"

enum { RUN_MAGIC = 0x76727531, RUN_PATH_MAX = 107 };

enum run_kind { RUN_VM, RUN_VCPU };

struct run_message {
    uint32_t magic, kind;
    int32_t vm_fd, fd; /* the VMM's numbers: of the VM, and of what has been made */
    uint32_t vcpu_id;
    uint32_t reserved;
};

#endif
