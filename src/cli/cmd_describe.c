/* SPDX-License-Identifier: MIT */
/* `vitals describe`: what a statistic means, and what to do about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "base/pattern.h"
#include "base/wrap.h"
#include "look/look.h"
#include "args/suggestion.h"
#include "show/description.h"
#include "show/record.h"

#define SENTENCE_MAX 512

struct descriptions {
    struct description *all;
    size_t n;
    bool is_list; /* one line each */
};

/* ---- for people ----------------------------------------------------------------------------- */

static void print_description(const struct description *description)
{
    struct buf out = {0};

    buf_printf(&out, "%s\n", description->name);
    description_put(&out, description, wrap_width());
    if (out.failed)
        output_out_of_memory();
    fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

static void print_for_people(const struct descriptions *descriptions)
{
    for (size_t i = 0; i < descriptions->n; i++) {
        if (i)
            putchar('\n');
        print_description(&descriptions->all[i]);
    }
}

/* ---- records -------------------------------------------------------------------------------- */

static void first_sentence(char text[SENTENCE_MAX], const char *meaning)
{
    const char *end = strstr(meaning, ". ");

    snprintf(text, SENTENCE_MAX, "%.*s", end ? (int)(end - meaning + 1) : SENTENCE_MAX - 1,
             meaning);
}

static void put_description(struct record_writer *to, const struct description *description)
{
    const struct explanation *explanation = description->explanation;
    const char *help = description->stat ? description->stat->help : NULL;
    char sentence[SENTENCE_MAX];

    first_sentence(sentence, description_meaning(description));
    record_text(to, "target", NULL, description->target);
    record_text(to, "provider", NULL, description->provider);
    record_text(to, "name", "NAME", description->name);
    record_text(to, NULL, "MEANING", sentence);
    record_text(to, "meaning", NULL, explanation ? explanation->meaning : help);
    record_text(to, "high", NULL, explanation ? explanation->high : NULL);
    record_text(to, "next", NULL, explanation ? explanation->next : NULL);
    record_stat(to, description->stat, NULL);
}

static void print_records(const struct descriptions *descriptions, const struct look *look)
{
    struct record_writer to = look_record_writer(look);

    record_open(&to);
    record_list(&to, "stats");
    for (size_t i = 0; i < descriptions->n; i++) {
        record_begin(&to);
        put_description(&to, &descriptions->all[i]);
        record_end(&to);
    }
    record_close(&to);
    record_free(&to);
}

static void print(const struct descriptions *descriptions, const struct look *look)
{
    if (look->options.format == OUTPUT_TABLE && !descriptions->is_list)
        print_for_people(descriptions);
    else
        print_records(descriptions, look);
}

/* ---- choosing ------------------------------------------------------------------------------- */

static bool is_same(const struct description *a, const struct description *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->provider, b->provider) &&
           !strcmp(a->target, b->target);
}

/* Several VMs have the same statistics: each is described once. */
static void add(struct descriptions *descriptions, const struct description *description)
{
    for (size_t i = 0; i < descriptions->n; i++)
        if (is_same(&descriptions->all[i], description))
            return;
    descriptions->all[descriptions->n++] = *description;
}

static size_t count_stats(const struct look *look)
{
    size_t n_all = 0, n;

    for (size_t i = 0; i < look->n_vms; i++) {
        client_stats(look->vms[i].client, &n);
        n_all += n;
    }
    return n_all;
}

static bool make_room(struct descriptions *descriptions, const char *command, size_t n)
{
    descriptions->all = calloc(n + 1, sizeof(*descriptions->all));
    if (!descriptions->all)
        fprintf(stderr, "%s: out of memory\n", command);
    return descriptions->all;
}

