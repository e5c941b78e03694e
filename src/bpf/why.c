/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/why.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Headers older than Linux 5.8 lack them. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define HINT_PRIVILEGES                                                                            \
    "Run it as root, or with these two capabilities alone: 'setpriv' or AmbientCapabilities= of "  \
    "a systemd unit. They are needed at the start only."
#define HINT_LOCKDOWN                                                                              \
    "Boot with lockdown=integrity, or without that argument: integrity is enough for Secure Boot."

/* The number of the initial pid namespace's file, which the kernel fixed for ever. */
#define PROC_PID_INIT_INO "pid:[4026531836]"

enum { FILE_TEXT_MAX = 4096, PATH_SIZE = 4096, FEW_PATHS = 64 };

int bpf_why_set(struct bpf_why *why, int err, enum bpf_missing missing, const char *hint,
                const char *format, ...)
{
    va_list args;

    *why = (struct bpf_why){.missing = missing};
    va_start(args, format);
    vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    snprintf(why->hint, sizeof(why->hint), "%s", hint ? hint : "");
    return err;
}

/* ---- the system's answers ------------------------------------------------------------------- */

/* The beginning of a file below the root, as a text. 0, or -errno. */
static int read_text(const char *root, const char *name, char text[FILE_TEXT_MAX])
{
    char path[PATH_SIZE];
    ssize_t n;
    int fd, err;

    snprintf(path, sizeof(path), "%s%s", root, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    n = read(fd, text, FILE_TEXT_MAX - 1);
    err = n < 0 ? -errno : 0;
    text[n < 0 ? 0 : n] = '\0';
    close(fd);
    return err;
}

static bool has_capability(uint64_t capabilities, unsigned number)
{
    return capabilities >> number & 1 || capabilities >> CAP_SYS_ADMIN & 1;
}

static bool in_initial_user_namespace(const char *root)
{
    char text[FILE_TEXT_MAX];
    unsigned long inside, outside, count;

    if (read_text(root, "/proc/self/uid_map", text) < 0 ||
        sscanf(text, "%lu %lu %lu", &inside, &outside, &count) != 3)
        return true;
    return inside == 0 && outside == 0 && count == UINT32_MAX;
}

static int check_capabilities(const char *root, struct bpf_why *why)
{
    char text[FILE_TEXT_MAX];
    unsigned long long capabilities;
    int err = read_text(root, "/proc/self/status", text);
    const char *line = err ? NULL : strstr(text, "\nCapEff:");

    if (!line || sscanf(line, "\nCapEff: %llx", &capabilities) != 1)
        return 0; /* then the kernel's answer to the load tells */
    if (!has_capability(capabilities, CAP_BPF))
        return bpf_why_set(why, -EPERM, BPF_MISSING_CAP_BPF, HINT_PRIVILEGES,
                           has_capability(capabilities, CAP_PERFMON)
                               ? "reading the VMs of this host from the kernel needs the "
                                 "capability CAP_BPF"
                               : "reading the VMs of this host from the kernel needs the "
                                 "capabilities CAP_BPF and CAP_PERFMON");
    if (!has_capability(capabilities, CAP_PERFMON))
        return bpf_why_set(why, -EPERM, BPF_MISSING_CAP_PERFMON, HINT_PRIVILEGES,
                           "reading the VMs of this host from the kernel needs the capability "
                           "CAP_PERFMON");
    if (!in_initial_user_namespace(root))
        return bpf_why_set(why, -EPERM, BPF_MISSING_HOST,
                           "Start it outside of the container, or give the container the host's "
                           "user namespace (hostUsers: true).",
                           "this process has capabilities in its own user namespace only, and the "
                           "host's VMs need the host's");
    return 0;
}

static int check_btf(const char *root, struct bpf_why *why)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", root);
    if (!access(path, R_OK))
        return 0;
    return bpf_why_set(why, -errno, BPF_MISSING_BTF,
                       "The kernel must be built with CONFIG_DEBUG_INFO_BTF, as those of "
                       "distributions are since 2021; in a container, /sys must be mounted.",
                       "the kernel does not describe its structs: /sys/kernel/btf/vmlinux: %s",
                       strerror(errno));
}

static int check_lockdown(const char *root, struct bpf_why *why)
{
    char text[FILE_TEXT_MAX];

    if (read_text(root, "/sys/kernel/security/lockdown", text) < 0 ||
        !strstr(text, "[confidentiality]"))
        return 0;
    return bpf_why_set(why, -EPERM, BPF_MISSING_LOCKDOWN, HINT_LOCKDOWN,
                       "the kernel lets nobody read its memory: lockdown=confidentiality");
}

int bpf_check_system(const char *root, struct bpf_why *why)
{
    int err = check_capabilities(root, why);

    if (!err)
        err = check_btf(root, why);
    return err ? err : check_lockdown(root, why);
}

bool bpf_in_initial_pid_namespace(const char *root)
{
    char path[PATH_SIZE], target[FEW_PATHS];
    ssize_t n;

    snprintf(path, sizeof(path), "%s/proc/self/ns/pid", root);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return !strcmp(target, PROC_PID_INIT_INO);
}

bool bpf_passes_need_capability(const char *root)
{
    char text[FILE_TEXT_MAX];
    unsigned major, minor;

    if (read_text(root, "/proc/sys/kernel/osrelease", text) < 0 ||
        sscanf(text, "%u.%u", &major, &minor) != 2 || major > 5 || (major == 5 && minor >= 19))
        return false;
    return read_text(root, "/proc/sys/kernel/unprivileged_bpf_disabled", text) == 0 &&
           text[0] != '0';
}

/* ---- a refused program ---------------------------------------------------------------------- */

/* The last line of the verifier that is not its summary. */
static void last_words(const char *log, char words[BPF_WHY_TEXT_MAX / 2])
{
    size_t len = 0;

    words[0] = '\0';
    for (const char *line = log; *line; line += len + (line[len] != '\0')) {
        len = strcspn(line, "\n");
        if (len && strncmp(line, "processed ", 10) != 0)
            snprintf(words, BPF_WHY_TEXT_MAX / 2, ": %.*s", (int)len, line);
    }
}

int bpf_why_not_loaded(struct bpf_why *why, int err, const char *log)
{
    char words[BPF_WHY_TEXT_MAX / 2];

    if (err == -EPERM && !*log)
        return bpf_why_set(why, err, BPF_MISSING_CAP_BPF, HINT_PRIVILEGES,
                           "the kernel does not let this process load a program: it needs the "
                           "capabilities CAP_BPF and CAP_PERFMON, and no security module against "
                           "it");
    /* So it looks where /sys/kernel/security can't be read. */
    if (strstr(log, "unknown func bpf_probe_read"))
        return bpf_why_set(why, err, BPF_MISSING_LOCKDOWN, HINT_LOCKDOWN,
                           "the kernel lets nobody read its memory, as with "
                           "lockdown=confidentiality");
    last_words(log, words);
    return bpf_why_set(why, err, BPF_MISSING_ITERATOR,
                       "Linux 5.14 and later have what it needs, unless it was left out when the "
                       "kernel was built (CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS, "
                       "CONFIG_DEBUG_INFO_BTF).",
                       "the kernel refuses the program that reads its VMs: %s%s", strerror(-err),
                       words);
}
