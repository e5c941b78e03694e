/* SPDX-License-Identifier: MIT */
/* Provider 'kvm' over ordinary files: recorded ones, built ones, and what is no statistics file. */
#define _GNU_SOURCE
#include "vitals/kvm.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "check.h"
#include "fake.h"
#include "files.h"
#include "kvm/stats_file.h"
#include "stats/registry.h"
#include "stats_file_builder.h"

/* ---- helpers -------------------------------------------------------------------------------- */

static int recorded_fd(const char *name)
{
    struct built_file file = load_recorded(name);
    int fd = file_to_fd(&file);

    free_file(&file);
    return fd;
}

static int built_fd(const struct plan *plan)
{
    struct built_file file = build_file(plan);
    int fd = file_to_fd(&file);

    free_file(&file);
    return fd;
}

/* Adds a vCPU from a file that is closed at once, as a VMM may do. */
static int add_and_close(struct vitals_kvm *kvm, const char *path, int fd)
{
    int err = vitals_kvm_add_vcpu(kvm, path, fd);

    close(fd);
    return err;
}

static int new_and_close(struct vitals_ctx *ctx, int fd, struct vitals_kvm **ret_kvm)
{
    int err = vitals_kvm_new(ctx, fd, ret_kvm);

    close(fd);
    return err;
}

/* Two statistics, so that a row is easy to tell: vCPU n has n and n + 1. */
static int counter_fd(uint64_t n)
{
    const struct plan_stat stats[] = {{.name = "exits", .slot = 0, .first = n},
                                      {.name = "halts", .slot = 1, .first = n + 1}};
    const struct plan plan = {.stats = stats, .n_stats = N_ELEMENTS(stats)};

    return built_fd(&plan);
}

static int other_fd(void)
{
    const struct plan_stat stats[] = {{.name = "irqs", .slot = 0, .first = 50}};
    const struct plan plan = {.stats = stats, .n_stats = N_ELEMENTS(stats)};

    return built_fd(&plan);
}

/* The schema that queries of @target see now. */
static const struct stats_schema *schema_of(struct vitals_ctx *ctx, const char *target)
{
    const struct stats_schema *schema = NULL;
    struct group_pin pin;
    struct group_walk walk = {0};

    if (registry_pin_next(ctx, target, &walk, &pin)) {
        schema = pin.schema;
        registry_unpin(&pin);
    }
    return schema;
}

static uint64_t value_in(const struct built_file *file, uint32_t descriptor)
{
    uint32_t offset = file_get32(file, descriptor_at(file, descriptor) + DESC_OFFSET);
    uint64_t value;

    memcpy(&value, file->bytes + file_get32(file, HEADER_DATA_OFFSET) + offset, sizeof(value));
    return value;
}

struct machine {
    struct vitals_ctx *ctx;
    struct log_book book;
    struct vitals_kvm *kvm;
    struct fake sched; /* another provider; lives until the context is freed */
};

static int make_machine(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    machine->ctx = ctx_with_log(&machine->book);
    check_ok(vitals_kvm_new(machine->ctx, -1, &machine->kvm));
    *state = machine;
    return 0;
}

static int free_machine(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_kvm_free(machine->kvm));
    check_ok(vitals_ctx_free(machine->ctx));
    free(machine);
    return 0;
}

/* ---- recorded files ------------------------------------------------------------------------- */

static void a_recorded_vm_is_answered(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct built_file file = load_recorded("vm.stats");
    struct vitals_kvm *kvm;
    char expected[200], *answer;

    (void)state;
    check_ok(new_and_close(ctx, recorded_fd("vm.stats"), &kvm));
    answer = ask_all(ctx, "vm");
    snprintf(expected, sizeof(expected), "vm kvm:remote_tlb_flush=%llu,",
             (unsigned long long)value_in(&file, 0));
    assert_contains(answer, expected);
    /* These two stand in the file in the other order. */
    snprintf(expected, sizeof(expected), "max_mmu_rmap_size=%llu,max_mmu_page_hash_collisions=%llu",
             (unsigned long long)value_in(&file, 13), (unsigned long long)value_in(&file, 14));
    assert_contains(answer, expected);
    free(answer);
    free_file(&file);
    check_ok(vitals_kvm_free(kvm));
    vitals_ctx_free(ctx);
}

static void recorded_vcpus_are_answered(void **state)
{
    struct machine *machine = *state;
    struct built_file file = load_recorded("vcpu.stats");
    char expected[300];

    check_ok(add_and_close(machine->kvm, "cpu/0", recorded_fd("vcpu.stats")));
    check_ok(add_and_close(machine->kvm, "cpu/1", recorded_fd("vcpu.stats")));
    snprintf(expected, sizeof(expected),
             "cpu/0 kvm:halt_successful_poll=%llu; cpu/1 kvm:halt_successful_poll=%llu",
             (unsigned long long)value_in(&file, 0), (unsigned long long)value_in(&file, 0));
    assert_answer(machine->ctx, expected, .target = "vcpu",
                  .filters = FILTERS({"kvm", LIST("halt_successful_poll")}));
    assert_int_equal(machine->book.lines, 0);
    free_file(&file);
}

