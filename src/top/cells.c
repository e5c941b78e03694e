/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "top/cells.h"

#include <limits.h>
#include <stdlib.h>

static bool reserve(struct screen *screen, size_t height, size_t width)
{
    struct screen_cell *cells;

    if (screen->n_cells / width >= height)
        return true;
    cells = calloc(height, width * sizeof(*cells));
    if (!cells)
        return false;
    free(screen->cells);
    screen->cells = cells;
    screen->n_cells = height * width;
    return true;
}

bool screen_resize(struct screen *screen, size_t width, size_t height)
{
    width = width < SCREEN_WIDTH_MAX ? width : SCREEN_WIDTH_MAX;
    if (!reserve(screen, height + 1, width + 1))
        return false;
    screen->width = width;
    screen->height = height;
    return true;
}

void screen_free(struct screen *screen)
{
    free(screen->cells);
    screen->cells = NULL;
    screen->n_cells = 0;
    buf_free(&screen->texts);
}

void screen_clear(struct screen *screen)
{
    for (size_t i = 0; i < screen->width * screen->height; i++)
        screen->cells[i] = (struct screen_cell){.character = L' '};
}

struct screen_cell *screen_cell(struct screen *screen, size_t line, size_t column)
{
    return &screen->cells[line * screen->width + column];
}

/*
 * The next character of @text, and how many columns it has. Names come from strangers: what could
 * do something to a terminal becomes a question mark. Nearly all is ASCII, which needs no tables.
 */
static int next_character(const char **text, wchar_t *ret_character)
{
    mbstate_t state = {0};
    size_t n;
    int columns;

    if (**text >= ' ' && **text <= '~') {
        *ret_character = (wchar_t) * *text;
        (*text)++;
        return 1;
    }
    n = mbrtowc(ret_character, *text, MB_LEN_MAX, &state);
    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *ret_character = L'?';
        (*text)++;
        return 1;
    }
    *text += n;
    columns = wcwidth(*ret_character);
    if (columns == 1 || columns == 2)
        return columns;
    *ret_character = L'?';
    return 1;
}

size_t screen_put(struct screen *screen, size_t line, size_t column, size_t end,
                  enum screen_style style, const char *text)
{
    end = end < screen->width ? end : screen->width;
    while (line < screen->height && *text) {
        wchar_t character;
        size_t n = (size_t)next_character(&text, &character);

        if (column + n > end)
            break;
        *screen_cell(screen, line, column) = (struct screen_cell){character, style};
        if (n == 2)
            *screen_cell(screen, line, column + 1) = (struct screen_cell){L'\0', style};
        column += n;
    }
    return column;
}

size_t screen_text_width(const char *text)
{
    size_t width = 0;
    wchar_t character;

    while (*text)
        width += (size_t)next_character(&text, &character);
    return width;
}

void screen_put_right(struct screen *screen, size_t line, size_t column, size_t end,
                      enum screen_style style, const char *text)
{
    size_t width = screen_text_width(text);

    if (column < end && width <= end - column)
        screen_put(screen, line, end - width, end, style, text);
}

/* What is left of @text behind the first characters that take @n columns or more. */
static const char *skip_columns(const char *text, size_t n)
{
    wchar_t character;

    for (size_t skipped = 0; *text && skipped < n;)
        skipped += (size_t)next_character(&text, &character);
    return text;
}

size_t screen_put_name(struct screen *screen, size_t line, size_t column, size_t end,
                       enum screen_style style, const char *text)
{
    size_t width = screen_text_width(text), room, tail;

    end = end < screen->width ? end : screen->width;
    room = column < end ? end - column : 0;
    if (width <= room || room < 3)
        return screen_put(screen, line, column, end, style, text);
    tail = room / 2;
    column = screen_put(screen, line, column, end - tail - 1, style, text);
    column = screen_put(screen, line, column, end, style, screen->is_unicode ? "\u2026" : "~");
    return screen_put(screen, line, column, end, style, skip_columns(text, width - tail));
}

void screen_paint(struct screen *screen, size_t line, enum screen_style style)
{
    for (size_t i = 0; line < screen->height && i < screen->width; i++)
        screen_cell(screen, line, i)->style = style;
}

void screen_line(const struct screen *screen, size_t line, struct buf *out)
{
    const struct screen_cell *cells = &screen->cells[line * screen->width];
    size_t n = screen->width;
    mbstate_t state = {0};

    while (n && cells[n - 1].character == L' ')
        n--;
    if (!buf_reserve(out, n * MB_LEN_MAX))
        return;
    for (size_t i = 0; i < n; i++) {
        size_t len = cells[i].character != 0;

        if (cells[i].character > 0x7f)
            len = wcrtomb(out->data + out->len, cells[i].character, &state);
        else
            out->data[out->len] = (char)cells[i].character;
        if (len != (size_t)-1)
            out->len += len;
    }
}
