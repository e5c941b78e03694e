/* SPDX-License-Identifier: MIT */
#include "host/run_path.h"

#include <stdlib.h>

const char *host_run_directory(void)
{
    const char *directory = getenv("VITALS_RUN_DIR");

    return directory && *directory ? directory : "/run/vitals";
}
