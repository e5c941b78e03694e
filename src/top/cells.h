/* SPDX-License-Identifier: MIT */
/* A screen of characters with styles, of any width and height, and how text gets onto it. */
#ifndef TOP_CELLS_H
#define TOP_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include "base/buf.h"

enum screen_style {
    STYLE_NORMAL,
    STYLE_TITLE,    /* of a table */
    STYLE_SORTED,   /* the title of the column that the table is sorted by */
    STYLE_SELECTED, /* the line of the cursor */
    STYLE_DIM,
    STYLE_STRONG,
    STYLE_GOOD,
    STYLE_BAD,
    STYLE_BAR,
    STYLES,
};

enum { SCREEN_WIDTH_MAX = 1024, SCREEN_TEXT_MAX = 512 };

/* A wide character has two cells; the second one has none. */
struct screen_cell {
    wchar_t character;
    enum screen_style style;
};

struct screen {
    size_t width, height;
    struct screen_cell *cells;
    size_t n_cells;   /* that there is memory for */
    struct buf texts; /* of the list while it is drawn */
    bool is_unicode;  /* bars may be made of U+2588 and the like */
};

/* @width is cut to SCREEN_WIDTH_MAX. False: no memory. */
bool screen_resize(struct screen *screen, size_t width, size_t height);
void screen_free(struct screen *screen);
void screen_clear(struct screen *screen);

struct screen_cell *screen_cell(struct screen *screen, size_t line, size_t column);

/* Writes @text from @column on, to before @end at most. Returns the column behind it. */
size_t screen_put(struct screen *screen, size_t line, size_t column, size_t end,
                  enum screen_style style, const char *text);

/* The same, with its end before @end. A part of a number is another number: too long a text is left out. */
void screen_put_right(struct screen *screen, size_t line, size_t column, size_t end,
                      enum screen_style style, const char *text);

/* As screen_put(), but what is too long loses its middle, since names differ at their ends. */
size_t screen_put_name(struct screen *screen, size_t line, size_t column, size_t end,
                       enum screen_style style, const char *text);

/* How many columns @text has. */
size_t screen_text_width(const char *text);

/* The whole line has this style. */
void screen_paint(struct screen *screen, size_t line, enum screen_style style);

/* The text of a line without the spaces at its end, in the encoding of the locale. */
void screen_line(const struct screen *screen, size_t line, struct buf *out);

#endif
