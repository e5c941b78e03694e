/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "bpf/why.h"
#include "doctor/doctor.h"
#include "host/confine.h"
#include "host/kernel_version.h"
#include "kvm/stats_fd.h"

enum {
    FILES_FEW = 1024, /* what a session usually has */
    NAME_SIZE = 64,
    GROUPS_SHOWN = 16, /* more are left out */
    LINE_SIZE = 256,
};

/* ---- KVM ------------------------------------------------------------------------------------ */

#define HINT_LOAD                                                                                  \
    "Load the module (modprobe kvm_intel, or kvm_amd), and switch virtualization on in the "       \
    "firmware. In a VM, its host must allow nesting; in a container, the device must be passed in."

static const char *user_name(uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);

    return entry ? entry->pw_name : NULL;
}

static void group_name(char text[NAME_SIZE], gid_t gid)
{
    const struct group *group = getgrgid(gid);

    if (group)
        snprintf(text, NAME_SIZE, "%s", group->gr_name);
    else
        snprintf(text, NAME_SIZE, "%u", (unsigned)gid);
}

/* Nobody should join the group root, and joining helps only where the mode lets the group in. */
static bool opens_for_group(const struct stat *st)
{
    return st->st_gid != 0 && (st->st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP);
}

static void hint_permission(struct finding *finding, const char *path)
{
    const char *user = user_name(geteuid());
    char group[NAME_SIZE];
    struct stat st;

    user = user ? user : "USER";
    if (stat(path, &st) < 0) {
        finding_hint(finding, "The modes of the directories above it say who may get there.");
    } else if (opens_for_group(&st)) {
        group_name(group, st.st_gid);
        finding_hint(finding,
                     "To run VMs: it belongs to the group %s. Join it with 'usermod -aG %s %s' as "
                     "root, and log in again.",
                     group, group, user);
    } else {
        finding_hint(finding,
                     "To run VMs: its mode is %04o, which lets no group in. As root: 'chgrp kvm "
                     "%s', 'chmod 0660 %s' and 'usermod -aG kvm %s'; then log in again.",
                     (unsigned)st.st_mode & 07777, path, path, user);
    }
}

/* What to do where the kernel refuses a call. */
static const char *hint_call(int err)
{
    switch (err) {
    case EBUSY:
        return "Another hypervisor has the CPU's virtualization, for example VirtualBox: end its "
               "VMs, or unload its module.";
    case ENOMEM:
        return "The host, or the control group of this process, has no memory left.";
    case EMFILE:
        return "This process has as many files open as it may: raise 'ulimit -n', or LimitNOFILE= "
               "of a systemd unit.";
    case ENFILE:
        return "The host has as many files open as it may: raise the sysctl fs.file-max.";
    case ENODEV:
    case EOPNOTSUPP:
        return HINT_LOAD;
    case ENOTTY:
        return "The kernel does not know the call. Linux 5.14 and later have statistics files.";
    case EPERM:
    case EACCES:
        return "A filter of system calls (seccomp) or a security module forbids it: the profile "
               "of a container or unit must allow the calls of KVM.";
    default:
        return "The kernel's log may say more: dmesg.";
    }
}

/* Looking at VMs takes their sockets: whoever may not run VMs, or has named one, may want no more. */
static bool is_for_looking(const struct doctor *doctor, int err)
{
    return err == EACCES || err == EPERM || doctor->n_sockets;
}

static void refuse_device(struct doctor *doctor, const char *path, int err)
{
    bool is_spared = is_for_looking(doctor, err);
    struct finding *finding =
        doctor_find(doctor, "kvm device", is_spared ? FINDING_WARNING : FINDING_PROBLEM, "%s: %s%s",
                    path, strerror(err),
                    is_spared ? "; only who runs VMs needs it, to look at them nobody does" : "");

    if (err == EACCES)
        hint_permission(finding, path);
    else if (err == EPERM)
        finding_hint(finding, "Its mode is not what forbids it: a control group of devices does, "
                              "as in a container, which the device must be passed into.");
    else if (err == ENOENT || err == ENODEV || err == ENXIO)
        finding_hint(finding, HINT_LOAD);
    else
        finding_hint(finding, "%s", hint_call(err));
}

