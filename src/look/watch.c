/* SPDX-License-Identifier: MIT */
#include "look/missing.h"
#include "look/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library_thread.h"

/* Not more often is a VM tried that is lost, nor a place looked through that is slow. */
#define RETRY_SECONDS 1.0

enum { LOOK_AGAIN_MS = 100 }; /* for VMs that have become late */

/*
 * A connection to a VM, and what is wanted of it. What came of it is looked at even when the thread
 * has another one, and needs the descriptions of its statistics.
 */
struct session {
    atomic_uint n_users;
    struct client *client;
    struct watch_wish wish;
    bool is_let_go; /* it has no connection now */
    unsigned life;  /* of the VM: another one behind each loss */
};

/* A VM. */
struct slot {
    struct watch *watch;
    char *key;
    pthread_t thread;
    bool has_thread;
    bool is_lost;      /* only who asks it knows */
    uint64_t tried_ns; /* the same */
    uint64_t news_ns;  /* the same: when all its statistics were known */
    unsigned life;     /* the same */
    bool had_statistics;

    /* Under the mutex: */
    bool is_leaving;
    bool is_rejected;        /* it is no VM, or */
    bool is_unwanted;        /* another than those that are meant */
    bool is_found;           /* by the refresh that is under way */
    uint64_t missed_ns;      /* since when it is not found; 0: it is */
    uint64_t turn;           /* the last that is done with it */
    uint64_t asked_ns;       /* since when it is being asked; 0: it is not */
    bool has_answered;       /* at the turn that is done */
    bool was_heard;          /* has answered, or was lost */
    struct session *session; /* who asks it replaces it; NULL: none yet */
    bool has_result;
    struct watch_result result;
    struct session *answered; /* the one that the result's sample is of; NULL: it has none */
    struct session *taken;    /* the one that the sample before it was of */
    struct session *previous; /* the one before that; some of it may be still looked at */
};

struct watch {
    struct watch_options options;
    pthread_t conductor;   /* begins each turn, and asks VMs at hand */
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    bool is_paused, is_ending;
    bool has_failed; /* no memory for a VM: it is tried again with the next turn */
    int fd;
    uint64_t turn, turn_ns;
    double turn_time;
    struct slot **slots; /* NULL: an empty one */
    size_t n_slots;
    size_t expected; /* where the VM is that is found next, mostly */
};

/* ---- sessions ------------------------------------------------------------------------------- */

void watch_wish_free(struct watch_wish *wish)
{
    for (size_t i = 0; i < wish->n_paths; i++)
        free(wish->paths[i]);
    free(wish->paths);
    free(wish->wanted);
    *wish = (struct watch_wish){0};
}

static struct session *share(struct session *session)
{
    atomic_fetch_add(&session->n_users, 1);
    return session;
}

/* NULL is fine. */
static void drop(struct session *session)
{
    if (!session || atomic_fetch_sub(&session->n_users, 1) > 1)
        return;
    client_free(session->client);
    watch_wish_free(&session->wish);
    free(session);
}

/* Takes over @client, also without memory: NULL. */
static struct session *make_session(struct client *client)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session) {
        client_free(client);
        return NULL;
    }
    atomic_init(&session->n_users, 1);
    session->client = client;
    return session;
}

/* From now on watch_stop() can end what is waited for. False: it has been called. */
static bool use(struct slot *slot, struct session *session)
{
    struct watch *watch = slot->watch;
    struct session *old = session;
    bool goes_on;

    pthread_mutex_lock(&watch->mutex);
    goes_on = !watch->is_ending && !slot->is_leaving;
    if (goes_on) {
        old = slot->session;
        slot->session = session;
    }
    pthread_mutex_unlock(&watch->mutex);
    drop(old);
    return goes_on;
}

static int out_of_memory(const struct slot *slot, struct client_error *error)
{
    return client_fail(error, ENOMEM, NULL, "%s: out of memory", slot->key);
}

/* One that had statistics is not back without them: it may not have begun to run. */
static int check_statistics(struct slot *slot, const struct client *client,
                            struct client_error *error)
{
    if (slot->had_statistics && !client_has_statistics(client))
        return client_fail(error, EAGAIN, NULL, "%s: no statistics", slot->key);
    slot->had_statistics = client_has_statistics(client);
    return 0;
}

