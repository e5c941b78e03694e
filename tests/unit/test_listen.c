/* SPDX-License-Identifier: MIT */
/* Listening sockets: where one may be made, what it replaces, and what is left of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "files.h"
#include "peer.h"
#include "server/internal.h"

/* ---- helpers -------------------------------------------------------------------------------- */

struct server {
    struct vitals_server *server;
    struct vitals_ctx *ctx;
};

static int make_server(void **state)
{
    struct server *server = calloc(1, sizeof(*server));

    server->server = new_server();
    server->ctx = new_ctx();
    *state = server;
    return make_dir(state);
}

static int free_server(void **state)
{
    struct server *server = *state;

    vitals_server_free(server->server);
    check_ok(vitals_ctx_free(server->ctx));
    free(server);
    return remove_dir(state);
}

static int try_listen(struct server *server, const struct vitals_listen_options *options)
{
    struct vitals_listener *listener = NULL;
    int err = vitals_server_listen(server->server, server->ctx, options, &listener);

    assert_true((listener == NULL) == (err != 0));
    return err;
}

static int listen_with_mode(struct server *server, const char *path, mode_t mode)
{
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .path = path,
                                                  .mode = mode};

    return try_listen(server, &options);
}

static int listen_path(struct server *server, const char *path)
{
    return listen_with_mode(server, path, 0600);
}

static int listen_fd(struct server *server, int fd)
{
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .fd = fd};

    return try_listen(server, &options);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 ? 0 : st.st_mode;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0 || mode_of(path);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void answers(struct server *server, const char *path)
{
    struct peer peer;

    peer_open(&peer, server->server, path);
    assert_answers(&peer);
    peer_close(&peer);
}

/* ---- making one ----------------------------------------------------------------------------- */

static void a_socket_answers(void **state)
{
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    answers(*state, in_dir("qmp.sock"));
}

static void the_mode_is_exact_whatever_the_umask(void **state)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0777, 0001, 0620};
    static const mode_t umasks[] = {0077, 0000, 0022, 0777};
    size_t i, j;

    for (i = 0; i < N_ELEMENTS(modes); i++) {
        for (j = 0; j < N_ELEMENTS(umasks); j++) {
            char name[32];
            mode_t old = umask(umasks[j]);

            snprintf(name, sizeof(name), "sock-%zu-%zu", i, j);
            check_ok(listen_with_mode(*state, in_dir(name), modes[i]));
            assert_int_equal(umask(old), umasks[j]);
            assert_int_equal(mode_of(in_dir(name)), S_IFSOCK | modes[i]);
        }
    }
}

static void the_mode_is_0600_by_default(void **state)
{
    struct server *server = *state;

    listen_at(server->server, server->ctx, in_dir("qmp.sock"));
    assert_int_equal(mode_of(in_dir("qmp.sock")), S_IFSOCK | 0600);
}

static void a_mode_has_nine_bits(void **state)
{
    check_error(listen_with_mode(*state, in_dir("qmp.sock"), 01600), EINVAL);
    check_error(listen_with_mode(*state, in_dir("qmp.sock"), 04600), EINVAL);
    assert_false(exists(in_dir("qmp.sock")));
}

static void a_path_has_at_most_107_bytes(void **state)
{
    char name[128], path[256];
    size_t len = strlen(in_dir(""));

    memset(name, 'n', sizeof(name));
    name[107 - len] = '\0';
    snprintf(path, sizeof(path), "%s", in_dir(name));
    assert_int_equal(strlen(path), 107);
    check_ok(listen_path(*state, path));
    answers(*state, path);
    strcat(path, "n");
    check_error(listen_path(*state, path), ENAMETOOLONG);
}

static void a_path_must_have_a_directory(void **state)
{
    check_error(listen_path(*state, in_dir("missing/qmp.sock")), ENOENT);
    check_error(listen_path(*state, ""), EINVAL);
}

static void a_path_must_name_a_file(void **state)
{
    static const char *const names[] = {"", ".", ".."};
    size_t i;

    for (i = 0; i < N_ELEMENTS(names); i++)
        check_error(listen_path(*state, in_dir(names[i])), EEXIST);
}

/* As others write names that have no file, no mode and no owner. */
static void an_abstract_name_is_refused(void **state)
{
    char text[200];

    check_error(listen_path(*state, "@vitals-test"), EINVAL);
    vitals_error_text(((struct server *)*state)->ctx, text, sizeof(text));
    assert_contains(text, "@vitals-test");
    assert_false(exists("@vitals-test"));
}

