/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static uint64_t bit(unsigned capability)
{
    return UINT64_C(1) << capability;
}

/* Those that can be come back by none of execve()'s ways either. */
static int forget_others(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static int get_capabilities(struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

static int set_capabilities(const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int privileges_drop(const struct privileges *kept)
{
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    uint64_t mask =
        (kept->opens_files ? bit(CAP_DAC_OVERRIDE) : 0) | (kept->loads_bpf ? bit(CAP_BPF) : 0);
    int err = forget_others();

    if (!err)
        err = get_capabilities(data);
    if (err)
        return err;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        data[i].effective &= (uint32_t)(mask >> (32 * i));
        data[i].permitted &= (uint32_t)(mask >> (32 * i));
        data[i].inheritable = 0;
    }
    return set_capabilities(data);
}

/* ---- another user --------------------------------------------------------------------------- */

/* Those that the kernel knows. What can't be dropped from it is of no use without new privileges. */
static void empty_bounding_set(void)
{
    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

/* Those that the change of the user has left, but not in effect. */
static int restore_capabilities(void)
{
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    int err = get_capabilities(data);

    if (err)
        return err;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        data[i].effective = data[i].permitted;
    return set_capabilities(data);
}

int privileges_become(uid_t uid, gid_t gid)
{
    if (geteuid() != 0)
        return 0;
    empty_bounding_set();
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    return restore_capabilities();
}
