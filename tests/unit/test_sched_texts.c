/* SPDX-License-Identifier: MIT */
/* The texts of /proc and of control groups: recorded ones, odd ones, and what is at the limits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"
#include "sched/cgroup.h"
#include "sched/proc.h"

static struct proc_text text_of(const char *text)
{
    return (struct proc_text){text, strlen(text)};
}

static struct proc_text recorded(const char *name)
{
    static char bytes[PROC_TEXT_MAX];
    struct proc_text text;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/proc/%s", TEST_DATA, name);
    check_ok(proc_read(AT_FDCWD, path, bytes, sizeof(bytes), &text));
    return text;
}

/* ---- /proc ---------------------------------------------------------------------------------- */

static void recorded_files_of_a_thread(void **state)
{
    struct proc_schedstat schedstat;
    struct proc_stat stat;
    uint64_t value;

    (void)state;
    check_ok(proc_parse_schedstat(recorded("schedstat"), &schedstat));
    assert_int_equal(schedstat.run_ns, 511510610);
    assert_int_equal(schedstat.wait_ns, 80489029);
    assert_int_equal(schedstat.timeslices, 961);
    check_ok(proc_parse_stat(recorded("stat"), &stat));
    assert_int_equal(stat.minor_faults, 2923);
    assert_int_equal(stat.major_faults, 0);
    assert_int_equal(stat.user_ticks, 18);
    assert_int_equal(stat.system_ticks, 32);
    assert_int_equal(stat.threads, 3);
    assert_int_equal(stat.last_cpu, 0);
    check_ok(proc_parse_line(recorded("status"), "voluntary_ctxt_switches", &value));
    assert_int_equal(value, 23);
    check_ok(proc_parse_line(recorded("status"), "nonvoluntary_ctxt_switches", &value));
    assert_int_equal(value, 938);
}

static void recorded_files_of_a_process(void **state)
{
    uint64_t value;

    (void)state;
    check_ok(proc_parse_statm(recorded("statm"), &value));
    assert_int_equal(value, 3459);
    check_ok(proc_parse_line(recorded("io"), "read_bytes", &value));
    assert_int_equal(value, 102400);
    check_ok(proc_parse_line(recorded("io"), "write_bytes", &value));
    assert_int_equal(value, 110592);
}

/* Its name is "a) R 1 2 (b\nc". */
static void a_name_may_look_like_what_is_behind_it(void **state)
{
    struct proc_stat stat;
    uint64_t value;

    (void)state;
    check_ok(proc_parse_stat(recorded("stat-odd-name"), &stat));
    assert_int_equal(stat.minor_faults, 112);
    assert_int_equal(stat.threads, 1);
    assert_int_equal(stat.last_cpu, 1);
    check_ok(proc_parse_line(recorded("status-odd-name"), "voluntary_ctxt_switches", &value));
    assert_int_equal(value, 1);
    check_ok(proc_parse_line(text_of("Name:\tx_bytes: 3\nx_bytes: 5"), "x_bytes", &value));
    assert_int_equal(value, 5);
}

static void numbers_have_64_bits(void **state)
{
    struct proc_schedstat schedstat;

    (void)state;
    check_ok(proc_parse_schedstat(text_of("18446744073709551615 0 1\n"), &schedstat));
    assert_true(schedstat.run_ns == UINT64_MAX);
    check_error(proc_parse_schedstat(text_of("18446744073709551616 0 1\n"), &schedstat), EBADMSG);
    check_error(proc_parse_schedstat(text_of("184467440737095516150 0 1\n"), &schedstat), EBADMSG);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const texts[] = {"",       "\n",     "1 2",     "1 2 ",   "1 2 x",
                                        "-1 2 3", "1 2 3x", "1,2,3\n", "0x1 2 3"};
    struct proc_schedstat schedstat;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        check_error(proc_parse_schedstat(text_of(texts[i]), &schedstat), EBADMSG);
    check_ok(proc_parse_schedstat(text_of("1 2 3"), &schedstat));
}