static void a_directory_that_anyone_may_write_needs_the_sticky_bit(void **state)
{
    struct server *server = *state;
    char text[256];

    assert_int_equal(chmod(in_dir(""), 0777), 0);
    check_error(listen_path(server, in_dir("qmp.sock")), EPERM);
    vitals_error_text(server->ctx, text, sizeof(text));
    assert_contains(text, in_dir("qmp.sock"));
    assert_contains(text, "anyone may write to the directory");
    assert_false(exists(in_dir("qmp.sock")));
    assert_int_equal(chmod(in_dir(""), 01777), 0);
    check_ok(listen_path(server, in_dir("qmp.sock")));
    answers(server, in_dir("qmp.sock"));
    assert_int_equal(chmod(in_dir(""), 0770), 0);
    check_ok(listen_path(server, in_dir("group.sock")));
}

static void nothing_but_the_socket_is_left(void **state)
{
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    check_error(listen_path(*state, in_dir("qmp.sock")), EADDRINUSE);
    write_file(in_dir("file"), "x");
    check_error(listen_path(*state, in_dir("file")), EEXIST);
    assert_int_equal(count_files(in_dir("")), 2);
}

static void a_relative_path_is_one_too(void **state)
{
    struct server *server = *state;
    struct vitals_listener *listener;
    char old[256];

    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(in_dir("")), 0);
    listener = listen_at(server->server, server->ctx, "qmp.sock");
    assert_int_equal(chdir(old), 0);
    answers(server, in_dir("qmp.sock"));
    check_ok(vitals_listener_close(listener));
    assert_false(exists(in_dir("qmp.sock")));
}

/* ---- what is there already ------------------------------------------------------------------ */

static void a_socket_that_nobody_listens_on_is_replaced(void **state)
{
    close(listening_fd(in_dir("qmp.sock")));
    assert_true(exists(in_dir("qmp.sock")));
    check_ok(listen_with_mode(*state, in_dir("qmp.sock"), 0640));
    assert_int_equal(mode_of(in_dir("qmp.sock")), S_IFSOCK | 0640);
    answers(*state, in_dir("qmp.sock"));
}

static void a_live_socket_is_not_touched(void **state)
{
    struct server *server = *state;
    struct vitals_server *other = new_server();

    check_ok(listen_path(server, in_dir("qmp.sock")));
    check_error(listen_path(server, in_dir("qmp.sock")), EADDRINUSE);
    vitals_server_free(other);
    settle(server->server);
    answers(server, in_dir("qmp.sock"));
}

static void a_live_socket_of_a_stranger_is_not_touched(void **state)
{
    int stranger = listening_fd(in_dir("qmp.sock")), client;
    struct peer peer;

    check_error(listen_path(*state, in_dir("qmp.sock")), EADDRINUSE);
    client = accept(stranger, NULL, NULL); /* the server's knock */
    close(client);
    check_ok(peer_connect(&peer, NULL, in_dir("qmp.sock")));
    peer_close(&peer);
    close(stranger);
}

static void another_file_is_not_touched(void **state)
{
    char text[16] = "";
    int fd;

    write_file(in_dir("qmp.sock"), "precious");
    check_error(listen_path(*state, in_dir("qmp.sock")), EEXIST);
    fd = open(in_dir("qmp.sock"), O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 8);
    assert_string_equal(text, "precious");
    close(fd);
}

static void a_fifo_or_a_link_is_not_touched(void **state)
{
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    check_error(listen_path(*state, in_dir("fifo")), EEXIST);
    assert_true(S_ISFIFO(mode_of(in_dir("fifo"))));
    assert_int_equal(symlink("nowhere", in_dir("link")), 0);
    check_error(listen_path(*state, in_dir("link")), EEXIST);
    assert_true(S_ISLNK(mode_of(in_dir("link"))));
    assert_false(exists(in_dir("nowhere")));
}

static void a_directory_is_not_touched(void **state)
{
    assert_int_equal(mkdir(in_dir("dir"), 0700), 0);
    check_error(listen_path(*state, in_dir("dir")), EEXIST);
    assert_int_equal(rmdir(in_dir("dir")), 0);
}

