/* SPDX-License-Identifier: MIT */
/* What of the host's files the daemon needs once it runs, by its settings. */
#ifndef SERVE_REACH_H
#define SERVE_REACH_H

#include "serve/options.h"
#include "serve/run_directory.h"

/* Before there are threads. The log says how far the daemon has shut itself off from all else. */
void reach_limit(const struct run_directory *directory, const struct serve_options *options);

#endif