static void a_recorded_histogram_has_its_buckets_in_order(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", recorded_fd("vcpu.stats")));
    assert_answer(machine->ctx,
                  "cpu/0 kvm:halt_poll_success_hist="
                  "[4 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0]",
                  .target = "vcpu", .filters = FILTERS({"kvm", LIST("halt_poll_success_hist")}));
}

/* ---- built files ---------------------------------------------------------------------------- */

static void values_come_from_where_the_descriptors_say(void **state)
{
    const struct plan_stat stats[] = {
        {.name = "last", .slot = 9, .first = 90},
        {.name = "linear",
         .flags = FILE_LINEAR_HIST,
         .bucket_size = 5,
         .size = 3,
         .slot = 4,
         .first = 40},
        {.name = "first", .slot = 0, .first = 1},
        {.name = "log", .flags = FILE_LOG_HIST, .size = 2, .slot = 2, .first = 20},
        {.name = "seen", .flags = FILE_PEAK | FILE_BOOLEAN, .slot = 1, .first = 1},
    };
    static const char *const orders[] = {"idv", "vid", "dvi"};
    struct machine *machine = *state;
    size_t i;

    for (i = 0; i < N_ELEMENTS(orders); i++) {
        const struct plan plan = {
            .stats = stats, .n_stats = N_ELEMENTS(stats), .gap = 24, .order = orders[i]};

        check_ok(add_and_close(machine->kvm, "cpu/0", built_fd(&plan)));
        assert_answer(machine->ctx,
                      "cpu/0 kvm:last=90,linear=[40 41 42],first=1,log=[20 21],seen=1",
                      .target = "vcpu");
        check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/0"));
    }
}

static void each_vcpu_may_have_its_data_elsewhere(void **state)
{
    struct machine *machine = *state;
    struct plan_stat stat = {.name = "exits", .first = 1};
    struct plan plan = {.stats = &stat, .n_stats = 1};

    check_ok(add_and_close(machine->kvm, "cpu/0", built_fd(&plan)));
    stat.first = 2;
    plan.gap = 800;
    check_ok(add_and_close(machine->kvm, "cpu/1", built_fd(&plan)));
    stat.first = 3;
    plan.order = "vdi";
    check_ok(add_and_close(machine->kvm, "cpu/2", built_fd(&plan)));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1; cpu/1 kvm:exits=2; cpu/2 kvm:exits=3",
                  .target = "vcpu");
}

static void what_the_library_does_not_know_is_reported_once(void **state)
{
    const struct plan_stat stats[] = {{.name = "exits"},
                                      {.name = "new_type", .flags = 7, .slot = 1},
                                      {.name = "new_unit", .flags = 0x70, .slot = 2}};
    const struct plan plan = {.stats = stats, .n_stats = N_ELEMENTS(stats)};
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", built_fd(&plan)));
    check_ok(add_and_close(machine->kvm, "cpu/1", built_fd(&plan)));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=0; cpu/1 kvm:exits=0", .target = "vcpu");
    assert_int_equal(machine->book.lines, 1);
    assert_int_equal(machine->book.level, VITALS_LOG_WARNING);
    assert_contains(machine->book.last, "2 of");
    assert_contains(machine->book.last, "new_type");
}

static void a_vm_without_statistics_is_empty(void **state)
{
    const struct plan nothing = {.id = "kvm-1"};
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_kvm *kvm;

    (void)state;
    check_ok(new_and_close(ctx, built_fd(&nothing), &kvm));
    check_ok(add_and_close(kvm, "cpu/0", built_fd(&nothing)));
    assert_answer(ctx, "", .target = "vm");
    assert_answer(ctx, "", .target = "vcpu");
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
}

static void values_are_read_anew_by_each_query(void **state)
{
    struct machine *machine = *state;
    struct plan_stat stat = {.name = "exits", .first = 1};
    const struct plan plan = {.stats = &stat, .n_stats = 1};
    struct built_file file = build_file(&plan);
    int fd = file_to_fd(&file);
    uint64_t value = 1000;

    check_ok(vitals_kvm_add_vcpu(machine->kvm, "cpu/0", fd));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1", .target = "vcpu");
    assert_int_equal(pwrite(fd, &value, 8, file_get32(&file, HEADER_DATA_OFFSET)), 8);
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1000", .target = "vcpu");
    close(fd);
    free_file(&file);
}

/* The kernel's files share a position among duplicates, and QEMU reads its own. */
static void the_position_of_the_callers_file_does_not_matter(void **state)
{
    struct machine *machine = *state;
    int fd = counter_fd(3);

    assert_int_equal(lseek(fd, 77, SEEK_SET), 77);
    check_ok(vitals_kvm_add_vcpu(machine->kvm, "cpu/0", fd));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=3,halts=4", .target = "vcpu");
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 77);
    close(fd);
}

/* ---- vCPUs come and go ---------------------------------------------------------------------- */