static void a_strangers_stale_socket_is_only_replaced_where_he_may_not_write(void **state)
{
    if (geteuid() != 0)
        skip();
    close(listening_fd(in_dir("qmp.sock")));
    assert_int_equal(chown(in_dir("qmp.sock"), 1, 1), 0);
    assert_int_equal(chmod(in_dir(""), 01777), 0);
    check_error(listen_path(*state, in_dir("qmp.sock")), EEXIST);
    assert_int_equal(chmod(in_dir(""), 0755), 0);
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    answers(*state, in_dir("qmp.sock"));
}

/* ---- servers that begin at once ------------------------------------------------------------- */

enum { RIVALS = 8, ROUNDS = 20, ORDERS = 200 };

/* Lets one rival after the other exchange names, in any order, once all that still run want to. */
struct turnstile {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_on;
    bool *waiting[RIVALS]; /* set when it may go */
    size_t n_waiting, n_running;
    unsigned random;
};

static struct turnstile turnstile = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                     .changed = PTHREAD_COND_INITIALIZER};

/* Under the mutex. */
static void let_one_go(void)
{
    size_t i;

    if (!turnstile.n_waiting || turnstile.n_waiting < turnstile.n_running)
        return;
    turnstile.random = turnstile.random * 1103515245 + 12345;
    i = (turnstile.random >> 16) % turnstile.n_waiting;
    *turnstile.waiting[i] = true;
    turnstile.waiting[i] = turnstile.waiting[--turnstile.n_waiting];
    pthread_cond_broadcast(&turnstile.changed);
}

static void begin_turns(size_t n, unsigned seed)
{
    turnstile.is_on = true;
    turnstile.n_running = n;
    turnstile.random = seed;
}

static void wait_for_turn(void)
{
    bool may_go = false;

    pthread_mutex_lock(&turnstile.mutex);
    if (turnstile.is_on) {
        turnstile.waiting[turnstile.n_waiting++] = &may_go;
        let_one_go();
        while (!may_go)
            pthread_cond_wait(&turnstile.changed, &turnstile.mutex);
    }
    pthread_mutex_unlock(&turnstile.mutex);
}

static void leave_turns(void)
{
    pthread_mutex_lock(&turnstile.mutex);
    turnstile.n_running--;
    let_one_go();
    pthread_mutex_unlock(&turnstile.mutex);
}

int __real_renameat2(int from, const char *old, int to, const char *new, unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *new, unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    if (flags & RENAME_EXCHANGE)
        wait_for_turn();
    return __real_renameat2(from, old, to, new, flags);
}

struct rival {
    struct server own;
    pthread_t thread;
    const char *path;
    int err;
};

static void *listen_as_rival(void *opaque)
{
    struct rival *rival = opaque;

    rival->err = listen_path(&rival->own, rival->path);
    leave_turns();
    return NULL;
}

static void race(struct rival *rivals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rivals[i].own.server = new_server();
        pthread_create(&rivals[i].thread, NULL, listen_as_rival, &rivals[i]);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(rivals[i].thread, NULL);
}

/* One has the socket, which answers, and the others say so. */
static void check_race(struct rival *rivals, size_t n)
{
    struct rival *winner = NULL;

    for (size_t i = 0; i < n; i++) {
        assert_true(rivals[i].err == 0 || rivals[i].err == -EADDRINUSE);
        if (!rivals[i].err) {
            assert_null(winner);
            winner = &rivals[i];
        }
    }
    assert_non_null(winner);
    answers(&winner->own, winner->path);
    assert_int_equal(count_files(in_dir("")), 1);
}

static void race_for_stale_socket(size_t n, unsigned seed, bool takes_turns)
{
    struct rival rivals[RIVALS] = {0};
    char path[256];

    snprintf(path, sizeof(path), "%s", in_dir("qmp.sock"));
    close(listening_fd(path));
    for (size_t i = 0; i < n; i++)
        rivals[i] = (struct rival){.own.ctx = new_ctx(), .path = path};
    begin_turns(n, seed);
    turnstile.is_on = takes_turns;
    race(rivals, n);
    turnstile.is_on = false;
    check_race(rivals, n);
    for (size_t i = 0; i < n; i++) {
        vitals_server_free(rivals[i].own.server);
        check_ok(vitals_ctx_free(rivals[i].own.ctx));
    }
}

static void of_servers_that_find_a_stale_socket_one_replaces_it(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++)
        race_for_stale_socket(RIVALS, round, false);
}

