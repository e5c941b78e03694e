/* SPDX-License-Identifier: MIT */
/*
 * The file of a listening socket: made at a path with exact permissions, in place of a stale one, and
 * removed again.
 *
 * Others may be able to write to its directory, and then to put links in the place of files at any
 * moment. So the directory is opened once and held, and only bare names in it are looked at, which
 * are never followed. The file is made in a directory of its own, where nobody else gets, and takes
 * its name when it is complete and somebody listens: whoever finds a socket that nobody listens on
 * may take that for stale at once, and needs no lock.
 */
#ifndef SERVER_SOCKET_FILE_H
#define SERVER_SOCKET_FILE_H

#include <sys/types.h>
#include <sys/un.h>

struct socket_file {
    int directory; /* -1: there is no file */
    dev_t device;  /* to know it again */
    ino_t inode;
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/*
 * Returns a listening socket, or -errno as in vitals_server_listen(). Makes a thread for the time of
 * the call.
 */
int socket_file_make(const char *path, mode_t mode, struct socket_file *ret_file);

/* If the file is still the same. */
void socket_file_remove(struct socket_file *file);
/* The file stays. */
void socket_file_forget(struct socket_file *file);

#endif
