/* SPDX-License-Identifier: MIT */
/*
 * Reads what the scheduler, the memory and the storage gave to the threads of wanted processes: all
 * in one pass of the kernel, which needs no capability after bpf_threads_open(), as in kvm_files.h.
 */
#ifndef BPF_THREADS_H
#define BPF_THREADS_H

#include <stdbool.h>
#include <sys/types.h>

#include "bpf/records.h"
#include "bpf/why.h"

struct bpf_threads;

int bpf_threads_open(const char *root, struct bpf_why *why, struct bpf_threads **ret_threads);
void bpf_threads_close(struct bpf_threads *threads);

/*
 * Passes from the next one on have the threads of this process, or not. Costs nothing: no call of the
 * kernel. @process is a number of the initial pid namespace; others than 1 to BPF_PROCESS_LIMIT - 1
 * are never there.
 */
void bpf_threads_want(struct bpf_threads *threads, pid_t process, bool is_wanted);

/*
 * One pass over all threads of the host, a part of which bpf_threads_more() takes: more than 0 says
 * that there may be more. Passes over single processes may come in between. Or all of it at once.
 */
int bpf_threads_begin(struct bpf_threads *threads);
int bpf_threads_more(struct bpf_threads *threads);
int bpf_threads_read(struct bpf_threads *threads);

/*
 * One over the threads of one process, wanted before, by its number in our own pid namespace: where
 * bpf_kvm_reads_one(). Otherwise it may have the others, too.
 */
int bpf_threads_read_one(struct bpf_threads *threads, pid_t process);

/*
 * The records of the last pass to end; of one over all in the order of the threads' numbers. Valid until
 * the next one of its kind begins, over all or over one process.
 */
const struct thread_record *bpf_threads_records(const struct bpf_threads *threads, size_t *ret_n);

#endif
