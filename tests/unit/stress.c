/* SPDX-License-Identifier: MIT */
/*
 * Everything at once for three seconds, or until each has done something: threads that query through sockets and directly, while
 * others add and remove vCPUs, register and unregister groups, open and close sockets. Built with
 * the thread sanitizer it finds races; without, it finds what waits for ever or is released twice.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "check.h"
#include "fake.h"
#include "peer.h"
#include "stats/registry.h"
#include "stats_file_builder.h"
#include "vitals/vitals.h"

enum { SECONDS = 3, PATIENCE = 60, VCPUS = 8 };

struct world {
    struct vitals_ctx *ctx, *young; /* the young one's provider 'kvm' comes and goes */
    struct vitals_kvm *kvm;
    struct vitals_server *server;
    struct log_book book;
    int vcpu_fd;
    char steady[256], fleeting[256]; /* paths of sockets */
    atomic_bool over;
    atomic_ulong replies, queries, hotplugs, groups, sockets;
};

static const char *const questions[] = {
    "{'execute':'query-stats','arguments':{'target':'vm'}}\n",
    "{'execute':'query-stats','arguments':{'target':'vcpu'}}\n",
    ("{'execute':'query-stats','arguments':{'target':'vcpu','vcpus':['cpu/0','cpu/3'],"
     "'filters':[{'provider':'kvm','fields':['exits','halt_wait_hist']}]}}\n"),
    "{'execute':'query-stats-schemas'}\n",
    "{'execute':'query-name'}\n",
    "{'execute':'query-cpus-fast','id':{}}\n",
    "{'execute':'query-status','id':1}@\n",
};

/* ---- those who ask -------------------------------------------------------------------------- */

static void *ask_through_socket(void *opaque)
{
    struct world *world = opaque;
    struct peer peer;
    size_t i;

    while (!world->over) {
        peer_open(&peer, NULL, world->steady);
        for (i = 0; i < 3 * N_ELEMENTS(questions); i++) {
            const char *line;

            peer_send(&peer, questions[i % N_ELEMENTS(questions)]);
            line = peer_line(&peer);
            assert_non_null(line);
            assert_int_equal(strncmp(line, "{\"return\": ", 11), 0);
            if (strchr(questions[i % N_ELEMENTS(questions)], '@'))
                assert_contains(peer_line(&peer), "stray");
            world->replies++;
        }
        peer_close(&peer);
    }
    return NULL;
}

/* The socket may be gone at any moment; what is answered must be whole lines all the same. */
static void *ask_through_fleeting_socket(void *opaque)
{
    struct world *world = opaque;
    struct peer peer;

    while (!world->over) {
        if (peer_connect(&peer, NULL, world->fleeting) == 0) {
            send(peer.fd, questions[0], strlen(questions[0]), MSG_NOSIGNAL);
            shutdown(peer.fd, SHUT_WR);
            while (peer_line(&peer))
                world->replies++;
        }
        peer_close(&peer);
    }
    return NULL;
}

static void *ask_directly(void *opaque)
{
    struct world *world = opaque;
    struct stats_collection collection = {0};
    const struct ask vm = {.target = "vm"},
                     vcpus = {.target = "vcpu", .filters = FILTERS({NULL, LIST("exits", "runs")})};

    while (!world->over) {
        char *of_vm = ask_with(&collection, world->ctx, &vm);
        char *of_vcpus = ask_with(&collection, world->ctx, &vcpus);

        assert_contains(of_vm, "vm kvm:remote_tlb_flush=");
        assert_contains(of_vcpus, "cpu/0 kvm:exits=");
        free(of_vm);
        free(of_vcpus);
        world->queries++;
    }
    stats_collection_free(&collection);
    return NULL;
}

static void *ask_the_young(void *opaque)
{
    struct world *world = opaque;
    struct object_list vcpus = {0};

    while (!world->over) {
        free(ask_all(world->young, "vcpu"));
        check_ok(objects_list(&world->young->objects, "vcpu", &vcpus));
        assert_true(vcpus.n <= 1);
        if (vcpus.n) {
            assert_string_equal(vcpus.objects[0].path, "cpu/0");
            assert_int_equal(vcpus.objects[0].number, 0);
        }
        world->queries++;
    }
    object_list_free(&vcpus);
    return NULL;
}

/* ---- those who change ----------------------------------------------------------------------- */

static void *plug_and_unplug(void *opaque)
{
    struct world *world = opaque;
    char path[16];
    int i;

    while (!world->over) {
        for (i = 1; i < VCPUS; i++) {
            snprintf(path, sizeof(path), "cpu/%d", i);
            check_ok(vitals_kvm_add_vcpu(world->kvm, path, world->vcpu_fd));
        }
        check_error(vitals_kvm_add_vcpu(world->kvm, "cpu/1", world->vcpu_fd), EEXIST);
        check_ok(vitals_object_set_thread(world->ctx, "vcpu", "cpu/1", gettid()));
        for (i = 1; i < VCPUS; i++) {
            snprintf(path, sizeof(path), "cpu/%d", i);
            check_ok(vitals_kvm_remove_vcpu(world->kvm, path));
        }
        world->hotplugs++;
    }
    return NULL;
}

