/* SPDX-License-Identifier: MIT */
#include "serve/account.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- who we are ----------------------------------------------------------------------------- */

static int find_user(const char *name, struct account *account, struct error_text *error)
{
    const struct passwd *user =
        geteuid() == 0 || name ? getpwnam(name ? name : ACCOUNT_NAME) : NULL;

    if (!user)
        return name ? error_set(error, -ENOENT, "--user: there is no user '%s'", name) : 0;
    if (geteuid() != 0 && user->pw_uid != geteuid())
        return error_set(error, -EPERM, "--user: only root can become another user");
    account->uid = user->pw_uid;
    account->gid = user->pw_gid;
    return 0;
}

static int find_group(const char *name, struct account *account, struct error_text *error)
{
    const struct group *group = getgrnam(name ? name : ACCOUNT_NAME);

    if (!group)
        return name ? error_set(error, -ENOENT, "--group: there is no group '%s'", name) : 0;
    if (geteuid() != 0 && group->gr_gid != getegid())
        return name ? error_set(error, -EPERM, "--group: only root can choose another group") : 0;
    account->gid = group->gr_gid;
    account->has_group = true;
    return 0;
}

int account_find(const char *user, const char *group, struct account *ret_account,
                 struct error_text *error)
{
    struct account account = {.uid = geteuid(), .gid = getegid()};
    int err = find_user(user, &account, error);

    if (!err)
        err = find_group(group, &account, error);
    if (!err)
        *ret_account = account;
    return err;
}

/* ---- people --------------------------------------------------------------------------------- */

/* A line "NAME NUMBER"; anything else leaves the number as it is. */
static void read_setting(const char *line, const char *name, uid_t *number)
{
    size_t len = strlen(name);
    char *end;
    unsigned long value;

    while (isspace((unsigned char)*line))
        line++;
    if (strncmp(line, name, len) != 0 || !isspace((unsigned char)line[len]))
        return;
    value = strtoul(line + len, &end, 10);
    if (end != line + len && value < (uid_t)-1)
        *number = (uid_t)value;
}

struct person_range account_read_people(const char *root)
{
    struct person_range people = {.min = 1000, .max = 60000};
    char path[4096], line[256];
    FILE *file = NULL;

    if (snprintf(path, sizeof(path), "%s/etc/login.defs", root) < (int)sizeof(path))
        file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        read_setting(line, "UID_MIN", &people.min);
        read_setting(line, "UID_MAX", &people.max);
    }
    if (file)
        fclose(file);
    return people;
}

/* ---- lists of users ------------------------------------------------------------------------- */

/* As the kernel takes it: by the kind of entry; its bytes are in little-endian order. */
struct access_list {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[5];
};

static struct posix_acl_xattr_entry entry(uint16_t tag, mode_t permissions, uint32_t id)
{
    return (struct posix_acl_xattr_entry){
        .e_tag = htole16(tag), .e_perm = htole16(permissions & 7), .e_id = htole32(id)};
}

int account_let_in(const char *path, uid_t user, bool is_directory)
{
    mode_t wanted = is_directory ? ACL_READ | ACL_EXECUTE : ACL_READ | ACL_WRITE;
    struct stat st;

    if (lstat(path, &st) < 0)
        return -errno;
    const struct access_list list = {{htole32(POSIX_ACL_XATTR_VERSION)},
                                     {entry(ACL_USER_OBJ, st.st_mode >> 6, ACL_UNDEFINED_ID),
                                      entry(ACL_USER, wanted, user),
                                      entry(ACL_GROUP_OBJ, st.st_mode >> 3, ACL_UNDEFINED_ID),
                                      entry(ACL_MASK, wanted | st.st_mode >> 3, ACL_UNDEFINED_ID),
                                      entry(ACL_OTHER, st.st_mode, ACL_UNDEFINED_ID)}};

    return lsetxattr(path, XATTR_NAME_POSIX_ACL_ACCESS, &list, sizeof(list), 0) < 0 ? -errno : 0;
}