static int connect_anew(struct slot *slot, struct client_error *error)
{
    const struct watch_options *options = &slot->watch->options;
    struct place *place = options->place;
    struct client *client;
    struct session *session;
    int err = place->ops->connect(place, slot->key, &client, error);

    if (err)
        return err;
    session = make_session(client);
    if (!session)
        return out_of_memory(slot, error);
    session->life = slot->life;
    slot->news_ns = clock_now_ns();
    if (!use(slot, session))
        return client_fail(error, ECANCELED, NULL, "%s: %s", slot->key, strerror(ECANCELED));
    if (!place->ops->is_at_hand)
        err = client_introduce(client, error);
    if (!err && options->shows_help)
        err = client_read_help(client, error);
    if (!err)
        err = check_statistics(slot, client, error);
    if (!err)
        err = options->wish(options->opaque, client, &session->wish);
    return err == -ENOMEM ? out_of_memory(slot, error) : err;
}

/* ---- letting go of a VM between two turns --------------------------------------------------- */

static void let_go(struct slot *slot)
{
    struct watch *watch = slot->watch;
    struct session *session = slot->session;

    pthread_mutex_lock(&watch->mutex);
    if (!watch->options.holds && watch->options.interval >= WATCH_LET_GO_SECONDS &&
        client_peer(session->client) == CLIENT_QEMU) {
        client_let_go(session->client);
        session->is_let_go = true;
    }
    pthread_mutex_unlock(&watch->mutex);
}

/* -ESTALE: another process is there now. */
static int come_back(struct slot *slot, struct client_error *error)
{
    struct watch *watch = slot->watch;
    struct client *client = slot->session->client;
    int err;

    pthread_mutex_lock(&watch->mutex);
    err = watch->is_ending ? -ECANCELED : client_reconnect(client, slot->key, error);
    slot->session->is_let_go = err != 0;
    pthread_mutex_unlock(&watch->mutex);
    return err ? err : client_negotiate(client, error);
}

static int connect_slot(struct slot *slot, struct client_error *error)
{
    int err = -ESTALE;

    if (slot->session && !slot->is_lost && !slot->session->is_let_go)
        return 0;
    if (slot->session && !slot->is_lost)
        err = come_back(slot, error);
    if (err != -ESTALE)
        return err;
    slot->life++;
    return connect_anew(slot, error);
}

/* ---- statistics that are new ---------------------------------------------------------------- */

/* What fails here fails in the query that follows, too, and is told then. */
static bool has_news(struct slot *slot)
{
    uint64_t now = clock_now_ns();
    struct client_error error;
    bool has;

    if (client_peer(slot->session->client) != CLIENT_LOCAL &&
        now - slot->news_ns < (uint64_t)(WATCH_NEWS_SECONDS * 1e9))
        return false;
    slot->news_ns = now;
    return client_look_for_news(slot->session->client, &has, &error) == 0 && has;
}

/* Where that can't be, all goes on as it was. */
static void renew(struct slot *slot)
{
    struct session *known = share(slot->session);
    struct client_error error;

    if (connect_anew(slot, &error))
        use(slot, known);
    else
        drop(known);
}

/* ---- asking --------------------------------------------------------------------------------- */

void watch_result_free(struct watch_result *result)
{
    sample_free(&result->sample);
    *result = (struct watch_result){0};
}

static int ask_session(const struct slot *slot, struct watch_result *result)
{
    const struct session *session = slot->session;
    int err;
    const struct source source = {
        .client = session->client,
        .wanted = session->wish.wanted,
        .paths = (const char *const *)session->wish.paths,
        .n_paths = session->wish.n_paths,
        .objects = slot->watch->options.objects,
        .n_objects = slot->watch->options.n_objects,
        .wants_vm = slot->watch->options.wants_vm,
        .wants_vcpus = slot->watch->options.wants_vcpus,
        .wants_others = slot->watch->options.wants_others,
    };

    result->time = clock_unix_time();
    result->vm_name = client_vm_name(source.client);
    result->path = client_path(source.client);
    result->origin = client_origin(source.client);
    if (!client_has_statistics(source.client))
        return 0; /* it need not know how to answer */
    err = source_sample(&source, &result->sample, &result->error);
    if (!err)
        err = missing_check(&source, &result->sample, &result->error);
    if (err)
        sample_free(&result->sample);
    return err;
}