static void vcpus_come_in_the_order_in_which_they_were_added(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/2", counter_fd(2)));
    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(0)));
    check_ok(add_and_close(machine->kvm, "cpu/1", counter_fd(1)));
    assert_answer(machine->ctx,
                  "cpu/2 kvm:exits=2,halts=3; cpu/0 kvm:exits=0,halts=1; cpu/1 kvm:exits=1,halts=2",
                  .target = "vcpu");
    assert_answer(machine->ctx, "cpu/2 kvm:exits=2; cpu/0 kvm:exits=0", .target = "vcpu",
                  .objects = LIST("cpu/0", "nope", "cpu/2"),
                  .filters = FILTERS({NULL, LIST("exits")}));
}

static void a_removed_vcpu_is_gone(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(0)));
    check_ok(add_and_close(machine->kvm, "cpu/1", counter_fd(1)));
    check_ok(add_and_close(machine->kvm, "cpu/2", counter_fd(2)));
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/1"));
    check_error(vitals_kvm_remove_vcpu(machine->kvm, "cpu/1"), ENOENT);
    assert_answer(machine->ctx, "cpu/0 kvm:exits=0; cpu/2 kvm:exits=2", .target = "vcpu",
                  .filters = FILTERS({NULL, LIST("exits")}));
    check_ok(add_and_close(machine->kvm, "cpu/1", counter_fd(11)));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=0; cpu/2 kvm:exits=2; cpu/1 kvm:exits=11",
                  .target = "vcpu", .filters = FILTERS({NULL, LIST("exits")}));
}

static void an_unknown_vcpu_can_not_be_removed(void **state)
{
    struct machine *machine = *state;
    char text[200];

    check_error(vitals_kvm_remove_vcpu(machine->kvm, "cpu/7"), ENOENT);
    vitals_error_text(machine->ctx, text, sizeof(text));
    assert_contains(text, "cpu/7");
}

static void a_path_belongs_to_one_vcpu(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(1)));
    check_error(add_and_close(machine->kvm, "cpu/0", counter_fd(2)), EEXIST);
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1,halts=2", .target = "vcpu");
}

static void a_path_has_1_to_1023_bytes(void **state)
{
    struct machine *machine = *state;
    char path[VITALS_OBJECT_MAX + 2];

    memset(path, 'p', sizeof(path));
    path[VITALS_OBJECT_MAX + 1] = '\0';
    assert_true(add_and_close(machine->kvm, path, counter_fd(1)) < 0);
    check_error(add_and_close(machine->kvm, "", counter_fd(1)), EINVAL);
    assert_answer(machine->ctx, "", .target = "vcpu");
    path[VITALS_OBJECT_MAX] = '\0';
    check_ok(add_and_close(machine->kvm, path, counter_fd(1)));
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, path));
}

static void a_vcpu_with_other_statistics_is_refused(void **state)
{
    struct machine *machine = *state;
    char text[200];

    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(1)));
    check_error(add_and_close(machine->kvm, "cpu/1", other_fd()), EBADMSG);
    vitals_error_text(machine->ctx, text, sizeof(text));
    assert_contains(text, "cpu/0");
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1,halts=2", .target = "vcpu");
}

static void when_all_vcpus_have_gone_others_may_come(void **state)
{
    struct machine *machine = *state;
    int i;

    for (i = 0; i < 3; i++) {
        check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(1)));
        check_ok(add_and_close(machine->kvm, "cpu/1", counter_fd(2)));
        check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/0"));
        check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/1"));
        assert_answer(machine->ctx, "", .target = "vcpu");
        check_ok(add_and_close(machine->kvm, "cpu/1", other_fd()));
        assert_answer(machine->ctx, "cpu/1 kvm:irqs=50", .target = "vcpu");
        check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/1"));
    }
}

static void many_vcpus_are_found(void **state)
{
    enum { N = 300 };
    struct machine *machine = *state;
    char path[32];
    int i;

    for (i = 0; i < N; i++) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        check_ok(add_and_close(machine->kvm, path, counter_fd((uint64_t)i)));
    }
    assert_answer(machine->ctx, "cpu/17 kvm:exits=17; cpu/299 kvm:exits=299", .target = "vcpu",
                  .objects = LIST("cpu/299", "cpu/17", "cpu/300"),
                  .filters = FILTERS({NULL, LIST("exits")}));
    for (i = 0; i < N; i += 2) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        check_ok(vitals_kvm_remove_vcpu(machine->kvm, path));
    }
    assert_answer(machine->ctx, "cpu/17 kvm:exits=17", .target = "vcpu",
                  .objects = LIST("cpu/18", "cpu/17"), .filters = FILTERS({NULL, LIST("exits")}));
}

