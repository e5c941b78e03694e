/* SPDX-License-Identifier: MIT */
/* Closing sockets in whose queues strangers may have put files. */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "base/passed_files.h"
#include "server/internal.h"

void hang_up(struct vitals_server *server, int fd, bool passes_files)
{
    if (server->is_copy || !passes_files || passed_files_drain(fd))
        close(fd);
    else
        closer_take(server->closer, fd);
}

/*
 * Those that wait to be accepted have queues, too. A listening socket that was inherited may still be
 * somebody else's: it is not shut down, and who comes later is theirs.
 */
void hang_up_listening(struct vitals_listener *listener)
{
    bool inherited = listener->file.directory < 0;
    int client, n;

    if (listener->server->is_copy) {
        socket_file_forget(&listener->file);
        close(listener->fd);
        return;
    }
    socket_file_remove(&listener->file);
    if (listener->passes_files && !inherited)
        shutdown(listener->fd, SHUT_RDWR);
    for (n = 0; listener->passes_files && n <= SOMAXCONN; n++) {
        client = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            break;
        hang_up(listener->server, client, true);
    }
    close(listener->fd);
}
