/* SPDX-License-Identifier: MIT */
/*
 * http_server WEB_CONFIG ADDRESS...: HTTP with documents of its own, until its input ends. An empty
 * WEB_CONFIG is none.
 *
 *      /page       never changes
 *      /turn       the number of the turn in which it was made
 *      /same       the same, in a kind that /turn is not of
 *      /big?N      N MiB that can't be compressed
 *      /slow       takes 100 ms to make
 *      /missing    is not there when it is to be made
 *      /failing    can't be made
 *      /held       is made when a line of the input has come for it; "held" is printed before
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/http.h"

enum {
    KIND_TURN,
    KIND_SAME,
    KIND_BIG,
    KIND_SLOW,
    KIND_MISSING,
    KIND_FAILING,
    KIND_HELD,
    HELD_MAX = 1000,
    MIB = 1024 * 1024
};

static const char *const paths[] = {
    [KIND_TURN] = "/turn", [KIND_SAME] = "/same",       [KIND_BIG] = "/big",
    [KIND_SLOW] = "/slow", [KIND_MISSING] = "/missing", [KIND_FAILING] = "/failing",
    [KIND_HELD] = "/held",
};

static unsigned long turn;
static sem_t lines;

static void find(void *opaque, const struct http_request *request, struct http_answer *ret_answer)
{
    const char *size = http_argument(request, "mib");

    (void)opaque;
    *ret_answer = (struct http_answer){.status = 404, .text = "no\n", .len = 3};
    if (!strcmp(request->path, "/page"))
        *ret_answer =
            (struct http_answer){.status = 200, .type = "text/html", .text = "page\n", .len = 5};
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (!strcmp(request->path, paths[i]))
            *ret_answer = (struct http_answer){.status = 200,
                                               .type = request->wants_openmetrics ? "openmetrics"
                                                                                  : "text/plain",
                                               .document.kind = i};
    snprintf(ret_answer->document.name, sizeof(ret_answer->document.name), "%s", size ? size : "");
}

static void begin(void *opaque)
{
    (void)opaque;
    turn++;
}

static void put_noise(struct buf *out, size_t len)
{
    uint64_t state = clock_now_ns() | 1;

    if (!buf_reserve(out, len))
        return;
    for (size_t done = 0; done < len; done += sizeof(state)) { /* whole MiB */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(out->data + out->len + done, &state, sizeof(state));
    }
    out->len += len;
}

static void hold(void)
{
    puts("held");
    fflush(stdout);
    sem_wait(&lines);
}

static bool write_document(void *opaque, const struct http_document *document, struct buf *out)
{
    (void)opaque;
    if (document->kind == KIND_SLOW)
        clock_sleep_until(clock_now_ns() + 100000000u);
    if (document->kind == KIND_HELD)
        hold();
    if (document->kind == KIND_BIG)
        put_noise(out, strtoul(document->name, NULL, 10) * MIB);
    else
        buf_printf(out, "%lu\n", turn);
    out->failed |= document->kind == KIND_FAILING;
    return document->kind != KIND_MISSING;
}

static int fail(const struct error_text *error)
{
    fprintf(stderr, "%s\n", error->text);
    return EXIT_FAILURE;
}

/* Nobody is held any more when the input ends. */
static void read_lines(void)
{
    int c;

    while ((c = getchar()) != EOF)
        if (c == '\n')
            sem_post(&lines);
    for (int i = 0; i < HELD_MAX; i++)
        sem_post(&lines);
}

int main(int argc, char **argv)
{
    static const struct http_site site = {.find = find, .begin = begin, .write = write_document};
    struct error_text error;
    const char *address;
    struct http *http;
    struct http_options options = {.addresses = (const char *const *)argv + 2,
                                   .n_addresses = argc > 2 ? (size_t)argc - 2 : 0,
                                   .web_config = argc > 1 && *argv[1] ? argv[1] : NULL};

    sem_init(&lines, 0, 0);
    if (http_prepare(&options, &http, &error))
        return fail(&error);
    if (http_start(http, &site, 0600, &error)) {
        http_stop(http);
        return fail(&error);
    }
    for (size_t i = 0; (address = http_address_at(http, i)); i++)
        printf("%s\n", address);
    fflush(stdout);
    read_lines();
    http_stop(http);
    return EXIT_SUCCESS;
}
