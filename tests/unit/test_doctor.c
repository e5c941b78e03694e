/* SPDX-License-Identifier: MIT */
/*
 * The checks of `vitals doctor` on a KVM that refuses: ioctl() is this file's, and the device is an
 * ordinary file below a directory that stands for "/".
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/doctor.h"
#include "files.h"
#include "kvm/stats_fd.h"

/* The header of a statistics file; the third number counts the statistics. */
static const uint32_t header[6] = {0, 48, 42, 24, 32, 0};

/* ---- a KVM ---------------------------------------------------------------------------------- */

static struct fake_kvm {
    int version;
    bool lacks_capability;
    int create_err, stats_err; /* 0: the call is done */
    size_t header_size;
} kvm;

static int landlock; /* its version, or -errno */

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_confine_version(void);

int __wrap_confine_version(void)
{
    return landlock;
}

static int fail_with(int err)
{
    errno = err;
    return -1;
}

static int statistics_file(void)
{
    int fd = memfd_create("statistics", MFD_CLOEXEC);

    assert_int_equal(write(fd, header, kvm.header_size), (ssize_t)kvm.header_size);
    return fd;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    switch (request) {
    case KVM_GET_API_VERSION:
        return kvm.version;
    case KVM_CHECK_EXTENSION:
        return !kvm.lacks_capability;
    case KVM_CREATE_VM:
        return kvm.create_err ? fail_with(kvm.create_err) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    case KVM_GET_STATS_FD:
        return kvm.stats_err ? fail_with(kvm.stats_err) : statistics_file();
    default:
        return fail_with(ENOTTY);
    }
}

/* ---- a host --------------------------------------------------------------------------------- */

static char root[] = "/tmp/vitals-unit-XXXXXX";

static const char *in_root(const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s%s", root, name);
    return path;
}

