/* SPDX-License-Identifier: MIT */
/* As whom the daemon runs where users and groups can't be looked up. */
#include "serve/account.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* Who asks is root, and these are the answers. */
static const struct passwd *user;
static const struct group *group;
static int user_error, group_error;

uid_t __wrap_geteuid(void);
struct passwd *__wrap_getpwnam(const char *name);
struct group *__wrap_getgrnam(const char *name);

uid_t __wrap_geteuid(void)
{
    return 0;
}

struct passwd *__wrap_getpwnam(const char *name)
{
    (void)name;
    errno = user_error;
    return (struct passwd *)user;
}

struct group *__wrap_getgrnam(const char *name)
{
    (void)name;
    errno = group_error;
    return (struct group *)group;
}

static const struct passwd vitals = {.pw_uid = 201, .pw_gid = 202};
static const struct group vitals_group = {.gr_gid = 203};

static int set_up(void **state)
{
    (void)state;
    user = &vitals;
    group = &vitals_group;
    user_error = group_error = 0;
    return 0;
}

static void root_becomes_the_user(void **state)
{
    const struct account_names names = {0};
    struct account account;
    struct error_text error;

    (void)state;
    assert_int_equal(account_find(&names, &account, &error), 0);
    assert_int_equal(account.uid, 201);
    assert_int_equal(account.gid, 203);
    assert_int_equal(account.group, 203);
}

/* getpwnam(3) has these for a name that there is none of. */
static void without_the_user_root_stays_root(void **state)
{
    const int missing[] = {0, ENOENT, ESRCH, EBADF, EPERM};
    const struct account_names names = {0};
    struct account account;
    struct error_text error;

    (void)state;
    user = NULL;
    group = NULL;
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        user_error = group_error = missing[i];
        assert_int_equal(account_find(&names, &account, &error), 0);
        assert_int_equal(account.uid, 0);
        assert_false(account.has_group);
    }
}

static void where_nobody_knows_root_does_not_stay_root(void **state)
{
    const struct account_names names = {0},
                               named = {.user = "alice", .user_where = "x.conf:3: user"};
    struct account account;
    struct error_text error;

    (void)state;
    user = NULL;
    user_error = EIO;
    assert_int_equal(account_find(&names, &account, &error), -EIO);
    assert_string_equal(error.text, "--user: user 'vitals' can't be looked up: Input/output error");
    assert_int_equal(account_find(&named, &account, &error), -EIO);
    assert_string_equal(error.text,
                        "x.conf:3: user: user 'alice' can't be looked up: Input/output error");
}

/* Neither at the start, nor when it is let in later. */
static void where_nobody_knows_the_group_is_not_left_out(void **state)
{
    const struct account_names names = {0};
    struct account account = {.has_group = true, .group = 7};
    struct error_text error;

    (void)state;
    group = NULL;
    group_error = EMFILE;
    assert_int_equal(account_find(&names, &account, &error), -EMFILE);
    assert_string_equal(error.text,
                        "--group: group 'vitals' can't be looked up: Too many open files");
    assert_int_equal(account_change_group(&names, &account, &error), -EMFILE);
    assert_true(account.has_group);
    assert_int_equal(account.group, 7);
    group_error = 0;
    assert_int_equal(account_change_group(&names, &account, &error), 0);
    assert_false(account.has_group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(root_becomes_the_user, set_up),
        cmocka_unit_test_setup(without_the_user_root_stays_root, set_up),
        cmocka_unit_test_setup(where_nobody_knows_root_does_not_stay_root, set_up),
        cmocka_unit_test_setup(where_nobody_knows_the_group_is_not_left_out, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
