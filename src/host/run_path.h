/* SPDX-License-Identifier: MIT */
/* Where the daemon of this host has its sockets. */
#ifndef HOST_RUN_PATH_H
#define HOST_RUN_PATH_H

/* That of the environment, or /run/vitals. */
const char *host_run_directory(void);

#endif
