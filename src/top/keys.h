/* SPDX-License-Identifier: MIT */
/* The keys: what each does, and how the help and the line of hints name it. */
#ifndef TOP_KEYS_H
#define TOP_KEYS_H

#include "top/model.h"

enum { KEY_CODES_MAX = 4 };

struct key {
    int codes[KEY_CODES_MAX]; /* 0: no more */
    const char *names;        /* "f, /": the hint has the first */
    const char *help;
    const char *hints[MODEL_LEVELS]; /* NULL: none at this level */
    void (*press)(struct model *model, int code);
};

/* In the order of the help, which is that of the hints. */
extern const struct key keys[];
extern const size_t n_keys;

#endif
