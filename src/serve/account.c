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

/* By what NSS leaves in errno for a name that it does not have (getpwnam(3)). */
static int explain(const char *what, const char *name, int err, struct error_text *error)
{
    if (err == 0 || err == ENOENT || err == ESRCH || err == EBADF || err == EPERM)
        return error_set(error, -ENOENT, "there is no %s '%s'", what, name);
    return error_set(error, -err, "%s '%s' can't be looked up: %s", what, name, strerror(err));
}

int account_look_up_user(const char *name, const struct passwd **ret_user, struct error_text *error)
{
    errno = 0;
    *ret_user = getpwnam(name);
    return *ret_user ? 0 : explain("user", name, errno, error);
}

int account_look_up_group(const char *name, const struct group **ret_group,
                          struct error_text *error)
{
    errno = 0;
    *ret_group = getgrnam(name);
    return *ret_group ? 0 : explain("group", name, errno, error);
}

/* What came of looking up a name: @given by @where, or by an option; NULL: it may be missing. */
static int result(int err, const char *given, const char *where, const char *option,
                  struct error_text *error)
{
    struct error_text why = *error;

    if (!err || (err == -ENOENT && !given))
        return 0;
    return error_set(error, err, "%s: %s", where ? where : option, why.text);
}

static int find_user(const struct account_names *names, struct account *account,
                     struct error_text *error)
{
    const char *name = names->user, *at = names->user_where;
    const struct passwd *user = NULL;
    int err = 0;

    if (geteuid() == 0 || name)
        err = account_look_up_user(name ? name : ACCOUNT_NAME, &user, error);
    if (!user)
        return result(err, name, at, "--user", error);
    if (geteuid() != 0 && user->pw_uid != geteuid())
        return error_set(error, -EPERM, "%s: only root can become another user",
                         at ? at : "--user");
    account->uid = user->pw_uid;
    account->gid = user->pw_gid;
    return 0;
}

/* One that no name was given of must be the files' own. */
static void share_with(const struct account_names *names, const struct group *group,
                       struct account *account)
{
    account->has_group = group && (names->group || group->gr_gid == account->gid);
    account->group = account->has_group ? group->gr_gid : account->gid;
}

static int look_up_group(const struct account_names *names, const struct group **ret_group,
                         struct error_text *error)
{
    int err = account_look_up_group(names->group ? names->group : ACCOUNT_NAME, ret_group, error);

    return result(err, names->group, names->group_where, "--group", error);
}

static int find_group(const struct account_names *names, struct account *account,
                      struct error_text *error)
{
    const struct group *group;
    int err = look_up_group(names, &group, error);

    if (!group)
        return err;
    if (geteuid() == 0)
        account->gid = group->gr_gid;
    share_with(names, group, account);
    return 0;
}

int account_find(const struct account_names *names, struct account *ret_account,
                 struct error_text *error)
{
    struct account account = {.uid = geteuid(), .gid = getegid()};
    int err = find_user(names, &account, error);

    if (!err)
        err = find_group(names, &account, error);
    if (!err)
        *ret_account = account;
    return err;
}

int account_change_group(const struct account_names *names, struct account *account,
                         struct error_text *error)
{
    const struct group *group;
    int err = look_up_group(names, &group, error);

    if (!err)
        share_with(names, group, account);
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

static struct person_range read_login_defs(const char *root)
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

static bool read_range(const char *text, struct person_range *ret_people)
{
    unsigned long min, max;
    char end;

    if (!isdigit((unsigned char)text[0]) || sscanf(text, "%10lu-%10lu%c", &min, &max, &end) != 2 ||
        strpbrk(text, "-+ ")[1] == '-' || strpbrk(text, "+ ") || min > max || max >= (uid_t)-1)
        return false;
    *ret_people = (struct person_range){.min = (uid_t)min, .max = (uid_t)max};
    return true;
}

bool account_read_people(const char *text, const char *root, struct person_range *ret_people)
{
    if (!text || !strcmp(text, "people")) {
        *ret_people = read_login_defs(root);
        return true;
    }
    if (!strcmp(text, "none")) {
        *ret_people = (struct person_range){.min = 1, .max = 0};
        return true;
    }
    return read_range(text, ret_people);
}

/* ---- lists of users ------------------------------------------------------------------------- */

/* As the kernel takes it: by the kind of entry; its bytes are in little-endian order. */
struct access_list {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[6];
};

struct access_bits {
    mode_t own, others_than_owner, anybody;
};

static const struct access_bits bits[] = {
    [ACCESS_SOCKET] = {6, 6, 0},
    [ACCESS_DIRECTORY] = {7, 5, 0},
    [ACCESS_LIST_OF_VMS] = {7, 5, 1},
};

static bool is_files_group(const struct account *account)
{
    return account->has_group && account->group == account->gid;
}

mode_t account_mode(const struct account *account, enum access_kind kind)
{
    mode_t of_group = is_files_group(account) ? bits[kind].others_than_owner : bits[kind].anybody;

    return bits[kind].own << 6 | of_group << 3 | bits[kind].anybody;
}

bool account_needs_list(const struct account *account, const uid_t *owner)
{
    return owner || (account->has_group && !is_files_group(account));
}

static void add(struct access_list *list, size_t *n, uint16_t tag, mode_t permissions, uint32_t id)
{
    list->entries[(*n)++] = (struct posix_acl_xattr_entry){
        .e_tag = htole16(tag), .e_perm = htole16((uint16_t)permissions), .e_id = htole32(id)};
}

/* The kernel wants them in this order. */
static size_t make_list(const struct account *account, enum access_kind kind, const uid_t *owner,
                        struct access_list *list)
{
    mode_t mode = account_mode(account, kind), wanted = bits[kind].others_than_owner;
    size_t n = 0;

    list->header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
    add(list, &n, ACL_USER_OBJ, mode >> 6 & 7, ACL_UNDEFINED_ID);
    if (owner)
        add(list, &n, ACL_USER, wanted, *owner);
    add(list, &n, ACL_GROUP_OBJ, mode >> 3 & 7, ACL_UNDEFINED_ID);
    if (account->has_group && !is_files_group(account))
        add(list, &n, ACL_GROUP, wanted, account->group);
    add(list, &n, ACL_MASK, wanted, ACL_UNDEFINED_ID);
    add(list, &n, ACL_OTHER, mode & 7, ACL_UNDEFINED_ID);
    return sizeof(list->header) + n * sizeof(list->entries[0]);
}

/* The mode first: while there is a list still, it takes from those that are in it. */
static int let_in_by_mode(const char *path, mode_t mode)
{
    if (chmod(path, mode) < 0)
        return -errno;
    if (lremovexattr(path, XATTR_NAME_POSIX_ACL_ACCESS) < 0 && errno != ENODATA &&
        errno != EOPNOTSUPP)
        return -errno;
    return 0;
}

int account_let_in(const struct account *account, const char *path, enum access_kind kind,
                   const uid_t *owner)
{
    struct access_list list;
    size_t size;

    if (!account_needs_list(account, owner))
        return let_in_by_mode(path, account_mode(account, kind));
    size = make_list(account, kind, owner, &list);
    return lsetxattr(path, XATTR_NAME_POSIX_ACL_ACCESS, &list, size, 0) < 0 ? -errno : 0;
}
