/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/threads.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/iterator.h"
#include "threads.skel.h"

struct bpf_threads {
    struct threads_bpf *program;
    struct bpf_link *link;
    struct iterator all;
    struct iterator_one one;
    const struct buf *records; /* of the last pass to end */
};

static int load_logged(struct bpf_threads *threads, struct bpf_why *why, char *log)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
                .kernel_log_size = LOAD_LOG_SIZE);

    threads->program = threads_bpf__open_opts(&options);
    if (!threads->program)
        return bpf_why_not_loaded(why, -errno, "");
    if (threads_bpf__load(threads->program) < 0)
        return bpf_why_not_loaded(why, -errno, log);
    threads->link = bpf_program__attach_iter(threads->program->progs.threads, NULL);
    if (!threads->link)
        return bpf_why_not_loaded(why, -errno, "");
    /* The number of no process: the link's file is there from here on, whichever process it is of. */
    bpf_threads_read_one(threads, BPF_PROCESS_LIMIT);
    return 0;
}

int bpf_threads_open(const char *root, struct bpf_why *why, struct bpf_threads **ret_threads)
{
    int err = bpf_check_system(root, why);
    struct bpf_threads *threads;
    char *log;

    if (err)
        return err;
    threads = calloc(1, sizeof(*threads));
    log = calloc(1, LOAD_LOG_SIZE);
    iterator_silence();
    if (threads)
        threads->records = &threads->all.records;
    if (threads && log)
        err = load_logged(threads, why, log);
    else
        err = bpf_why_set(why, -ENOMEM, BPF_MISSING_ITERATOR, NULL, "no memory to load a program");
    free(log);
    if (err)
        bpf_threads_close(threads);
    else
        *ret_threads = threads;
    return err;
}

void bpf_threads_close(struct bpf_threads *threads)
{
    if (!threads)
        return;
    iterator_one_free(&threads->one);
    iterator_free(&threads->all);
    bpf_link__destroy(threads->link);
    threads_bpf__destroy(threads->program);
    free(threads);
}

void bpf_threads_want(struct bpf_threads *threads, pid_t process, bool is_wanted)
{
    __u64 *word, bit;

    if (process <= 0 || process >= BPF_PROCESS_LIMIT)
        return;
    word = &threads->program->bss->wanted[process / 64];
    bit = 1ull << process % 64;
    *word = is_wanted ? *word | bit : *word & ~bit;
}

int bpf_threads_begin(struct bpf_threads *threads)
{
    return iterator_begin(&threads->all, bpf_link__fd(threads->link));
}

int bpf_threads_more(struct bpf_threads *threads)
{
    int err = iterator_more(&threads->all);

    if (err <= 0)
        threads->records = &threads->all.records;
    return err;
}

int bpf_threads_read(struct bpf_threads *threads)
{
    int err = bpf_threads_begin(threads);

    if (err)
        return err;
    do
        err = bpf_threads_more(threads);
    while (err > 0);
    return err;
}

int bpf_threads_read_one(struct bpf_threads *threads, pid_t process)
{
    threads->records = &threads->one.pass.records;
    return iterator_read_one(&threads->one, threads->program->progs.threads, process);
}

const struct thread_record *bpf_threads_records(const struct bpf_threads *threads, size_t *ret_n)
{
    *ret_n = threads->records->len / sizeof(struct thread_record);
    return (const void *)threads->records->data;
}
