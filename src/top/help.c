/* SPDX-License-Identifier: MIT */
#include "top/help.h"

void help_draw(struct screen *screen)
{
    static const char *const keys[][2] = {
        {"Enter, x, Right", "drill down: VM, vCPU, statistics, histogram"},
        {"Esc, Backspace, Left", "back"},
        {"Up, Down, k, j", "the line before, the next line"},
        {"PgUp, PgDn, Home, End", "a page, the first line, the last line"},
        {"o, <, >", "sort by the next column; by the one left, right"},
        {"R", "the other way round"},
        {"f, /", "filter by a glob, or by a part of the name"},
        {"g", "filter the VMs"},
        {"c", "clear the filter"},
        {"t", "totals instead of rates"},
        {"z", "leave out statistics that are 0"},
        {"r", "reset the baseline: totals count from now on"},
        {"s", "set the interval in seconds"},
        {"p, Space", "pause, go on"},
        {"h, ?", "this help"},
        {"q", "quit"},
    };
    enum { KEYS = sizeof(keys) / sizeof(keys[0]), KEY_WIDTH = 25 };

    screen_put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, "vitals top: keys");
    for (size_t i = 0; i < KEYS; i++) {
        screen_put(screen, 2 + i, 2, KEY_WIDTH, STYLE_GOOD, keys[i][0]);
        screen_put(screen, 2 + i, KEY_WIDTH, SIZE_MAX, STYLE_NORMAL, keys[i][1]);
    }
    screen_put(screen, 3 + KEYS, 0, SIZE_MAX, STYLE_DIM, "Any key goes back.");
}
