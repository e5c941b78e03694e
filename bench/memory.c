/* SPDX-License-Identifier: MIT */
/*
 * What the library holds in memory: for each vCPU, for each idle client, and whether queries leave
 * anything behind. Counts the calls and bytes of the allocator itself, so it sees what RSS hides.
 *
 *      memory STATS_FILE_OF_VCPU QUERIES
 *
 * Prints lines "NAME VALUE".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <vitals/vitals.h>

enum { VCPUS = 1000, CLIENTS = 1000, WARM_UP = 100, LINE_MAX_BYTES = 1 << 16 };

/* ---- the allocator's calls ------------------------------------------------------------------ */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *memory, size_t size);

static unsigned long calls;

void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    calls++;
    return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    calls++;
    return __libc_realloc(memory, size);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* ---- the server ----------------------------------------------------------------------------- */

static const char path[] = "/tmp/vitals-bench-memory.sock";
static struct vitals_server *server;

static void die(const char *what, int err)
{
    fprintf(stderr, "memory: %s: %s\n", what, strerror(-err));
    exit(1);
}

static void check(const char *what, int err)
{
    if (err)
        die(what, err);
}

static void add_vcpus(struct vitals_kvm *kvm, int fd)
{
    char name[64];
    int i;

    for (i = 0; i < VCPUS; i++) {
        snprintf(name, sizeof(name), "/machine/unattached/device[%d]", i);
        check("vCPU", vitals_kvm_add_vcpu(kvm, name, fd));
    }
}

static int connect_client(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, path, sizeof(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect", -errno);
    vitals_server_process(server);
    return fd;
}

/* One thread is both ends, so a query runs from here to here and nothing else is counted. */
static void ask(int fd, const char *request)
{
    static char reply[LINE_MAX_BYTES];
    ssize_t n = 0;

    if (write(fd, request, strlen(request)) < 0)
        die("write", -errno);
    do {
        vitals_server_process(server);
        n = read(fd, reply, sizeof(reply));
    } while (n <= 0 || reply[n - 1] != '\n');
}

/* ---- measurements --------------------------------------------------------------------------- */

static double calls_for_each(int fd, const char *request, unsigned long queries)
{
    unsigned long before, i;

    for (i = 0; i < WARM_UP; i++)
        ask(fd, request);
    before = calls;
    for (i = 0; i < queries; i++)
        ask(fd, request);
    return (double)(calls - before) / (double)queries;
}

static void measure_clients(void)
{
    static int fds[CLIENTS];
    size_t before;
    int i;

    /* Once there and back, so that the server's own tables have grown. */
    for (i = 0; i < CLIENTS; i++)
        fds[i] = connect_client();
    for (i = 0; i < CLIENTS; i++)
        close(fds[i]);
    for (i = 0; i < CLIENTS; i++)
        vitals_server_process(server);
    before = bytes_in_use();
    for (i = 0; i < CLIENTS; i++)
        fds[i] = connect_client();
    printf("bytes_of_an_idle_client %zu\n", (bytes_in_use() - before) / CLIENTS);
    for (i = 0; i < CLIENTS; i++)
        close(fds[i]);
    for (i = 0; i < CLIENTS; i++)
        vitals_server_process(server);
}

#define ALL "\"arguments\": {\"target\": \"vcpu\"}}\n"
#define ONE                                                                                        \
    "\"arguments\": {\"target\": \"vcpu\", \"vcpus\": [\"/machine/unattached/device[7]\"], "       \
    "\"filters\": [{\"fields\": [\"exits\"]}]}}\n"
#define QUERY   "{\"execute\": \"query-stats\", "
#define REFUSED "{\"execute\": \"query-stets\", " /* is parsed, and then there is no such command */

/* The allocator's calls of a query, less those that parsing the same text takes. */
static void measure_allocations(int fd, const char *name, const char *query, const char *refused)
{
    double parsed = calls_for_each(fd, refused, 200);

    printf("allocations_of_a_parsed_request_%s %.2f\n", name, parsed);
    printf("allocations_beyond_the_parsed_request_%s %.2f\n", name,
           calls_for_each(fd, query, 200) - parsed);
}

static void measure_queries(unsigned long queries)
{
    int fd = connect_client();
    size_t before;

    ask(fd, "{\"execute\": \"qmp_capabilities\"}\n");
    measure_allocations(fd, "for_all", QUERY ALL, REFUSED ALL);
    measure_allocations(fd, "for_one", QUERY ONE, REFUSED ONE);
    before = bytes_in_use();
    calls_for_each(fd, QUERY ONE, queries);
    printf("queries %lu\n", queries);
    printf("bytes_left_behind_by_all_queries %ld\n", (long)bytes_in_use() - (long)before);
    close(fd);
}

int main(int argc, char **argv)
{
    struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .path = path};
    struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
    struct vitals_ctx *ctx;
    struct vitals_kvm *kvm;
    size_t before;
    int fd;

    if (argc != 3) {
        fprintf(stderr, "usage: memory STATS_FILE_OF_VCPU QUERIES\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY);
    if (fd < 0)
        die(argv[1], -errno);
    setrlimit(RLIMIT_NOFILE, &files);
    check("context", vitals_ctx_new(NULL, &ctx));
    check("provider", vitals_kvm_new(ctx, -1, &kvm));
    check("vCPU", vitals_kvm_add_vcpu(kvm, "/first", fd)); /* the schema is not the vCPU's */
    before = bytes_in_use();
    add_vcpus(kvm, fd);
    printf("bytes_of_a_vcpu %zu\n", (bytes_in_use() - before) / VCPUS);
    check("server", vitals_server_new(NULL, &server));
    check("socket", vitals_server_listen(server, ctx, &listen, NULL));
    measure_clients();
    measure_queries(strtoul(argv[2], NULL, 10));
    vitals_server_free(server);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
    return 0;
}