/* Each text that a file could be cut to, in memory that ends there. */
static void a_text_that_is_cut_is_refused(void **state)
{
    struct proc_text whole = recorded("stat");
    const char *last = strchr(whole.bytes, ')') + 1; /* behind a field, from the second on */
    struct proc_stat stat, expected;
    size_t least;

    (void)state;
    check_ok(proc_parse_stat(whole, &expected));
    for (int field = 2; field < 39; field++)
        last = strchr(last + 1, ' ');
    least = (size_t)(last - whole.bytes);
    for (size_t size = 0; size < whole.size; size++) {
        char *bytes = malloc(size + 1);
        int err;

        memcpy(bytes, whole.bytes, size);
        bytes = realloc(bytes, size ? size : 1);
        err = proc_parse_stat((struct proc_text){bytes, size}, &stat);
        assert_int_equal(err, size < least ? -EBADMSG : 0);
        free(bytes);
    }
    assert_int_equal(stat.last_cpu, expected.last_cpu);
}

static void a_key_is_a_whole_word_at_the_start_of_a_line(void **state)
{
    static const char text[] = "nr_x 1\nxx 2\nx_y 3\n x 4\nx 5\nx 6\n";
    uint64_t value;

    (void)state;
    check_ok(proc_parse_line(text_of(text), "x", &value));
    assert_int_equal(value, 5);
    check_error(proc_parse_line(text_of(text), "z", &value), EBADMSG);
    check_error(proc_parse_line(text_of("x"), "x", &value), EBADMSG);
    check_error(proc_parse_line(text_of("x "), "x", &value), EBADMSG);
    check_error(proc_parse_line(text_of("x\n5"), "x", &value), EBADMSG);
}

static void a_file_has_a_limit(void **state)
{
    static char bytes[PROC_TEXT_MAX];
    struct proc_text text;
    char *content = calloc(1, PROC_TEXT_MAX);
    const char *path = in_dir("file");
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    (void)state;
    assert_int_equal(write(fd, content, PROC_TEXT_MAX - 1), PROC_TEXT_MAX - 1);
    check_ok(proc_read(AT_FDCWD, path, bytes, sizeof(bytes), &text));
    assert_int_equal(text.size, PROC_TEXT_MAX - 1);
    assert_int_equal(write(fd, content, 1), 1);
    check_error(proc_read(AT_FDCWD, path, bytes, sizeof(bytes), &text), E2BIG);
    check_error(proc_read(AT_FDCWD, in_dir("none"), bytes, sizeof(bytes), &text), ENOENT);
    close(fd);
    unlink(path);
    free(content);
}

/* ---- control groups ------------------------------------------------------------------------- */

#define V2_MOUNT "30 24 0:26 / /cg rw,nosuid,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT "32 31 0:29 / /cg rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"

/* A small host in a directory: "proc/self" is also the process that is looked at. */
static void put(const char *path, const char *content)
{
    const char *whole = in_dir(path);
    char *copy = strdup(whole);
    FILE *file;

    for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(copy, 0700);
        *slash = '/';
    }
    file = fopen(copy, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    free(copy);
}

static void remove_host(void)
{
    char command[PATH_MAX];

    snprintf(command, sizeof(command), "rm -rf '%s' '%s' '%s'", in_dir("proc"), in_dir("cg"),
             in_dir("c g"));
    assert_int_equal(system(command), 0);
}

static struct cgroups *cgroups_with(const char *mountinfo)
{
    struct cgroups *cgroups;

    put("proc/self/mountinfo", mountinfo);
    put("cg/x", "");
    check_ok(cgroups_new(in_dir("."), &cgroups));
    return cgroups;
}

static uint64_t throttled_of(struct vm_cgroups *vm, struct cgroups *cgroups, uint64_t now_ns,
                             const struct cgroup_thread *threads, size_t n)
{
    int directory = open(in_dir("proc/self"), O_PATH | O_DIRECTORY);

    cgroups_set_time(cgroups, now_ns);
    check_ok(vm_cgroups_look(vm, cgroups, directory, threads, n));
    close(directory);
    return vm_cgroups_throttled_ns(vm, cgroups);
}

static const struct cgroup_thread unknown[] = {
    {.thread = 10}, {.thread = 11}, {.thread = 12}, {.thread = 13}};

