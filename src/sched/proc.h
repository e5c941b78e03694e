/* SPDX-License-Identifier: MIT */
/* What the files of /proc/PID and of its threads say. Their texts are taken apart here alone. */
#ifndef SCHED_PROC_H
#define SCHED_PROC_H

#include <stddef.h>
#include <stdint.h>

/* A longer file is not read: one of a thread has a few hundred bytes, but for lists of groups. */
enum { PROC_TEXT_MAX = 16384 };

/* A text of @size bytes, with or without a NUL behind it. */
struct proc_text {
    const char *bytes;
    size_t size;
};

struct proc_schedstat {
    uint64_t run_ns, wait_ns, timeslices;
};

struct proc_stat {
    uint64_t minor_faults, major_faults;
    uint64_t user_ticks, system_ticks;
    uint64_t threads; /* of the process */
    uint64_t last_cpu;
};

/*
 * Reads the file @path, relative to the directory @directory, into @bytes of @size, and gives what
 * was read. -E2BIG: it does not fit; -errno: -ENOENT or -ESRCH, the thread is gone.
 */
int proc_read(int directory, const char *path, char *bytes, size_t size,
              struct proc_text *ret_text);

/* All of these: -EBADMSG: the text is not as the kernel's documentation says. */
int proc_parse_schedstat(struct proc_text text, struct proc_schedstat *ret_schedstat);
int proc_parse_stat(struct proc_text text, struct proc_stat *ret_stat);
int proc_parse_statm(struct proc_text text, uint64_t *ret_resident_pages);

/* The number in the line that begins with @key, as "read_bytes: 5" and "nr_periods 5" do. */
int proc_parse_line(struct proc_text text, const char *key, uint64_t *ret_value);

#endif
