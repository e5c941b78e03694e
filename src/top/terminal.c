/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "top/terminal.h"

#include <curses.h>
#include <term.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/count.h"

enum { ESCAPE_DELAY_MS = 100, SIDE_MAX = 1000 };

static SCREEN *opened;

/* ---- crashes -------------------------------------------------------------------------------- */

static const int fatal_signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

enum { FATAL_SIGNALS = sizeof(fatal_signals) / sizeof(fatal_signals[0]) };

/* How a crash leaves the terminal as it was; made ready before, as ncurses can't be called then. */
static struct {
    volatile sig_atomic_t is_needed;
    struct termios settings;
    char text[256];
    size_t len;
    struct sigaction actions[FATAL_SIGNALS];
} rescue;

/* Without the pauses "$<5>" that terminals needed once. */
static void add_capability(const char *name)
{
    const char *text = tigetstr(name);

    if (!text || text == (const char *)-1)
        return;
    for (; *text && rescue.len < sizeof(rescue.text); text++) {
        if (text[0] == '$' && text[1] == '<' && strchr(text, '>'))
            text = strchr(text, '>');
        else
            rescue.text[rescue.len++] = *text;
    }
}

/* Then what would have happened without us. */
static void rescue_terminal(int number)
{
    if (rescue.is_needed) {
        ssize_t n = write(STDOUT_FILENO, rescue.text, rescue.len);

        (void)n;
        tcsetattr(STDIN_FILENO, TCSANOW, &rescue.settings);
    }
    for (size_t i = 0; i < FATAL_SIGNALS; i++)
        if (fatal_signals[i] == number)
            sigaction(number, &rescue.actions[i], NULL);
    raise(number);
}

static void prepare_rescue(void)
{
    static const char *const names[] = {"sgr0", "op", "rmkx", "cnorm", "rmcup"};
    struct sigaction action = {.sa_handler = rescue_terminal};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add_capability(names[i]);
    rescue.is_needed = true;
    for (size_t i = 0; i < FATAL_SIGNALS; i++)
        sigaction(fatal_signals[i], &action, &rescue.actions[i]);
}

/* ---- begin and end -------------------------------------------------------------------------- */

void terminal_close(void)
{
    if (opened && !isendwin())
        endwin();
    rescue.is_needed = false;
}

/* Without it the characters of a screen can't get to their places. */
static bool can_move_cursor(void)
{
    const char *text = tigetstr("cup");

    return text && text != (const char *)-1;
}

/* Colour is never the only sign of something. */
static void choose_colours(void)
{
    const char *no_colour = getenv("NO_COLOR");

    if ((no_colour && *no_colour) || !has_colors() || start_color() == ERR)
        return;
    use_default_colors();
    init_pair(STYLE_GOOD, COLOR_CYAN, -1);
    init_pair(STYLE_BAD, COLOR_RED, -1);
    init_pair(STYLE_BAR, COLOR_GREEN, -1);
}

/* ncurses would fill windows of any size. */
static void bound_size(void)
{
    struct winsize size;
    char side[16];

    snprintf(side, sizeof(side), "%d", SIDE_MAX);
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    if (size.ws_row > SIDE_MAX)
        setenv("LINES", side, true);
    if (size.ws_col > SIDE_MAX)
        setenv("COLUMNS", side, true);
}

