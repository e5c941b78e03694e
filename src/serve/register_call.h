/* SPDX-License-Identifier: MIT */
/* What the commands of register.sock have in common. */
#ifndef SERVE_REGISTER_CALL_H
#define SERVE_REGISTER_CALL_H

#include "serve/register_socket.h"

enum register_file {
    REGISTER_FILE_VM = KVM_KIND_VM,
    REGISTER_FILE_VCPU = KVM_KIND_VCPU,
    REGISTER_FILE_MEMORY = KVM_KINDS,
};

struct registrant *registrant_of(const struct qmp_call *call);
const char *register_text(const struct qmp_call *call, const char *name); /* "": it is absent */

/* False, and the call has failed: it has no VM, or none any more. */
bool registrant_check_vm(struct qmp_call *call, struct registrant *registrant);

/*
 * The first @n files that wait are the message's own from here on, and counted; or they are refused with
 * it, and the call has failed.
 */
bool registrant_claim(struct qmp_call *call, struct registrant *registrant, enum register_file kind,
                      uint32_t n, int *fds);
void registrant_count_files(struct registrant *registrant, int n);
/*
 * Closes them in a thread that does nothing else: whatever they are, or whose memory it may free. The
 * last to close a VM's file frees its page tables.
 */
void registrant_refuse(struct registrant *registrant, const int *fds, uint32_t n);
/* The same of one that is in use, and counted; whoever still has it reads nothing any more. */
void registrant_close(struct registrant *registrant, struct shared_file *file);

/* Tells others how the VM is now. Without memory it is known there as it was. */
void registrant_tell(const struct registrant *registrant);

/* register_stats.c; before its VM ends. */
void registrant_end_stats(struct registrant *registrant);

#endif
