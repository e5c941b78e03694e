/* SPDX-License-Identifier: MIT */
/*
 * Files that come over a unix socket (SCM_RIGHTS) though nobody asked for them. Whoever lets go of
 * the last reference to a file closes it, and may sleep as long as its owner likes: a TCP socket that
 * lingers takes hours. Receiving the bytes that such a file came with lets go of it, and so does
 * closing a socket in whose queue it lies. So a thread that others wait for must do neither.
 */
#ifndef BASE_PASSED_FILES_H
#define BASE_PASSED_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Asks the kernel to refuse files that the peer sends from now on; of a listening socket, those that
 * its clients send. True: there are none in the queue either, so plain recv() and close() will do.
 * False: the kernel is older than Linux 6.16, or some were sent before; use the functions below.
 */
bool passed_files_refuse(int fd);

/* Has the kernel take files again where they were refused: of a listening socket, of later clients. */
void passed_files_allow(int fd);

/* For a socket whose peer may pass files: makes passed_files_receive() see all of them. */
void passed_files_expect(int fd);

/* As recv() without waiting, or -errno. -EBADMSG: files come with the next bytes; they stay there. */
ssize_t passed_files_receive(int fd, void *bytes, size_t size);

enum { PASSED_FILES_MAX = 253 }; /* that go with one message: the kernel's SCM_MAX_FD */

/* As send(), or -errno; the @n files go with the first byte. */
ssize_t passed_files_send(int fd, const void *bytes, size_t len, const int *files, size_t n);

/*
 * Shuts the socket down and takes what its queue has. True: it can be closed at once. False: files
 * are in the queue, and closing the socket may take as long as it pleases their owner.
 */
bool passed_files_drain(int fd);

#endif
