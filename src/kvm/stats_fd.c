/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "kvm/stats_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kvm/stats_file.h"

enum fd_kind { FD_OTHER, FD_KVM, FD_MAYBE_KVM, FD_STATS };

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

/*
 * The kernel names its anonymous files; a real path starts with "/", so this can't be imitated.
 * A vCPU's are "kvm-vcpu:0" and "kvm-vcpu-stats:0".
 */
static enum fd_kind kind_of_link(const char *link)
{
    if (!strcmp(link, "anon_inode:kvm-vm-stats") || starts_with(link, "anon_inode:kvm-vcpu-stats:"))
        return FD_STATS;
    if (!strcmp(link, "anon_inode:kvm-vm") || starts_with(link, "anon_inode:kvm-vcpu:"))
        return FD_KVM;
    return FD_OTHER;
}

/*
 * Where /proc is not to be seen, as in a jail. Of the kernel's anonymous files those with statistics
 * alone can be read at an offset, so that no other one waits here: pread() gives ESPIPE. The rest is
 * found out by asking for statistics.
 */
static enum fd_kind kind_of_anonymous(int fd)
{
    struct statfs fs;
    char header[sizeof(uint32_t)];

    if (fstatfs(fd, &fs) < 0 || fs.f_type != ANON_INODE_FS_MAGIC)
        return FD_OTHER;
    return pread(fd, header, sizeof(header), 0) == sizeof(header) ? FD_STATS : FD_MAYBE_KVM;
}

static enum fd_kind fd_kind(int fd)
{
    char path[64], link[128];
    struct stat st;
    ssize_t len;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    len = readlink(path, link, sizeof(link) - 1);
    if (len > 0) {
        link[len] = '\0';
        if (kind_of_link(link) != FD_OTHER)
            return kind_of_link(link);
    }
    if (len < 0 && kind_of_anonymous(fd) != FD_OTHER)
        return kind_of_anonymous(fd);
    /* A pipe or a device could make a read wait for ever; a file on a disk can't. */
    return !fstat(fd, &st) && S_ISREG(st.st_mode) ? FD_STATS : FD_OTHER;
}

static int get_stats_fd(int fd, struct error_text *error)
{
    int stats_fd = ioctl(fd, KVM_GET_STATS_FD, 0);

    if (stats_fd >= 0)
        return stats_fd;
    switch (errno) {
    case ENOTTY:
    case EINVAL:
        return error_set(error, -ENOTTY,
                         "this kernel has no binary statistics of KVM; Linux 5.14 "
                         "and later have");
    case EIO:
        return error_set(error, -EIO,
                         "the VM belongs to another process: the VMM itself must open "
                         "the statistics file");
    default:
        return error_set(error, -errno, "KVM_GET_STATS_FD: %s", strerror(errno));
    }
}

static int refuse(int fd, struct error_text *error)
{
    return error_set(error, -EINVAL, "fd %d is neither a VM, a vCPU nor a statistics file", fd);
}

int kvm_stats_fd_open(int fd, struct error_text *error)
{
    int copy;

    switch (fd_kind(fd)) {
    case FD_KVM:
        return get_stats_fd(fd, error);
    case FD_MAYBE_KVM:
        copy = get_stats_fd(fd, error);
        return copy == -ENOTTY ? refuse(fd, error) : copy;
    case FD_STATS:
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return copy >= 0
                   ? copy
                   : error_set(error, -errno, "can't duplicate fd %d: %s", fd, strerror(errno));
    default:
        return refuse(fd, error);
    }
}

int kvm_stats_fd_load(int fd, struct error_text *error, uint8_t **ret_bytes, size_t *ret_size)
{
    uint8_t *bytes = malloc(KVM_FILE_MAX + 1);
    ssize_t size;
    int err = 0;

    if (!bytes)
        return error_set(error, -ENOMEM, "no memory for a statistics file");
    size = pread(fd, bytes, KVM_FILE_MAX + 1, 0);
    if (size < 0)
        err = error_set(error, -errno, "can't read the statistics file: %s", strerror(errno));
    else if (size > KVM_FILE_MAX)
        err =
            error_set(error, -EBADMSG, "the statistics file has more than %d bytes", KVM_FILE_MAX);
    if (err) {
        free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    *ret_size = (size_t)size;
    return 0;
}

bool kvm_stats_fd_is_kernels(int fd, bool is_of_vm)
{
    static const char of_vm[] = "anon_inode:kvm-vm-stats", of_vcpu[] = "anon_inode:kvm-vcpu-stats:";
    char path[64], link[64] = "";

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, link, sizeof(link) - 1) < 0)
        return false;
    return is_of_vm ? strcmp(link, of_vm) == 0 : strncmp(link, of_vcpu, sizeof(of_vcpu) - 1) == 0;
}
