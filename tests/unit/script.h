/* SPDX-License-Identifier: MIT */
/* A QMP server that says what a test wants, for tests of the client. */
#ifndef UNIT_SCRIPT_H
#define UNIT_SCRIPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/client.h"

#define SCRIPT_REPLIES_MAX 16
#define SCRIPT_TIMEOUT_MS  20000

/* How the id of a request gets into a reply, in bytes for one of less than ten requests. */
#define SCRIPT_ID       "\"id\": \"%.*s\", "
#define SCRIPT_ID_BYTES strlen("\"id\": \"vitals-0123456789abcdef-0\", ")

/*
 * Sends the first text, then one for each request; then it is silent, or closes. A line of the
 * others that begins with "return" or "error" gets the id of the request.
 */
struct script {
    const char *replies[SCRIPT_REPLIES_MAX];
    size_t chunk;      /* bytes sent at a time; 0: all */
    bool closes;       /* at the next request after that */
    bool hangs_up;     /* at once after that */
    bool is_endless;   /* the last text again and again, until the client closes */
    unsigned pause_ms; /* between the bytes sent at a time of the last text */
    size_t filler;     /* bytes sent after the last text */
    unsigned timeout_ms;
    int fd;
    char *requests; /* what it was asked */
    pthread_t thread;
};

/* Starts the peer, and opens a client that talks to it. The result is the client's. */
int script_open(struct script *script, struct client **ret_client, struct client_error *error);
void script_end(struct script *script);

/* @request: something that it was asked, too. */
void script_end_asked(struct script *script, const char *request);

/* ---- texts ---------------------------------------------------------------------------------- */

#define GREETING(major, minor, package)                                                            \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": " #minor ", \"major\": " #major  \
    "}, \"package\": \"" package "\"}, \"capabilities\": []}}\r\n"
#define QEMU_GREETING    GREETING(7, 2, "Debian")
#define FLAT_GREETING    GREETING(7, 1, "vitals 0.1.0")
#define GROUPED_GREETING GREETING(7, 0, "vitals 0.1.0")
#define OK               "{\"return\": {}}\r\n"
#define EVENT            "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1}}\r\n"
#define NAME             "{\"return\": {\"name\": \"web1\"}}\r\n"
#define NOT_FOUND        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}\r\n"
#define CPUS                                                                                       \
    "{\"return\": [{\"qom-path\": \"/a\", \"cpu-index\": 0}, {\"qom-path\": \"/b\", "              \
    "\"cpu-index\": 1}]}\r\n"

/* As QEMU sends it: the last statistic first. */
#define QEMU_SCHEMA                                                                                \
    "{\"return\": [{\"provider\": \"kvm\", \"target\": \"vcpu\", \"stats\": ["                     \
    "{\"name\": \"other_hist\", \"exponent\": 0, \"type\": \"log2-histogram\"}, "                  \
    "{\"name\": \"halt_wait_hist\", \"unit\": \"seconds\", \"base\": 10, \"exponent\": -9, "       \
    "\"type\": \"log2-histogram\"}, "                                                              \
    "{\"name\": \"halt_wait_ns\", \"unit\": \"seconds\", \"base\": 10, \"exponent\": -9, "         \
    "\"type\": \"cumulative\"}, "                                                                  \
    "{\"name\": \"guest_mode\", \"unit\": \"boolean\", \"exponent\": 0, \"type\": "                \
    "\"instant\"}]}]}\r\n"
#define FLAT_SCHEMA                                                                                \
    "{\"return\": [{\"provider\": \"kvm\", \"target\": \"vcpu\", \"stats\": ["                     \
    "{\"name\": \"halt_wait_ns\", \"unit\": \"seconds\", \"base\": 10, \"exponent\": -9, "         \
    "\"type\": \"cumulative\"}, "                                                                  \
    "{\"name\": \"halt_wait_hist\", \"unit\": \"seconds\", \"base\": 10, \"exponent\": -9, "       \
    "\"type\": \"log2-histogram\"}]}]}\r\n"
#define GROUPED_SCHEMA                                                                             \
    "{\"return\": {\"vm\": [{\"provider\": \"kvm\", \"stats\": [{\"name\": \"pages\", \"type\": "  \
    "\"instant\", \"unit\": \"bytes\", \"base\": \"pow2\", \"exponent\": 12}, {\"name\": \"odd\"," \
    " \"type\": \"new-type\", \"unit\": \"none\", \"base\": \"pow10\", \"exponent\": 0}]}]}}\r\n"

#define VCPU(path, stats)                                                                          \
    "{\"provider\": \"kvm\", \"qom-path\": \"" path "\", \"stats\": [" stats "]}"
#define STAT(name, value) "{\"name\": \"" name "\", \"value\": " value "}"
#define RETURN(list)      "{\"return\": [" list "]}\r\n"

#endif
