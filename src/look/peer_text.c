/* SPDX-License-Identifier: MIT */
#include "look/peer_text.h"

#include <stdio.h>

#include "base/count.h"

void peer_version(char text[PEER_VERSION_MAX], const struct client *client)
{
    unsigned version = client_qemu_version(client);

    snprintf(text, PEER_VERSION_MAX, "%u.%u.%u", version / 10000, version / 100 % 100,
             version % 100);
}

const char *peer_name(const struct client *client)
{
    static const char *const names[] = {
        [CLIENT_GROUPED] = "vitals", [CLIENT_FLAT] = "vitals", [CLIENT_QEMU] = "qemu"};

    return client_peer(client) < COUNT(names) ? names[client_peer(client)] : NULL;
}

const char *peer_dialect(const struct client *client)
{
    static const char *const dialects[] = {
        [CLIENT_GROUPED] = "grouped", [CLIENT_FLAT] = "flat", [CLIENT_QEMU] = "flat"};

    return client_peer(client) < COUNT(dialects) ? dialects[client_peer(client)] : NULL;
}

void peer_text(char text[PEER_TEXT_MAX], const struct client *client)
{
    char version[PEER_VERSION_MAX];

    peer_version(version, client);
    if (client_is_of_host(client))
        snprintf(text, PEER_TEXT_MAX, "%s", client_origin(client)->way);
    else if (client_peer(client) == CLIENT_QEMU)
        snprintf(text, PEER_TEXT_MAX, "QEMU %s", version);
    else
        snprintf(text, PEER_TEXT_MAX, "vitals, dialect %s", peer_dialect(client));
}
