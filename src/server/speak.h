/* SPDX-License-Identifier: MIT */
/* A socket of a server that speaks QMP with commands of its own, which are not those of a VM. */
#ifndef SERVER_SPEAK_H
#define SERVER_SPEAK_H

struct vitals_listener;
struct qmp_dialect;

/*
 * From the first client on: to be called before the server is processed again, by the thread that does
 * so. Commands find @opaque in their session. Of the listener's context they have what they ask for.
 */
void listener_speak(struct vitals_listener *listener, const struct qmp_dialect *dialect,
                    void *opaque);

#endif
