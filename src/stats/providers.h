/* SPDX-License-Identifier: MIT */
/*
 * The providers that are shown to some clients, chosen by name. A name may be that of a provider that
 * is not registered yet. Never changed after it was made, and counted by references, so that a
 * listener shares it with its clients. NULL stands for all providers.
 */
#ifndef STATS_PROVIDERS_H
#define STATS_PROVIDERS_H

#include <stdbool.h>

#include "base/error.h"

struct providers;

/*
 * From names that commas join; NULL becomes NULL. -EINVAL (an empty entry, a name that no provider can
 * have, a name twice), -E2BIG (VITALS_PROVIDERS_MAX, VITALS_NAME_MAX), -ENOMEM, and the text.
 */
int providers_parse(const char *names, struct error_text *error, struct providers **ret_providers);

/* Both take NULL. */
struct providers *providers_ref(struct providers *providers);
void providers_unref(struct providers *providers);

bool providers_have(const struct providers *providers, const char *provider);

#endif
