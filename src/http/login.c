/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http/login.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/library_thread.h"
#include "http/http.h"
#include "http/nice.h"
#include "http/rests.h"

struct kept {
    uint64_t hash[2], until_ns; /* 0: there is none */
};

struct logins {
    const struct web_config *config;
    void (*answer)(struct login_question *question);
    uint64_t keys[2][2];
    struct crypt_data data; /* of the thread; 32 KiB */
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t asked;
    struct login_question *first, **last;
    size_t n_waiting;
    bool ends;
    struct kept right[LOGINS_KEPT], wrong[LOGINS_KEPT];
};

/* By itself: GCC 12 takes the two texts for the first one where it builds for ThreadSanitizer. */
static __attribute__((noinline)) void forget(void *secret, size_t size)
{
    explicit_bzero(secret, size);
}

/* ---- what is known -------------------------------------------------------------------------- */

/* Both texts with their ends, so that no other two make the same bytes. */
static void hash_login(const struct logins *logins, struct login_question *question)
{
    char all[2 * (HTTP_LOGIN_MAX + 1)];
    size_t of_user = strlen(question->login.user) + 1;
    size_t of_password = strlen(question->login.password) + 1;

    memcpy(all, question->login.user, of_user);
    memcpy(all + of_user, question->login.password, of_password);
    for (size_t i = 0; i < 2; i++)
        question->hash[i] = keyed_hash(logins->keys[i], all, of_user + of_password);
    explicit_bzero(all, sizeof(all));
}

static struct kept *find_kept(struct kept kept[LOGINS_KEPT], const uint64_t hash[2])
{
    for (size_t i = 0; i < LOGINS_KEPT; i++)
        if (kept[i].until_ns > clock_now_ns() &&
            !((kept[i].hash[0] ^ hash[0]) | (kept[i].hash[1] ^ hash[1])))
            return &kept[i];
    return NULL;
}

static uint64_t end_of(bool is_right)
{
    uint64_t seconds = is_right ? LOGIN_RIGHT_SECONDS : LOGIN_WRONG_SECONDS;

    return clock_now_ns() + seconds * 1000000000u;
}

/* In the place of the one that would be forgotten next. */
static void keep(struct logins *logins, const struct login_question *question)
{
    struct kept *kept = question->is_right ? logins->right : logins->wrong, *at = kept;

    for (size_t i = 1; i < LOGINS_KEPT; i++)
        if (kept[i].until_ns < at->until_ns)
            at = &kept[i];
    *at = (struct kept){{question->hash[0], question->hash[1]}, end_of(question->is_right)};
}

static enum login_result find_known(struct logins *logins, const struct login_question *question)
{
    struct kept *right = find_kept(logins->right, question->hash);

    if (right) {
        right->until_ns = end_of(true);
        return LOGIN_RIGHT;
    }
    return find_kept(logins->wrong, question->hash) ? LOGIN_WRONG : LOGIN_WAITS;
}

/* ---- asking --------------------------------------------------------------------------------- */

static size_t count_of_peer(const struct logins *logins, const struct http_peer *peer)
{
    size_t n = 0;

    for (const struct login_question *each = logins->first; each; each = each->next)
        n += http_peer_is(&each->peer, peer);
    return n;
}

/* The last one of the peer who has most. */
static struct login_question *find_first_to_go(const struct logins *logins)
{
    struct login_question *found = NULL;
    size_t most = 0;

    for (struct login_question *each = logins->first; each; each = each->next) {
        size_t n = count_of_peer(logins, &each->peer);

        if (n >= most) {
            most = n;
            found = each;
        }
    }
    return found;
}

static void take_out(struct logins *logins, struct login_question *question)
{
    struct login_question **at = &logins->first;

    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    if (logins->last == &question->next)
        logins->last = at;
}

/* After it has been taken out: who was turned away, or looked at, counts no more. */
static void settle(struct logins *logins, struct login_question *question)
{
    forget(&question->login, sizeof(question->login));
    logins->n_waiting--;
    logins->answer(question);
}

/* For another one. False: nobody has more of them than the other one would have. */
static bool turn_one_away(struct logins *logins, const struct http_peer *other)
{
    struct login_question *question = find_first_to_go(logins);

    if (!question || count_of_peer(logins, &question->peer) <= count_of_peer(logins, other) + 1)
        return false;
    take_out(logins, question);
    question->is_turned_away = true;
    settle(logins, question);
    return true;
}

