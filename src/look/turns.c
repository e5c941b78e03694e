/* SPDX-License-Identifier: MIT */
#include "look/turns.h"

#include <stdlib.h>

#include "base/clock.h"
#include "look/private.h"
#include "show/output.h"
#include "look/look_watch.h"
#include "look/progress.h"

#define INTERVAL_DEFAULT 1.0

/* What prints a sample. */
struct shown {
    bool (*show)(void *opaque, struct sampler *sampler);
    void *opaque;
};

unsigned long look_count_turns(const struct look_options *options)
{
    return options->count || options->interval > 0 ? options->count : 1;
}

bool look_has_many(const struct look *look)
{
    bool is_watched = look_count_turns(&look->options) != 1;

    if (look->n_sockets > 1)
        return true;
    for (size_t i = 0; is_watched && i < look->sockets.n; i++)
        if (!look->sockets.all[i].is_named)
            return true;
    return false;
}

static double interval_of(const struct look_options *options)
{
    return options->interval > 0 ? options->interval : INTERVAL_DEFAULT;
}

/* ---- one output: all VMs are waited for ----------------------------------------------------- */

static int take_samples(struct sampler *sampler, bool is_rates, const struct shown *shown)
{
    uint64_t turn_ns = clock_now_ns();

    if (is_rates) {
        if (sampler_sample(sampler) == 0)
            return EXIT_FAILURE;
        sampler_wait_first(sampler, &turn_ns, interval_of(&sampler->look->options));
        if (look_refresh(sampler->look))
            return EXIT_FAILURE;
    }
    if (sampler_sample(sampler) == 0 || !shown->show(shown->opaque, sampler) || !output_flush())
        return EXIT_FAILURE;
    return sampler->look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int show_once(struct look *look, bool is_rates, const struct shown *shown)
{
    struct sampler sampler;
    int status = look_open(look);

    if (status)
        return status;
    if (!sampler_init(&sampler, look))
        return EXIT_FAILURE;
    status = take_samples(&sampler, is_rates, shown);
    sampler_free(&sampler);
    return status;
}

/* ---- again and again: VMs are watched ------------------------------------------------------- */

/* The first turn is only what the second one is compared with. */
static bool take_first(struct sampler *sampler, struct watch *watch)
{
    struct progress *progress;
    bool is_taken;

    watch_wait(watch, 1);
    is_taken = sampler_take(sampler, watch);
    progress = progress_begin(sampler->look->options.command, "the first interval takes %g s",
                              interval_of(&sampler->look->options));
    watch_wait(watch, 2);
    progress_end(progress);
    return is_taken;
}

static int take_turns(struct sampler *sampler, struct watch *watch, bool is_rates,
                      const struct shown *shown)
{
    const struct look_options *options = &sampler->look->options;
    uint64_t number = is_rates ? 2 : 1;

    if (is_rates && !take_first(sampler, watch))
        return EXIT_FAILURE;
    for (unsigned long n = 1;; n++) {
        watch_wait(watch, number);
        if (!sampler_take(sampler, watch))
            return EXIT_FAILURE;
        number = watch_turn(watch).number + 1;
        if (!shown->show(shown->opaque, sampler) || !output_flush())
            return EXIT_FAILURE;
        if (n == options->count)
            break;
    }
    return sampler->look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int watch_turns(struct look *look, bool is_rates, const struct shown *shown)
{
    struct sampler sampler;
    struct watch *watch;
    int status = look_watch(look, interval_of(&look->options), &watch);

    if (status)
        return status;
    if (sampler_init(&sampler, look)) {
        status = take_turns(&sampler, watch, is_rates, shown);
        sampler_free(&sampler);
    } else {
        status = EXIT_FAILURE;
    }
    watch_stop(watch);
    return status;
}

int look_turns(struct look *look, bool is_rates,
               bool (*show)(void *opaque, struct sampler *sampler), void *opaque)
{
    const struct shown shown = {show, opaque};

    return look_count_turns(&look->options) == 1 ? show_once(look, is_rates, &shown)
                                                 : watch_turns(look, is_rates, &shown);
}
