/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "look/socket_list.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/count.h"
#include "base/text.h"
#include "look/look.h"
#include "look/manager.h"

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const names_of_qmp[] = {"*.qmp", "*.sock", "monitor.sock", "qmp*"};

static const char *const names_of_others[] = {
    "*.qga",   "*.qga.*", "qga.*",   "*guest_agent*", "*.agent",   "*.agent.*",
    "agent.*", "*.vnc",   "*.vnc.*", "vnc.*",         "*.serial*", "serial*.sock",
    "*.hmp",   "*.hmp.*", "hmp.*",   "*console*",
};

enum kind { KIND_OTHER, KIND_UNKNOWN, KIND_QMP };

static bool matches(const char *name, const char *const patterns[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static enum kind kind_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    if (matches(name, names_of_others, COUNT(names_of_others)))
        return KIND_OTHER;
    return matches(name, names_of_qmp, COUNT(names_of_qmp)) ? KIND_QMP : KIND_UNKNOWN;
}

/* ---- the list ------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
complain(struct socket_list *list, const char *hint, const char *format, ...)
{
    struct client_error error = {0};
    va_list args;

    if (!list->complain)
        return;
    va_start(args, format);
    vsnprintf(error.text, sizeof(error.text), format, args);
    va_end(args);
    text_make_plain(error.text);
    if (hint)
        snprintf(error.hint, sizeof(error.hint), "%s", hint);
    list->complain(list->opaque, &error);
}

/* Takes over @path; NULL: there was no memory for it. */
static void append(struct socket_list *list, char *path, bool is_named)
{
    struct found_socket *grown = reallocarray(list->all, list->n + 1, sizeof(*grown));

    if (grown)
        list->all = grown;
    if (grown && path) {
        grown[list->n++] = (struct found_socket){path, is_named};
        return;
    }
    free(path);
    complain(list, NULL, "out of memory");
}

void socket_list_add_known(struct socket_list *list, const char *path)
{
    append(list, strdup(path), false);
}

void socket_list_leave_out(struct socket_list *list, const char *path)
{
    char **grown = reallocarray(list->left_out, list->n_left_out + 1, sizeof(*grown));
    char *copy = strdup(path);

    if (grown)
        list->left_out = grown;
    if (grown && copy)
        grown[list->n_left_out++] = copy;
    else
        free(copy);
}

/* Refuses what is a manager's. */
static void add_path(struct socket_list *list, const char *path, bool is_named)
{
    struct client_error error;

    if (manager_check(path, is_named, &error) == 0)
        append(list, strdup(path), is_named);
    else if (list->complain)
        list->complain(list->opaque, &error);
}

void socket_list_free(struct socket_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->all[i].path);
    for (size_t i = 0; i < list->n_left_out; i++)
        free(list->left_out[i]);
    free(list->all);
    free(list->left_out);
    list->all = NULL;
    list->left_out = NULL;
    list->n = list->n_left_out = 0;
}

/* ---- directories and patterns --------------------------------------------------------------- */

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Of sockets that nobody named one by one. */
static void choose(struct socket_list *list, char *const paths[], size_t n)
{
    enum kind least = KIND_UNKNOWN;

    for (size_t i = 0; i < n; i++)
        if (kind_of(paths[i]) == KIND_QMP)
            least = KIND_QMP;
    for (size_t i = 0; i < n; i++) {
        if (kind_of(paths[i]) >= least)
            add_path(list, paths[i], false);
        else
            socket_list_leave_out(list, paths[i]);
    }
}

static char *join(const char *directory, const char *name)
{
    size_t len = strlen(directory);
    char *path;

    return asprintf(&path, "%s%s%s", directory, len && directory[len - 1] == '/' ? "" : "/", name) <
                   0
               ? NULL
               : path;
}

static void add_directory(struct socket_list *list, const char *directory)
{
    struct dirent **entries;
    int n = scandir(directory, &entries, NULL, alphasort);
    char **paths;
    size_t n_paths = 0;

    if (n < 0) {
        complain(list, LOOK_HINT_LISTING, "%s: the directory can't be read: %s", directory,
                 strerror(errno));
        return;
    }
    paths = calloc((size_t)n + 1, sizeof(*paths));
    for (int i = 0; i < n; i++) {
        char *path = paths ? join(directory, entries[i]->d_name) : NULL;

        if (path && is_socket(path))
            paths[n_paths++] = path;
        else
            free(path);
        free(entries[i]);
    }
    free(entries);
    if (paths && n_paths)
        choose(list, paths, n_paths);
    else
        complain(list, LOOK_HINT_NO_SOCKET, "%s: no socket in this directory", directory);
    for (size_t i = 0; i < n_paths; i++)
        free(paths[i]);
    free(paths);
}