/* Terminals of today that bring an entry of their own, and understand what xterm does. */
static bool is_like_xterm(const char *kind)
{
    static const char *const beginnings[] = {
        "alacritty", "contour", "foot", "ghostty", "gnome", "iterm",   "kitty", "konsole",
        "mintty",    "rio",     "st-",  "tmux",    "vte",   "wezterm", "xterm-"};

    for (size_t i = 0; i < COUNT(beginnings); i++)
        if (strncmp(kind, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/* newterm() does not tell why it fails, and tgetent() changes nothing. */
static bool is_installed(const char *kind)
{
    return *kind && tgetent(NULL, kind) == 1;
}

static enum terminal_state choose_kind(const char **ret_kind)
{
    const char *kind = getenv("TERM");

    *ret_kind = kind ? kind : "";
    if (is_installed(*ret_kind))
        return TERMINAL_OPEN;
    if (!is_like_xterm(*ret_kind) || !is_installed(TERMINAL_FALLBACK))
        return TERMINAL_UNKNOWN;
    *ret_kind = TERMINAL_FALLBACK;
    return TERMINAL_SIMILAR;
}

static void prepare(void)
{
    prepare_rescue();
    set_escdelay(ESCAPE_DELAY_MS);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    choose_colours();
}

enum terminal_state terminal_open(void)
{
    const char *kind;
    enum terminal_state state = choose_kind(&kind);

    if (state == TERMINAL_UNKNOWN)
        return state;
    bound_size();
    tcgetattr(STDIN_FILENO, &rescue.settings);
    opened = newterm(kind, stdout, stdin);
    if (!opened)
        return TERMINAL_UNABLE;
    atexit(terminal_close);
    if (!can_move_cursor()) {
        terminal_close();
        return TERMINAL_UNABLE;
    }
    prepare();
    return state;
}

void terminal_refresh(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        resizeterm(size.ws_row < SIDE_MAX ? size.ws_row : SIDE_MAX,
                   size.ws_col < SIDE_MAX ? size.ws_col : SIDE_MAX);
    clearok(curscr, TRUE);
}

void terminal_resume(void)
{
    reset_prog_mode();
    terminal_refresh();
}

void terminal_suspend(void)
{
    endwin();
    raise(SIGSTOP);
    terminal_refresh();
}

/* ---- the picture ---------------------------------------------------------------------------- */

static attr_t attributes(enum screen_style style)
{
    static const attr_t plain[] = {
        [STYLE_TITLE] = A_REVERSE,    [STYLE_SORTED] = A_REVERSE | A_BOLD | A_UNDERLINE,
        [STYLE_SELECTED] = A_REVERSE, [STYLE_DIM] = A_DIM,
        [STYLE_STRONG] = A_BOLD,      [STYLE_GOOD] = A_BOLD,
        [STYLE_BAD] = A_BOLD,         [STYLE_BAR] = A_NORMAL,
    };
    ASSERT_COUNT(plain, STYLES);

    return plain[style];
}

static bool has_pair(enum screen_style style)
{
    return style == STYLE_GOOD || style == STYLE_BAD || style == STYLE_BAR;
}

static void put_cell(int line, int column, const struct screen_cell *cell)
{
    const wchar_t text[] = {cell->character, L'\0'};
    short pair = has_colors() && has_pair(cell->style) ? (short)cell->style : 0;
    cchar_t character;

    if (cell->character && setcchar(&character, text, attributes(cell->style), pair, NULL) == OK)
        mvadd_wch(line, column, &character);
}

bool terminal_draw(struct screen *screen, struct model *model)
{
    size_t width = (size_t)COLS, height = (size_t)LINES;

    if ((screen->width != width || screen->height != height) &&
        !screen_resize(screen, width, height))
        return false;
    screen->is_unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    screen_draw(screen, model);
    for (size_t i = 0; i < height; i++)
        for (size_t j = 0; j < screen->width; j++)
            put_cell((int)i, (int)j, &screen->cells[i * screen->width + j]);
    refresh();
    return !model->has_failed;
}

/* ---- keys ----------------------------------------------------------------------------------- */

int terminal_read_key(void)
{
    int key;

    do
        key = getch();
    while (key == KEY_RESIZE); /* nobody has pressed it; the signal said so already */
    switch (key) {
    case ERR:
        return 0;
    case 0: /* Ctrl and Space */
        return MODEL_KEY_NONE;
    case KEY_UP:
        return MODEL_KEY_UP;
    case KEY_DOWN:
        return MODEL_KEY_DOWN;
    case KEY_LEFT:
        return MODEL_KEY_LEFT;
    case KEY_RIGHT:
        return MODEL_KEY_RIGHT;
    case KEY_PPAGE:
        return MODEL_KEY_PAGE_UP;
    case KEY_NPAGE:
        return MODEL_KEY_PAGE_DOWN;
    case KEY_HOME:
        return MODEL_KEY_HOME;
    case KEY_END:
        return MODEL_KEY_END;
    case KEY_ENTER:
    case '\r':
        return MODEL_KEY_ENTER;
    case KEY_BACKSPACE:
    case 0x7f:
        return MODEL_KEY_BACKSPACE;
    default:
        return key < 0x100 ? key : MODEL_KEY_NONE;
    }
}
