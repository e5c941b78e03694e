/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <dirent.h>

#include "check.h"

int count_files(const char *directory)
{
    DIR *dir = opendir(directory);
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

int count_open_files(void)
{
    return count_files("/proc/self/fd");
}