static bool is_pattern(const char *word)
{
    struct stat st;

    return strpbrk(word, "*?[") && lstat(word, &st) < 0;
}

static void add_pattern(struct socket_list *list, const char *pattern)
{
    glob_t found = {0};
    size_t n = 0;

    glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (is_directory(found.gl_pathv[i]))
            add_directory(list, found.gl_pathv[i]);
        else if (is_socket(found.gl_pathv[i]))
            n++;
    }
    if (n) {
        char **paths = calloc(n, sizeof(*paths));

        n = 0;
        for (size_t i = 0; paths && i < found.gl_pathc; i++)
            if (is_socket(found.gl_pathv[i]))
                paths[n++] = found.gl_pathv[i];
        choose(list, paths, n);
        free(paths);
    } else if (!found.gl_pathc) {
        complain(list, "A pattern means the paths of sockets, or of directories of them.",
                 "%s: no socket has such a path", pattern);
    }
    globfree(&found);
}

void socket_list_add(struct socket_list *list, const char *word)
{
    if (is_pattern(word))
        add_pattern(list, word);
    else if (is_directory(word))
        add_directory(list, word);
    else
        add_path(list, word, true);
}

/* ---- several words ---------------------------------------------------------------------------- */

static void split(char *text, struct socket_words *words)
{
    char *word;

    while ((word = strsep(&text, ":")))
        if (*word)
            words->all[words->n++] = word;
}

bool socket_words_split(const char *text, struct socket_words *ret_words)
{
    struct socket_words words = {.copy = strdup(text),
                                 .all = calloc(strlen(text) + 1, sizeof(*words.all))};
    struct stat st;

    if (!words.copy || !words.all) {
        socket_words_free(&words);
        return false;
    }
    if (stat(text, &st) == 0)
        words.all[words.n++] = words.copy;
    else
        split(words.copy, &words);
    *ret_words = words;
    return true;
}

void socket_words_free(struct socket_words *words)
{
    free(words->copy);
    free(words->all);
}

/* ---- those that are there twice ------------------------------------------------------------- */

/* A socket that was named twice is one VM, and QEMU would let the second client wait for the first. */
struct identity {
    dev_t device;
    ino_t inode;
    size_t index;
};

static int compare_identities(const void *a, const void *b)
{
    const struct identity *one = a, *other = b;
    int order = (one->device > other->device) - (one->device < other->device);

    if (order == 0)
        order = (one->inode > other->inode) - (one->inode < other->inode);
    return order ? order : (one->index > other->index) - (one->index < other->index);
}

static bool is_same_socket(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Those that can be found, sorted. */
static size_t identify(const struct socket_list *list, struct identity *identities)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        struct stat st;

        if (stat(list->all[i].path, &st) == 0)
            identities[n++] = (struct identity){st.st_dev, st.st_ino, i};
    }
    qsort(identities, n, sizeof(*identities), compare_identities);
    return n;
}

static void close_gaps(struct socket_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        if (list->all[i].path)
            list->all[n++] = list->all[i];
    list->n = n;
}

static bool has_socket(const struct socket_list *list, const char *path)
{
    struct stat wanted, st;

    if (stat(path, &wanted) < 0)
        return false;
    for (size_t i = 0; i < list->n; i++)
        if (stat(list->all[i].path, &st) == 0 && st.st_dev == wanted.st_dev &&
            st.st_ino == wanted.st_ino)
            return true;
    return false;
}

/* By another path they are asked. */
static void keep_left_out(struct socket_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n_left_out; i++) {
        if (has_socket(list, list->left_out[i]))
            free(list->left_out[i]);
        else
            list->left_out[n++] = list->left_out[i];
    }
    list->n_left_out = n;
}

bool socket_list_drop_repeated(struct socket_list *list)
{
    struct identity *identities = calloc(list->n + 1, sizeof(*identities));
    size_t n;

    if (!identities)
        return false;
    n = identify(list, identities);
    for (size_t i = 1; i < n; i++) {
        if (!is_same_socket(&identities[i - 1], &identities[i]))
            continue;
        free(list->all[identities[i].index].path);
        list->all[identities[i].index].path = NULL;
    }
    free(identities);
    close_gaps(list);
    keep_left_out(list);
    return true;
}