/* More names than the provider looks up one by one. */
static void many_wanted_vcpus_come_in_the_order_of_adding(void **state)
{
    enum { N = 100 };
    struct machine *machine = *state;
    const char *wanted[N + 1] = {NULL};
    char paths[N][16];
    int i;

    for (i = 0; i < N; i++) {
        snprintf(paths[i], sizeof(paths[i]), "none/%d", i);
        wanted[i] = paths[i];
    }
    wanted[0] = "cpu/0";
    wanted[N - 1] = "cpu/1";
    check_ok(add_and_close(machine->kvm, "cpu/1", counter_fd(1)));
    check_ok(add_and_close(machine->kvm, "cpu/2", counter_fd(2)));
    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(0)));
    assert_answer(machine->ctx, "cpu/1 kvm:exits=1; cpu/0 kvm:exits=0", .target = "vcpu",
                  .objects = wanted, .filters = FILTERS({NULL, LIST("exits")}));
}

/* ---- numbers and threads -------------------------------------------------------------------- */

static int fd_with_id(const char *id)
{
    const struct plan_stat stats[] = {{.name = "exits"}};
    const struct plan plan = {.id = id, .stats = stats, .n_stats = N_ELEMENTS(stats)};

    return built_fd(&plan);
}

/* "cpu/0=0:100 cpu/1=1:-1": path, number and thread, by number. */
static void check_numbers(struct machine *machine, const char *expected, int line)
{
    struct object_list list = {0};
    char text[400] = "", *end = text;
    size_t i;

    check_ok(objects_list(&machine->ctx->objects, "vcpu", &list));
    for (i = 0; i < list.n; i++)
        end += sprintf(end, "%s%s=%lld:%lld", i ? " " : "", list.objects[i].path,
                       (long long)list.objects[i].number, (long long)list.objects[i].thread);
    object_list_free(&list);
    _assert_string_equal(text, expected, __FILE__, line);
}
#define assert_numbers(machine, expected) check_numbers((machine), (expected), __LINE__)

static void a_vcpu_has_the_number_that_kvm_gave_it(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/a", fd_with_id("kvm-100/vcpu-5")));
    check_ok(add_and_close(machine->kvm, "cpu/b", fd_with_id("kvm-101/vcpu-0")));
    check_ok(add_and_close(machine->kvm, "cpu/c", fd_with_id("kvm-102/vcpu-2")));
    assert_numbers(machine, "cpu/b=0:101 cpu/c=2:102 cpu/a=5:100");
}

static void a_vcpu_without_an_id_has_the_next_number(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/a", fd_with_id("somebody else's")));
    check_ok(add_and_close(machine->kvm, "cpu/b", fd_with_id("kvm-101/vcpu-3")));
    check_ok(add_and_close(machine->kvm, "cpu/c", fd_with_id("kvm-102")));
    assert_numbers(machine, "cpu/a=0:-1 cpu/b=3:101 cpu/c=4:102");
}

/* Each of the recorded files of one vCPU. */
static void of_several_with_one_id_the_first_has_it(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", recorded_fd("vcpu.stats")));
    check_ok(add_and_close(machine->kvm, "cpu/1", recorded_fd("vcpu.stats")));
    check_ok(add_and_close(machine->kvm, "cpu/2", recorded_fd("vcpu.stats")));
    assert_numbers(machine, "cpu/0=0:9165 cpu/1=1:9165 cpu/2=2:9165");
}

static void a_number_stays_when_others_go(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", fd_with_id("kvm-1/vcpu-0")));
    check_ok(add_and_close(machine->kvm, "cpu/1", fd_with_id("kvm-2/vcpu-1")));
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/0"));
    assert_numbers(machine, "cpu/1=1:2");
    check_ok(add_and_close(machine->kvm, "cpu/7", fd_with_id("no id")));
    check_ok(add_and_close(machine->kvm, "cpu/0", fd_with_id("no id")));
    assert_numbers(machine, "cpu/0=0:-1 cpu/1=1:2 cpu/7=2:-1");
}

/* QEMU keeps the fd of a vCPU that is unplugged, for the next one, which may be called otherwise. */
static void a_vcpu_that_was_parked_has_its_number_under_any_path(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", fd_with_id("kvm-1/vcpu-0")));
    check_ok(add_and_close(machine->kvm, "hot/a", fd_with_id("kvm-2/vcpu-1")));
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "hot/a"));
    check_ok(add_and_close(machine->kvm, "hot/b", fd_with_id("kvm-2/vcpu-1")));
    assert_numbers(machine, "cpu/0=0:1 hot/b=1:2");
}

static void a_provider_may_number_a_vcpu_first(void **state)
{
    struct machine *machine = *state;
    struct vitals_group *group;

    machine->sched = (struct fake){.provider = "sched", .target = "vcpu", .names = {"runs"}};
    check_ok(fake_register(machine->ctx, &machine->sched, &group));
    check_ok(vitals_object_add(group, "cpu/a", 1));
    check_ok(add_and_close(machine->kvm, "cpu/a", fd_with_id("kvm-1/vcpu-4")));
    check_ok(add_and_close(machine->kvm, "cpu/b", fd_with_id("kvm-2/vcpu-1")));
    assert_numbers(machine, "cpu/a=1:-1 cpu/b=2:2");
    check_ok(vitals_object_remove(group, "cpu/a"));
    assert_numbers(machine, "cpu/a=1:-1 cpu/b=2:2");
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/a"));
    assert_numbers(machine, "cpu/b=2:2");
}

