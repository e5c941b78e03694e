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
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "http/http.h"

enum { KIND_TURN, KIND_SAME, KIND_BIG, KIND_SLOW, KIND_MISSING, MIB = 1024 * 1024 };

static const char *const paths[] = {
    [KIND_TURN] = "/turn", [KIND_SAME] = "/same",       [KIND_BIG] = "/big",
    [KIND_SLOW] = "/slow", [KIND_MISSING] = "/missing",
};

static unsigned long turn;

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
    if (!buf_reserve(out, len))
        return;
    for (size_t done = 0; done < len;) {
        ssize_t n = getrandom(out->data + out->len + done, len - done, 0);

        done += n > 0 ? (size_t)n : 0;
    }
    out->len += len;
}

static bool write_document(void *opaque, const struct http_document *document, struct buf *out)
{
    (void)opaque;
    if (document->kind == KIND_SLOW)
        clock_sleep_until(clock_now_ns() + 100000000u);
    if (document->kind == KIND_BIG)
        put_noise(out, strtoul(document->name, NULL, 10) * MIB);
    else
        buf_printf(out, "%lu\n", turn);
    return document->kind != KIND_MISSING;
}

static int fail(const struct error_text *error)
{
    fprintf(stderr, "%s\n", error->text);
    return EXIT_FAILURE;
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

    if (http_prepare(&options, &http, &error))
        return fail(&error);
    if (http_start(http, &site, 0600, &error)) {
        http_stop(http);
        return fail(&error);
    }
    for (size_t i = 0; (address = http_address_at(http, i)); i++)
        printf("%s\n", address);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    http_stop(http);
    return EXIT_SUCCESS;
}
