/* SPDX-License-Identifier: MIT */
/* Draws the model as lines of characters with styles, for any width and height. */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include "qmp/buf.h"
#include "top/model.h"

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

enum { SCREEN_WIDTH_MAX = 1024 };

/* A wide character has two cells; the second one has none. */
struct screen_cell {
    wchar_t character;
    enum screen_style style;
};

struct screen {
    size_t width, height;
    struct screen_cell *cells;
    bool is_unicode; /* bars may be made of U+2588 and the like */
};

/* @width is cut to SCREEN_WIDTH_MAX. False: no memory. */
bool screen_resize(struct screen *screen, size_t width, size_t height);
void screen_free(struct screen *screen);

void screen_draw(struct screen *screen, struct model *model);

/* The VMs, and then the objects of each: as high as it takes. False: no memory. */
bool screen_report(struct screen *screen, struct model *model, size_t width);

/* The text of a line without the spaces at its end, in the encoding of the locale. */
void screen_line(const struct screen *screen, size_t line, struct buf *out);

#endif