static uint64_t throttled_at(struct vm_cgroups *vm, struct cgroups *cgroups, uint64_t now_ns)
{
    return throttled_of(vm, cgroups, now_ns, unknown, N_ELEMENTS(unknown));
}

/* All threads are in one group. */
static uint64_t throttled_once(const char *mountinfo, const char *cgroup)
{
    struct cgroups *cgroups = cgroups_with(mountinfo);
    struct vm_cgroups vm = {0};
    uint64_t throttled;

    put("proc/self/task/10/cgroup", cgroup);
    throttled = throttled_at(&vm, cgroups, 1);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    return throttled;
}

/* As libvirt has them: the process in one group, and each vCPU in another beside it. */
static void each_group_of_a_vm_counts_once_and_those_above(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vm = {0};

    (void)state;
    put("cg/cpu.stat", "usage_usec 5\n");
    put("cg/m/cpu.stat", "usage_usec 5\nthrottled_usec 1\n");
    put("cg/m/vm/cpu.stat", "usage_usec 5\nthrottled_usec 10\n");
    put("cg/m/vm/emulator/cpu.stat", "usage_usec 5\nthrottled_usec 100\n");
    put("cg/m/vm/vcpu0/cpu.stat", "usage_usec 5\nthrottled_usec 1000\n");
    put("cg/m/vm/vcpu1/cpu.stat", "usage_usec 5\n");
    put("cg/m/other/cpu.stat", "throttled_usec 50000\n");
    put("proc/self/task/10/cgroup", "0::/m/vm/emulator\n");
    put("proc/self/task/11/cgroup", "0::/m/vm/vcpu0\n");
    put("proc/self/task/12/cgroup", "0::/m/vm/vcpu1\n");
    assert_int_equal(throttled_at(&vm, cgroups, 1), 1111000);
    assert_int_equal(throttled_at(&vm, cgroups, 2), 1111000);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    remove_host();
}

static void a_group_with_a_quota_is_read_each_time(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vm = {0};

    (void)state;
    put("cg/vm/cpu.max", "50000 100000\n");
    put("cg/vm/cpu.stat", "throttled_usec 1\n");
    put("proc/self/task/10/cgroup", "0::/vm\n");
    assert_int_equal(throttled_at(&vm, cgroups, 1), 1000);
    put("cg/vm/cpu.stat", "throttled_usec 2\n");
    assert_int_equal(throttled_at(&vm, cgroups, 1), 1000); /* the same moment */
    assert_int_equal(throttled_at(&vm, cgroups, 2), 2000);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    remove_host();
}

/* What came at once would else take long at once, again and again. */
static void many_vms_are_looked_at_one_after_the_other(void **state)
{
    enum { VMS = 100, PARTS = 10 };
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vms[VMS] = {0};
    uint64_t now = 10 * (uint64_t)CGROUP_LOOK_NS;

    (void)state;
    put("cg/vm/cpu.stat", "throttled_usec 1\n");
    put("proc/self/task/10/cgroup", "0::/vm\n");
    for (size_t i = 0; i < VMS; i++)
        assert_int_equal(throttled_at(&vms[i], cgroups, now), 1000);
    for (size_t part = 0; part < 3 * PARTS; part++) {
        size_t n_due = 0;

        now += CGROUP_LOOK_NS / PARTS;
        cgroups_set_time(cgroups, now);
        for (size_t i = 0; i < VMS; i++)
            n_due += vm_cgroups_are_due(&vms[i], cgroups, unknown, N_ELEMENTS(unknown));
        assert_in_range(n_due, VMS / PARTS - 3, VMS / PARTS + 3);
        for (size_t i = 0; i < VMS; i++)
            throttled_at(&vms[i], cgroups, now);
    }
    for (size_t i = 0; i < VMS; i++)
        vm_cgroups_free(&vms[i], cgroups);
    cgroups_free(cgroups);
    remove_host();
}