static void the_vmm_can_tell_the_threads(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", fd_with_id("kvm-1/vcpu-0")));
    check_ok(add_and_close(machine->kvm, "cpu/1", fd_with_id("kvm-1/vcpu-1")));
    assert_numbers(machine, "cpu/0=0:1 cpu/1=1:1");
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "cpu/0", 10));
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "cpu/1", 11));
    assert_numbers(machine, "cpu/0=0:10 cpu/1=1:11");
}

static void what_can_not_be_added_has_no_number(void **state)
{
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(1)));
    check_error(add_and_close(machine->kvm, "cpu/0", counter_fd(1)), EEXIST);
    check_error(add_and_close(machine->kvm, "cpu/1", other_fd()), EBADMSG);
    assert_numbers(machine, "cpu/0=5:1234");
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/0"));
    assert_numbers(machine, "");
}

/* ---- what is no statistics file ------------------------------------------------------------- */

static int fifo_fd(void)
{
    char dir[] = "/tmp/vitals-XXXXXX", path[64];
    int fd;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR); /* a read would wait for ever */
    unlink(path);
    rmdir(dir);
    return fd;
}

static int pipe_fd(void)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    close(fds[1]);
    return fds[0];
}

static int closed_fd(void)
{
    int fd = open("/dev/null", O_RDONLY);

    close(fd);
    return fd;
}

static int socket_fd(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int null_fd(void)
{
    return open("/dev/null", O_RDWR);
}

static int directory_fd(void)
{
    return open("/tmp", O_RDONLY | O_DIRECTORY);
}

static int event_fd(void)
{
    return eventfd(0, 0);
}

static const struct stranger {
    const char *what;
    int (*open)(void);
} strangers[] = {{"a FIFO", fifo_fd},          {"a pipe", pipe_fd},      {"a socket", socket_fd},
                 {"/dev/null", null_fd},       {"an eventfd", event_fd}, {"a closed fd", closed_fd},
                 {"a directory", directory_fd}};

/* A read that waits would be ended by the alarm, and the program with it. */
static void strangers_are_refused_without_waiting(void **state)
{
    struct machine *machine = *state;
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_kvm *kvm = NULL;
    size_t i;

    alarm(60);
    for (i = 0; i < N_ELEMENTS(strangers); i++) {
        int err = add_and_close(machine->kvm, "cpu/0", strangers[i].open());

        if (err != -EINVAL)
            fail_msg("%s as a vCPU: %d", strangers[i].what, err);
        err = new_and_close(ctx, strangers[i].open(), &kvm);
        if (err != -EINVAL)
            fail_msg("%s as a VM: %d", strangers[i].what, err);
    }
    alarm(0);
    assert_null(kvm);
    vitals_ctx_free(ctx);
}

static void a_vcpu_must_have_a_file(void **state)
{
    struct machine *machine = *state;

    check_error(vitals_kvm_add_vcpu(machine->kvm, "cpu/0", -1), EINVAL);
}

static void only_minus_one_means_no_statistics_of_the_vm(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_kvm *kvm = NULL;

    (void)state;
    check_error(vitals_kvm_new(ctx, -2, &kvm), EINVAL);
    assert_null(kvm);
    vitals_ctx_free(ctx);
}

static void a_file_of_something_else_is_refused(void **state)
{
    struct machine *machine = *state;
    struct built_file text = {.bytes = (uint8_t *)"#!/bin/sh\necho this is no statistics file\n",
                              .size = 42};
    struct built_file empty = {.bytes = (uint8_t *)"", .size = 0};
    char message[200];

    check_error(add_and_close(machine->kvm, "cpu/0", file_to_fd(&text)), EBADMSG);
    check_error(add_and_close(machine->kvm, "cpu/0", file_to_fd(&empty)), EBADMSG);
    vitals_error_text(machine->ctx, message, sizeof(message));
    assert_true(strlen(message) > 0);
    assert_answer(machine->ctx, "", .target = "vcpu");
}

static int sized_fd(off_t size)
{
    int fd = counter_fd(1);

    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

static void a_file_may_have_1_mib(void **state)
{
    struct machine *machine = *state;

    check_error(add_and_close(machine->kvm, "cpu/0", sized_fd(KVM_FILE_MAX + 1)), EBADMSG);
    check_ok(add_and_close(machine->kvm, "cpu/0", sized_fd(KVM_FILE_MAX)));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1,halts=2", .target = "vcpu");
}

static void a_row_has_the_limit_of_all_providers(void **state)
{
    struct plan_stat stat = {.name = "exits", .slot = VITALS_ROW_MAX - 1, .first = 9};
    const struct plan plan = {.stats = &stat, .n_stats = 1};
    struct machine *machine = *state;

    check_ok(add_and_close(machine->kvm, "cpu/0", built_fd(&plan)));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=9", .target = "vcpu");
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/0"));
    stat.slot++;
    check_error(add_and_close(machine->kvm, "cpu/0", built_fd(&plan)), E2BIG);
}

static void a_file_that_can_not_be_read_is_refused(void **state)
{
    struct machine *machine = *state;
    char path[64];
    int fd = counter_fd(1), write_only;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    write_only = open(path, O_WRONLY);
    assert_true(write_only >= 0);
    assert_true(add_and_close(machine->kvm, "cpu/0", write_only) < 0);
    assert_answer(machine->ctx, "", .target = "vcpu");
    close(fd);
}

/* ---- failures of a reading ------------------------------------------------------------------ */

static void a_vcpu_whose_file_was_cut_is_left_out(void **state)
{
    struct machine *machine = *state;
    int fd = counter_fd(1);

    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(0)));
    check_ok(vitals_kvm_add_vcpu(machine->kvm, "cpu/1", fd));
    check_ok(add_and_close(machine->kvm, "cpu/2", counter_fd(2)));
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_answer(machine->ctx, "cpu/0 kvm:exits=0,halts=1; cpu/2 kvm:exits=2,halts=3",
                  .target = "vcpu");
    assert_answer(machine->ctx, "", .target = "vcpu", .objects = LIST("cpu/1"));
    assert_int_equal(machine->book.lines, 1);
    assert_contains(machine->book.last, "kvm");
    close(fd);
}

