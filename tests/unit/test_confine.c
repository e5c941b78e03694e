/* SPDX-License-Identifier: MIT */
/* What can be reached by who has confined itself. Each case is a process of its own. */
#define _GNU_SOURCE
#include "host/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char here[] = "/tmp/vitals-confine-XXXXXX", there[] = "/tmp/vitals-confine-XXXXXX";

/* The version that the kernel is taken for; 0: its own. */
static long version_told;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    enum { CREATE_RULESET = 444 };
    va_list arguments;
    long args[4];

    va_start(arguments, number);
    for (size_t i = 0; i < 4; i++)
        args[i] = va_arg(arguments, long);
    va_end(arguments);
    if (version_told && number == CREATE_RULESET && !args[0])
        return version_told;
    return __real_syscall(number, args[0], args[1], args[2], args[3]);
}

static void path_of(char path[64], const char *directory, const char *name)
{
    snprintf(path, 64, "%s/%s", directory, name);
}

static bool can_open(const char *directory, const char *name, int flags)
{
    char path[64];
    int fd;

    path_of(path, directory, name);
    fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_bind(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
    err = bind(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return err == 0;
}

static bool can_move(void)
{
    char from[64], to[64];

    path_of(from, here, "socket");
    path_of(to, here, "inner/socket");
    return rename(from, to) == 0;
}

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s\n", #condition);                                                   \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int look(void)
{
    char loop[64];
    const struct confinement confinement = {.written = {here},
                                            .n_written = 1,
                                            .read = {"/proc", "/etc/passwd", "/no/such/file", loop},
                                            .n_read = 4};
    char inner[64];
    int version;

    path_of(loop, here, "loop");
    EXPECT(symlink("loop", loop) == 0);
    version = confine(&confinement);

    if (version == -ENOSYS || version == -EOPNOTSUPP) { /* a kernel without: all goes on */
        EXPECT(can_open("/", "", O_RDONLY | O_DIRECTORY) && can_bind(there));
        return 0;
    }
    EXPECT(version > 0);
    path_of(inner, here, "inner");
    EXPECT(mkdir(inner, 0700) == 0);
    EXPECT(can_bind(here) && can_move() == (version > 1)); /* the first one lets nobody do so */
    EXPECT(can_open(here, "file", O_RDWR | O_CREAT));
    EXPECT(can_open("/proc", "self/status", O_RDONLY) && can_open("/proc", "", O_RDONLY));
    EXPECT(can_open("/etc", "passwd", O_RDONLY));
    EXPECT(!can_open("/etc", "passwd", O_WRONLY) && errno == EACCES);
    EXPECT(!can_open("/etc", "group", O_RDONLY) && errno == EACCES);
    EXPECT(!can_open(there, "file", O_RDWR | O_CREAT) && errno == EACCES);
    EXPECT(!can_bind(there));
    EXPECT(!can_open("/", "", O_RDONLY | O_DIRECTORY));
    return 0;
}

static void check_in_child(void)
{
    char command[160];
    int status;
    pid_t pid;

    strcpy(strstr(here, "confine-"), "confine-XXXXXX");
    strcpy(strstr(there, "confine-"), "confine-XXXXXX");
    assert_non_null(mkdtemp(here));
    assert_non_null(mkdtemp(there));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(look());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(command, sizeof(command), "rm -r %s %s", here, there);
    assert_int_equal(system(command), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_is_not_named_is_out_of_reach(void **state)
{
    (void)state;
    version_told = 0;
    check_in_child();
}

/* Of Linux 5.13, and so of Ubuntu 22.04. */
static void the_first_version_does_what_it_can(void **state)
{
    (void)state;
    version_told = 1;
    if (__real_syscall(444, NULL, (size_t)0, 1) < 0)
        version_told = 0; /* a kernel without */
    check_in_child();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_named_is_out_of_reach),
                                       cmocka_unit_test(the_first_version_does_what_it_can)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