static void quotas_and_groups_are_looked_at_now_and_then(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vm = {0};

    (void)state;
    put("cg/vm/cpu.max", "max 100000\n");
    put("cg/vm/cpu.stat", "throttled_usec 1\n");
    put("cg/new/cpu.stat", "throttled_usec 7\n");
    put("proc/self/task/10/cgroup", "0::/vm\n");
    assert_int_equal(throttled_at(&vm, cgroups, 1), 1000);
    put("cg/vm/cpu.stat", "throttled_usec 2\n");
    put("proc/self/task/10/cgroup", "0::/new\n");
    assert_int_equal(throttled_at(&vm, cgroups, CGROUP_LOOK_NS), 1000);
    assert_int_equal(throttled_at(&vm, cgroups, CGROUP_LOOK_NS + 1), 7000);
    put("proc/self/task/10/cgroup", "0::/vm\n");
    assert_int_equal(throttled_at(&vm, cgroups, 2 * CGROUP_LOOK_NS + 1), 2000);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    remove_host();
}

/* ---- groups by their inodes ----------------------------------------------------------------- */

static uint64_t inode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(in_dir(path), &status), 0);
    return status.st_ino;
}

/* One thread, of which the kernel says that it is in the group of this directory. */
static uint64_t throttled_in(struct vm_cgroups *vm, struct cgroups *cgroups, uint64_t now_ns,
                             pid_t thread, uint64_t inode)
{
    const struct cgroup_thread in_group = {.thread = thread, .in.unified = inode, .in.cpu = 1};

    return throttled_of(vm, cgroups, now_ns, &in_group, 1);
}

static void put_two_groups(void)
{
    put("cg/a/cpu.stat", "throttled_usec 1\n");
    put("cg/b/cpu.stat", "throttled_usec 7\n");
    put("proc/self/task/10/cgroup", "0::/a\n");
}

static void a_thread_that_moves_is_seen_at_once(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vm = {0};

    (void)state;
    put_two_groups();
    assert_int_equal(throttled_in(&vm, cgroups, 1, 10, inode_of("cg/a")), 1000);
    put("proc/self/task/10/cgroup", "0::/b\n");
    assert_int_equal(throttled_in(&vm, cgroups, 2, 10, inode_of("cg/a")), 1000);
    assert_int_equal(throttled_in(&vm, cgroups, 3, 10, inode_of("cg/b")), 7000);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    remove_host();
}

/* Only one of the threads has a file. */
static void threads_of_one_group_are_asked_once(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vms[2] = {0};

    (void)state;
    put_two_groups();
    assert_int_equal(throttled_in(&vms[0], cgroups, 1, 10, inode_of("cg/a")), 1000);
    assert_int_equal(throttled_in(&vms[1], cgroups, 1, 11, inode_of("cg/b")), 0);
    assert_int_equal(throttled_in(&vms[1], cgroups, 2, 11, inode_of("cg/a")), 1000);
    assert_int_equal(throttled_in(&vms[1], cgroups, CGROUP_LOOK_NS + 2, 11, inode_of("cg/a")),
                     1000);
    for (size_t i = 0; i < N_ELEMENTS(vms); i++)
        vm_cgroups_free(&vms[i], cgroups);
    assert_int_equal(throttled_in(&vms[1], cgroups, CGROUP_LOOK_NS + 3, 11, inode_of("cg/a")), 0);
    vm_cgroups_free(&vms[1], cgroups);
    cgroups_free(cgroups);
    remove_host();
}

/* The kernel had it in a when the pass was made, and in b when its file was read. */
static void what_has_moved_meanwhile_is_not_taken_for_the_group(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vms[2] = {0};

    (void)state;
    put_two_groups();
    put("proc/self/task/11/cgroup", "0::/b\n");
    assert_int_equal(throttled_in(&vms[0], cgroups, 1, 11, inode_of("cg/a")), 7000);
    assert_int_equal(throttled_in(&vms[1], cgroups, 1, 10, inode_of("cg/a")), 1000);
    for (size_t i = 0; i < N_ELEMENTS(vms); i++)
        vm_cgroups_free(&vms[i], cgroups);
    cgroups_free(cgroups);
    remove_host();
}

