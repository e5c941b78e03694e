/* SPDX-License-Identifier: MIT */
/*
 * Who may read: users and passwords of the web configuration. A bcrypt takes a twentieth of a second
 * and more, so they are computed one at a time in a thread of their own, and what came of one is kept
 * for a while: a scraper waits for its first, and never again because of others.
 */
#ifndef HTTP_LOGIN_H
#define HTTP_LOGIN_H

#include <stdint.h>

#include "http/headers.h"
#include "http/peer.h"
#include "http/web_config.h"

enum {
    LOGINS_WAITING_MAX = 16,    /* one of further ones is turned away: of the peer who has most */
    LOGINS_KEPT = 64,           /* right ones, and as many wrong ones */
    LOGIN_RIGHT_SECONDS = 3600, /* since it was used last */
    LOGIN_WRONG_SECONDS = 60,
};

enum login_result { LOGIN_WRONG, LOGIN_RIGHT, LOGIN_WAITS, LOGIN_TURNED_AWAY };

/* A question that waits for its answer. */
struct login_question {
    struct http_peer peer; /* who asks: the caller says so */
    struct http_login login;
    uint64_t hash[2];
    bool is_right, is_turned_away;
    struct login_question *next;
};

struct logins;

/*
 * @config stays until logins_free(). @answer is called for each question that waits, in the thread, or where
 * another one asks; the last ones by logins_end(). -errno.
 */
int logins_new(const struct web_config *config, void (*answer)(struct login_question *question),
               struct logins **ret_logins);

/* No question is answered any more, but those that wait: they are wrong. */
void logins_end(struct logins *logins);
void logins_free(struct logins *logins); /* after logins_end(); NULL is allowed */

/* What is known, or LOGIN_WAITS: then @question stays until it is answered. */
enum login_result logins_ask(struct logins *logins, const char *authorization,
                             struct login_question *question);

#endif
