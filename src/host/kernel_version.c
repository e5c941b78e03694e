/* SPDX-License-Identifier: MIT */
#include "host/kernel_version.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"

/* Stable branches that have the repair from some release on. 6.5 and later all have it. */
bool kernel_version_is_repaired(const struct kernel_version *kernel)
{
    static const unsigned since[][3] = {{5, 15, 124}, {6, 1, 43}, {6, 4, 8}};
    const unsigned *numbers = kernel->numbers;

    for (size_t i = 0; i < COUNT(since); i++)
        if (numbers[0] == since[i][0] && numbers[1] == since[i][1] && numbers[2] >= since[i][2])
            return true;
    return numbers[0] > 6 || (numbers[0] == 6 && numbers[1] >= 5);
}

static bool take_debian_version(const char *release, const char *version,
                                struct kernel_version *kernel)
{
    const char *mark = strstr(version, " Debian ");
    unsigned debian[3];

    if (!mark || sscanf(mark, " Debian %u.%u.%u-", &debian[0], &debian[1], &debian[2]) != 3 ||
        memcmp(debian, kernel->numbers, 2 * sizeof(*debian)) != 0)
        return false;
    kernel->numbers[2] = debian[2];
    snprintf(kernel->name, sizeof(kernel->name), "Linux %.*s, which is %u.%u.%u", KERNEL_TEXT_MAX,
             release, debian[0], debian[1], debian[2]);
    return true;
}

bool kernel_version_parse(const char *release, const char *version,
                          struct kernel_version *ret_kernel)
{
    struct kernel_version *kernel = ret_kernel;
    unsigned *numbers = kernel->numbers;
    int n = 0;

    *kernel = (struct kernel_version){0};
    if (sscanf(release, "%u.%u.%u%n", &numbers[0], &numbers[1], &numbers[2], &n) < 2)
        return false;
    snprintf(kernel->name, sizeof(kernel->name), "Linux %.*s", KERNEL_TEXT_MAX, release);
    kernel->hides_repairs = !take_debian_version(release, version, kernel) && n &&
                            numbers[2] == 0 && release[n] == '-' &&
                            strncmp(release + n, "-rc", 3) != 0;
    return true;
}
