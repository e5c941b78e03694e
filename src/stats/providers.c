/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stats/providers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "stats/schema.h"
#include "vitals/qmp.h" /* its limit */

struct providers {
    atomic_uint refs;
    size_t n;
    const char *names[VITALS_PROVIDERS_MAX]; /* in the text */
    char text[];
};

static bool has_name(const struct providers *providers, const char *name)
{
    size_t i;

    for (i = 0; i < providers->n; i++)
        if (!strcmp(providers->names[i], name))
            return true;
    return false;
}

static int add_name(struct providers *providers, const char *name, struct error_text *error)
{
    int err;

    if (!*name)
        return error_set(error, -EINVAL, "providers: entry %zu is empty", providers->n + 1);
    err = schema_check_name("provider", name, error);
    if (err)
        return err;
    if (has_name(providers, name))
        return error_set(error, -EINVAL, "providers: '%s' is named twice", name);
    if (providers->n == VITALS_PROVIDERS_MAX)
        return error_set(error, -E2BIG, "providers: more than %d names", VITALS_PROVIDERS_MAX);
    providers->names[providers->n++] = name;
    return 0;
}

/* Cuts the text into its names. */
static int add_names(struct providers *providers, struct error_text *error)
{
    char *rest = providers->text;
    int err = 0;

    while (rest && !err)
        err = add_name(providers, strsep(&rest, ","), error);
    return err;
}

int providers_parse(const char *names, struct error_text *error, struct providers **ret_providers)
{
    struct providers *providers;
    size_t size;
    int err;

    if (!names) {
        *ret_providers = NULL;
        return 0;
    }
    size = strlen(names) + 1;
    providers = calloc(1, sizeof(*providers) + size);
    if (!providers)
        return error_set(error, -ENOMEM, "no memory for the names of providers");
    atomic_init(&providers->refs, 1);
    memcpy(providers->text, names, size);
    err = add_names(providers, error);
    if (err)
        free(providers);
    else
        *ret_providers = providers;
    return err;
}

struct providers *providers_ref(struct providers *providers)
{
    if (providers)
        atomic_fetch_add_explicit(&providers->refs, 1, memory_order_relaxed);
    return providers;
}

void providers_unref(struct providers *providers)
{
    if (providers && atomic_fetch_sub_explicit(&providers->refs, 1, memory_order_acq_rel) == 1)
        free(providers);
}

bool providers_have(const struct providers *providers, const char *provider)
{
    return !providers || has_name(providers, provider);
}
