/* SPDX-License-Identifier: MIT */
/*
 * A VMM that fills each struct of the API and answers one query. It is built against the headers of
 * another release than the library that it runs with. Each struct ends where memory ends, so that a
 * library that reads behind it crashes; members that no one sets, and padding, hold garbage.
 *
 * The argument names a struct whose new member asks for something (newer headers only).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vitals/vitals.h"

enum { SECONDS_MAX = 20, RUNS = 4711 };

static const char *asking = "";
static unsigned releases;
static struct vitals_ctx *ctx;

#ifdef GROWN
#define SET_NEW_MEMBER(pointer, type) ((pointer)->grown = !strcmp(asking, type))
#define CHOOSE_PROVIDERS(pointer)     ((pointer)->providers = "abi,later")
#else
#define SET_NEW_MEMBER(pointer, type) ((void)0)
#define CHOOSE_PROVIDERS(pointer)     ((void)0) /* the first headers did not have it */
#endif

/* Zeros for a struct, or for some, behind which no memory can be read. */
static void *at_the_end_of_memory(size_t size)
{
    size_t page = sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE)) {
        perror("mmap");
        exit(1);
    }
    return memory + page - size;
}

static void check(const char *function, int err)
{
    char text[256] = "";

    if (!err)
        return;
    if (ctx)
        vitals_error_text(ctx, text, sizeof(text));
    printf("%s: %s: %s\nreleased %u\n", function, strerrorname_np(-err), text, releases);
    exit(3);
}

static void make_ctx(void)
{
    struct vitals_ctx_options *options = at_the_end_of_memory(sizeof(*options));

    *options = (struct vitals_ctx_options){VITALS_CTX_OPTIONS_INIT, .name = "abi"};
    SET_NEW_MEMBER(options, "vitals_ctx_options");
    check("vitals_ctx_new", vitals_ctx_new(options, &ctx));
}

static int collect(void *opaque, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, NULL);

    (void)opaque;
    if (row) {
        row[0] = RUNS;
        row[1] = RUNS + 1;
    }
    return 0;
}

static void release(void *opaque)
{
    ++*(unsigned *)opaque;
}

static struct vitals_stat *make_stats(void)
{
    struct vitals_stat *stats = at_the_end_of_memory(2 * sizeof(*stats));

    stats[0] = (struct vitals_stat){.name = "runs", .base = 10, .count = 1};
    stats[1] = (struct vitals_stat){.name = "stops", .base = 10, .count = 1, .slot = 1};
    SET_NEW_MEMBER(&stats[1], "vitals_stat");
    return stats;
}

static void register_group(void)
{
    struct vitals_group_ops *ops = at_the_end_of_memory(sizeof(*ops));

    *ops =
        (struct vitals_group_ops){VITALS_GROUP_OPS_INIT, .provider = "abi",  .target = "vm",
                                  .stats = make_stats(), .n_stats = 2,       .row_len = 2,
                                  .collect = collect,    .release = release, .opaque = &releases};
    SET_NEW_MEMBER(ops, "vitals_group_ops");
    check("vitals_register", vitals_register(ctx, ops, NULL));
}

static struct vitals_server *make_server(void)
{
    struct vitals_server_options *options = at_the_end_of_memory(sizeof(*options));
    struct vitals_server *server;

    *options = (struct vitals_server_options){VITALS_SERVER_OPTIONS_INIT, .clients_max = 2};
    SET_NEW_MEMBER(options, "vitals_server_options");
    check("vitals_server_new", vitals_server_new(options, &server));
    return server;
}

static void listen_at(struct vitals_server *server, const char *path)
{
    struct vitals_listen_options *options = at_the_end_of_memory(sizeof(*options));

    memset(options, 0xff, sizeof(*options));
    options->size = sizeof(*options);
    options->path = path;
    options->mode = 0600;
    options->dialect = VITALS_DIALECT_FLAT;
    CHOOSE_PROVIDERS(options);
    SET_NEW_MEMBER(options, "vitals_listen_options");
    check("vitals_server_listen", vitals_server_listen(server, ctx, options, NULL));
}

/* Reads until @wanted has come; the alarm ends a wait for what does not come. */
static void expect(int fd, const char *wanted)
{
    char text[4096] = "";
    size_t len = 0;
    ssize_t n;

    while (!strstr(text, wanted)) {
        n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n <= 0) {
            printf("no %s in %s\n", wanted, text);
            exit(1);
        }
        len += n;
        text[len] = '\0';
    }
}

static void ask(const char *path)
{
    static const char request[] =
        "{\"execute\": \"qmp_capabilities\"}"
        "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vm\"}}";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char wanted[100];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
        write(fd, request, sizeof(request) - 1) < 0) {
        perror(path);
        exit(1);
    }
    snprintf(wanted, sizeof(wanted), "{\"name\": \"stops\", \"value\": %d}", RUNS + 1);
    expect(fd, wanted);
    close(fd);
}

/* The first headers did not have it. */
#ifdef GROWN
static void add_client(struct vitals_server *server)
{
    struct vitals_client_options *options = at_the_end_of_memory(sizeof(*options));
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) {
        perror("socketpair");
        exit(1);
    }
    *options =
        (struct vitals_client_options){VITALS_CLIENT_OPTIONS_INIT, .dialect = VITALS_DIALECT_FLAT};
    CHOOSE_PROVIDERS(options);
    SET_NEW_MEMBER(options, "vitals_client_options");
    check("vitals_server_add_client", vitals_server_add_client(server, ctx, fds[1], options));
    expect(fds[0], "\"QMP\"");
    close(fds[0]);
}

/* The options are looked at first, and there is no VM. */
static void publish(void)
{
    struct vitals_publish_options *options = at_the_end_of_memory(sizeof(*options));
    int err;

    *options = (struct vitals_publish_options){VITALS_PUBLISH_OPTIONS_INIT, .vmm = "abi"};
    SET_NEW_MEMBER(options, "vitals_publish_options");
    err = vitals_publish(ctx, NULL, options);
    check("vitals_publish", err == -EINVAL ? 0 : err);
}
#else
#define add_client(server) ((void)0)
#define publish()          ((void)0)
#endif

int main(int argc, char **argv)
{
    struct vitals_server *server;
    const char *path = argv[1];

    if (argc < 2)
        return 2;
    if (argc > 2)
        asking = argv[2];
    alarm(SECONDS_MAX);
    make_ctx();
    register_group();
    server = make_server();
    listen_at(server, path);
    check("vitals_server_start", vitals_server_start(server));
    add_client(server);
    publish();
    ask(path);
    vitals_server_free(server);
    check("vitals_ctx_free", vitals_ctx_free(ctx));
    printf("answered\nreleased %u\n", releases);
    return 0;
}
