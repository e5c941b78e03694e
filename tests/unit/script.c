/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "script.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "base/buf.h"

static bool send_text(const struct script *script, const char *text, size_t len)
{
    size_t chunk = script->chunk ? script->chunk : len;

    while (len) {
        ssize_t n = send(script->fd, text, len < chunk ? len : chunk, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_request(struct script *script)
{
    size_t len = strlen(script->requests);
    char byte = 0;

    while (byte != '\n') {
        if (recv(script->fd, &byte, 1, 0) != 1)
            return false;
        script->requests = realloc(script->requests, len + 2);
        script->requests[len++] = byte;
        script->requests[len] = '\0';
    }
    return true;
}

/* What stands in the last request. */
static const char *last_id(const struct script *script, int *ret_len)
{
    const char *begin = "\"id\": \"", *id = NULL;

    for (const char *at = script->requests; (at = strstr(at, begin)); at++)
        id = at + strlen(begin);
    assert_non_null(id);
    *ret_len = (int)strcspn(id, "\"");
    return id;
}

static bool begins_with(const char *text, const char *begin)
{
    return !strncmp(text, begin, strlen(begin));
}

/* A line that begins as a reply without an id gets that of the request. */
static bool send_reply(const struct script *script, const char *text)
{
    struct buf reply = {0};
    int len;
    const char *id = last_id(script, &len);
    bool is_sent;

    for (const char *at = text; *at; at++) {
        bool is_reply = (at == text || at[-1] == '\n') &&
                        (begins_with(at, "{\"return\"") || begins_with(at, "{\"error\""));

        buf_append(&reply, at, 1);
        if (is_reply)
            buf_printf(&reply, SCRIPT_ID, len, id);
    }
    is_sent = send_text(script, reply.data, reply.len);
    buf_free(&reply);
    return is_sent;
}

static void send_filler(const struct script *script)
{
    char filler[4096];

    memset(filler, 'a', sizeof(filler));
    for (size_t sent = 0; sent < script->filler; sent += sizeof(filler))
        if (!send_text(script, filler, sizeof(filler)))
            return;
}

static void pause_ms(unsigned ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000L};

    nanosleep(&time, NULL);
}

static void repeat(const struct script *script, const char *text)
{
    size_t len = strlen(text), chunk = script->chunk ? script->chunk : len;

    for (size_t at = 0;; at = at + chunk < len ? at + chunk : 0) {
        if (!send_text(script, text + at, chunk < len - at ? chunk : len - at))
            return;
        pause_ms(script->pause_ms);
    }
}

static void *run_script(void *opaque)
{
    struct script *script = opaque;
    bool goes_on = true;

    for (size_t i = 0; goes_on && i < SCRIPT_REPLIES_MAX && script->replies[i]; i++) {
        goes_on = i == 0 || read_request(script);
        if (goes_on && script->is_endless && !script->replies[i + 1])
            repeat(script, script->replies[i]);
        else if (goes_on && i == 0)
            goes_on = send_text(script, script->replies[i], strlen(script->replies[i]));
        else if (goes_on)
            goes_on = send_reply(script, script->replies[i]);
    }
    send_filler(script);
    while (goes_on && !script->hangs_up && read_request(script) && !script->closes)
        ;
    shutdown(script->fd, SHUT_RDWR);
    return NULL;
}

int script_open(struct script *script, struct client **ret_client, struct client_error *error)
{
    int fds[2];

    check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    script->fd = fds[1];
    script->requests = strdup("");
    *error = (struct client_error){0};
    check_ok(pthread_create(&script->thread, NULL, run_script, script));
    return client_adopt(fds[0], "fake.sock",
                        script->timeout_ms ? script->timeout_ms : SCRIPT_TIMEOUT_MS, ret_client,
                        error);
}

void script_end_asked(struct script *script, const char *request)
{
    pthread_join(script->thread, NULL);
    assert_contains(script->requests, request);
    close(script->fd);
    free(script->requests);
}

void script_end(struct script *script)
{
    script_end_asked(script, "");
}