/* The device, or -1. */
static int check_device(struct doctor *doctor)
{
    char path[DOCTOR_PATH_MAX];
    int fd, version;

    doctor_path(doctor, path, "/dev/kvm");
    fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        refuse_device(doctor, path, errno);
        return -1;
    }
    version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version == KVM_API_VERSION) {
        doctor_find(doctor, "kvm device", FINDING_OK, "%s can be opened, version %d", path,
                    version);
        return fd;
    }
    finding_hint(doctor_find(doctor, "kvm device", FINDING_PROBLEM,
                             "%s can be opened, but is not KVM", path),
                 "KVM is the device with the numbers 10, 232: 'ls -l' shows them.");
    close(fd);
    return -1;
}

static void check_capability(struct doctor *doctor, int kvm)
{
    struct finding *finding;

    if (kvm < 0) {
        doctor_find(doctor, "kvm statistics", FINDING_ABSENT, "not checked without KVM");
        return;
    }
    if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) > 0) {
        doctor_find(doctor, "kvm statistics", FINDING_OK,
                    "KVM has statistics files (KVM_CAP_BINARY_STATS_FD)");
        return;
    }
    finding = doctor_find(doctor, "kvm statistics", FINDING_PROBLEM,
                          "KVM has no statistics files (KVM_CAP_BINARY_STATS_FD)");
    finding_hint(finding, "Linux 5.14 and later have them.");
}

/* The kernel's header of a statistics file. */
struct stats_header {
    uint32_t flags, name_size, num_desc, id_offset, desc_offset, data_offset;
};

/* NULL, or what failed, with errno. */
static const char *try_statistics(int vm, uint32_t *ret_n)
{
    int stats = ioctl(vm, KVM_GET_STATS_FD, 0), err;
    struct stats_header header;
    ssize_t n;

    if (stats < 0)
        return "KVM_GET_STATS_FD";
    n = pread(stats, &header, sizeof(header), 0);
    err = n < 0 ? errno : EBADMSG;
    close(stats);
    errno = err;
    if (n != (ssize_t)sizeof(header))
        return "reading the header";
    *ret_n = header.num_desc;
    return NULL;
}

static void refuse_try(struct doctor *doctor, const char *what, const char *failed)
{
    int err = errno;

    finding_hint(
        doctor_find(doctor, "a try", FINDING_PROBLEM, "%s: %s: %s", what, failed, strerror(err)),
        "%s", hint_call(err));
}

static void check_by_trying(struct doctor *doctor, int kvm)
{
    int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
    const char *failed;
    uint32_t n = 0;

    if (kvm < 0) {
        doctor_find(doctor, "a try", FINDING_ABSENT, "no VM was created without KVM");
        return;
    }
    if (vm < 0) {
        refuse_try(doctor, "no VM can be created", "KVM_CREATE_VM");
        return;
    }
    failed = try_statistics(vm, &n);
    if (failed)
        refuse_try(doctor, "a VM could be created, but its statistics can't be read", failed);
    else
        doctor_find(doctor, "a try", FINDING_OK,
                    "a VM could be created, and its statistics file describes %u statistics", n);
    close(vm);
}

static void check_kvm(struct doctor *doctor)
{
    int kvm = check_device(doctor);

    check_capability(doctor, kvm);
    check_by_trying(doctor, kvm);
    if (kvm >= 0)
        close(kvm);
}

/* ---- the kernel ----------------------------------------------------------------------------- */

