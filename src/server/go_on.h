/* SPDX-License-Identifier: MIT */
/* For who brings things up to date before requests are answered: replies that go on need none of it. */
#ifndef SERVER_GO_ON_H
#define SERVER_GO_ON_H

#include <stdbool.h>

struct vitals_server;

/*
 * As vitals_server_process(), if all that waits are clients to whom replies are being written. False: nothing was
 * done, as there is more.
 */
bool server_go_on(struct vitals_server *server);

#endif
