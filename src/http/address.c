/* SPDX-License-Identifier: MIT */
#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIX "unix:"

enum { PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

/* ---- text ----------------------------------------------------------------------------------- */

static bool parse_port(const char *text, in_port_t *ret_port)
{
    size_t len = strspn(text, "0123456789");
    unsigned long port = strtoul(text, NULL, 10);

    if (!len || text[len] || len > PORT_DIGITS_MAX || port > PORT_MAX)
        return false;
    *ret_port = htons((in_port_t)port);
    return true;
}

/* @text: the address, without brackets. */
static bool parse_number(const char *text, in_port_t port, struct http_address *address)
{
    const uint32_t loopback_bits = 0xff000000u;

    if (inet_pton(AF_INET, text, &address->socket.v4.sin_addr) == 1) {
        address->socket.v4.sin_family = AF_INET;
        address->socket.v4.sin_port = port;
        address->len = sizeof(address->socket.v4);
        address->is_loopback =
            (ntohl(address->socket.v4.sin_addr.s_addr) & loopback_bits) == (127u << 24);
        return true;
    }
    if (inet_pton(AF_INET6, text, &address->socket.v6.sin6_addr) != 1)
        return false;
    address->socket.v6.sin6_family = AF_INET6;
    address->socket.v6.sin6_port = port;
    address->len = sizeof(address->socket.v6);
    address->is_loopback = IN6_IS_ADDR_LOOPBACK(&address->socket.v6.sin6_addr);
    return true;
}

static bool parse_tcp(const char *text, struct http_address *address)
{
    const char *colon = strrchr(text, ':');
    char number[INET6_ADDRSTRLEN];
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool has_brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    in_port_t port;

    if (!colon || !parse_port(colon + 1, &port))
        return false;
    len -= has_brackets ? 2 : 0;
    if (len >= sizeof(number))
        return false;
    memcpy(number, text + has_brackets, len);
    number[len] = '\0';
    return has_brackets == (strchr(number, ':') != NULL) && parse_number(number, port, address);
}

int http_address_parse(const char *text, struct http_address *ret_address, struct error_text *error)
{
    struct http_address address = {0};

    if (strncmp(text, UNIX, strlen(UNIX)) == 0 && text[strlen(UNIX)]) {
        address.path = text + strlen(UNIX);
        address.is_loopback = true;
    } else if (!parse_tcp(text, &address)) {
        return error_set(error, -EINVAL, "'%s' is no address, such as 127.0.0.1:9555 or unix:PATH",
                         text);
    }
    *ret_address = address;
    return 0;
}

void http_address_text(const struct http_address *address, char ret_text[HTTP_ADDRESS_TEXT_MAX])
{
    char number[INET6_ADDRSTRLEN] = "";

    if (address->socket.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->socket.v6.sin6_addr, number, sizeof(number));
        snprintf(ret_text, HTTP_ADDRESS_TEXT_MAX, "[%s]:%u", number,
                 ntohs(address->socket.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->socket.v4.sin_addr, number, sizeof(number));
        snprintf(ret_text, HTTP_ADDRESS_TEXT_MAX, "%s:%u", number,
                 ntohs(address->socket.v4.sin_port));
    }
}

/* ---- sockets -------------------------------------------------------------------------------- */

static int bind_and_listen(int fd, struct http_address *address)
{
    const int yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (address->socket.any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    if (bind(fd, &address->socket.any, address->len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, &address->socket.any, &address->len) < 0)
        return -errno;
    return 0;
}

int http_address_listen(struct http_address *address, struct error_text *error)
{
    char text[HTTP_ADDRESS_TEXT_MAX];
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = fd < 0 ? -errno : bind_and_listen(fd, address);

    if (!err)
        return fd;
    if (fd >= 0)
        close(fd);
    http_address_text(address, text);
    return error_set(error, err, "%s can't be listened at: %s", text, strerror(-err));
}

int http_address_listen_at_path(const struct http_address *address, mode_t mode,
                                struct socket_file *ret_file, struct error_text *error)
{
    int fd = socket_file_make(address->path, mode, ret_file);

    if (fd < 0)
        return error_set(error, fd, "%s can't be listened at: %s", address->path, strerror(-fd));
    return fd;
}