static int describe_vms(struct look *look, struct descriptions *descriptions)
{
    int status = look_open(look);

    if (status)
        return status;
    if (!make_room(descriptions, look->options.command, count_stats(look)))
        return EXIT_FAILURE;
    for (size_t i = 0; i < look->n_vms; i++) {
        size_t n;
        const struct client_stat *stats = client_stats(look->vms[i].client, &n);

        for (size_t j = 0; j < n; j++) {
            struct description description = {
                stats[j].provider, stats[j].target, stats[j].desc.name, &stats[j].desc,
                explanation_find(stats[j].provider, stats[j].target, stats[j].desc.name)};
            if (look->vms[i].wanted[j])
                add(descriptions, &description);
        }
    }
    return look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool is_candidate(const struct look *look, const struct explanation *explanation)
{
    const char *provider = look->options.provider;

    return look_wants_target(look, explanation->target) &&
           (!provider || !strcmp(provider, explanation->provider));
}

static int refuse(const struct look *look, const char *what, const struct suggestion *suggestion)
{
    suggestion_print(
        suggestion, look->options.command, what,
        "'vitals describe' lists those that are known without a VM; --socket asks a VM.");
    return EXIT_NO_MATCH;
}

static int check_target(const struct look *look)
{
    struct suggestion suggestion = {.meant = look->options.target};

    for (size_t i = 0; suggestion.meant && i < n_explanations; i++) {
        if (!strcmp(explanations[i].target, suggestion.meant))
            return 0;
        suggestion_consider(&suggestion, explanations[i].target);
    }
    return suggestion.meant ? refuse(look, "target", &suggestion) : 0;
}

static int check_provider(const struct look *look)
{
    struct suggestion suggestion = {.meant = look->options.provider};

    for (size_t i = 0; suggestion.meant && i < n_explanations; i++) {
        if (!strcmp(explanations[i].provider, suggestion.meant))
            return 0;
        suggestion_consider(&suggestion, explanations[i].provider);
    }
    return suggestion.meant ? refuse(look, "provider", &suggestion) : 0;
}

static bool is_name(const char *text)
{
    for (size_t i = 0; i < n_explanations; i++)
        if (!strcmp(explanations[i].name, text))
            return true;
    return false;
}

static int match(const struct look *look, const char *text, bool *wanted)
{
    struct suggestion suggestion = {.meant = text};
    bool is_part = !is_name(text), any = false;

    for (size_t i = 0; i < n_explanations; i++)
        if (is_candidate(look, &explanations[i]) &&
            pattern_matches(text, is_part, explanations[i].name))
            any = wanted[i] = true;
    if (any)
        return 0;
    for (size_t i = 0; i < n_explanations; i++)
        if (is_candidate(look, &explanations[i]))
            suggestion_consider(&suggestion, explanations[i].name);
    return refuse(look, "statistic", &suggestion);
}

static int describe_table(const struct look *look, struct descriptions *descriptions)
{
    bool *wanted = calloc(n_explanations, sizeof(bool));
    int status = check_target(look);

    if (status == 0)
        status = check_provider(look);
    if (!wanted || !make_room(descriptions, look->options.command, n_explanations)) {
        free(wanted);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; status == 0 && i < look->options.globs.n; i++)
        status = match(look, look->options.globs.all[i], wanted);
    if (status == 0 && !look->options.globs.n)
        status = match(look, "*", wanted);
    for (size_t i = 0; i < n_explanations; i++) {
        const struct explanation *found = &explanations[i];

        if (wanted[i])
            descriptions->all[descriptions->n++] =
                (struct description){found->provider, found->target, found->name, NULL, found};
    }
    free(wanted);
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int describe(void *self)
{
    struct look *look = self;
    struct descriptions descriptions = {.is_list = !look->options.globs.n};
    bool has_vms =
        look->options.is_host || look->options.vms.n || look_names_sockets(&look->options);
    int status = has_vms ? describe_vms(look, &descriptions) : describe_table(look, &descriptions);

    if (status == EXIT_SUCCESS || (status == EXIT_FAILURE && descriptions.n))
        print(&descriptions, look);
    free(descriptions.all);
    return status;
}

static int run(struct cli_args *args)
{
    return look_run(args, &(struct look){.shows_help = true}, describe);
}

const struct verb verb_describe = {
    .name = "describe",
    .summary = "say what statistics mean, and what to do about them",
    .operands = "[STAT|GLOB]...",
    .operand_words = CLI_STATISTICS,
    .operands_at = offsetof(struct look, options.globs),
    .about = "Says what statistics mean, when a high value is bad, and what to do then. Without a "
             "name it lists all, a line each. The meanings come with the program; type, unit and "
             "buckets come from a VM, if --socket or VITALS_SOCKET names one.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, look_output_options},
    .notes = "-o json prints one object: {\"schema_version\": 1, \"stats\": [...]}. Each statistic "
             "has target, provider, name, meaning, high and next, which are null where the "
             "statistic is not known, and type, unit, base and exponent, which are null without a "
             "VM; a linear histogram of a VM has bucket_size.\n"
             "\n"
             "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches.",
    .run = run,
};
