/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "demo/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATS_FILE_MAX 65536 /* bytes; today's are 4 KiB */
#define FILE_NAME_MAX  32

struct demo_recording {
    int directory;
    unsigned next_frame;
    unsigned n_vcpus;
    int vm;      /* a statistics file: the kernel's, or a memory file with a copy of one */
    int vcpus[]; /* and the vCPUs' */
};

/* @index: of a vCPU; -1: the VM. */
static int *object_fd(struct demo_recording *recording, int index)
{
    return index < 0 ? &recording->vm : &recording->vcpus[index];
}

static void file_name(int index, unsigned frame, char name[FILE_NAME_MAX])
{
    if (index < 0)
        snprintf(name, FILE_NAME_MAX, "vm.%u", frame);
    else
        snprintf(name, FILE_NAME_MAX, "vcpu%d.%u", index, frame);
}

/* Takes over @directory. */
static int recording_new(int directory, unsigned n_vcpus, struct demo_recording **ret_recording)
{
    struct demo_recording *recording = malloc(sizeof(*recording) + n_vcpus * sizeof(int));

    if (!recording) {
        close(directory);
        return -ENOMEM;
    }
    recording->directory = directory;
    recording->next_frame = 0;
    recording->n_vcpus = n_vcpus;
    for (int i = -1; i < (int)n_vcpus; i++)
        *object_fd(recording, i) = -1;
    *ret_recording = recording;
    return 0;
}

void demo_recording_free(struct demo_recording *recording)
{
    if (!recording)
        return;
    for (int i = -1; i < (int)recording->n_vcpus; i++) {
        if (*object_fd(recording, i) >= 0)
            close(*object_fd(recording, i));
    }
    close(recording->directory);
    free(recording);
}

/* A statistics file is read at once, so that its numbers are of about the same moment. */
static int copy_file(int from, int to)
{
    char buf[STATS_FILE_MAX];
    ssize_t size = pread(from, buf, sizeof(buf), 0);

    if (size < 0)
        return -errno;
    if (size == sizeof(buf))
        return -EFBIG;
    ssize_t written = pwrite(to, buf, (size_t)size, 0);
    if (written < 0)
        return -errno;
    return written == size ? 0 : -ENOSPC;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int open_stats_files(struct demo_vmm *vmm, struct demo_recording *recording)
{
    for (int i = -1; i < (int)recording->n_vcpus; i++) {
        int fd = i < 0 ? demo_vmm_fd(vmm) : demo_vmm_vcpu_fd(vmm, (unsigned)i);
        *object_fd(recording, i) = ioctl(fd, KVM_GET_STATS_FD, 0);
        if (*object_fd(recording, i) < 0)
            return -errno;
    }
    return 0;
}

int demo_recording_create(struct demo_vmm *vmm, const char *directory,
                          struct demo_recording **ret_recording)
{
    struct demo_recording *recording;
    int err;

    if (mkdir(directory, 0777) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if ((err = recording_new(fd, demo_vmm_n_vcpus(vmm), &recording)) < 0)
        return err;
    if ((err = open_stats_files(vmm, recording)) < 0) {
        demo_recording_free(recording);
        return err;
    }
    *ret_recording = recording;
    return 0;
}

static int save_object(struct demo_recording *recording, int index)
{
    char name[FILE_NAME_MAX];

    file_name(index, recording->next_frame, name);
    int fd = openat(recording->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    int err = copy_file(*object_fd(recording, index), fd);
    if (close(fd) < 0 && err == 0)
        err = -errno;
    return err;
}

int demo_recording_save(struct demo_recording *recording)
{
    for (int i = -1; i < (int)recording->n_vcpus; i++) {
        int err = save_object(recording, i);
        if (err < 0)
            return err;
    }
    recording->next_frame++;
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static unsigned count_vcpus(int directory)
{
    char name[FILE_NAME_MAX];
    unsigned n = 0;

    for (; n < DEMO_VCPUS_MAX; n++) {
        file_name((int)n, 0, name);
        if (faccessat(directory, name, F_OK, 0) < 0)
            break;
    }
    return n;
}

static int load_object(struct demo_recording *recording, int index)
{
    char name[FILE_NAME_MAX];

    file_name(index, recording->next_frame, name);
    int fd = openat(recording->directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = copy_file(fd, *object_fd(recording, index));
    close(fd);
    return err;
}

int demo_recording_load(struct demo_recording *recording)
{
    for (int i = -1; i < (int)recording->n_vcpus; i++) {
        int err = load_object(recording, i);
        if (err < 0)
            return err;
    }
    recording->next_frame++;
    return 0;
}

static int make_memory_files(struct demo_recording *recording)
{
    for (int i = -1; i < (int)recording->n_vcpus; i++) {
        *object_fd(recording, i) = memfd_create("recorded-stats", MFD_CLOEXEC);
        if (*object_fd(recording, i) < 0)
            return -errno;
    }
    return 0;
}

int demo_recording_open(const char *directory, struct demo_recording **ret_recording)
{
    struct demo_recording *recording;
    int err;

    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if ((err = recording_new(fd, count_vcpus(fd), &recording)) < 0)
        return err;
    if ((err = make_memory_files(recording)) < 0 || (err = demo_recording_load(recording)) < 0) {
        demo_recording_free(recording);
        return err;
    }
    *ret_recording = recording;
    return 0;
}

unsigned demo_recording_n_vcpus(const struct demo_recording *recording)
{
    return recording->n_vcpus;
}

int demo_recording_vm_fd(const struct demo_recording *recording)
{
    return recording->vm;
}

int demo_recording_vcpu_fd(const struct demo_recording *recording, unsigned index)
{
    return recording->vcpus[index];
}
