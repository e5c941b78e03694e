/* SPDX-License-Identifier: MIT */
/* Whether anybody listens on a unix socket. */
#ifndef BASE_LISTENER_PROBE_H
#define BASE_LISTENER_PROBE_H

#include <sys/un.h>

/*
 * Connects without waiting, and lets go. 0, or -errno: -EAGAIN where somebody listens whose queue is
 * full, -ECONNREFUSED where nobody does any more.
 */
int listener_probe(const struct sockaddr_un *address);

#endif
