/* SPDX-License-Identifier: MIT */
/*
 * The file of a listening socket in a directory where nobody else can write: made in some microseconds,
 * without the precautions of server/socket_file.h, as there are two for each VM of a host.
 */
#ifndef SERVE_OWN_SOCKET_H
#define SERVE_OWN_SOCKET_H

#include <sys/types.h>

/*
 * Returns the socket, or -errno. What has the path is replaced. Whoever finds the file can connect. It
 * is the caller's to remove.
 */
int own_socket_make(const char *path, mode_t mode);

#endif
