/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/own_numbers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/why.h"

enum { STATUS_SIZE = 4096 };

static bool read_status(char text[STATUS_SIZE])
{
    int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, STATUS_SIZE - 1);

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return n > 0;
}

/*
 * A line has a number for each namespace from that of /proc down to our own, each behind a tab. The
 * first, and how many more there are; 0: there is no such line.
 */
static pid_t first_number(const char *status, const char *line, unsigned *ret_n_more)
{
    const char *at = strstr(status, line);

    if (!at)
        return 0;
    at += strlen(line);
    *ret_n_more = 0;
    for (size_t i = 0; at[i] && at[i] != '\n'; i++)
        *ret_n_more += at[i] == '\t';
    return (pid_t)strtol(at, NULL, 10);
}

bool own_numbers_read(struct own_numbers *ret_numbers)
{
    struct own_numbers numbers = {0};
    char status[STATUS_SIZE];
    unsigned n;

    if (read_status(status)) {
        numbers.process = first_number(status, "\nNStgid:\t", &numbers.namespaces_above);
        numbers.thread = first_number(status, "\nNSpid:\t", &n);
    }
    if (numbers.process <= 0 || numbers.thread <= 0) {
        *ret_numbers = (struct own_numbers){.process = getpid(), .thread = gettid()};
        return false;
    }
    numbers.are_initial = !numbers.namespaces_above && bpf_in_initial_pid_namespace("");
    *ret_numbers = numbers;
    return true;
}
