/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/width.h"

#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <wchar.h>

#include "base/unicode.h"

static size_t count_columns(const char *line)
{
    size_t width = 0;

    while (*line && *line != '\n') {
        int columns = wcwidth((wchar_t)utf8_decode(&line));
        width += columns < 0 ? 1 : (size_t)columns;
    }
    return width;
}

static size_t count_columns_as_utf8(const char *line)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
    size_t width;

    if (!utf8)
        return count_columns(line);
    before = uselocale(utf8);
    width = count_columns(line);
    uselocale(before);
    freelocale(utf8);
    return width;
}

size_t width_of_line(const char *line)
{
    size_t n_ascii = 0;

    while (line[n_ascii] >= ' ' && line[n_ascii] <= '~')
        n_ascii++;
    return n_ascii + (line[n_ascii] ? count_columns_as_utf8(line + n_ascii) : 0);
}

size_t width_of_terminal(int fd)
{
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
    struct winsize size;

    if (width > 0)
        return (size_t)width;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
