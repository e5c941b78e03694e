/* SPDX-License-Identifier: MIT */
/* A socket of a server that speaks QMP with commands of its own, which are not those of a VM. */
#ifndef SERVER_SPEAK_H
#define SERVER_SPEAK_H

#include <stdbool.h>
#include <stdint.h>

struct vitals_listener;
struct vitals_server;
struct qmp_dialect;
struct qmp_gate;

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

/* The same for what commands of its clients wait for, which is not copied either. */
void listener_set_gate(struct vitals_listener *listener, const struct qmp_gate *gate);

/* Commands that wait at a gate ask once more. Not from inside of one. */
void server_ask_again(struct vitals_server *server);

/* So many files of the process are left by clients: who comes when there are no more is refused. */
uint32_t server_files_left(void);

/* The clients that wait for a turn, as far as they are known. By the thread that processes the server. */
uint32_t server_n_waiting(const struct vitals_server *server);

#endif