/* What is there was never taken. */
static void replace_result(struct slot *slot, struct watch_result *result)
{
    if (result->is_lost && slot->has_result) {
        slot->result.is_lost = true; /* it had answered before */
        slot->result.error = result->error;
        slot->result.err = result->err;
        slot->result.since = result->since;
    } else {
        watch_result_free(&slot->result);
        slot->result = *result;
    }
    slot->has_result = true;
    if (!result->has_sample)
        return;
    drop(slot->answered);
    slot->answered = share(slot->session);
}

static void signal_fd(struct watch *watch)
{
    uint64_t one = 1;

    while (write(watch->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* The turn @number is done with the VM. NULL: there is nothing to tell. */
static void finish_turn(struct slot *slot, uint64_t number, struct watch_result *result)
{
    struct watch *watch = slot->watch;

    pthread_mutex_lock(&watch->mutex);
    slot->turn = number;
    slot->asked_ns = 0;
    slot->has_answered = result && result->has_sample;
    slot->was_heard = true;
    if (result)
        replace_result(slot, result);
    if (!watch->options.place->ops->is_at_hand)
        signal_fd(watch);
    pthread_mutex_unlock(&watch->mutex);
}

static bool is_rejected(struct slot *slot, int err)
{
    struct place *place = slot->watch->options.place;
    bool is;

    pthread_mutex_lock(&slot->watch->mutex);
    slot->is_unwanted = err == WATCH_UNWANTED;
    is = slot->is_unwanted || (!slot->is_lost && !slot->answered && !slot->taken &&
                               place->ops->rejects && place->ops->rejects(place, slot->key, err));
    slot->is_rejected = is;
    pthread_mutex_unlock(&slot->watch->mutex);
    if (is && slot->session)
        client_interrupt(slot->session->client);
    return is;
}

/* That a VM is lost is told once. A server that has only one client at a time must see us go. */
static void ask(struct slot *slot, uint64_t number)
{
    struct watch_result result = {.key = slot->key, .since = clock_unix_time()};
    bool was_lost = slot->is_lost;
    int err = connect_slot(slot, &result.error);

    if (!err && has_news(slot))
        renew(slot);
    if (!err)
        err = ask_session(slot, &result);
    if (err && is_rejected(slot, err)) {
        watch_result_free(&result);
        finish_turn(slot, number, NULL);
        return;
    }
    slot->is_lost = result.is_lost = err != 0;
    result.err = err;
    result.has_sample = !err;
    slot->tried_ns = clock_now_ns();
    if (!err)
        let_go(slot);
    else if (slot->session)
        client_interrupt(slot->session->client);
    finish_turn(slot, number, err && was_lost ? NULL : &result);
}

static bool is_too_early(const struct slot *slot)
{
    return slot->is_lost && clock_now_ns() - slot->tried_ns < (uint64_t)(RETRY_SECONDS * 0.9e9);
}

/* ---- the thread of a VM --------------------------------------------------------------------- */

/* The next turn in which the VM is asked; 0: the end. Under the mutex. */
static uint64_t wait_for_turn(struct slot *slot)
{
    struct watch *watch = slot->watch;

    for (;;) {
        if (watch->is_ending || slot->is_leaving)
            return 0;
        if (slot->turn < watch->turn && !slot->is_rejected && !is_too_early(slot))
            return watch->turn;
        if (slot->turn < watch->turn) {
            slot->turn = watch->turn;
            slot->has_answered = false;
        }
        pthread_cond_wait(&watch->changed, &watch->mutex);
    }
}

static void *run_slot(void *opaque)
{
    struct slot *slot = opaque;
    struct watch *watch = slot->watch;
    uint64_t number;

    pthread_mutex_lock(&watch->mutex);
    while ((number = wait_for_turn(slot))) {
        slot->asked_ns = clock_now_ns();
        pthread_mutex_unlock(&watch->mutex);
        ask(slot, number);
        pthread_mutex_lock(&watch->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

/* ---- VMs come and go ------------------------------------------------------------------------ */

static void free_slot(struct slot *slot)
{
    watch_result_free(&slot->result);
    drop(slot->session);
    drop(slot->answered);
    drop(slot->taken);
    drop(slot->previous);
    free(slot->key);
    free(slot);
}

static struct slot *find_slot(struct watch *watch, const char *key)
{
    for (size_t i = 0; i < watch->n_slots; i++) {
        size_t at = (watch->expected + i) % watch->n_slots;
        struct slot *slot = watch->slots[at];

        if (!slot || slot->is_leaving || strcmp(slot->key, key) != 0)
            continue;
        watch->expected = at + 1;
        return slot;
    }
    return NULL;
}

/* An empty one, or a new one. NULL: no memory. */
static struct slot **make_room(struct watch *watch)
{
    struct slot **grown;

    for (size_t i = 0; i < watch->n_slots; i++)
        if (!watch->slots[i])
            return &watch->slots[i];
    grown = reallocarray(watch->slots, watch->n_slots + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    watch->slots = grown;
    grown[watch->n_slots] = NULL;
    return &grown[watch->n_slots++];
}

static struct slot *make_slot(struct watch *watch, const char *key)
{
    struct slot *slot = calloc(1, sizeof(*slot));

    if (!slot || !(slot->key = strdup(key))) {
        free(slot);
        return NULL;
    }
    slot->watch = watch;
    if (watch->options.place->ops->is_at_hand)
        return slot;
    slot->has_thread = pthread_create(&slot->thread, NULL, run_slot, slot) == 0;
    if (slot->has_thread)
        return slot;
    free_slot(slot);
    return NULL;
}

static void found(void *opaque, const char *key)
{
    struct watch *watch = opaque;
    struct slot *slot, **room;

    pthread_mutex_lock(&watch->mutex);
    slot = find_slot(watch, key);
    if (!slot && (room = make_room(watch)))
        slot = *room = make_slot(watch, key);
    if (slot)
        slot->is_found = true;
    else
        watch->has_failed = true;
    pthread_mutex_unlock(&watch->mutex);
}

/* Under the mutex. */
static void leave(struct slot *slot)
{
    slot->is_leaving = true;
    if (slot->session)
        client_interrupt(slot->session->client);
    pthread_cond_broadcast(&slot->watch->changed);
}

/* A VM at hand that is not found has ended; of a socket its own thread says what has become. */
static void lose(struct slot *slot)
{
    struct watch_result result = {
        .key = slot->key, .is_lost = true, .err = -ESRCH, .since = clock_unix_time()};

    if (slot->has_thread || slot->is_lost)
        return;
    client_fail(&result.error, ESRCH, NULL, "%s: the VM has ended", slot->key);
    slot->is_lost = true;
    slot->was_heard = true;
    replace_result(slot, &result);
}

/* Whether its time is up. Under the mutex. */
static bool is_overdue(struct slot *slot, uint64_t now_ns)
{
    if (slot->is_found) {
        slot->missed_ns = 0;
        return false;
    }
    if (!slot->missed_ns)
        slot->missed_ns = now_ns;
    lose(slot);
    return now_ns - slot->missed_ns >= (uint64_t)(WATCH_LEAVE_SECONDS * 1e9);
}

/* Nobody asks it any more. */
static void see_off(struct watch *watch, struct slot *slot)
{
    if (slot->has_thread)
        pthread_join(slot->thread, NULL);
    pthread_mutex_lock(&watch->mutex);
    slot->has_thread = false;
    slot->has_result = true;
    slot->result.key = slot->key;
    slot->result.has_left = true;
    pthread_mutex_unlock(&watch->mutex);
}

static void sort_out(struct watch *watch)
{
    uint64_t now_ns = clock_now_ns();

    for (size_t i = 0; i < watch_count(watch); i++) {
        struct slot *slot;
        bool leaves;

        pthread_mutex_lock(&watch->mutex);
        slot = watch->slots[i];
        leaves = slot && !slot->is_leaving && is_overdue(slot, now_ns);
        if (leaves)
            leave(slot);
        if (slot)
            slot->is_found = false;
        pthread_mutex_unlock(&watch->mutex);
        if (leaves)
            see_off(watch, slot);
    }
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void begin_turn(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->turn++;
    watch->turn_time = clock_unix_time();
    pthread_cond_broadcast(&watch->changed);
    if (!watch->options.place->ops->is_at_hand)
        signal_fd(watch);
    pthread_mutex_unlock(&watch->mutex);
}

/* The values of all VMs are of one moment, so they are told of together. */
static void ask_at_hand(struct watch *watch)
{
    for (size_t i = 0; i < watch_count(watch); i++) {
        struct slot *slot;

        pthread_mutex_lock(&watch->mutex);
        slot = watch->slots[i];
        if (slot && (slot->is_leaving || slot->missed_ns))
            slot = NULL;
        pthread_mutex_unlock(&watch->mutex);
        if (slot)
            ask(slot, watch->turn);
    }
    signal_fd(watch);
}

static uint64_t after(uint64_t ns, double seconds)
{
    return ns + (uint64_t)(seconds * 1e9);
}

/*
 * Waits for the next turn: an interval after the last, or now if that has passed. A new interval
 * counts at once. False: the end.
 */
static bool wait_for_interval(struct watch *watch)
{
    uint64_t now, next;

    for (;;) {
        next = after(watch->turn_ns, watch->options.interval);
        now = clock_now_ns();
        if (watch->is_ending)
            return false;
        if (watch->is_paused)
            pthread_cond_wait(&watch->changed, &watch->mutex);
        else if (now < next)
            clock_wait_until(&watch->changed, &watch->mutex, next);
        else
            break;
    }
    /* Turns that were missed are not made up for. */
    watch->turn_ns = after(next, watch->options.interval) < now ? now : next;
    return true;
}

static void *conduct(void *opaque)
{
    struct watch *watch = opaque;
    struct place *place = watch->options.place;
    uint64_t refreshed_ns = 0;
    bool goes_on = true;

    while (goes_on) {
        uint64_t now = clock_now_ns();

        if (!refreshed_ns || place->ops->is_at_hand || now >= after(refreshed_ns, RETRY_SECONDS)) {
            place->ops->refresh(place, found, watch);
            sort_out(watch);
            refreshed_ns = now;
        }
        begin_turn(watch);
        if (place->ops->is_at_hand)
            ask_at_hand(watch);
        pthread_mutex_lock(&watch->mutex);
        goes_on = wait_for_interval(watch);
        pthread_mutex_unlock(&watch->mutex);
    }
    return NULL;
}

/* ---- the watch ------------------------------------------------------------------------------ */

static void free_watch(struct watch *watch)
{
    for (size_t i = 0; i < watch->n_slots; i++)
        if (watch->slots[i])
            free_slot(watch->slots[i]);
    free(watch->slots);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    close(watch->fd);
    free(watch);
}

int watch_start(const struct watch_options *options, struct watch **ret_watch)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    int err;

    if (!watch)
        return -ENOMEM;
    watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->fd < 0) {
        err = -errno;
        free(watch);
        return err;
    }
    watch->options = *options;
    watch->is_paused = true;
    watch->turn_ns = clock_now_ns();
    pthread_mutex_init(&watch->mutex, NULL);
    clock_init_condition(&watch->changed);
    err = -library_thread_create(&watch->conductor, NULL, conduct, watch);
    if (err < 0)
        free_watch(watch);
    else
        *ret_watch = watch;
    return err;
}

void watch_stop(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->is_ending = true;
    for (size_t i = 0; i < watch->n_slots; i++)
        if (watch->slots[i])
            leave(watch->slots[i]);
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    if (watch->options.place->ops->interrupt)
        watch->options.place->ops->interrupt(watch->options.place);
    pthread_join(watch->conductor, NULL);
    for (size_t i = 0; i < watch->n_slots; i++)
        if (watch->slots[i] && watch->slots[i]->has_thread)
            pthread_join(watch->slots[i]->thread, NULL);
    free_watch(watch);
}

void watch_set(struct watch *watch, double interval, bool is_paused)
{
    pthread_mutex_lock(&watch->mutex);
    watch->options.interval = interval;
    watch->is_paused = is_paused;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

/* ---- how it stands -------------------------------------------------------------------------- */

size_t watch_count(struct watch *watch)
{
    size_t n;

    pthread_mutex_lock(&watch->mutex);
    n = watch->n_slots;
    pthread_mutex_unlock(&watch->mutex);
    return n;
}

const char *watch_key(struct watch *watch, size_t slot)
{
    const char *key;

    pthread_mutex_lock(&watch->mutex);
    key = watch->slots[slot] && !watch->slots[slot]->is_rejected ? watch->slots[slot]->key : NULL;
    pthread_mutex_unlock(&watch->mutex);
    return key;
}

/* Under the mutex. */
static double silence_of(const struct slot *slot)
{
    return slot->asked_ns ? (double)(clock_now_ns() - slot->asked_ns) / 1e9 : 0;
}

double watch_silence(struct watch *watch, size_t slot)
{
    double seconds;

    pthread_mutex_lock(&watch->mutex);
    seconds = watch->slots[slot] ? silence_of(watch->slots[slot]) : 0;
    pthread_mutex_unlock(&watch->mutex);
    return seconds;
}

struct watch_turn watch_turn(struct watch *watch)
{
    struct watch_turn turn;

    pthread_mutex_lock(&watch->mutex);
    turn = (struct watch_turn){watch->turn, watch->turn_time};
    pthread_mutex_unlock(&watch->mutex);
    return turn;
}

/* A VM that is lost, and being tried again, is waited for by nobody. */
static bool is_awaited(const struct slot *slot, uint64_t number)
{
    return slot && !slot->is_leaving && !slot->missed_ns && slot->turn < number &&
           (slot->has_answered || !slot->was_heard);
}

bool watch_is_over(struct watch *watch, uint64_t number)
{
    size_t n_awaited = 0, n_late = 0, n_answered = 0;
    bool has_begun;

    pthread_mutex_lock(&watch->mutex);
    has_begun = watch->turn >= number;
    for (size_t i = 0; i < watch->n_slots; i++) {
        const struct slot *slot = watch->slots[i];
        bool is_late = is_awaited(slot, number) && silence_of(slot) > WATCH_LATE_SECONDS;

        n_late += is_late;
        n_awaited += !is_late && is_awaited(slot, number);
        n_answered += slot && slot->turn >= number && slot->has_answered;
    }
    pthread_mutex_unlock(&watch->mutex);
    return has_begun && !n_awaited && (!n_late || n_answered);
}

bool watch_has_heard_all(struct watch *watch)
{
    bool all;

    pthread_mutex_lock(&watch->mutex);
    all = watch->turn > 0;
    for (size_t i = 0; i < watch->n_slots && all; i++)
        all = !watch->slots[i] || watch->slots[i]->was_heard;
    pthread_mutex_unlock(&watch->mutex);
    return all;
}

void watch_visit(struct watch *watch,
                 void (*visit)(void *opaque, const char *key, struct client *client), void *opaque)
{
    pthread_mutex_lock(&watch->mutex);
    for (size_t i = 0; i < watch->n_slots; i++) {
        struct slot *slot = watch->slots[i];

        if (slot && (slot->has_answered || slot->is_unwanted) && !slot->asked_ns)
            visit(opaque, slot->key, slot->session->client);
    }
    pthread_mutex_unlock(&watch->mutex);
}

/* ---- results -------------------------------------------------------------------------------- */

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

void watch_clear(struct watch *watch)
{
    uint64_t count;

    while (read(watch->fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

/* There is one. */
static void take(struct slot *slot, struct watch_result *ret_result)
{
    *ret_result = slot->result;
    slot->result = (struct watch_result){0};
    slot->has_result = false;
    drop(slot->previous);
    slot->previous = NULL;
    if (!slot->answered)
        return;
    ret_result->is_back = slot->taken && slot->taken->life != slot->answered->life;
    ret_result->is_renewed = slot->taken && slot->taken != slot->answered && !ret_result->is_back;
    slot->previous = slot->taken;
    slot->taken = slot->answered;
    slot->answered = NULL;
}

/* Who has left is forgotten once that is known. */
bool watch_take(struct watch *watch, size_t number, struct watch_result *ret_result)
{
    struct slot *slot;
    bool has_result;

    pthread_mutex_lock(&watch->mutex);
    slot = watch->slots[number];
    has_result = slot && slot->has_result;
    if (has_result)
        take(slot, ret_result);
    if (has_result && ret_result->has_left) {
        watch->slots[number] = NULL;
        watch_result_free(ret_result);
        ret_result->has_left = true;
        free_slot(slot);
    }
    pthread_mutex_unlock(&watch->mutex);
    return has_result;
}

void watch_wait(struct watch *watch, uint64_t number)
{
    struct pollfd pollfd = {.fd = watch->fd, .events = POLLIN};

    while (!watch_is_over(watch, number)) {
        poll(&pollfd, 1, LOOK_AGAIN_MS);
        watch_clear(watch);
    }
}