static void a_vm_whose_file_was_cut_is_empty(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_kvm *kvm;
    int fd = recorded_fd("vm.stats");

    (void)state;
    check_ok(vitals_kvm_new(ctx, fd, &kvm));
    assert_int_equal(ftruncate(fd, 1151), 0);
    assert_answer(ctx, "", .target = "vm");
    close(fd);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
}

/* ---- the provider's life -------------------------------------------------------------------- */

static void freeing_null_is_allowed(void **state)
{
    (void)state;
    check_ok(vitals_kvm_free(NULL));
}

static void a_context_has_one_kvm(void **state)
{
    struct machine *machine = *state;
    struct vitals_kvm *second = NULL;

    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(1)));
    check_error(vitals_kvm_new(machine->ctx, -1, &second), EEXIST);
    check_error(new_and_close(machine->ctx, recorded_fd("vm.stats"), &second), EEXIST);
    assert_null(second);
    assert_answer(machine->ctx, "", .target = "vm");
    assert_answer(machine->ctx, "cpu/0 kvm:exits=1,halts=2", .target = "vcpu");
}

static void a_freed_provider_leaves_nothing_open(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_kvm *kvm;
    int before = count_open_files();

    (void)state;
    check_ok(new_and_close(ctx, recorded_fd("vm.stats"), &kvm));
    check_ok(add_and_close(kvm, "cpu/0", counter_fd(0)));
    check_ok(add_and_close(kvm, "cpu/1", counter_fd(1)));
    assert_int_equal(count_open_files(), before + 3);
    check_error(add_and_close(kvm, "cpu/1", counter_fd(1)), EEXIST);
    check_error(add_and_close(kvm, "cpu/2", other_fd()), EBADMSG);
    check_error(add_and_close(kvm, "cpu/2", null_fd()), EINVAL);
    assert_int_equal(count_open_files(), before + 3);
    check_ok(vitals_kvm_remove_vcpu(kvm, "cpu/0"));
    assert_int_equal(count_open_files(), before + 2);
    check_ok(vitals_kvm_free(kvm));
    assert_int_equal(count_open_files(), before);
    assert_answer(ctx, "", .target = "vcpu");
    check_ok(new_and_close(ctx, recorded_fd("vm.stats"), &kvm));
    check_ok(vitals_kvm_free(kvm));
    vitals_ctx_free(ctx);
}

static void a_file_of_the_library_is_closed_by_exec(void **state)
{
    struct machine *machine = *state;
    int fd = counter_fd(0), next = dup(fd);

    close(next); /* the lowest free number: the library's file takes it */
    check_ok(vitals_kvm_add_vcpu(machine->kvm, "cpu/0", fd));
    assert_int_equal(fcntl(next, F_GETFD), FD_CLOEXEC);
    check_ok(vitals_kvm_remove_vcpu(machine->kvm, "cpu/0"));
    assert_int_equal(fcntl(next, F_GETFD), -1);
    close(fd);
}

/* As after an upgrade of the kernel, which may add any name. */
static void a_name_of_another_provider_takes_no_vcpu_away(void **state)
{
    struct machine *machine = *state;

    machine->sched = (struct fake){
        .provider = "sched", .target = "vcpu", .names = {"exits"}, .objects = LIST("cpu/0")};
    check_ok(fake_register(machine->ctx, &machine->sched, NULL));
    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(5)));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=5 sched:exits=0", .target = "vcpu",
                  .filters = FILTERS({NULL, LIST("exits")}));
    assert_answer(machine->ctx, "cpu/0 kvm:exits=5", .target = "vcpu",
                  .filters = FILTERS({"kvm", LIST("exits")}));
}

