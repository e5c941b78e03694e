/* SPDX-License-Identifier: MIT */
/* The names that a shell completes: of VMs, and of what they have. */
#define _GNU_SOURCE
#include "look/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "kvm/meanings.h"
#include "look/private.h"
#include "stats/histogram.h"

/* A person waits for the answer. */
#define TIMEOUT_SECONDS 0.3

enum { NUMBER_MAX = 24 };

struct names {
    char **all;
    size_t n, cap;
};

static void add(struct names *names, const char *name)
{
    if (names->n == names->cap) {
        size_t cap = names->cap ? 2 * names->cap : 256;
        char **grown = reallocarray(names->all, cap, sizeof(*grown));

        if (!grown)
            return;
        names->all = grown;
        names->cap = cap;
    }
    names->all[names->n] = strdup(name);
    names->n += names->all[names->n] != NULL;
}

static int compare(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static void offer_each(struct names *names, void (*offer)(void *opaque, const char *name),
                       void *opaque)
{
    if (names->n)
        qsort(names->all, names->n, sizeof(*names->all), compare);
    for (size_t i = 0; i < names->n; i++)
        if (i == 0 || strcmp(names->all[i - 1], names->all[i]) != 0)
            offer(opaque, names->all[i]);
    for (size_t i = 0; i < names->n; i++)
        free(names->all[i]);
    free(names->all);
}

/* ---- which VMs ------------------------------------------------------------------------------ */

/* Where the value goes has a place in struct look_options. */
static bool is_of_look(const struct cli_option *option)
{
    const struct cli_option *const tables[] = {look_socket_options, look_vm_options,
                                               look_stat_options};

    for (size_t i = 0; i < COUNT(tables); i++)
        for (const struct cli_option *each = tables[i]; each->name; each++)
            if (each == option)
                return option->kind != CLI_LIST;
    return false;
}

static void take_options(const struct cli_typed *typed, enum cli_words kind, struct look *look)
{
    for (size_t i = 0; i < typed->n && strcmp(typed->words[i], "--") != 0; i++) {
        const char *value;
        const struct cli_option *option = cli_find_option(typed->verb, typed->words[i], &value);

        if (!option)
            continue;
        if (option->argument && !value && ++i < typed->n)
            value = typed->words[i];
        if (is_of_look(option) && (!option->argument || value) &&
            (kind != CLI_VMS || option->at != offsetof(struct look_options, vms)))
            cli_take_value("vitals", option, (char *)value, look);
    }
}

static bool asks_vms(const struct verb *verb)
{
    for (size_t i = 0; i < CLI_TABLES_MAX && verb->tables[i]; i++)
        if (verb->tables[i] == look_socket_options)
            return true;
    return false;
}

/* ---- what they have ------------------------------------------------------------------------- */

static void add_stats(struct names *names, enum cli_words kind, const struct look *look,
                      const struct client *client)
{
    size_t n;
    const struct client_stat *stats = client_stats(client, &n);

    for (size_t i = 0; i < n; i++) {
        if (kind == CLI_PROVIDERS)
            add(names, stats[i].provider);
        else if (look_wants_stat(look, &stats[i]) &&
                 (kind == CLI_STATISTICS || histogram_is(&stats[i].desc)))
            add(names, stats[i].desc.name);
    }
}

static void add_vcpus(struct names *names, const struct client *client)
{
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(client, &n);

    for (size_t i = 0; i < n; i++) {
        char number[NUMBER_MAX];

        snprintf(number, sizeof(number), "%lld", (long long)vcpus[i].index);
        add(names, number);
    }
}

static void add_path(void *names, const char *path)
{
    add(names, path);
}

static void add_of_vms(struct names *names, enum cli_words kind, const struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++) {
        struct client *client = look->vms[i].client;

        if (kind == CLI_VMS)
            add(names, client_vm_name(client));
        else if (kind == CLI_VCPUS)
            add_vcpus(names, client);
        else if (kind == CLI_OBJECTS)
            look_each_object(client, add_path, names);
        else
            add_stats(names, kind, look, client);
    }
}

/* Those of the kernel, where no VM says which it has. The kernel's names of histograms end so. */
static void add_known(struct names *names, enum cli_words kind)
{
    for (size_t i = 0; i < n_explanations; i++) {
        const char *name = explanations[i].name;
        size_t len = strlen(name);

        if (kind == CLI_STATISTICS || (len > 5 && !strcmp(name + len - 5, "_hist")))
            add(names, name);
    }
}

void look_offer_names(const struct cli_typed *typed, enum cli_words kind,
                      void (*offer)(void *opaque, const char *name), void *opaque)
{
    struct look look = {.options.command = "vitals"};
    struct names names = {0};

    if (!freopen("/dev/null", "w", stderr))
        return; /* nothing but names may come to the shell's screen */
    take_options(typed, kind, &look);
    look.options.timeout = TIMEOUT_SECONDS;
    if (asks_vms(typed->verb) && look_complete_options(&look.options) == 0) {
        look_connect(&look);
        add_of_vms(&names, kind, &look);
    }
    if (!names.n && (kind == CLI_STATISTICS || kind == CLI_HISTOGRAMS))
        add_known(&names, kind);
    offer_each(&names, offer, opaque);
    look_free(&look);
    free(look.options.sockets.all);
    free(look.options.vms.all);
}
