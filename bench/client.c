/* SPDX-License-Identifier: MIT */
/*
 * The asking side of the benchmarks.
 *
 *      client roundtrip ROUNDS < targets
 *          Asks the targets in turn, round by round, so that a slow moment of the machine hits all
 *          of them. A target is a line "NAME SOCKET qmp|raw REQUEST"; `raw` has no handshake.
 *          Prints a line "NAME BYTES MEDIAN MIN P90" for each, times in nanoseconds.
 *
 *      client load CLIENTS PER_SECOND SECONDS SOCKET REQUEST
 *          CLIENTS sessions ask at this rate each, or with 0 as fast as replies come.
 *          Prints a line "REPLIES BYTES".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { TARGETS_MAX = 8, CLIENTS_MAX = 1024, REPLY_MAX = 16 << 20, WARM_UP = 1 };

static char reply[REPLY_MAX];

static void die(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die(path);
    return fd;
}

static void send_line(int fd, const char *text)
{
    size_t len = strlen(text);

    if (write(fd, text, len) != (ssize_t)len)
        die("write");
}

/* A reply ends with a line feed, and nothing follows it unasked. */
static size_t receive_line(int fd)
{
    size_t len = 0;

    do {
        ssize_t n = read(fd, reply + len, sizeof(reply) - len);

        if (n <= 0)
            die("the server closed the connection");
        len += (size_t)n;
    } while (reply[len - 1] != '\n');
    return len;
}

static int open_session(const char *path, bool qmp)
{
    int fd = connect_to(path);

    if (qmp) {
        receive_line(fd);
        send_line(fd, "{\"execute\": \"qmp_capabilities\"}\n");
        receive_line(fd);
    }
    return fd;
}

/* ---- round trips ---------------------------------------------------------------------------- */

struct target {
    char name[32], socket[108], kind[8], request[4096];
    int fd;
    unsigned id; /* of the next request, for kind "qmp-id" */
    size_t bytes;
    uint64_t *times;
};

static int read_targets(struct target *targets, unsigned rounds)
{
    int n = 0;

    while (n < TARGETS_MAX && scanf("%31s %107s %7s %4094[^\n]", targets[n].name, targets[n].socket,
                                    targets[n].kind, targets[n].request) == 4) {
        strcat(targets[n].request, "\n");
        targets[n].fd = open_session(targets[n].socket, !!strncmp(targets[n].kind, "raw", 3));
        targets[n].times = calloc(rounds, sizeof(uint64_t));
        n++;
    }
    return n;
}

static int compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* With a new id, where the kind says so. */
static void send_request(struct target *target)
{
    char line[sizeof(target->request) + 32];

    if (strcmp(target->kind, "qmp-id")) {
        send_line(target->fd, target->request);
        return;
    }
    snprintf(line, sizeof(line), "{\"id\": %u, %s", ++target->id, target->request + 1);
    send_line(target->fd, line);
}

static uint64_t ask(struct target *target)
{
    uint64_t start = now_ns();

    send_request(target);
    target->bytes = receive_line(target->fd);
    return now_ns() - start;
}

/* The server asked before has had the caches and the CPU: some requests are not counted. */
static void time_target(struct target *target, unsigned round)
{
    unsigned i;

    for (i = 0; i < WARM_UP; i++)
        ask(target);
    target->times[round] = ask(target);
}

/* Each second round goes the other way: no target always stands behind the same one. */
static int roundtrip(unsigned rounds)
{
    static struct target targets[TARGETS_MAX];
    int n = read_targets(targets, rounds), i;
    unsigned round;

    for (round = 0; round < rounds; round++)
        for (i = 0; i < n; i++)
            time_target(&targets[round % 2 ? n - 1 - i : i], round);
    for (i = 0; i < n; i++) {
        qsort(targets[i].times, rounds, sizeof(uint64_t), compare_times);
        printf("%s %zu %lu %lu %lu\n", targets[i].name, targets[i].bytes,
               targets[i].times[rounds / 2], targets[i].times[0],
               targets[i].times[rounds * 9 / 10]);
    }
    return n ? 0 : 1;
}

/* ---- load ----------------------------------------------------------------------------------- */

struct session {
    uint64_t next; /* when to ask again */
    bool waiting;  /* for a reply */
};

struct load {
    unsigned n;
    uint64_t interval; /* ns; 0: none */
    const char *request;
    struct pollfd fds[CLIENTS_MAX];
    struct session sessions[CLIENTS_MAX];
    uint64_t replies, bytes;
};

static void take_reply(struct load *load, unsigned i)
{
    ssize_t n = read(load->fds[i].fd, reply, sizeof(reply));

    if (n <= 0)
        die("the server closed a connection");
    load->bytes += (uint64_t)n;
    if (reply[n - 1] != '\n')
        return;
    load->replies++;
    load->sessions[i].waiting = false;
}

static void ask_if_due(struct load *load, unsigned i, uint64_t now)
{
    struct session *session = &load->sessions[i];

    if (session->waiting || now < session->next)
        return;
    send_line(load->fds[i].fd, load->request);
    session->waiting = true;
    session->next = load->interval ? session->next + load->interval : now;
}

/* Milliseconds until a session is due; -1: all wait for replies. */
static int time_to_wait(const struct load *load, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    unsigned i;

    for (i = 0; i < load->n; i++)
        if (!load->sessions[i].waiting && load->sessions[i].next < next)
            next = load->sessions[i].next;
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now) / 1000000) + 1;
}

static int run_load(struct load *load, const char *path, double seconds)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), now;
    unsigned i;

    for (i = 0; i < load->n; i++) {
        load->fds[i] = (struct pollfd){.fd = open_session(path, true), .events = POLLIN};
        load->sessions[i].next = start + load->interval * i / load->n;
    }
    while ((now = now_ns()) < end) {
        for (i = 0; i < load->n; i++)
            ask_if_due(load, i, now);
        if (poll(load->fds, load->n, time_to_wait(load, now)) < 0)
            die("poll");
        for (i = 0; i < load->n; i++)
            if (load->fds[i].revents)
                take_reply(load, i);
    }
    printf("%lu %lu\n", load->replies, load->bytes);
    return 0;
}

static int start_load(char **args)
{
    static struct load load;
    static char request[4096];
    double rate = atof(args[1]);

    load.n = (unsigned)atoi(args[0]);
    load.interval = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    snprintf(request, sizeof(request), "%s\n", args[4]);
    load.request = request;
    if (!load.n || load.n > CLIENTS_MAX) {
        fprintf(stderr, "client: 1 to %d clients\n", CLIENTS_MAX);
        return 2;
    }
    return run_load(&load, args[3], atof(args[2]));
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "roundtrip") && atoi(argv[2]) > 0)
        return roundtrip((unsigned)atoi(argv[2]));
    if (argc == 7 && !strcmp(argv[1], "load"))
        return start_load(argv + 2);
    fprintf(stderr, "usage: client roundtrip ROUNDS | "
                    "client load CLIENTS PER_SECOND SECONDS SOCKET REQUEST\n");
    return 2;
}
