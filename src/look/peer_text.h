/* SPDX-License-Identifier: MIT */
/* What a socket speaks, for people. */
#ifndef LOOK_PEER_TEXT_H
#define LOOK_PEER_TEXT_H

#include "client/client.h"

enum { PEER_VERSION_MAX = 40, PEER_TEXT_MAX = 64 };

/* "7.2.22": of QEMU, or of the QEMU whose form of the commands vitals speaks. */
void peer_version(char text[PEER_VERSION_MAX], const struct client *client);

/* "vitals" or "qemu"; NULL: there is no peer */
const char *peer_name(const struct client *client);

/* "grouped" or "flat"; NULL: there is no peer */
const char *peer_dialect(const struct client *client);

/* "QEMU 7.2.22", "vitals, dialect grouped" */
void peer_text(char text[PEER_TEXT_MAX], const struct client *client);

#endif
