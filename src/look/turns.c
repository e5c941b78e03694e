/* SPDX-License-Identifier: MIT */
#include "look/turns.h"

#include <stdlib.h>

#include "base/clock.h"
#include "look/missing.h"
#include "look/private.h"
#include "show/output.h"

#define INTERVAL_DEFAULT 1.0

unsigned long look_count_turns(const struct look_options *options)
{
    return options->count || options->interval > 0 ? options->count : 1;
}

static int take_turns(struct sampler *sampler, bool is_rates,
                      bool (*show)(void *opaque, struct sampler *sampler), void *opaque)
{
    const struct look_options *options = &sampler->look->options;
    double interval = options->interval > 0 ? options->interval : INTERVAL_DEFAULT;
    unsigned long n = 0, n_turns = look_count_turns(options);
    uint64_t turn_ns = clock_now_ns();

    if (is_rates) {
        if (sampler_sample(sampler) == 0)
            return EXIT_FAILURE;
        sampler_wait_first(sampler, &turn_ns, interval);
        if (look_refresh(sampler->look))
            return EXIT_FAILURE;
    }
    for (;;) {
        if (sampler_sample(sampler) == 0 || (missing_check(sampler) == 0 && n == 0) ||
            !show(opaque, sampler) || !output_flush())
            return EXIT_FAILURE;
        if (++n == n_turns)
            break;
        sampler_wait(&turn_ns, interval);
        if (look_refresh(sampler->look))
            return EXIT_FAILURE;
    }
    return sampler->look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int look_turns(struct look *look, bool is_rates,
               bool (*show)(void *opaque, struct sampler *sampler), void *opaque)
{
    struct sampler sampler;
    int status;

    if (!sampler_init(&sampler, look))
        return EXIT_FAILURE;
    status = take_turns(&sampler, is_rates, show, opaque);
    sampler_free(&sampler);
    return status;
}
