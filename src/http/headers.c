/* SPDX-License-Identifier: MIT */
#include "http/headers.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists with weights --------------------------------------------------------------------- */

/* A piece of a header, without the blanks around it. */
struct word {
    const char *at;
    size_t len;
};

static struct word trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct word){at, (size_t)(end - at)};
}

static bool is_word(struct word word, const char *text)
{
    return word.len == strlen(text) && !strncasecmp(word.at, text, word.len);
}

static bool begins_with(struct word word, const char *text)
{
    return word.len >= strlen(text) && !strncasecmp(word.at, text, strlen(text));
}

/* The next piece up to @separator. False: there is none any more. */
static bool next_word(const char **at, const char *end, char separator, struct word *ret_word)
{
    const char *stop;

    if (!*at || *at > end)
        return false;
    stop = memchr(*at, separator, (size_t)(end - *at));
    *ret_word = trim(*at, stop ? stop : end);
    *at = stop ? stop + 1 : NULL;
    return true;
}

enum { WEIGHT_MAX = 1000 };

/* "0.75" in thousandths; what is none is 0. */
static int parse_weight(const char *at, const char *end)
{
    int weight = 0, digit = WEIGHT_MAX;

    if (at == end || (*at != '0' && *at != '1'))
        return 0;
    weight = (*at++ - '0') * WEIGHT_MAX;
    if (at < end && *at == '.')
        at++;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        weight += (*at - '0') * (digit /= 10);
    return weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
}

struct item {
    struct word name, version; /* version: its length is 0 if there is none */
    int weight;
};

static struct item parse_item(struct word all)
{
    struct item item = {.weight = WEIGHT_MAX};
    const char *at = all.at, *end = all.at + all.len;
    struct word word;

    if (!next_word(&at, end, ';', &item.name))
        return item;
    while (next_word(&at, end, ';', &word)) {
        if (begins_with(word, "q="))
            item.weight = parse_weight(word.at + 2, word.at + word.len);
        else if (begins_with(word, "version="))
            item.version = (struct word){word.at + 8, word.len - 8};
    }
    return item;
}

static bool is_openmetrics(const struct item *item)
{
    return is_word(item->name, "application/openmetrics-text") &&
           (!item->version.len || is_word(item->version, "1.0.0"));
}

static bool is_text(const struct item *item)
{
    return (is_word(item->name, "text/plain") || is_word(item->name, "text/*") ||
            is_word(item->name, "*/*")) &&
           (!item->version.len || is_word(item->version, "0.0.4"));
}

bool http_wants_openmetrics(const char *accept)
{
    const char *at = accept, *end = accept ? accept + strlen(accept) : NULL;
    int openmetrics = 0, text = 0;
    struct word word;

    while (next_word(&at, end, ',', &word)) {
        struct item item = parse_item(word);

        if (is_openmetrics(&item) && item.weight > openmetrics)
            openmetrics = item.weight;
        if (is_text(&item) && item.weight > text)
            text = item.weight;
    }
    return openmetrics && openmetrics >= text;
}

bool http_wants_gzip(const char *accept_encoding)
{
    const char *at = accept_encoding, *end = at ? at + strlen(at) : NULL;
    int gzip = -1, any = 0;
    struct word word;

    while (next_word(&at, end, ',', &word)) {
        struct item item = parse_item(word);

        if (is_word(item.name, "gzip") || is_word(item.name, "x-gzip"))
            gzip = item.weight;
        else if (is_word(item.name, "*"))
            any = item.weight;
    }
    return gzip < 0 ? any > 0 : gzip > 0;
}

/* ---- Host ----------------------------------------------------------------------------------- */

static bool is_port(const char *text)
{
    return !*text || (*text == ':' && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

static bool is_loopback_number(const char *text, size_t len)
{
    char number[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    struct in_addr v4;

    if (len >= sizeof(number))
        return false;
    memcpy(number, text, len);
    number[len] = '\0';
    if (inet_pton(AF_INET, number, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, number, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The port may be another one, of a tunnel: whose page it is, the name says. */
bool http_host_is_local(const char *host)
{
    size_t len;

    if (!host)
        return false;
    if (*host == '[') {
        len = strcspn(host, "]");
        return host[len] && strchr(host, '.') == NULL && is_port(host + len + 1) &&
               is_loopback_number(host + 1, len - 1);
    }
    len = strcspn(host, ":");
    return is_port(host + len) &&
           ((len == strlen("localhost") && !strncasecmp(host, "localhost", len)) ||
            is_loopback_number(host, len));
}

/* ---- Authorization -------------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

enum { PLAIN_MAX = 2 * HTTP_LOGIN_MAX + 1 };

/* Base64. The number of bytes; -1: it is none, or too long. */
static int decode(const char *at, char ret_plain[PLAIN_MAX + 1])
{
    uint32_t bits = 0;
    int n_bits = 0, n = 0;

    for (; *at && *at != '='; at++) {
        int digit = digit_of(*at);

        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        if (n == PLAIN_MAX)
            return -1;
        ret_plain[n++] = (char)(bits >> n_bits);
    }
    ret_plain[n] = '\0';
    return at[strspn(at, "=")] || n_bits >= 6 ? -1 : n;
}

static bool split(const char *plain, size_t len, struct http_login *login)
{
    const char *colon = memchr(plain, ':', len);
    size_t of_user = colon ? (size_t)(colon - plain) : 0;
    size_t of_password = colon ? len - of_user - 1 : 0;

    if (!of_user || !of_password || of_user > HTTP_LOGIN_MAX || of_password > HTTP_LOGIN_MAX ||
        memchr(plain, '\0', len))
        return false;
    memcpy(login->user, plain, of_user);
    login->user[of_user] = '\0';
    memcpy(login->password, colon + 1, of_password + 1);
    return true;
}

bool http_read_login(const char *authorization, struct http_login *ret_login)
{
    static const char scheme[] = "Basic ";
    char plain[PLAIN_MAX + 1];
    bool is_login = false;
    int len;

    if (!authorization || strncasecmp(authorization, scheme, strlen(scheme)))
        return false;
    len = decode(authorization + strlen(scheme), plain);
    if (len > 0)
        is_login = split(plain, (size_t)len, ret_login);
    explicit_bzero(plain, sizeof(plain));
    return is_login;
}
