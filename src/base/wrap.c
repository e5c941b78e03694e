/* SPDX-License-Identifier: MIT */
#include "base/wrap.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/width.h"

enum { WIDTH_MIN = 20, WIDTH_MAX = 100, WIDTH_WITHOUT_TERMINAL = 79 };

size_t wrap_width(void)
{
    size_t width = width_of_terminal(STDOUT_FILENO);

    if (!width)
        return WIDTH_WITHOUT_TERMINAL;
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

static size_t word_length(const char *text)
{
    return strcspn(text, " \n");
}

void wrap_put(struct buf *out, const char *text, size_t indent, size_t width)
{
    size_t column = indent;

    while (*text) {
        size_t spaces = strspn(text, " "), len = word_length(text + spaces);

        if (column > indent && column + spaces + len > width) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
            text += spaces;
            spaces = 0;
        }
        buf_append(out, text, spaces + len);
        column += spaces + len;
        text += spaces + len;
        if (*text == '\n') {
            buf_printf(out, "\n%*s", text[1] && text[1] != '\n' ? (int)indent : 0, "");
            column = indent;
            text++;
        }
    }
    buf_puts(out, "\n");
}