static void a_group_can_be_renamed(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vm = {0};
    uint64_t inode;
    char to[PATH_MAX];

    (void)state;
    put_two_groups();
    inode = inode_of("cg/a");
    assert_int_equal(throttled_in(&vm, cgroups, 1, 10, inode), 1000);
    strcpy(to, in_dir("cg/c"));
    assert_int_equal(rename(in_dir("cg/a"), to), 0);
    put("cg/a/cpu.stat", "throttled_usec 7\n");
    put("cg/c/cpu.stat", "throttled_usec 2\n");
    put("proc/self/task/10/cgroup", "0::/c\n");
    assert_int_equal(throttled_in(&vm, cgroups, CGROUP_LOOK_NS + 1, 10, inode), 2000);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    remove_host();
}

static void the_inode_is_that_of_the_form(void **state)
{
    struct cgroups *cgroups = cgroups_with(V1_MOUNT);
    struct vm_cgroups vms[2] = {0};
    struct cgroup_thread threads[] = {{.thread = 10}, {.thread = 11}};

    (void)state;
    put("cg/a/cpu.stat", "throttled_time 5\n");
    put("proc/self/task/10/cgroup", "4:cpu:/a\n0::/x\n");
    threads[0].in.cpu = threads[1].in.cpu = inode_of("cg/a");
    threads[1].in.unified = 1;
    assert_int_equal(throttled_of(&vms[0], cgroups, 1, &threads[0], 1), 5);
    assert_int_equal(throttled_of(&vms[1], cgroups, 1, &threads[1], 1), 5);
    for (size_t i = 0; i < N_ELEMENTS(vms); i++)
        vm_cgroups_free(&vms[i], cgroups);
    cgroups_free(cgroups);
    remove_host();
}

/* ---- where the groups are ------------------------------------------------------------------- */

static void a_group_that_is_gone_keeps_what_it_had(void **state)
{
    struct cgroups *cgroups = cgroups_with(V2_MOUNT);
    struct vm_cgroups vm = {0};

    (void)state;
    put("cg/vm/cpu.max", "1000 100000\n");
    put("cg/vm/cpu.stat", "throttled_usec 1\n");
    put("proc/self/task/10/cgroup", "0::/vm\n");
    assert_int_equal(throttled_at(&vm, cgroups, 1), 1000);
    unlink(in_dir("cg/vm/cpu.stat"));
    assert_int_equal(throttled_at(&vm, cgroups, 2), 1000);
    vm_cgroups_free(&vm, cgroups);
    cgroups_free(cgroups);
    remove_host();
}

static void both_forms(void **state)
{
    static const char v1[] = "9:memory:/x\n4:cpu,cpuacct:/vm\n1:cpuset:/x\n0::/x\n";
    static const char hybrid[] = "31 2 0:38 / /none rw - cgroup2 cgroup2 rw\n";
    char mounts[1024];

    (void)state;
    put("cg/vm/cpu.stat", "nr_throttled 3\nthrottled_time 5\nthrottled_usec 7\n");
    put("none/x", "");
    assert_int_equal(throttled_once(V1_MOUNT, v1), 5);
    assert_int_equal(throttled_once(V2_MOUNT, "0::/vm\n"), 7000);
    snprintf(mounts, sizeof(mounts), "%s%s", hybrid, V1_MOUNT);
    assert_int_equal(throttled_once(mounts, v1), 5);
    snprintf(mounts, sizeof(mounts), "%s%s", V1_MOUNT, hybrid);
    assert_int_equal(throttled_once(mounts, v1), 5);
    unlink(in_dir("none/x"));
    rmdir(in_dir("none"));
    remove_host();
}

/* "cpuset" and "cpuacct" are other controllers. */
static void only_the_controller_of_cpu_time_counts(void **state)
{
    static const char others[] = "1 2 0:1 / /cg rw - cgroup cgroup rw,cpuset,cpuacct\n"
                                 "1 2 0:1 / /cg rw - tmpfs cpu rw,cpu\nnonsense\n\n1 2 3 4 5 -\n";
    struct cgroups *cgroups;

    (void)state;
    put("proc/self/mountinfo", others);
    check_error(cgroups_new(in_dir("."), &cgroups), ENOENT);
    assert_int_equal(throttled_once(V2_MOUNT, "4:cpu:/vm\n1:name=systemd:/vm\n"), 0);
    remove_host();
    check_error(cgroups_new(in_dir("."), &cgroups), ENOENT);
}

