/* SPDX-License-Identifier: MIT */
/* The terminal, by ncurses: shows a screen, and reads keys. There is one. */
#ifndef TOP_TERMINAL_H
#define TOP_TERMINAL_H

#include "top/screen.h"

enum terminal_state {
    TERMINAL_OPEN,
    TERMINAL_SIMILAR, /* open; its own kind is not installed here, and TERMINAL_FALLBACK took its place */
    TERMINAL_UNABLE,  /* can't be cleared or moved around in */
    TERMINAL_UNKNOWN, /* its kind, TERM, is not installed here, or is none */
};

#define TERMINAL_FALLBACK "xterm-256color"

/* Otherwise nothing has changed. */
enum terminal_state terminal_open(void);

/* Gives the terminal back as it was; once more is harmless. exit() does it, too, and a crash. */
void terminal_close(void);

/* The terminal may have another size now, or show something else. */
void terminal_refresh(void);

/* This process goes on, and others may have changed the settings of the terminal meanwhile. */
void terminal_resume(void);

/* Gives it back, stops this process, and takes it again when the process goes on. */
void terminal_suspend(void);

/* Draws the model in the size that the terminal has now. False: no memory. */
bool terminal_draw(struct screen *screen, struct model *model);

/* The next key as model_press() wants it; 0: none is there. */
int terminal_read_key(void);

#endif
