/* SPDX-License-Identifier: MIT */
/*
 * The physical limit of a query: the preads of the statistics files, and the reply's bytes through
 * a unix socket. Takes the statistics files from a running process, so that they are the very ones
 * that it reads, and answers each request on its socket with as many bytes as the request's last
 * line asks for. Nothing is formatted.
 *
 *      limit PID SOCKET
 *
 * A request is a line "OBJECTS BYTES\n": how many vCPU files to read (0: the VM's), how long the
 * reply is to be.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { VCPUS_MAX = 1024, REPLY_MAX = 16 << 20, HEADER_WORDS = 6, DATA_OFFSET_WORD = 5 };

struct stats_file {
    int fd;
    off_t data_offset;
};

static struct stats_file vm, vcpus[VCPUS_MAX];
static unsigned n_vcpus;
static char data[VCPUS_MAX][4096], reply[REPLY_MAX];

static void die(const char *what)
{
    fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void take_file(int pidfd, int fd, struct stats_file *file)
{
    uint32_t header[HEADER_WORDS];

    file->fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    if (file->fd < 0)
        die("pidfd_getfd");
    if (pread(file->fd, header, sizeof(header), 0) != sizeof(header))
        die("pread");
    file->data_offset = header[DATA_OFFSET_WORD];
}

static void take_files(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    char path[512], link[128];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    if (pidfd < 0 || !dir)
        die(path);
    while ((entry = readdir(dir))) {
        ssize_t len;

        snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", pid, entry->d_name);
        len = readlink(path, link, sizeof(link) - 1);
        link[len > 0 ? len : 0] = '\0';
        if (!strcmp(link, "anon_inode:kvm-vm-stats"))
            take_file(pidfd, atoi(entry->d_name), &vm);
        else if (!strncmp(link, "anon_inode:kvm-vcpu-stats:", 26) && n_vcpus < VCPUS_MAX)
            take_file(pidfd, atoi(entry->d_name), &vcpus[n_vcpus++]);
    }
    closedir(dir);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
        die(path);
    return fd;
}

static void read_objects(unsigned n)
{
    unsigned i;

    if (!n && pread(vm.fd, data[0], sizeof(data[0]), vm.data_offset) < 0)
        die("pread");
    for (i = 0; i < n; i++)
        if (pread(vcpus[i].fd, data[i], sizeof(data[i]), vcpus[i].data_offset) < 0)
            die("pread");
}

static void serve(int client)
{
    unsigned n;
    size_t len;
    char line[64];
    ssize_t got;

    while ((got = read(client, line, sizeof(line) - 1)) > 0) {
        line[got] = '\0';
        if (sscanf(line, "%u %zu", &n, &len) != 2 || n > n_vcpus || !len || len > sizeof(reply))
            return;
        read_objects(n);
        reply[len - 1] = '\n';
        for (size_t sent = 0; sent < len;) {
            ssize_t put = write(client, reply + sent, len - sent);

            if (put <= 0)
                return;
            sent += (size_t)put;
        }
        reply[len - 1] = 'x';
    }
}

int main(int argc, char **argv)
{
    int listener;

    if (argc != 3) {
        fprintf(stderr, "usage: limit PID SOCKET\n");
        return 2;
    }
    take_files((pid_t)atoi(argv[1]));
    memset(reply, 'x', sizeof(reply));
    listener = listen_at(argv[2]);
    for (;;) {
        int client = accept(listener, NULL, NULL);

        serve(client);
        close(client);
    }
}