static void a_part_of_the_hierarchy_is_mounted(void **state)
{
    static const char part[] = "30 24 0:26 /docker/1 /c\\040g rw - cgroup2 cgroup2 rw\n";

    (void)state;
    put("c g/cpu.stat", "throttled_usec 1\n");
    put("c g/vm/cpu.stat", "throttled_usec 10\n");
    assert_int_equal(throttled_once(part, "0::/docker/1/vm\n"), 11000);
    assert_int_equal(throttled_once(part, "0::/docker/1\n"), 1000);
    assert_int_equal(throttled_once(part, "0::/docker/10\n"), 0);
    assert_int_equal(throttled_once(part, "0::/\n"), 0);
    remove_host();
}

static void a_group_above_the_namespace_is_not_looked_for(void **state)
{
    (void)state;
    put("cg/cpu.stat", "throttled_usec 1\n");
    put("cg/..a/cpu.stat", "throttled_usec 10\n");
    assert_int_equal(throttled_once(V2_MOUNT, "0::/..\n"), 0);
    assert_int_equal(throttled_once(V2_MOUNT, "0::/../vm\n"), 0);
    assert_int_equal(throttled_once(V2_MOUNT, "0::/..a\n"), 11000);
    remove_host();
}

static void texts_that_name_no_group(void **state)
{
    static const char *const texts[] = {"", "\n", "0", "0:", "0::", "0::vm", "::/vm", "00::/vm"};
    struct cgroups *cgroups = cgroups_with("1 2 0:1 / /proc rw - cgroup2 x rw\n");
    struct cgroup *cgroup;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        check_error(cgroups_get(cgroups, text_of(texts[i]), &cgroup), EBADMSG);
    check_ok(cgroups_get(cgroups, text_of("0::/a:b"), &cgroup));
    cgroups_put(cgroups, cgroup);
    cgroups_free(cgroups);
    remove_host();
}

static void a_path_has_a_limit(void **state)
{
    struct cgroups *cgroups = cgroups_with("1 2 0:1 / /proc rw - cgroup2 x rw\n");
    char text[PATH_MAX + 8] = "0::/";
    struct cgroup *cgroup;

    (void)state;
    memset(text + 4, 'a', PATH_MAX - 2);
    check_ok(cgroups_get(cgroups, (struct proc_text){text, 3 + PATH_MAX - 1}, &cgroup));
    cgroups_put(cgroups, cgroup);
    check_error(cgroups_get(cgroups, (struct proc_text){text, 3 + PATH_MAX}, &cgroup),
                ENAMETOOLONG);
    cgroups_free(cgroups);
    remove_host();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_files_of_a_thread),
        cmocka_unit_test(recorded_files_of_a_process),
        cmocka_unit_test(a_name_may_look_like_what_is_behind_it),
        cmocka_unit_test(numbers_have_64_bits),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(a_text_that_is_cut_is_refused),
        cmocka_unit_test(a_key_is_a_whole_word_at_the_start_of_a_line),
        cmocka_unit_test(a_file_has_a_limit),
        cmocka_unit_test(each_group_of_a_vm_counts_once_and_those_above),
        cmocka_unit_test(a_group_with_a_quota_is_read_each_time),
        cmocka_unit_test(quotas_and_groups_are_looked_at_now_and_then),
        cmocka_unit_test(many_vms_are_looked_at_one_after_the_other),
        cmocka_unit_test(a_thread_that_moves_is_seen_at_once),
        cmocka_unit_test(threads_of_one_group_are_asked_once),
        cmocka_unit_test(what_has_moved_meanwhile_is_not_taken_for_the_group),
        cmocka_unit_test(a_group_can_be_renamed),
        cmocka_unit_test(the_inode_is_that_of_the_form),
        cmocka_unit_test(a_group_that_is_gone_keeps_what_it_had),
        cmocka_unit_test(both_forms),
        cmocka_unit_test(only_the_controller_of_cpu_time_counts),
        cmocka_unit_test(a_part_of_the_hierarchy_is_mounted),
        cmocka_unit_test(a_group_above_the_namespace_is_not_looked_for),
        cmocka_unit_test(texts_that_name_no_group),
        cmocka_unit_test(a_path_has_a_limit),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
