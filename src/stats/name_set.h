/* SPDX-License-Identifier: MIT */
/*
 * Names that a client chose, each with an owner, to be looked for many times. They are placed by a hash whose
 * key nobody else knows: a client can't find names that fall into one place. All of it lives in an arena.
 */
#ifndef STATS_NAME_SET_H
#define STATS_NAME_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct name_set;

/* With room for @max names. NULL: no memory. */
struct name_set *name_set_new(struct arena *arena, size_t max);

/* @owner: NULL is one, too. Neither is copied. False: it is there already. */
bool name_set_add(struct name_set *set, const char *owner, const char *name);

bool name_set_has(const struct name_set *set, const char *owner, const char *name);

/* Whether it is there without an owner, or with this one. */
bool name_set_has_either(const struct name_set *set, const char *owner, const char *name);

#endif