static int make_host(void **state)
{
    int fd;

    (void)state;
    if (!mkdtemp(root) || mkdir(in_root("/dev"), 0700) < 0)
        return -1;
    fd = open(in_root("/dev/kvm"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : close(fd);
}

static int remove_host(void **state)
{
    (void)state;
    unlink(in_root("/dev/kvm"));
    rmdir(in_root("/dev"));
    return rmdir(root);
}

static int make_kvm(void **state)
{
    (void)state;
    kvm = (struct fake_kvm){.version = KVM_API_VERSION, .header_size = sizeof(header)};
    return 0;
}

/* ---- checks --------------------------------------------------------------------------------- */

struct expected {
    const char *check;
    enum finding_status status;
    const char *text, *hint; /* parts; NULL: no hint */
};

static const struct finding *find(const struct doctor *doctor, const char *check)
{
    for (size_t i = 0; i < doctor->n_findings; i++)
        if (!strcmp(doctor->findings[i].check, check))
            return &doctor->findings[i];
    fail_msg("no check '%s'", check);
    return NULL;
}

static void check_findings(const struct expected *expected, size_t n)
{
    struct doctor doctor = {.command = "vitals doctor", .root = root};
    size_t n_files = count_open_files();

    doctor_check_host(&doctor);
    assert_int_equal(count_open_files(), n_files);
    for (size_t i = 0; i < n; i++) {
        const struct finding *finding = find(&doctor, expected[i].check);

        assert_int_equal(finding->status, expected[i].status);
        assert_contains(finding->text, expected[i].text);
        if (expected[i].hint)
            assert_contains(finding->hint, expected[i].hint);
        else
            assert_string_equal(finding->hint, "");
    }
    free(doctor.findings);
}

#define CHECK(...)                                                                                 \
    check_findings((const struct expected[]){__VA_ARGS__},                                         \
                   N_ELEMENTS(((const struct expected[]){__VA_ARGS__})))

static void all_is_well(void **state)
{
    (void)state;
    CHECK(
        {"kvm device", FINDING_OK, "/dev/kvm can be opened, version 12", NULL},
        {"kvm statistics", FINDING_OK, "KVM has statistics files", NULL},
        {"a try", FINDING_OK, "a VM could be created, and its statistics file describes 42", NULL});
}

static void another_version(void **state)
{
    (void)state;
    kvm.version = 11;
    CHECK({"kvm device", FINDING_PROBLEM, "can be opened, but is not KVM", "10, 232"},
          {"kvm statistics", FINDING_ABSENT, "not checked without KVM", NULL},
          {"a try", FINDING_ABSENT, "no VM was created without KVM", NULL});
}

static void no_capability(void **state)
{
    (void)state;
    kvm.lacks_capability = true;
    kvm.stats_err = ENOTTY;
    CHECK({"kvm device", FINDING_OK, "version 12", NULL},
          {"kvm statistics", FINDING_PROBLEM, "KVM has no statistics files (KVM_CAP_BINARY_STATS",
           "Linux 5.14 and later have them."},
          {"a try", FINDING_PROBLEM,
           "a VM could be created, but its statistics can't be read: KVM_GET_STATS_FD: "
           "Inappropriate ioctl for device",
           "Linux 5.14 and later have statistics files."});
}

/* A call that fails, the system's text for it, and what to do. */
static const struct failure {
    int err;
    const char *text, *hint;
} failures[] = {
    {EBUSY, "Device or resource busy", "Another hypervisor has the CPU's virtualization"},
    {ENOMEM, "Cannot allocate memory", "has no memory left"},
    {ENODEV, "No such device", "Load the module"},
    {EMFILE, "Too many open files", "ulimit -n"},
    {ENFILE, "Too many open files in system", "fs.file-max"},
    {ENOTTY, "Inappropriate ioctl for device", "Linux 5.14 and later"},
    {EPERM, "Operation not permitted", "seccomp"},
    {EACCES, "Permission denied", "security module"},
    {EIO, "Input/output error", "dmesg"},
};

static void no_vm_can_be_created(void **state)
{
    char text[128];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(failures); i++) {
        kvm.create_err = failures[i].err;
        snprintf(text, sizeof(text), "no VM can be created: KVM_CREATE_VM: %s", failures[i].text);
        CHECK({"kvm device", FINDING_OK, "version 12", NULL},
              {"kvm statistics", FINDING_OK, "KVM has statistics files", NULL},
              {"a try", FINDING_PROBLEM, text, failures[i].hint});
    }
}

static void no_statistics_file_can_be_had(void **state)
{
    char text[128];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(failures); i++) {
        kvm.stats_err = failures[i].err;
        snprintf(text, sizeof(text), "its statistics can't be read: KVM_GET_STATS_FD: %s",
                 failures[i].text);
        CHECK({"kvm device", FINDING_OK, "version 12", NULL},
              {"a try", FINDING_PROBLEM, text, failures[i].hint});
    }
}

static void half_a_header(void **state)
{
    (void)state;
    for (kvm.header_size = 0; kvm.header_size < sizeof(header); kvm.header_size++)
        CHECK(
            {"a try", FINDING_PROBLEM, "can't be read: reading the header: Bad message", "dmesg"});
}

static void a_kernel_with_landlock_or_without(void **state)
{
    static const struct {
        int version;
        struct expected expected;
    } cases[] = {
        {1, {"landlock", FINDING_OK, "version 1: vitals serve shuts itself off", NULL}},
        {-ENOSYS, {"landlock", FINDING_ABSENT, "can reach all files", "Linux 5.13 and later"}},
        {-EOPNOTSUPP, {"landlock", FINDING_ABSENT, "can reach all files", "argument lsm="}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        landlock = cases[i].version;
        check_findings(&cases[i].expected, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_is_well, make_kvm),
        cmocka_unit_test_setup(another_version, make_kvm),
        cmocka_unit_test_setup(no_capability, make_kvm),
        cmocka_unit_test_setup(no_vm_can_be_created, make_kvm),
        cmocka_unit_test_setup(no_statistics_file_can_be_had, make_kvm),
        cmocka_unit_test_setup(half_a_header, make_kvm),
        cmocka_unit_test_setup(a_kernel_with_landlock_or_without, make_kvm),
    };

    return cmocka_run_group_tests_name("doctor", tests, make_host, remove_host);
}