static void so_it_is_in_any_order(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < ORDERS; seed++)
        race_for_stale_socket(seed % 2 ? 3 : 4, seed, true);
}

/* ---- the lock among servers of one user ----------------------------------------------------- */

#define LOCK_NAME ".qmp.sock.vitals-lock"

static int hold_lock(mode_t mode)
{
    int fd = open(in_dir(LOCK_NAME), O_RDWR | O_CREAT | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

static void a_server_that_replaces_a_socket_is_not_waited_for(void **state)
{
    int fd = hold_lock(0600);

    check_ok(listen_path(*state, in_dir("other.sock")));
    check_ok(listen_path(*state, in_dir("qmp.sock"))); /* there is nothing to replace */
    close(listening_fd(in_dir("stale.sock")));
    check_ok(listen_path(*state, in_dir("stale.sock")));
    assert_int_equal(unlink(in_dir("qmp.sock")), 0);
    close(listening_fd(in_dir("qmp.sock")));
    check_error(listen_path(*state, in_dir("qmp.sock")), EADDRINUSE);
    close(fd);
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    answers(*state, in_dir("qmp.sock"));
    assert_int_equal(count_files(in_dir("")), 3);
}

/* A server that was killed has left it. */
static void a_lock_that_nobody_has_is_taken(void **state)
{
    close(hold_lock(0600));
    close(listening_fd(in_dir("qmp.sock")));
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    assert_int_equal(count_files(in_dir("")), 1);
}

/* What others can open, they can lock. */
static void a_lock_that_others_could_hold_is_none(void **state)
{
    int fd = hold_lock(0644);

    close(listening_fd(in_dir("qmp.sock")));
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    answers(*state, in_dir("qmp.sock"));
    assert_int_equal(count_files(in_dir("")), 2);
    close(fd);
}

static void what_is_in_the_place_of_the_lock_is_not_touched(void **state)
{
    write_file(in_dir("victim"), "x");
    assert_int_equal(chmod(in_dir("victim"), 0600), 0);
    close(listening_fd(in_dir("qmp.sock")));
    assert_int_equal(symlink("victim", in_dir(LOCK_NAME)), 0);
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    assert_true(S_ISLNK(mode_of(in_dir(LOCK_NAME))));
    assert_int_equal(unlink(in_dir(LOCK_NAME)), 0);
    assert_int_equal(link(in_dir("victim"), in_dir(LOCK_NAME)), 0);
    assert_int_equal(unlink(in_dir("qmp.sock")), 0);
    close(listening_fd(in_dir("qmp.sock")));
    check_ok(listen_path(*state, in_dir("qmp.sock")));
    assert_true(S_ISREG(mode_of(in_dir(LOCK_NAME))));
    assert_true(S_ISREG(mode_of(in_dir("victim"))));
}

/* ---- permissions ---------------------------------------------------------------------------- */

enum { NOBODY = 65534 };

/* In a process of its own, as somebody without privileges, whose the directory is. */
static int listen_as_nobody(struct server *server, const char *path)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (geteuid() == 0 &&
            (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
            _exit(255);
        server->server = new_server(); /* that of the parent is not its own */
        _exit(-listen_path(server, path));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void make_stale_of_nobody(const char *path, mode_t mode)
{
    unlink(path);
    close(listening_fd(path));
    assert_int_equal(chmod(path, mode), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
}

/* Nobody can tell whether it is in use. */
static void a_socket_that_may_not_be_connected_to_is_not_called_in_use(void **state)
{
    static const mode_t modes[] = {0060, 0400, 0006, 0000};

    if (geteuid() == 0)
        assert_int_equal(chown(in_dir(""), NOBODY, NOBODY), 0);
    for (size_t i = 0; i < N_ELEMENTS(modes); i++) {
        make_stale_of_nobody(in_dir("qmp.sock"), modes[i]);
        check_error(listen_as_nobody(*state, in_dir("qmp.sock")), EACCES);
        assert_int_equal(mode_of(in_dir("qmp.sock")), S_IFSOCK | modes[i]);
    }
    make_stale_of_nobody(in_dir("qmp.sock"), 0200);
    check_ok(listen_as_nobody(*state, in_dir("qmp.sock")));
}

/* ---- sandboxes ------------------------------------------------------------------------------ */

static int forbid_unshare(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {N_ELEMENTS(filter), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* In a process of its own: it stays forbidden there. */
static int listen_where_unshare_is_forbidden(struct server *server, const char *path, mode_t mode)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        int err = forbid_unshare();

        server->server = new_server(); /* that of the parent is not its own */
        _exit(err ? 255 : -listen_with_mode(server, path, mode));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void proc_is_used_where_a_sandbox_forbids_unshare(void **state)
{
    mode_t old = umask(0022);

    assert_int_equal(listen_where_unshare_is_forbidden(*state, in_dir("qmp.sock"), 0666), 0);
    assert_int_equal(mode_of(in_dir("qmp.sock")), S_IFSOCK | 0666);
    /* The one of the child is stale now. */
    assert_int_equal(listen_where_unshare_is_forbidden(*state, in_dir("qmp.sock"), 0600), 0);
    assert_int_equal(mode_of(in_dir("qmp.sock")), S_IFSOCK | 0600);
    assert_int_equal(count_files(in_dir("")), 1);
    umask(old);
}

/* ---- what is left --------------------------------------------------------------------------- */

static void closing_removes_the_socket(void **state)
{
    struct server *server = *state;
    struct vitals_listener *listener = listen_at(server->server, server->ctx, in_dir("qmp.sock"));

    check_ok(vitals_listener_close(listener));
    assert_false(exists(in_dir("qmp.sock")));
    check_ok(listen_path(server, in_dir("qmp.sock")));
    answers(server, in_dir("qmp.sock"));
}

static void freeing_the_server_removes_its_sockets(void **state)
{
    struct server *server = *state;
    struct vitals_server *other = new_server();

    listen_at(other, server->ctx, in_dir("one.sock"));
    listen_at(other, server->ctx, in_dir("two.sock"));
    vitals_server_free(other);
    assert_false(exists(in_dir("one.sock")));
    assert_false(exists(in_dir("two.sock")));
}

static void what_somebody_else_put_there_stays(void **state)
{
    struct server *server = *state;
    struct vitals_listener *listener = listen_at(server->server, server->ctx, in_dir("qmp.sock"));

    write_file(in_dir("new"), "somebody's");
    assert_int_equal(rename(in_dir("new"), in_dir("qmp.sock")), 0);
    check_ok(vitals_listener_close(listener));
    assert_true(S_ISREG(mode_of(in_dir("qmp.sock"))));
}

static void a_socket_that_was_removed_already_is_no_error(void **state)
{
    struct server *server = *state;
    struct vitals_listener *listener = listen_at(server->server, server->ctx, in_dir("qmp.sock"));

    assert_int_equal(unlink(in_dir("qmp.sock")), 0);
    check_ok(vitals_listener_close(listener));
}

static void nothing_stays_open(void **state)
{
    struct server *server = *state;
    int before = count_open_files();
    struct vitals_server *other = new_server();
    struct vitals_listener *listener = listen_at(other, server->ctx, in_dir("qmp.sock"));
    struct peer peer;

    peer_open(&peer, other, in_dir("qmp.sock"));
    write_file(in_dir("file"), "x");
    assert_true(vitals_server_listen(other, server->ctx,
                                     &(const struct vitals_listen_options){
                                         VITALS_LISTEN_OPTIONS_INIT, .path = in_dir("file")},
                                     NULL) < 0);
    check_ok(vitals_listener_close(listener));
    peer_close(&peer);
    vitals_server_free(other);
    assert_int_equal(count_open_files(), before);
}

static void closing_null_is_allowed(void **state)
{
    (void)state;
    check_ok(vitals_listener_close(NULL));
    vitals_server_free(NULL);
}

/* ---- inherited sockets ---------------------------------------------------------------------- */

static void an_inherited_socket_answers(void **state)
{
    check_ok(listen_fd(*state, listening_fd(in_dir("qmp.sock"))));
    answers(*state, in_dir("qmp.sock"));
}

static void an_inherited_socket_is_closed_but_not_removed(void **state)
{
    struct server *server = *state;
    int fd = listening_fd(in_dir("qmp.sock"));
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .fd = fd};
    struct vitals_listener *listener;

    check_ok(vitals_server_listen(server->server, server->ctx, &options, &listener));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    check_ok(vitals_listener_close(listener));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(exists(in_dir("qmp.sock")));
}

/* Another process that has it may do so. @connected: clients wait to be accepted then. */
static void assert_rests_when_shut_down(struct server *server, int how, bool connected)
{
    enum { CALLS = 8 };
    struct log_book book = {0};
    struct vitals_ctx *ctx = ctx_with_log(&book);
    int fd = listening_fd(in_dir("shared.sock")), others = dup(fd), i;
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .fd = fd};
    struct vitals_listener *listener;
    struct peer before, waits, late;

    assert_true(others >= 0);
    check_ok(vitals_server_listen(server->server, ctx, &options, &listener));
    peer_open(&before, server->server, in_dir("shared.sock"));
    if (connected)
        check_ok(peer_connect(&waits, server->server, in_dir("shared.sock")));
    assert_int_equal(shutdown(others, how), 0);
    for (i = 0; process(server->server); i++)
        assert_true(i < CALLS);
    assert_false(process(server->server));
    assert_int_equal(book.lines, 1);
    assert_int_equal(book.level, VITALS_LOG_WARNING);
    assert_string_equal(book.last, "a listening socket was shut down, and takes no more clients");
    assert_answers(&before);
    if (connected) {
        peer_negotiate(&waits);
        assert_answers(&waits);
        peer_close(&waits);
    }
    assert_true(peer_connect(&late, server->server, in_dir("shared.sock")) < 0);
    peer_close(&before);
    check_ok(vitals_listener_close(listener));
    assert_int_equal(book.lines, 1);
    close(others);
    unlink(in_dir("shared.sock"));
    check_ok(vitals_ctx_free(ctx));
}

static void an_inherited_socket_that_somebody_shuts_down_is_left_alone(void **state)
{
    assert_rests_when_shut_down(*state, SHUT_RDWR, false);
    assert_rests_when_shut_down(*state, SHUT_RDWR, true);
    assert_rests_when_shut_down(*state, SHUT_RD, false);
    assert_rests_when_shut_down(*state, SHUT_RD, true);
}

static void an_fd_that_is_refused_stays_the_callers(void **state)
{
    int fds[] = {open("/dev/null", O_RDONLY), socket(AF_UNIX, SOCK_STREAM, 0),
                 socket(AF_INET, SOCK_STREAM, 0), socket(AF_UNIX, SOCK_DGRAM, 0)};
    size_t i;

    for (i = 0; i < N_ELEMENTS(fds); i++) {
        assert_true(fds[i] >= 0);
        assert_true(listen_fd(*state, fds[i]) < 0);
        assert_int_equal(close(fds[i]), 0);
        assert_true(listen_fd(*state, fds[i]) < 0);
    }
}

static void an_fd_must_be_a_listening_unix_socket(void **state)
{
    int not_listening = socket(AF_UNIX, SOCK_STREAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
    int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    const struct sockaddr family = {.sa_family = AF_UNIX};

    check_error(listen_fd(*state, not_listening), EINVAL);
    assert_int_equal(listen(tcp, 1), 0); /* on any free port */
    check_error(listen_fd(*state, tcp), EINVAL);
    assert_int_equal(bind(packets, &family, sizeof(family)), 0); /* to any free name */
    assert_int_equal(listen(packets, 1), 0);
    check_error(listen_fd(*state, packets), EINVAL);
    close(packets);
    close(not_listening);
    close(tcp);
}

static void an_fd_stays_the_callers_if_other_options_are_wrong(void **state)
{
    int fd = listening_fd(in_dir("qmp.sock"));
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .fd = fd,
                                                  .mode = 07777};

    check_error(try_listen(*state, &options), EINVAL);
    assert_int_equal(close(fd), 0);
}

static void an_fd_is_not_looked_at_where_there_is_a_path(void **state)
{
    int fd = listening_fd(in_dir("other.sock"));
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = in_dir("qmp.sock"), .fd = fd};

    check_ok(try_listen(*state, &options));
    answers(*state, in_dir("qmp.sock"));
    assert_int_equal(close(fd), 0);
}

/* ---- options -------------------------------------------------------------------------------- */

static void there_must_be_a_path_or_an_fd(void **state)
{
    const struct vitals_listen_options neither = {VITALS_LISTEN_OPTIONS_INIT, .fd = -1};
    const struct vitals_listen_options nothing = {VITALS_LISTEN_OPTIONS_INIT}; /* fd 0 */

    check_error(try_listen(*state, &neither), EINVAL);
    assert_true(try_listen(*state, &nothing) < 0);
    assert_int_not_equal(fcntl(0, F_GETFD), -1);
}

static void unknown_dialects_are_refused(void **state)
{
    const struct vitals_listen_options options = {
        VITALS_LISTEN_OPTIONS_INIT, .path = in_dir("qmp.sock"), .dialect = (enum vitals_dialect)99};

    check_error(try_listen(*state, &options), EINVAL);
    assert_false(exists(in_dir("qmp.sock")));
}

static void refuse_providers(struct server *server, const char *names, int err,
                             const char *expected)
{
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = in_dir("qmp.sock"), .providers = names};
    char text[200];

    check_error(try_listen(server, &options), err);
    assert_false(exists(in_dir("qmp.sock")));
    vitals_error_text(server->ctx, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void wrong_providers_are_refused(void **state)
{
    refuse_providers(*state, "", EINVAL, "providers: entry 1 is empty");
    refuse_providers(*state, "kvm,,sched", EINVAL, "providers: entry 2 is empty");
    refuse_providers(*state, "kvm;sched", EINVAL,
                     "provider name 'kvm;sched' is not [a-z][a-z0-9_-]{0,62}");
    refuse_providers(*state, "kvm,kvm", EINVAL, "providers: 'kvm' is named twice");
    refuse_providers(*state, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", E2BIG,
                     "providers: more than 16 names");
}

/* They go with the listener: a sanitizer sees what is left. */
static void the_providers_may_be_sixteen(void **state)
{
    char names[] = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p";
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = in_dir("qmp.sock"), .providers = names};
    struct server *server = *state;
    struct vitals_listener *listener;
    struct peer peer;

    check_ok(vitals_server_listen(server->server, server->ctx, &options, &listener));
    memset(names, 'x', sizeof(names) - 1);
    assert_true(providers_have(listener->providers, "p"));
    assert_false(providers_have(listener->providers, "kvm"));
    peer_open(&peer, server->server, in_dir("qmp.sock"));
    assert_answers(&peer);
    check_ok(vitals_listener_close(listener));
    assert_closed(&peer);
    peer_close(&peer);
}

static void options_of_a_shorter_struct_are_refused_unread(void **state)
{
    size_t *options = malloc(sizeof(size_t));

    *options = sizeof(size_t);
    check_error(try_listen(*state, (void *)options), EINVAL);
    free(options);
}

static void take_older_options(struct server *server, size_t size, enum vitals_dialect expected)
{
    const struct vitals_listen_options options = {
        .size = size,
        .path = in_dir("qmp.sock"),
        .mode = 0640,
        .dialect = VITALS_DIALECT_FLAT,
        .providers = "kvm",
    };
    struct vitals_listen_options *older = older_struct(&options, size);
    struct vitals_listener *listener;

    check_ok(vitals_server_listen(server->server, server->ctx, older, &listener));
    assert_int_equal(listener->dialect, expected);
    assert_null(listener->providers);
    assert_int_equal(mode_of(in_dir("qmp.sock")) & 07777, 0640);
    answers(server, in_dir("qmp.sock"));
    check_ok(vitals_listener_close(listener));
    free(older);
}

static void older_options_are_taken(void **state)
{
    take_older_options(*state, offsetof(struct vitals_listen_options, dialect),
                       VITALS_DIALECT_GROUPED);
    take_older_options(*state, offsetof(struct vitals_listen_options, providers),
                       VITALS_DIALECT_FLAT);
}

static void newer_options_are_taken_if_they_ask_for_nothing_new(void **state)
{
    struct {
        struct vitals_listen_options options;
        uint32_t added_later[2];
    } newer = {.options = {.size = sizeof(newer), .path = in_dir("qmp.sock")},
               .added_later = {0, 7}};
    struct server *server = *state;
    char text[200], expected[100];

    check_error(try_listen(server, &newer.options), E2BIG);
    assert_false(exists(in_dir("qmp.sock")));
    vitals_error_text(server->ctx, text, sizeof(text));
    snprintf(expected, sizeof(expected), "byte %zu of the %s for %s() is 0x07",
             sizeof(newer.options) + 4, "struct vitals_listen_options", "vitals_server_listen");
    assert_contains(text, expected);
    newer.added_later[1] = 0;
    check_ok(try_listen(server, &newer.options));
    answers(server, in_dir("qmp.sock"));
}

/* Callers of the first headers have garbage there. */
static void what_was_padding_is_never_read(void **state)
{
    const struct vitals_listen_options options = {
        VITALS_LISTEN_OPTIONS_INIT, .path = in_dir("qmp.sock"), .reserved = UINT32_MAX};

    check_ok(try_listen(*state, &options));
    answers(*state, in_dir("qmp.sock"));
}

static void the_listener_need_not_be_asked_for(void **state)
{
    struct server *server = *state;
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = in_dir("qmp.sock")};

    check_ok(vitals_server_listen(server->server, server->ctx, &options, NULL));
    answers(server, in_dir("qmp.sock"));
}

static void the_path_is_copied(void **state)
{
    struct server *server = *state;
    char path[256];
    struct vitals_listener *listener;

    snprintf(path, sizeof(path), "%s", in_dir("qmp.sock"));
    listener = listen_at(server->server, server->ctx, path);
    memset(path, 'x', sizeof(path) - 1);
    check_ok(vitals_listener_close(listener));
    assert_false(exists(in_dir("qmp.sock")));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, make_server, free_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_socket_answers),
        WITH_SERVER(the_mode_is_exact_whatever_the_umask),
        WITH_SERVER(the_mode_is_0600_by_default),
        WITH_SERVER(a_mode_has_nine_bits),
        WITH_SERVER(a_path_has_at_most_107_bytes),
        WITH_SERVER(a_path_must_have_a_directory),
        WITH_SERVER(a_path_must_name_a_file),
        WITH_SERVER(an_abstract_name_is_refused),
        WITH_SERVER(a_directory_that_anyone_may_write_needs_the_sticky_bit),
        WITH_SERVER(nothing_but_the_socket_is_left),
        WITH_SERVER(a_relative_path_is_one_too),
        WITH_SERVER(a_socket_that_nobody_listens_on_is_replaced),
        WITH_SERVER(a_live_socket_is_not_touched),
        WITH_SERVER(a_live_socket_of_a_stranger_is_not_touched),
        WITH_SERVER(another_file_is_not_touched),
        WITH_SERVER(a_fifo_or_a_link_is_not_touched),
        WITH_SERVER(a_directory_is_not_touched),
        WITH_SERVER(a_strangers_stale_socket_is_only_replaced_where_he_may_not_write),
        WITH_SERVER(of_servers_that_find_a_stale_socket_one_replaces_it),
        WITH_SERVER(so_it_is_in_any_order),
        WITH_SERVER(a_server_that_replaces_a_socket_is_not_waited_for),
        WITH_SERVER(a_lock_that_nobody_has_is_taken),
        WITH_SERVER(a_lock_that_others_could_hold_is_none),
        WITH_SERVER(what_is_in_the_place_of_the_lock_is_not_touched),
        WITH_SERVER(a_socket_that_may_not_be_connected_to_is_not_called_in_use),
        WITH_SERVER(proc_is_used_where_a_sandbox_forbids_unshare),
        WITH_SERVER(closing_removes_the_socket),
        WITH_SERVER(freeing_the_server_removes_its_sockets),
        WITH_SERVER(what_somebody_else_put_there_stays),
        WITH_SERVER(a_socket_that_was_removed_already_is_no_error),
        WITH_SERVER(nothing_stays_open),
        cmocka_unit_test(closing_null_is_allowed),
        WITH_SERVER(an_inherited_socket_answers),
        WITH_SERVER(an_inherited_socket_is_closed_but_not_removed),
        WITH_SERVER(an_inherited_socket_that_somebody_shuts_down_is_left_alone),
        WITH_SERVER(an_fd_that_is_refused_stays_the_callers),
        WITH_SERVER(an_fd_must_be_a_listening_unix_socket),
        WITH_SERVER(an_fd_stays_the_callers_if_other_options_are_wrong),
        WITH_SERVER(an_fd_is_not_looked_at_where_there_is_a_path),
        WITH_SERVER(there_must_be_a_path_or_an_fd),
        WITH_SERVER(unknown_dialects_are_refused),
        WITH_SERVER(wrong_providers_are_refused),
        WITH_SERVER(the_providers_may_be_sixteen),
        WITH_SERVER(options_of_a_shorter_struct_are_refused_unread),
        WITH_SERVER(older_options_are_taken),
        WITH_SERVER(newer_options_are_taken_if_they_ask_for_nothing_new),
        WITH_SERVER(what_was_padding_is_never_read),
        WITH_SERVER(the_listener_need_not_be_asked_for),
        WITH_SERVER(the_path_is_copied),
    };

    return cmocka_run_group_tests_name("listening sockets", tests, NULL, NULL);
}