static enum login_result enqueue(struct logins *logins, struct login_question *question)
{
    if (logins->ends ||
        (logins->n_waiting == LOGINS_WAITING_MAX && !turn_one_away(logins, &question->peer)))
        return LOGIN_TURNED_AWAY;
    question->next = NULL;
    *logins->last = question;
    logins->last = &question->next;
    logins->n_waiting++;
    pthread_cond_signal(&logins->asked);
    return LOGIN_WAITS;
}

enum login_result logins_ask(struct logins *logins, const char *authorization,
                             struct login_question *question)
{
    enum login_result result;

    if (!http_read_login(authorization, &question->login))
        return LOGIN_WRONG;
    hash_login(logins, question);
    pthread_mutex_lock(&logins->lock);
    result = find_known(logins, question);
    if (result == LOGIN_WAITS)
        result = enqueue(logins, question);
    pthread_mutex_unlock(&logins->lock);
    return result;
}

/* ---- answering ------------------------------------------------------------------------------ */

/* Takes as long for a name that nobody has. */
static bool is_password(const struct web_config *config, const struct http_login *login,
                        struct crypt_data *data)
{
    const struct web_user *user = NULL;
    const char *hash;
    int differs = 0;

    for (size_t i = 0; i < config->n_users; i++)
        if (!strcmp(config->users[i].name, login->user))
            user = &config->users[i];
    /* Not crypt_r(): sanitizers have one of their own, and the linker then leaves out the library. */
    hash = crypt_rn(login->password, (user ? user : &config->users[0])->hash, data, sizeof(*data));
    if (!user || !hash || strlen(hash) != strlen(user->hash))
        return false;
    for (size_t i = 0; hash[i]; i++)
        differs |= hash[i] ^ user->hash[i];
    return !differs;
}

/* Under the lock. Whoever asked the same before may have been answered meanwhile. */
static void answer_next(struct logins *logins)
{
    struct login_question *question = logins->first;
    enum login_result known = logins->ends ? LOGIN_WRONG : find_known(logins, question);

    take_out(logins, question);
    if (known == LOGIN_WAITS) {
        pthread_mutex_unlock(&logins->lock);
        rests_begin();
        question->is_right = is_password(logins->config, &question->login, &logins->data);
        rests_end();
        explicit_bzero(&logins->data, sizeof(logins->data));
        pthread_mutex_lock(&logins->lock);
        keep(logins, question);
    } else {
        question->is_right = known == LOGIN_RIGHT;
    }
    settle(logins, question);
}

static void *run(void *opaque)
{
    struct logins *logins = opaque;

    be_nice(HTTP_LOGIN_NICE);
    pthread_mutex_lock(&logins->lock);
    while (!logins->ends || logins->first) {
        if (!logins->first)
            pthread_cond_wait(&logins->asked, &logins->lock);
        else
            answer_next(logins);
    }
    pthread_mutex_unlock(&logins->lock);
    return NULL;
}

/* ---- all ------------------------------------------------------------------------------------ */

int logins_new(const struct web_config *config, void (*answer)(struct login_question *question),
               struct logins **ret_logins)
{
    struct logins *logins = calloc(1, sizeof(*logins));
    int err = logins ? 0 : -ENOMEM;

    if (!err && getrandom(logins->keys, sizeof(logins->keys), 0) != sizeof(logins->keys))
        err = -errno;
    if (!err) {
        logins->config = config;
        logins->answer = answer;
        logins->last = &logins->first;
        pthread_mutex_init(&logins->lock, NULL);
        pthread_cond_init(&logins->asked, NULL);
        err = -library_thread_create(&logins->thread, NULL, run, logins);
    }
    if (err)
        free(logins);
    else
        *ret_logins = logins;
    return err;
}

void logins_end(struct logins *logins)
{
    pthread_mutex_lock(&logins->lock);
    logins->ends = true;
    pthread_cond_signal(&logins->asked);
    pthread_mutex_unlock(&logins->lock);
    pthread_join(logins->thread, NULL);
}

void logins_free(struct logins *logins)
{
    if (!logins)
        return;
    pthread_mutex_destroy(&logins->lock);
    pthread_cond_destroy(&logins->asked);
    explicit_bzero(logins->keys, sizeof(logins->keys));
    free(logins);
}