/* The first line of a file below the root. 0, or -errno. */
static int read_line(const struct doctor *doctor, const char *name, char line[LINE_SIZE])
{
    char path[DOCTOR_PATH_MAX];
    ssize_t n;
    int fd, err;

    doctor_path(doctor, path, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    n = read(fd, line, LINE_SIZE - 1);
    err = errno;
    close(fd);
    if (n < 0)
        return -err;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

static bool read_kernel(const struct doctor *doctor, struct kernel_version *kernel)
{
    char release[LINE_SIZE], version[LINE_SIZE];

    if (read_line(doctor, "/proc/sys/kernel/osrelease", release) < 0)
        return false;
    if (read_line(doctor, "/proc/sys/kernel/version", version) < 0)
        version[0] = '\0';
    return kernel_version_parse(release, version, kernel);
}

static void warn_of_crash(struct doctor *doctor, const struct kernel_version *kernel)
{
    struct finding *finding = doctor_find(
        doctor, "kernel", FINDING_WARNING, "%s: a statistics file that outlives its VM %s",
        kernel->name,
        kernel->hides_repairs
            ? "may crash the kernel; your distributor may have repaired it, which this version "
              "does not tell"
            : "can crash the kernel, unless the distribution has repaired it");

    finding_hint(finding,
                 "Repaired in 6.5, 6.4.8, 6.1.43 and 5.15.124%s. Before that, close the "
                 "files before the VM goes.",
                 kernel->hides_repairs ? " of kernel.org" : "");
}

static void check_kernel(struct doctor *doctor)
{
    struct kernel_version kernel;
    struct finding *finding;

    if (!read_kernel(doctor, &kernel)) {
        doctor_find(doctor, "kernel", FINDING_WARNING,
                    "/proc/sys/kernel/osrelease does not tell the version of the kernel");
    } else if (kernel.numbers[0] < 5 || (kernel.numbers[0] == 5 && kernel.numbers[1] < 14)) {
        finding = doctor_find(doctor, "kernel", FINDING_WARNING,
                              "%s is old: KVM has statistics files since 5.14", kernel.name);
        finding_hint(finding, "A distribution's kernel may have them all the same: see the check "
                              "'kvm statistics'.");
    } else if (!kernel_version_is_repaired(&kernel)) {
        warn_of_crash(doctor, &kernel);
    } else {
        doctor_find(doctor, "kernel", FINDING_OK, "%s", kernel.name);
    }
}

/* Whose processes, and so whose VMs, can be seen. */
static void check_pid_namespace(struct doctor *doctor)
{
    char path[DOCTOR_PATH_MAX];
    struct stat st;

    doctor_path(doctor, path, "/proc/self/ns/pid");
    if (lstat(path, &st) < 0)
        doctor_find(doctor, "pid namespace", FINDING_ABSENT, "%s: %s", path, strerror(errno));
    else if (bpf_in_initial_pid_namespace(doctor->root))
        doctor_find(doctor, "pid namespace", FINDING_OK,
                    "the host's: without a socket, the VMs of all containers are seen as well");
    else
        finding_hint(doctor_find(doctor, "pid namespace", FINDING_WARNING,
                                 "a container's: without a socket, only its own VMs are seen"),
                     "%s", BPF_HINT_PID_NAMESPACE);
}

static void check_lockdown(struct doctor *doctor)
{
    char line[LINE_SIZE], mode[32] = "";
    int err = read_line(doctor, "/sys/kernel/security/lockdown", line);
    const char *mark = err ? NULL : strchr(line, '[');

    if (err == -ENOENT)
        doctor_find(
            doctor, "lockdown", FINDING_ABSENT,
            "/sys/kernel/security/lockdown is not there: the kernel lacks it, or securityfs "
            "is not mounted");
    else if (err)
        doctor_find(doctor, "lockdown", FINDING_WARNING, "/sys/kernel/security/lockdown: %s",
                    strerror(-err));
    else if (!mark || sscanf(mark, "[%31[a-z]]", mode) != 1)
        doctor_find(doctor, "lockdown", FINDING_WARNING,
                    "/sys/kernel/security/lockdown has no mode in brackets");
    else if (!strcmp(mode, "none"))
        doctor_find(doctor, "lockdown", FINDING_OK, "none");
    else
        doctor_find(doctor, "lockdown", FINDING_OK,
                    "%s: KVM's counters in debugfs can't be read; statistics files can", mode);
}

/* What the daemon of a host shuts itself off by. */
static void check_landlock(struct doctor *doctor)
{
    int version = confine_version();

    if (version >= 0)
        doctor_find(doctor, "landlock", FINDING_OK,
                    "version %d: vitals serve shuts itself off from files that it does not need",
                    version);
    else
        finding_hint(
            doctor_find(doctor, "landlock", FINDING_ABSENT,
                        "the kernel has none (%s): vitals serve can reach all files that its "
                        "user may read",
                        strerror(-version)),
            "%s",
            version == -EOPNOTSUPP ? "It is not switched on: add it to the kernel's argument lsm=."
                                   : "Linux 5.13 and later have it, if they were built with it.");
}

/* vitals does without debugfs: nothing here is worse than a remark. */
static void check_debugfs(struct doctor *doctor)
{
    char line[LINE_SIZE];
    int err = read_line(doctor, "/sys/kernel/debug/kvm/exits", line);

    if (!err)
        doctor_find(doctor, "debugfs", FINDING_OK, "/sys/kernel/debug/kvm can be read");
    else if (err == -ENOENT)
        doctor_find(doctor, "debugfs", FINDING_ABSENT,
                    "/sys/kernel/debug/kvm is not there: debugfs is not mounted, or KVM not "
                    "loaded; vitals does not need it");
    else
        doctor_find(doctor, "debugfs", FINDING_ABSENT,
                    "/sys/kernel/debug/kvm can't be read (%s); vitals does not need it",
                    strerror(-err));
}

/* ---- the user ------------------------------------------------------------------------------- */

static void append(char text[FINDING_TEXT_MAX], const char *word)
{
    size_t len = strlen(text);

    snprintf(text + len, FINDING_TEXT_MAX - len, " %s", word);
}

static void append_group(char text[FINDING_TEXT_MAX], gid_t gid)
{
    char name[NAME_SIZE];

    group_name(name, gid);
    append(text, name);
}

static void check_user(struct doctor *doctor)
{
    const char *user = user_name(geteuid());
    int n = getgroups(0, NULL);
    gid_t *groups = n > 0 ? calloc((size_t)n, sizeof(*groups)) : NULL;
    struct finding *finding =
        doctor_find(doctor, "user", FINDING_OK, "%s (%u), groups:", user ? user : "without a name",
                    (unsigned)geteuid());

    n = groups ? getgroups(n, groups) : 0;
    append_group(finding->text, getegid());
    for (int i = 0; i < n && i < GROUPS_SHOWN; i++)
        if (groups[i] != getegid())
            append_group(finding->text, groups[i]);
    if (n > GROUPS_SHOWN)
        append(finding->text, "...");
    free(groups);
}

static void check_files(struct doctor *doctor)
{
    struct rlimit limit;
    struct finding *finding;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    finding =
        doctor_find(doctor, "open files", limit.rlim_cur < FILES_FEW ? FINDING_WARNING : FINDING_OK,
                    "a process may have %llu, and raise that to %llu",
                    (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    if (limit.rlim_cur < FILES_FEW)
        finding_hint(finding, "A server of statistics has one for each VM, vCPU and client. Raise "
                              "it: 'ulimit -n', or LimitNOFILE= of a systemd unit.");
}

void doctor_check_host(struct doctor *doctor)
{
    check_kvm(doctor);
    check_kernel(doctor);
    check_pid_namespace(doctor);
    check_lockdown(doctor);
    check_landlock(doctor);
    check_debugfs(doctor);
    check_user(doctor);
    check_files(doctor);
}