static void kvm_and_another_provider_are_joined(void **state)
{
    struct machine *machine = *state;

    machine->sched = (struct fake){.provider = "sched",
                                   .target = "vcpu",
                                   .names = {"runs"},
                                   .objects = LIST("cpu/1", "cpu/0", "cpu/9")};
    check_ok(fake_register(machine->ctx, &machine->sched, NULL));
    check_ok(add_and_close(machine->kvm, "cpu/0", counter_fd(5)));
    check_ok(add_and_close(machine->kvm, "cpu/1", counter_fd(6)));
    assert_answer(machine->ctx,
                  "cpu/0 kvm:exits=5 sched:runs=10; cpu/1 kvm:exits=6 sched:runs=0; "
                  "cpu/9 sched:runs=20",
                  .target = "vcpu", .filters = FILTERS({NULL, LIST("exits", "runs")}));
}

static void make_kvm_inside(struct fake *fake, struct vitals_sink *sink)
{
    struct vitals_kvm *kvm = NULL;

    (void)sink;
    check_error(new_and_close(fake->opaque, recorded_fd("vm.stats"), &kvm), EBUSY);
    assert_null(kvm);
}

static void a_provider_can_not_be_made_inside_collect(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = {.provider = "sched",
                        .target = "vcpu",
                        .names = {"runs"},
                        .objects = LIST("cpu/0"),
                        .inside = make_kvm_inside,
                        .opaque = ctx};
    int before = count_open_files();

    (void)state;
    check_ok(fake_register(ctx, &fake, NULL));
    assert_answer(ctx, "cpu/0 sched:runs=0", .target = "vcpu");
    assert_answer(ctx, "", .target = "vm");
    assert_int_equal(count_open_files(), before);
    vitals_ctx_free(ctx);
}

/* ---- shared schemas ------------------------------------------------------------------------- */

static struct vitals_ctx *ctx_sharing_with(struct vitals_ctx *other)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT,
                                               .share_schemas_with = other};
    struct vitals_ctx *ctx;

    check_ok(vitals_ctx_new(&options, &ctx));
    return ctx;
}

static struct vitals_kvm *add_machine(struct vitals_ctx *ctx)
{
    struct vitals_kvm *kvm;

    check_ok(new_and_close(ctx, recorded_fd("vm.stats"), &kvm));
    check_ok(add_and_close(kvm, "cpu/0", recorded_fd("vcpu.stats")));
    return kvm;
}

static void contexts_that_share_have_one_schema(void **state)
{
    struct vitals_ctx *first = new_ctx(), *second = ctx_sharing_with(first);
    struct vitals_kvm *kvm1 = add_machine(first), *kvm2 = add_machine(second);

    (void)state;
    assert_ptr_equal(schema_of(first, "vm"), schema_of(second, "vm"));
    assert_ptr_equal(schema_of(first, "vcpu"), schema_of(second, "vcpu"));
    assert_ptr_not_equal(schema_of(first, "vm"), schema_of(first, "vcpu"));
    vitals_kvm_free(kvm1);
    vitals_ctx_free(first); /* the schemas live on */
    assert_answer(second, "cpu/0 kvm:nested_run=0", .target = "vcpu",
                  .filters = FILTERS({NULL, LIST("nested_run")}));
    vitals_kvm_free(kvm2);
    vitals_ctx_free(second);
}

static void contexts_that_do_not_share_have_their_own(void **state)
{
    struct vitals_ctx *first = new_ctx(), *second = new_ctx();
    struct vitals_kvm *kvm1 = add_machine(first), *kvm2 = add_machine(second);

    (void)state;
    assert_ptr_not_equal(schema_of(first, "vm"), schema_of(second, "vm"));
    assert_ptr_not_equal(schema_of(first, "vcpu"), schema_of(second, "vcpu"));
    vitals_kvm_free(kvm1);
    vitals_kvm_free(kvm2);
    vitals_ctx_free(first);
    vitals_ctx_free(second);
}

static void equal_files_of_vm_and_vcpu_are_two_schemas(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_kvm *kvm;

    (void)state;
    check_ok(new_and_close(ctx, counter_fd(1), &kvm));
    check_ok(add_and_close(kvm, "cpu/0", counter_fd(2)));
    assert_answer(ctx, "vm kvm:exits=1,halts=2", .target = "vm");
    assert_answer(ctx, "cpu/0 kvm:exits=2,halts=3", .target = "vcpu");
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
}

/* ---- two vCPUs at the same time ------------------------------------------------------------- */

/* The first thread stays in the log callback until the second vCPU has been added. */
struct two_threads {
    struct vitals_kvm *kvm;
    sem_t in_callback, added;
    atomic_int callbacks;
    int result;
};

static void wait_in_callback(void *opaque, enum vitals_log_level level, const char *text)
{
    struct two_threads *threads = opaque;

    (void)level;
    (void)text;
    if (threads->callbacks++)
        return;
    sem_post(&threads->in_callback);
    sem_wait(&threads->added);
}

static int fd_with_an_unknown_statistic(void)
{
    const struct plan_stat stats[] = {{.name = "exits"}, {.name = "new", .flags = 7, .slot = 1}};
    const struct plan plan = {.stats = stats, .n_stats = N_ELEMENTS(stats)};

    return built_fd(&plan);
}

