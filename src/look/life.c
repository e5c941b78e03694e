/* SPDX-License-Identifier: MIT */
#include "look/life.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/process.h"
#include "show/origin.h"

enum { BOOT_ID_MAX = 64, HOST_MAX = 256 };

/* ---- the host ------------------------------------------------------------------------------- */

/* Empty: not known. */
static void read_boot_id(char id[BOOT_ID_MAX])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, id, BOOT_ID_MAX - 1);

    id[n > 0 ? n : 0] = '\0';
    id[strcspn(id, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static void put_host(struct record_writer *to)
{
    char host[HOST_MAX] = "", boot_id[BOOT_ID_MAX];

    gethostname(host, sizeof(host) - 1);
    read_boot_id(boot_id);
    record_text(to, "host", NULL, *host ? host : NULL);
    record_text(to, "boot_id", NULL, *boot_id ? boot_id : NULL);
    record_number(to, "boot_time", NULL, "%.6f", clock_boot_time());
}

/* ---- VMs ------------------------------------------------------------------------------------ */

/*
 * The number here of a vCPU's thread. A VMM says which one it is to itself; what comes from the kernel
 * is the one here. 0: not known.
 */
static pid_t find_thread(const struct client *client, pid_t process, int64_t thread)
{
    unsigned looks = UINT_MAX;

    if (thread <= 0)
        return 0;
    return client_is_of_host(client) ? (pid_t)thread : process_find_thread(process, thread, &looks);
}

/* All vCPUs whose threads are known have them in this process. */
static bool runs_all(pid_t process, const struct client_vcpu *vcpus, size_t n)
{
    unsigned looks = UINT_MAX;

    for (size_t i = 0; i < n; i++)
        if (vcpus[i].thread > 0 && process_find_thread(process, vcpus[i].thread, &looks) == 0)
            return false;
    return true;
}

/* The peer, or what the peer stands before, as virt-qemu-qmp-proxy does. 0: not known. */
static pid_t find_process(const struct client *client, const struct client_vcpu *vcpus, size_t n)
{
    pid_t process = (pid_t)client_origin(client)->pid;
    size_t first = 0;

    while (first < n && vcpus[first].thread <= 0)
        first++;
    if (first == n)
        return 0;
    if (client_is_of_host(client) || (process > 0 && runs_all(process, vcpus, n)))
        return process;
    process = process_of_thread((pid_t)vcpus[first].thread);
    return process > 0 && runs_all(process, vcpus, n) ? process : 0;
}

static void put_start(struct record_writer *to, const char *number_name, const char *start_name,
                      pid_t process, pid_t thread)
{
    uint64_t start;

    if (thread > 0 && process_thread_start(process, thread, &start)) {
        record_i64(to, number_name, NULL, thread);
        record_u64(to, start_name, NULL, start);
    } else {
        record_null(to, number_name, NULL);
        record_null(to, start_name, NULL);
    }
}

static void put_vcpu(struct record_writer *to, const struct client *client, pid_t process,
                     const struct client_vcpu *vcpu)
{
    pid_t thread = process ? find_thread(client, process, vcpu->thread) : 0;

    record_begin(to);
    record_i64(to, "vcpu", NULL, vcpu->index);
    record_text(to, "path", NULL, vcpu->path);
    put_start(to, "thread", "thread_start", process, thread);
    record_end(to);
}

static void put_vm(struct record_writer *to, const struct client *client)
{
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(client, &n);
    const struct client_status *status = client_status(client);
    pid_t process = find_process(client, vcpus, n);

    record_begin(to);
    record_text(to, "vm", NULL, client_vm_name(client));
    record_text(to, "socket", NULL, client_socket(client));
    record_text(to, "state", NULL, *status->text ? status->text : NULL);
    origin_put(to, client_origin(client), false);
    put_start(to, "process", "process_start", process, process);
    record_list(to, "vcpus");
    for (size_t i = 0; i < n; i++)
        put_vcpu(to, client, process, &vcpus[i]);
    record_list_end(to);
    record_end(to);
}

void life_put(struct record_writer *to, const struct look *look)
{
    if (to->format != OUTPUT_JSON)
        return;
    put_host(to);
    record_list(to, "vms");
    for (size_t i = 0; i < look->n_vms; i++)
        if (look->vms[i].client)
            put_vm(to, look->vms[i].client);
    record_list_end(to);
}
