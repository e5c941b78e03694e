/* SPDX-License-Identifier: MIT */
/* Files that are replaced as a whole, while others change their directory. */
#include "base/replacement.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peer.h"

/* ---- helpers -------------------------------------------------------------------------------- */

static struct replacement replacement;
static int standard_output;

/* What cmocka says goes elsewhere until end(). */
static int begin_by(int (*begin)(struct replacement *ret_replacement, const char *path),
                    const char *path)
{
    int err;

    fflush(stdout);
    standard_output = dup(STDOUT_FILENO);
    err = begin(&replacement, path);
    if (err)
        close(standard_output);
    else
        fputs("new", stdout);
    return err;
}

static int begin(const char *path)
{
    return begin_by(replacement_begin, path);
}

static void restore_output(void)
{
    dup2(standard_output, STDOUT_FILENO);
    close(standard_output);
}

static int end(void)
{
    int err = replacement_end(&replacement);

    restore_output();
    return err;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void check_file(const char *path, const char *text)
{
    char found[64] = "";
    int fd = open(path, O_RDONLY | O_NOFOLLOW);

    assert_true(fd >= 0);
    assert_true(read(fd, found, sizeof(found) - 1) >= 0);
    assert_string_equal(found, text);
    close(fd);
}

/* The file that is written, before it has its name. */
static const char *temporary_in(const char *directory)
{
    char name[64];

    assert_non_null(replacement.temporary);
    snprintf(name, sizeof(name), "%s/%.40s", directory, replacement.temporary);
    return in_dir(name);
}

/* Two directories, with a file of the same name. */
static int make_directories(void **state)
{
    make_dir(state);
    assert_int_equal(mkdir(in_dir("ours"), 0700), 0);
    assert_int_equal(mkdir(in_dir("theirs"), 0700), 0);
    write_file(in_dir("ours/file"), "old");
    write_file(in_dir("theirs/file"), "theirs");
    return 0;
}

static void empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static int remove_directories(void **state)
{
    static const char *const names[] = {"ours", "theirs", "moved"};

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        empty(in_dir(names[i]));
        rmdir(in_dir(names[i]));
    }
    return remove_dir(state);
}

/* Whoever may write above it leads the directory's name elsewhere. */
static void lead_elsewhere(void)
{
    assert_int_equal(rename(in_dir("ours"), in_dir("moved")), 0);
    assert_int_equal(symlink("theirs", in_dir("ours")), 0);
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void a_file_is_replaced(void **state)
{
    (void)state;
    check_ok(begin(in_dir("ours/file")));
    check_file(in_dir("ours/file"), "old");
    check_ok(end());
    check_file(in_dir("ours/file"), "new");
    assert_int_equal(count_files(in_dir("ours")), 1);
}

static void it_stays_in_its_directory(void **state)
{
    (void)state;
    check_ok(begin(in_dir("ours/file")));
    lead_elsewhere();
    check_ok(end());
    check_file(in_dir("moved/file"), "new");
    check_file(in_dir("theirs/file"), "theirs");
    assert_int_equal(count_files(in_dir("moved")), 1);
    assert_int_equal(count_files(in_dir("theirs")), 1);
}

static void a_new_file_does_so_too(void **state)
{
    (void)state;
    check_ok(begin(in_dir("ours/more")));
    lead_elsewhere();
    check_ok(end());
    check_file(in_dir("moved/more"), "new");
    assert_int_equal(count_files(in_dir("theirs")), 1);
}

static void what_is_in_the_place_of_the_new_file_is_not_taken(void **state)
{
    (void)state;
    check_ok(begin(in_dir("ours/file")));
    assert_int_equal(unlink(temporary_in("ours")), 0);
    write_file(temporary_in("ours"), "theirs");
    check_error(end(), ESTALE);
    check_file(in_dir("ours/file"), "old");
    assert_int_equal(count_files(in_dir("ours")), 2); /* nor is it removed */
}

static void a_link_in_the_place_of_the_new_file_is_not_followed(void **state)
{
    (void)state;
    check_ok(begin(in_dir("ours/file")));
    assert_int_equal(unlink(temporary_in("ours")), 0);
    assert_int_equal(symlink("../theirs/file", temporary_in("ours")), 0);
    check_error(end(), ESTALE);
    check_file(in_dir("ours/file"), "old");
    check_file(in_dir("theirs/file"), "theirs");
}

static void a_path_has_a_name(void **state)
{
    (void)state;
    check_error(begin(in_dir("none/file")), ENOENT);
    check_error(begin(in_dir("none/")), ENOENT);
    assert_int_equal(count_files(in_dir("")), 2);
}

static void what_is_abandoned_leaves_nothing(void **state)
{
    (void)state;
    check_ok(begin(in_dir("ours/file")));
    replacement_abandon(&replacement);
    restore_output();
    check_file(in_dir("ours/file"), "old");
    assert_int_equal(count_files(in_dir("ours")), 1);
    check_ok(begin_by(replacement_begin_here, in_dir("ours/more")));
    replacement_abandon(&replacement);
    restore_output();
    assert_int_equal(count_files(in_dir("ours")), 1);
}

static void a_link_is_followed_only_where_it_may(void **state)
{
    (void)state;
    assert_int_equal(symlink("../theirs/file", in_dir("ours/link")), 0);
    check_ok(begin(in_dir("ours/link")));
    check_ok(end());
    check_file(in_dir("theirs/file"), "new");
    write_file(in_dir("theirs/file"), "theirs");
    check_ok(begin_by(replacement_begin_here, in_dir("ours/link")));
    check_ok(end());
    check_file(in_dir("theirs/file"), "theirs");
    check_file(in_dir("ours/link"), "new"); /* it is no link any more */
    assert_int_equal(count_files(in_dir("ours")), 2);
}

#define WITH_DIRECTORIES(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, make_directories, remove_directories)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORIES(a_file_is_replaced),
        WITH_DIRECTORIES(it_stays_in_its_directory),
        WITH_DIRECTORIES(a_new_file_does_so_too),
        WITH_DIRECTORIES(what_is_in_the_place_of_the_new_file_is_not_taken),
        WITH_DIRECTORIES(a_link_in_the_place_of_the_new_file_is_not_followed),
        WITH_DIRECTORIES(a_path_has_a_name),
        WITH_DIRECTORIES(what_is_abandoned_leaves_nothing),
        WITH_DIRECTORIES(a_link_is_followed_only_where_it_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
