/* SPDX-License-Identifier: MIT */
/* Whether settings can be used, as far as it can be known without starting. */
#ifndef SERVE_CHECK_H
#define SERVE_CHECK_H

#include "serve/config.h"

enum serve_moment {
    SERVE_START,
    SERVE_CHANGE, /* of a daemon that runs: what counts from the next start on is not looked at */
};

/* @options: what @config and @given are together. -errno; the text names the file, line and key. */
int serve_check(const struct serve_config *config, const struct serve_options *given,
                const struct serve_options *options, enum serve_moment moment,
                struct error_text *error);

#endif