static void *register_and_unregister(void *opaque)
{
    struct world *world = opaque;

    while (!world->over) {
        struct fake vm = {.provider = "mem", .target = "vm", .names = {"used"}};
        struct fake vcpu = {.provider = "sched",
                            .target = "vcpu",
                            .names = {"runs", "waits"},
                            .objects = LIST("cpu/0", "cpu/1", "cpu/99"),
                            .flags = VITALS_GROUP_CONCURRENT};
        struct fake broken = {.provider = "broken",
                              .target = "vcpu",
                              .names = {"x"},
                              .objects = LIST("cpu/0"),
                              .result = -EIO};
        struct vitals_group *groups[3];
        size_t i;

        check_ok(fake_register(world->ctx, &vm, &groups[0]));
        check_ok(fake_register(world->ctx, &vcpu, &groups[1]));
        check_ok(fake_register(world->ctx, &broken, &groups[2]));
        check_ok(vitals_object_add(groups[1], "cpu/0", VITALS_NUMBER_ANY));
        check_ok(vitals_object_add(groups[1], "cpu/99", VITALS_NUMBER_ANY));
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000}, NULL);
        for (i = 0; i < N_ELEMENTS(groups); i++)
            check_ok(vitals_unregister(groups[i]));
        assert_int_equal(vm.releases + vcpu.releases + broken.releases, 3);
        world->groups++;
    }
    return NULL;
}

static void *open_and_close(void *opaque)
{
    struct world *world = opaque;

    while (!world->over) {
        struct vitals_listener *listener = listen_at(world->server, world->ctx, world->fleeting);

        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL);
        check_ok(vitals_listener_close(listener));
        world->sockets++;
    }
    return NULL;
}

static void *make_and_free_kvm(void *opaque)
{
    struct world *world = opaque;
    struct vitals_kvm *kvm;
    unsigned n = 0;

    while (!world->over) {
        check_ok(vitals_kvm_new(world->young, -1, &kvm));
        if (++n % 2)
            check_ok(vitals_kvm_add_vcpu(kvm, "cpu/0", world->vcpu_fd));
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000}, NULL);
        check_ok(vitals_kvm_free(kvm));
    }
    return NULL;
}

static void *change_state(void *opaque)
{
    struct world *world = opaque;
    char text[64];
    bool running = true;

    while (!world->over) {
        vitals_set_running(world->ctx, running = !running);
        vitals_error_text(world->ctx, text, sizeof(text));
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000}, NULL);
    }
    return NULL;
}

/* ---- the world ------------------------------------------------------------------------------ */

static int recorded_fd(const char *name)
{
    struct built_file file = load_recorded(name);
    int fd = file_to_fd(&file);

    free_file(&file);
    return fd;
}

static void make_world(struct world *world)
{
    int vm_fd = recorded_fd("vm.stats");

    check_ok(make_dir(NULL));
    snprintf(world->steady, sizeof(world->steady), "%s", in_dir("steady.sock"));
    snprintf(world->fleeting, sizeof(world->fleeting), "%s", in_dir("fleeting.sock"));
    world->ctx = ctx_with_log(&world->book);
    world->young = ctx_with_log(&world->book);
    world->vcpu_fd = recorded_fd("vcpu.stats");
    check_ok(vitals_kvm_new(world->ctx, vm_fd, &world->kvm));
    check_ok(vitals_kvm_add_vcpu(world->kvm, "cpu/0", world->vcpu_fd));
    world->server = new_server();
    listen_at(world->server, world->ctx, world->steady);
    check_ok(vitals_server_start(world->server));
    close(vm_fd);
}

static void free_world(struct world *world)
{
    vitals_server_free(world->server);
    check_ok(vitals_kvm_free(world->kvm));
    check_ok(vitals_ctx_free(world->ctx));
    check_ok(vitals_ctx_free(world->young));
    close(world->vcpu_fd);
    check_ok(remove_dir(NULL));
}

/* A thread that did nothing would make the rest of the test worth nothing. */
static bool all_were_busy(const struct world *world)
{
    return world->replies > 50 && world->queries > 10 && world->hotplugs > 5 && world->groups > 5 &&
           world->sockets > 5;
}

static void run(struct world *world)
{
    static void *(*const threads[])(void *) = {
        ask_through_socket, ask_through_socket,      ask_through_fleeting_socket,
        ask_directly,       ask_the_young,           make_and_free_kvm,
        plug_and_unplug,    register_and_unregister, open_and_close,
        change_state,
    };
    pthread_t ids[N_ELEMENTS(threads)];
    size_t i;

    for (i = 0; i < N_ELEMENTS(threads); i++)
        check_ok(pthread_create(&ids[i], NULL, threads[i], world));
    for (i = 0; i < SECONDS || (i < PATIENCE && !all_were_busy(world)); i++)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    world->over = true;
    for (i = 0; i < N_ELEMENTS(threads); i++)
        pthread_join(ids[i], NULL);
}

int main(void)
{
    static struct world world;
    bool busy;

    make_world(&world);
    run(&world);
    busy = all_were_busy(&world);
    printf("%lu replies, %lu direct queries, %lu hotplugs, %lu registrations, %lu sockets\n",
           world.replies, world.queries, world.hotplugs, world.groups, world.sockets);
    free_world(&world);
    return busy ? EXIT_SUCCESS : EXIT_FAILURE;
}
