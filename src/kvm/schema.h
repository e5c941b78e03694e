/* SPDX-License-Identifier: MIT */
/* From the descriptors of a statistics file to the schema of a group of provider 'kvm'. */
#ifndef KVM_SCHEMA_H
#define KVM_SCHEMA_H

#include "kvm/stats_file.h"
#include "stats/schema.h"

#define KVM_PROVIDER "kvm"

/*
 * The row of the schema is the data block of the file. What of it means nothing to us is left out
 * and counted in @file; @first says why of the first of them.
 */
int kvm_schema_new(struct kvm_stats_file *file, const char *target, struct error_text *first,
                   struct error_text *error, struct stats_schema **ret_schema);

#endif
