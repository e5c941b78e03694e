/* SPDX-License-Identifier: MIT */
/* What is said of a host that does not let its VMs be read: its answers are files below a directory. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/why.h"

static char root[] = "/tmp/vitals-unit-XXXXXX";

static const char *const directories[] = {
    "/proc",       "/proc/self",       "/proc/self/ns",
    "/proc/sys",   "/proc/sys/kernel", "/sys",
    "/sys/kernel", "/sys/kernel/btf",  "/sys/kernel/security",
};

static const char *in_root(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s%s", root, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(in_root(name), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void write_capabilities(const char *effective)
{
    char text[128];

    snprintf(text, sizeof(text), "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t%s\n", effective);
    write_file("/proc/self/status", text);
}

static int make_root(void **state)
{
    (void)state;
    if (!mkdtemp(root))
        return -1;
    for (size_t i = 0; i < N_ELEMENTS(directories); i++)
        if (mkdir(in_root(directories[i]), 0700) < 0)
            return -1;
    return 0;
}

static int remove_root(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", root);
    return system(command);
}

/* A host where nothing is missing. */
static int make_host(void **state)
{
    (void)state;
    write_capabilities("000000c000000000");
    write_file("/proc/self/uid_map", "         0          0 4294967295\n");
    write_file("/sys/kernel/btf/vmlinux", "");
    write_file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    write_file("/proc/sys/kernel/osrelease", "5.18.19-generic\n");
    write_file("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
    return 0;
}

static void assert_missing(enum bpf_missing missing, const char *text)
{
    struct bpf_why why = {0};
    int err = bpf_check_system(root, &why);

    assert_int_equal(why.missing, missing);
    assert_int_equal(err == 0, missing == BPF_MISSING_NOTHING);
    assert_contains(why.text, text);
    assert_int_equal(why.hint[0] != '\0', err != 0);
}

static void capabilities(void **state)
{
    (void)state;
    assert_missing(BPF_MISSING_NOTHING, "");
    write_capabilities("0000000000200000"); /* CAP_SYS_ADMIN has both */
    assert_missing(BPF_MISSING_NOTHING, "");
    write_capabilities("0000008000000000");
    assert_missing(BPF_MISSING_CAP_PERFMON, "the capability CAP_PERFMON");
    write_capabilities("0000004000000000");
    assert_missing(BPF_MISSING_CAP_BPF, "the capability CAP_BPF");
    write_capabilities("0000000000000000");
    assert_missing(BPF_MISSING_CAP_BPF, "the capabilities CAP_BPF and CAP_PERFMON");
    write_file("/proc/self/status", "nothing of the kind\n"); /* the load will tell */
    assert_missing(BPF_MISSING_NOTHING, "");
}

static void user_namespace(void **state)
{
    (void)state;
    write_file("/proc/self/uid_map", "         0       1000          1\n");
    assert_missing(BPF_MISSING_HOST, "its own user namespace only");
    write_file("/proc/self/uid_map", "         0     100000      65536\n");
    assert_missing(BPF_MISSING_HOST, "its own user namespace only");
}

static void btf(void **state)
{
    (void)state;
    unlink(in_root("/sys/kernel/btf/vmlinux"));
    assert_missing(BPF_MISSING_BTF, "/sys/kernel/btf/vmlinux: No such file or directory");
}

static void lockdown(void **state)
{
    (void)state;
    write_file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    assert_missing(BPF_MISSING_NOTHING, "");
    write_file("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
    assert_missing(BPF_MISSING_LOCKDOWN, "lockdown=confidentiality");
    unlink(in_root("/sys/kernel/security/lockdown"));
    assert_missing(BPF_MISSING_NOTHING, "");
}

static void passes_that_need_a_capability(void **state)
{
    static const struct {
        const char *release, *disabled;
        bool needed;
    } cases[] = {
        {"5.18.19-generic\n", "2\n", true},  {"5.15.0-130-generic\n", "1\n", true},
        {"5.18.19-generic\n", "0\n", false}, {"5.19.0\n", "2\n", false},
        {"6.1.0-56-amd64\n", "2\n", false},  {"10.2.0\n", "1\n", false},
        {"who knows\n", "2\n", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        write_file("/proc/sys/kernel/osrelease", cases[i].release);
        write_file("/proc/sys/kernel/unprivileged_bpf_disabled", cases[i].disabled);
        assert_int_equal(bpf_passes_need_capability(root), cases[i].needed);
    }
    write_file("/proc/sys/kernel/osrelease", "5.15.0\n");
    unlink(in_root("/proc/sys/kernel/unprivileged_bpf_disabled"));
    assert_false(bpf_passes_need_capability(root));
}

static void pid_namespace(void **state)
{
    (void)state;
    assert_false(bpf_in_initial_pid_namespace(root));
    assert_int_equal(symlink("pid:[4026531836]", in_root("/proc/self/ns/pid")), 0);
    assert_true(bpf_in_initial_pid_namespace(root));
    unlink(in_root("/proc/self/ns/pid"));
    assert_int_equal(symlink("pid:[4026532500]", in_root("/proc/self/ns/pid")), 0);
    assert_false(bpf_in_initial_pid_namespace(root));
    unlink(in_root("/proc/self/ns/pid"));
}

static void assert_not_loaded(int err, const char *log, enum bpf_missing missing, const char *text)
{
    struct bpf_why why = {0};

    assert_int_equal(bpf_why_not_loaded(&why, err, log), err);
    assert_int_equal(why.missing, missing);
    assert_contains(why.text, text);
}

static void a_refused_program(void **state)
{
    (void)state;
    assert_not_loaded(-EPERM, "", BPF_MISSING_CAP_BPF, "CAP_BPF and CAP_PERFMON");
    assert_not_loaded(-EINVAL, "0: (bf) r6 = r1\nunknown func bpf_probe_read_kernel#113\n",
                      BPF_MISSING_LOCKDOWN, "as with lockdown=confidentiality");
    assert_not_loaded(-EACCES,
                      "0: (bf) r6 = r1\nR3 invalid mem access 'scalar'\n"
                      "processed 3 insns (limit 1000000)\n",
                      BPF_MISSING_ITERATOR, "Permission denied: R3 invalid mem access 'scalar'");
    assert_not_loaded(-ENOENT, "", BPF_MISSING_ITERATOR, "No such file or directory");
}

/* What the kernel says may be longer than our text. */
static void a_long_log_is_cut(void **state)
{
    enum { SIZE = 4 * BPF_WHY_TEXT_MAX };
    char *log = malloc(SIZE);
    struct bpf_why why;

    (void)state;
    memset(log, 'x', SIZE - 1);
    log[SIZE - 1] = '\0';
    bpf_why_not_loaded(&why, -EINVAL, log);
    assert_true(strlen(why.text) < BPF_WHY_TEXT_MAX);
    assert_non_null(strstr(why.text, "Invalid argument: xxx"));
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(capabilities, make_host),
        cmocka_unit_test_setup(user_namespace, make_host),
        cmocka_unit_test_setup(btf, make_host),
        cmocka_unit_test_setup(lockdown, make_host),
        cmocka_unit_test_setup(passes_that_need_a_capability, make_host),
        cmocka_unit_test_setup(pid_namespace, make_host),
        cmocka_unit_test(a_refused_program),
        cmocka_unit_test(a_long_log_is_cut),
    };

    return cmocka_run_group_tests_name("bpf_why", tests, make_root, remove_root);
}
