/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"

/*
 * As the kernel has them, whose header may be missing or older; calls have the same numbers everywhere.
 */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

struct ruleset_attributes {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

#define BIT(n) (UINT64_C(1) << (n))
enum access_fs {
    FS_WRITE_FILE = 1,
    FS_READ_FILE,
    FS_READ_DIR,
    FS_REMOVE_DIR,
    FS_REMOVE_FILE,
    FS_MAKE_CHAR,
    FS_MAKE_DIR,
    FS_MAKE_REG,
    FS_MAKE_SOCK,
    FS_MAKE_FIFO,
    FS_MAKE_BLOCK,
    FS_MAKE_SYM,
    FS_REFER,
    FS_TRUNCATE,
    FS_IOCTL_DEV,
};

#define OF_FILES (BIT(FS_READ_FILE) | BIT(FS_WRITE_FILE) | BIT(FS_TRUNCATE))
#define READ     (BIT(FS_READ_FILE) | BIT(FS_READ_DIR))
#define WRITE                                                                                      \
    (READ | OF_FILES | BIT(FS_REMOVE_DIR) | BIT(FS_REMOVE_FILE) | BIT(FS_MAKE_DIR) |               \
     BIT(FS_MAKE_REG) | BIT(FS_MAKE_SOCK) | BIT(FS_REFER))

/* What a version has; none of these without a rule. */
static const struct {
    int version;
    struct ruleset_attributes has;
} versions[] = {
    {1, {.fs = BIT(FS_REFER) - 1}},
    {2, {.fs = BIT(FS_REFER)}}, /* before, none can move a file to another directory */
    {3, {.fs = BIT(FS_TRUNCATE)}},
    {4, {.net = 3}}, /* ports of TCP: to listen at, to connect to */
    {5, {.fs = BIT(FS_IOCTL_DEV)}},
    {6, {.scoped = 3}}, /* abstract sockets of others, signals to others */
};

static struct ruleset_attributes attributes_of(int version)
{
    struct ruleset_attributes all = {0};

    for (size_t i = 0; i < COUNT(versions); i++) {
        if (version < versions[i].version)
            break;
        all.fs |= versions[i].has.fs;
        all.net |= versions[i].has.net;
        all.scoped |= versions[i].has.scoped;
    }
    return all;
}

/* What can't be opened can't be reached either, but where there is no room for one more file. */
static bool is_for_all(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOMEM;
}

static int allow(int ruleset, const char *path, uint64_t allowed)
{
    struct path_rule rule = {.allowed = allowed, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat st;
    int err = 0;

    if (rule.parent_fd < 0)
        return is_for_all(errno) ? -errno : 0;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed &= OF_FILES;
    if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        err = -errno;
    close(rule.parent_fd);
    return err;
}

static int allow_all(int ruleset, const struct confinement *confinement, uint64_t handled)
{
    int err = 0;

    for (size_t i = 0; i < confinement->n_written && !err; i++)
        err = allow(ruleset, confinement->written[i], WRITE & handled);
    for (size_t i = 0; i < confinement->n_read && !err; i++)
        err = allow(ruleset, confinement->read[i], READ & handled);
    return err;
}

/* Members that a kernel does not know must not be there, unless they are 0. */
static int make_ruleset(const struct ruleset_attributes *attributes)
{
    size_t size = attributes->scoped ? sizeof(*attributes)
                  : attributes->net  ? offsetof(struct ruleset_attributes, scoped)
                                     : offsetof(struct ruleset_attributes, net);
    int fd = (int)syscall(CREATE_RULESET, attributes, size, 0);

    return fd < 0 ? -errno : fd;
}

int confine_version(void)
{
    int version = (int)syscall(CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);

    return version < 0 ? -errno : version;
}

int confine(const struct confinement *confinement)
{
    int version = confine_version();
    struct ruleset_attributes attributes = attributes_of(version);
    int err, ruleset;

    if (version < versions[0].version)
        return version < 0 ? version : -EOPNOTSUPP;
    ruleset = make_ruleset(&attributes);
    if (ruleset < 0)
        return ruleset;
    err = allow_all(ruleset, confinement, attributes.fs);
    if (!err &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(RESTRICT_SELF, ruleset, 0) < 0))
        err = -errno;
    close(ruleset);
    return err ? err : version;
}