static void *add_first(void *opaque)
{
    struct two_threads *threads = opaque;

    threads->result = add_and_close(threads->kvm, "cpu/0", fd_with_an_unknown_statistic());
    return NULL;
}

/* A VMM may add each vCPU on the vCPU's own thread, so their first ones meet. */
static void the_first_two_vcpus_may_come_at_the_same_time(void **state)
{
    struct two_threads threads = {.result = 1};
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .log = wait_in_callback,
                                               .log_opaque = &threads};
    struct vitals_ctx *ctx;
    pthread_t thread;

    (void)state;
    sem_init(&threads.in_callback, 0, 0);
    sem_init(&threads.added, 0, 0);
    check_ok(vitals_ctx_new(&options, &ctx));
    check_ok(vitals_kvm_new(ctx, -1, &threads.kvm));
    assert_int_equal(pthread_create(&thread, NULL, add_first, &threads), 0);
    sem_wait(&threads.in_callback);
    check_ok(add_and_close(threads.kvm, "cpu/1", fd_with_an_unknown_statistic()));
    sem_post(&threads.added);
    pthread_join(thread, NULL);
    check_ok(threads.result);
    assert_answer(ctx, "cpu/1 kvm:exits=0; cpu/0 kvm:exits=0", .target = "vcpu");
    vitals_kvm_free(threads.kvm);
    vitals_ctx_free(ctx);
    sem_destroy(&threads.in_callback);
    sem_destroy(&threads.added);
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, make_machine, free_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_vm_is_answered),
        WITH_MACHINE(recorded_vcpus_are_answered),
        WITH_MACHINE(a_recorded_histogram_has_its_buckets_in_order),
        WITH_MACHINE(values_come_from_where_the_descriptors_say),
        WITH_MACHINE(each_vcpu_may_have_its_data_elsewhere),
        WITH_MACHINE(what_the_library_does_not_know_is_reported_once),
        cmocka_unit_test(a_vm_without_statistics_is_empty),
        WITH_MACHINE(values_are_read_anew_by_each_query),
        WITH_MACHINE(the_position_of_the_callers_file_does_not_matter),
        WITH_MACHINE(vcpus_come_in_the_order_in_which_they_were_added),
        WITH_MACHINE(a_removed_vcpu_is_gone),
        WITH_MACHINE(an_unknown_vcpu_can_not_be_removed),
        WITH_MACHINE(a_path_belongs_to_one_vcpu),
        WITH_MACHINE(a_path_has_1_to_1023_bytes),
        WITH_MACHINE(a_vcpu_with_other_statistics_is_refused),
        WITH_MACHINE(when_all_vcpus_have_gone_others_may_come),
        WITH_MACHINE(many_vcpus_are_found),
        WITH_MACHINE(many_wanted_vcpus_come_in_the_order_of_adding),
        WITH_MACHINE(a_vcpu_has_the_number_that_kvm_gave_it),
        WITH_MACHINE(a_vcpu_without_an_id_has_the_next_number),
        WITH_MACHINE(of_several_with_one_id_the_first_has_it),
        WITH_MACHINE(a_number_stays_when_others_go),
        WITH_MACHINE(a_vcpu_that_was_parked_has_its_number_under_any_path),
        WITH_MACHINE(a_provider_may_number_a_vcpu_first),
        WITH_MACHINE(the_vmm_can_tell_the_threads),
        WITH_MACHINE(what_can_not_be_added_has_no_number),
        WITH_MACHINE(strangers_are_refused_without_waiting),
        WITH_MACHINE(a_vcpu_must_have_a_file),
        cmocka_unit_test(only_minus_one_means_no_statistics_of_the_vm),
        WITH_MACHINE(a_file_of_something_else_is_refused),
        WITH_MACHINE(a_file_may_have_1_mib),
        WITH_MACHINE(a_row_has_the_limit_of_all_providers),
        WITH_MACHINE(a_file_that_can_not_be_read_is_refused),
        WITH_MACHINE(a_vcpu_whose_file_was_cut_is_left_out),
        cmocka_unit_test(a_vm_whose_file_was_cut_is_empty),
        cmocka_unit_test(freeing_null_is_allowed),
        WITH_MACHINE(a_context_has_one_kvm),
        cmocka_unit_test(a_freed_provider_leaves_nothing_open),
        WITH_MACHINE(a_file_of_the_library_is_closed_by_exec),
        WITH_MACHINE(a_name_of_another_provider_takes_no_vcpu_away),
        WITH_MACHINE(kvm_and_another_provider_are_joined),
        cmocka_unit_test(a_provider_can_not_be_made_inside_collect),
        cmocka_unit_test(contexts_that_share_have_one_schema),
        cmocka_unit_test(contexts_that_do_not_share_have_their_own),
        cmocka_unit_test(equal_files_of_vm_and_vcpu_are_two_schemas),
        cmocka_unit_test(the_first_two_vcpus_may_come_at_the_same_time),
    };

    return cmocka_run_group_tests_name("provider 'kvm'", tests, NULL, NULL);
}
