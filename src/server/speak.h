/* SPDX-License-Identifier: MIT */
/* A socket of a server that speaks QMP with commands of its own, which are not those of a VM. */
#ifndef SERVER_SPEAK_H
#define SERVER_SPEAK_H

#include <stdbool.h>
#include <stdint.h>

struct vitals_listener;
struct qmp_dialect;

struct listener_speech {
    const struct qmp_dialect *dialect;
    void
        *opaque; /* commands find it in their session, unless clients have something of their own */
    /*
     * All NULL, or none. A client has come at @fd: commands find *ret_client in place of @opaque.
     * -errno: it is not served; -EDQUOT: its user has as many clients as one may have, which it is
     * told. Like commands, these are called under the lock of the server.
     */
    int (*open)(void *opaque, int fd, void **ret_client);
    /*
     * Descriptors that came with the bytes of the next message, or of a later one; they are its own
     * now. False: it has closed them, and is closed.
     */
    bool (*take_fds)(void *client, const int *fds, uint32_t count);
    void (*close)(void *client);
};

/*
 * From the first client on: to be called before the server is processed again, by the thread that does
 * so. The speech is not copied. Of the listener's context commands have what they ask for.
 */
void listener_speak(struct vitals_listener *listener, const struct listener_speech *speech);

#endif
