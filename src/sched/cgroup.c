/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sched/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE = 4096 /* cpu.stat has about 400 bytes */ };

/* The two forms in which the kernel has these groups. */
struct form {
    const char *filesystem;
    const char *quota_file;
    const char *throttled_key;
    uint64_t ns; /* in one of what it counts */
};

static const struct form form_v1 = {"cgroup", "cpu.cfs_quota_us", "throttled_time", 1};
static const struct form form_v2 = {"cgroup2", "cpu.max", "throttled_usec", 1000};

struct cgroup {
    struct cgroup *parent; /* NULL: the topmost that can be seen */
    unsigned users;        /* groups below it, and what cgroups_get() gave */
    bool has_quota;
    uint64_t looked_at, read_at;
    uint64_t sum; /* the last one that it was part of */
    uint64_t throttled_ns;
    uint64_t inode, inode_seen_at; /* of its directory; 0: it can't be found by that */
    char path[];                   /* from the mounted directory on, no slash at the ends */
};

struct cgroups {
    const struct form *form;
    int directory; /* where it is mounted */
    char *top;     /* the path of the group that is mounted there */
    void *by_path, *by_inode;
    uint64_t now_ns, sum;
    uint64_t phase; /* of the last first look */
};

#define PHASE_STEP_NS 3090169944u /* by the golden ratio: however many there are, they are spread */

/* ---- where the groups are mounted ----------------------------------------------------------- */

struct mount {
    char *top, *directory, *filesystem, *options;
};

static bool is_octal(const char *digits)
{
    return digits[0] >= '0' && digits[0] <= '3' && digits[1] >= '0' && digits[1] <= '7' &&
           digits[2] >= '0' && digits[2] <= '7';
}

/* The kernel writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '\\' && is_octal(text + 1)) {
            *to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 3;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 /top /directory options [optional]... - filesystem source options" */
static bool split_mount(char *line, struct mount *ret_mount)
{
    enum { TOP = 3, DIRECTORY = 4 };
    struct mount mount = {0};
    char *rest = line, *word;

    for (int i = 0; (word = strsep(&rest, " \n")) && strcmp(word, "-"); i++) {
        if (i == TOP)
            mount.top = word;
        if (i == DIRECTORY)
            mount.directory = word;
    }
    mount.filesystem = strsep(&rest, " \n");
    strsep(&rest, " \n");
    mount.options = strsep(&rest, " \n");
    if (!mount.directory || !mount.options)
        return false;
    unescape(mount.top);
    unescape(mount.directory);
    *ret_mount = mount;
    return true;
}

/* Whether @word is one of @list, which has commas between its words. */
static bool has_word(const char *list, size_t size, const char *word)
{
    size_t length = strlen(word);

    while (size) {
        const char *comma = memchr(list, ',', size);
        size_t n = comma ? (size_t)(comma - list) : size;

        if (n == length && !memcmp(list, word, n))
            return true;
        list += n + (comma != NULL);
        size -= n + (comma != NULL);
    }
    return false;
}

/* NULL: it divides no CPU time. */
static const struct form *form_of(const struct mount *mount)
{
    if (!strcmp(mount->filesystem, form_v2.filesystem))
        return &form_v2;
    if (!strcmp(mount->filesystem, form_v1.filesystem) &&
        has_word(mount->options, strlen(mount->options), "cpu"))
        return &form_v1;
    return NULL;
}

static int take_mount(struct cgroups *cgroups, const char *root, const struct form *form,
                      const struct mount *mount)
{
    char path[PATH_MAX], *top;
    int directory;

    if (snprintf(path, sizeof(path), "%s%s", root, mount->directory) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    top = strdup(mount->top);
    if (!top) {
        close(directory);
        return -ENOMEM;
    }
    free(cgroups->top);
    if (cgroups->directory >= 0)
        close(cgroups->directory);
    cgroups->form = form;
    cgroups->top = top;
    cgroups->directory = directory;
    return 0;
}

/* Where both forms are mounted, the first one has the controller of CPU time. */
static int consider_mount(struct cgroups *cgroups, const char *root, char *line)
{
    const struct form *form;
    struct mount mount;
    int err;

    if (!split_mount(line, &mount))
        return 0;
    form = form_of(&mount);
    if (!form || cgroups->form == &form_v1 || cgroups->form == form)
        return 0;
    err = take_mount(cgroups, root, form, &mount);
    return err == -ENOMEM ? err : 0; /* one that can't be opened is as none */
}

static int find_mount(struct cgroups *cgroups, const char *root)
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    FILE *file;
    int err = 0;

    if (snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    file = fopen(path, "re");
    if (!file)
        return -errno;
    while (!err && getline(&line, &size, file) >= 0)
        err = consider_mount(cgroups, root, line);
    free(line);
    fclose(file);
    if (!err && !cgroups->form)
        err = -ENOENT;
    return err;
}

int cgroups_new(const char *root, struct cgroups **ret_cgroups)
{
    struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
    int err;

    if (!cgroups)
        return -ENOMEM;
    cgroups->directory = -1;
    err = find_mount(cgroups, root);
    if (err) {
        cgroups_free(cgroups);
        return err;
    }
    *ret_cgroups = cgroups;
    return 0;
}

void cgroups_free(struct cgroups *cgroups)
{
    if (!cgroups)
        return;
    if (cgroups->directory >= 0)
        close(cgroups->directory);
    free(cgroups->top);
    free(cgroups);
}

void cgroups_set_time(struct cgroups *cgroups, uint64_t now_ns)
{
    cgroups->now_ns = now_ns;
}

static bool is_due(const struct cgroups *cgroups, uint64_t looked_at)
{
    return !looked_at || cgroups->now_ns - looked_at >= CGROUP_LOOK_NS;
}

/* ---- groups by their paths ------------------------------------------------------------------ */

static int compare_paths(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct cgroup *of_path(void *path)
{
    return (struct cgroup *)((char *)path - offsetof(struct cgroup, path));
}

static struct cgroup *find_cgroup(const struct cgroups *cgroups, const char *path)
{
    void *const *found = tfind(path, (void *const *)&cgroups->by_path, compare_paths);

    return found ? of_path(*found) : NULL;
}

static int use(struct cgroups *cgroups, const char *path, struct cgroup **ret_cgroup);

/* Nobody has it yet. */
static int new_cgroup(struct cgroups *cgroups, const char *path, struct cgroup **ret_cgroup)
{
    size_t size = strlen(path) + 1;
    struct cgroup *cgroup = calloc(1, sizeof(*cgroup) + size);
    char *slash;
    int err = 0;

    if (!cgroup)
        return -ENOMEM;
    memcpy(cgroup->path, path, size);
    slash = strrchr(cgroup->path, '/');
    if (slash)
        *slash = '\0';
    if (*path)
        err = use(cgroups, slash ? cgroup->path : "", &cgroup->parent);
    if (slash)
        *slash = '/';
    if (!err && !tsearch(cgroup->path, &cgroups->by_path, compare_paths))
        err = -ENOMEM;
    if (err) {
        cgroups_put(cgroups, cgroup->parent);
        free(cgroup);
        return err;
    }
    *ret_cgroup = cgroup;
    return 0;
}

static int use(struct cgroups *cgroups, const char *path, struct cgroup **ret_cgroup)
{
    struct cgroup *cgroup = find_cgroup(cgroups, path);
    int err = cgroup ? 0 : new_cgroup(cgroups, path, &cgroup);

    if (err)
        return err;
    cgroup->users++;
    *ret_cgroup = cgroup;
    return 0;
}

/* ---- groups by their inodes ----------------------------------------------------------------- */

static int compare_inodes(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

static struct cgroup *of_inode(void *inode)
{
    return (struct cgroup *)((char *)inode - offsetof(struct cgroup, inode));
}

static void forget_inode(struct cgroups *cgroups, struct cgroup *cgroup)
{
    if (cgroup->inode)
        tdelete(&cgroup->inode, &cgroups->by_inode, compare_inodes);
    cgroup->inode = 0;
}

/* Whether the group at this path is still, or already, that one: groups come, go and can be renamed. */
static bool is_at_path(const struct cgroups *cgroups, const struct cgroup *cgroup, uint64_t inode)
{
    struct stat status;

    return !fstatat(cgroups->directory, cgroup->path, &status, AT_EMPTY_PATH) &&
           status.st_ino == inode;
}

static struct cgroup *find_inode(struct cgroups *cgroups, uint64_t inode)
{
    void *const *found = inode ? tfind(&inode, &cgroups->by_inode, compare_inodes) : NULL;
    struct cgroup *cgroup = found ? of_inode(*found) : NULL;

    if (!cgroup || !is_due(cgroups, cgroup->inode_seen_at))
        return cgroup;
    cgroup->inode_seen_at = cgroups->now_ns;
    if (is_at_path(cgroups, cgroup, inode))
        return cgroup;
    forget_inode(cgroups, cgroup);
    return NULL;
}

/* Of a thread that has moved meanwhile it is not the inode. Without memory the group is not found by it. */
static void set_inode(struct cgroups *cgroups, struct cgroup *cgroup, uint64_t inode)
{
    if (!inode || cgroup->inode == inode || !is_at_path(cgroups, cgroup, inode))
        return;
    forget_inode(cgroups, cgroup);
    cgroup->inode = inode;
    cgroup->inode_seen_at = cgroups->now_ns;
    if (!tsearch(&cgroup->inode, &cgroups->by_inode, compare_inodes))
        cgroup->inode = 0;
}

void cgroups_put(struct cgroups *cgroups, struct cgroup *cgroup)
{
    while (cgroup && --cgroup->users == 0) {
        struct cgroup *parent = cgroup->parent;

        tdelete(cgroup->path, &cgroups->by_path, compare_paths);
        forget_inode(cgroups, cgroup);
        free(cgroup);
        cgroup = parent;
    }
}

/* ---- which group a thread is in ------------------------------------------------------------- */

/* "4:cpu,cpuacct:/path", or "0::/path". Gives the path if the line is of our hierarchy. */
static bool is_our_line(const struct cgroups *cgroups, const char *line, size_t size,
                        const char **ret_path)
{
    const char *controllers = memchr(line, ':', size), *path;

    if (!controllers++)
        return false;
    path = memchr(controllers, ':', size - (size_t)(controllers - line));
    if (!path++)
        return false;
    *ret_path = path;
    if (cgroups->form == &form_v2)
        return controllers + 1 == path && controllers - line == 2 && line[0] == '0';
    return has_word(controllers, (size_t)(path - 1 - controllers), "cpu");
}

/* -EBADMSG: no line is. */
static int find_path(const struct cgroups *cgroups, struct proc_text text, const char **ret_path,
                     size_t *ret_size)
{
    const char *line = text.bytes, *end = line + text.size;

    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline ? newline : end;

        if (is_our_line(cgroups, line, (size_t)(line_end - line), ret_path)) {
            *ret_size = (size_t)(line_end - *ret_path);
            return 0;
        }
        line = newline ? newline + 1 : end;
    }
    return -EBADMSG;
}

/* Cuts the path of the group that is mounted off the start of @path. */
static int below_top(const struct cgroups *cgroups, const char *path, const char **ret_below)
{
    size_t size = strlen(cgroups->top);

    if (size && cgroups->top[size - 1] == '/')
        size--;
    if (strncmp(path, cgroups->top, size) || (path[size] && path[size] != '/'))
        return -ENOENT;
    /* Above the root of the namespace of groups. */
    if (!strncmp(path + size, "/..", 3) && (!path[size + 3] || path[size + 3] == '/'))
        return -ENOENT;
    *ret_below = path + size + (path[size] == '/');
    return 0;
}

int cgroups_get(struct cgroups *cgroups, struct proc_text text, struct cgroup **ret_cgroup)
{
    char path[PATH_MAX];
    const char *start = NULL, *below;
    size_t size = 0;
    int err = find_path(cgroups, text, &start, &size);

    if (!err && (!size || *start != '/'))
        err = -EBADMSG;
    if (!err && size >= sizeof(path))
        err = -ENAMETOOLONG;
    if (err)
        return err;
    memcpy(path, start, size);
    path[size] = '\0';
    err = below_top(cgroups, path, &below);
    return err ? err : use(cgroups, below, ret_cgroup);
}

/* ---- values --------------------------------------------------------------------------------- */

static int read_file(const struct cgroups *cgroups, const struct cgroup *cgroup, const char *file,
                     char bytes[FILE_SIZE], struct proc_text *ret_text)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s%s%s", cgroup->path, *cgroup->path ? "/" : "", file) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    return proc_read(cgroups->directory, path, bytes, FILE_SIZE, ret_text);
}

/* "max 100000", "50000 100000"; before that "-1", "50000". The root has no such file. */
static bool has_quota(const struct cgroups *cgroups, const struct cgroup *cgroup)
{
    char bytes[FILE_SIZE];
    struct proc_text text;

    return !read_file(cgroups, cgroup, cgroups->form->quota_file, bytes, &text) && text.size &&
           bytes[0] >= '0' && bytes[0] <= '9';
}

/* A group to which the controller was not given has no such line: it stays at 0. */
static void read_throttled(const struct cgroups *cgroups, struct cgroup *cgroup)
{
    char bytes[FILE_SIZE];
    struct proc_text text;
    uint64_t value;

    if (!read_file(cgroups, cgroup, "cpu.stat", bytes, &text) &&
        !proc_parse_line(text, cgroups->form->throttled_key, &value))
        cgroup->throttled_ns = value * cgroups->form->ns;
}

/*
 * Many are looked at for the first time at once, and would be again. So the first look counts as one of
 * some time ago.
 */
static uint64_t look_of_now(struct cgroups *cgroups, uint64_t looked_at)
{
    if (looked_at)
        return cgroups->now_ns;
    cgroups->phase = (cgroups->phase + PHASE_STEP_NS) % CGROUP_LOOK_NS;
    return cgroups->now_ns > cgroups->phase ? cgroups->now_ns - cgroups->phase : cgroups->now_ns;
}

static uint64_t throttled_ns(struct cgroups *cgroups, struct cgroup *cgroup)
{
    bool is_looked_at = is_due(cgroups, cgroup->looked_at);

    if (is_looked_at) {
        cgroup->has_quota = has_quota(cgroups, cgroup);
        cgroup->looked_at = look_of_now(cgroups, cgroup->looked_at);
    }
    if (is_looked_at || (cgroup->has_quota && cgroup->read_at != cgroups->now_ns)) {
        read_throttled(cgroups, cgroup);
        cgroup->read_at = cgroups->now_ns;
    }
    return cgroup->throttled_ns;
}

/* ---- the groups of one VM ------------------------------------------------------------------- */

static bool has_cgroup(const struct vm_cgroups *vm, const struct cgroup *cgroup)
{
    size_t i = 0;

    while (i < vm->n && vm->used[i] != cgroup)
        i++;
    return i < vm->n;
}

static int keep(struct vm_cgroups *vm, struct cgroup *cgroup)
{
    size_t cap = vm->cap ? vm->cap * 2 : 4;
    struct cgroup **used;

    if (vm->n == vm->cap) {
        used = realloc(vm->used, cap * sizeof(struct cgroup *));
        if (!used)
            return -ENOMEM;
        vm->used = used;
        vm->cap = cap;
    }
    vm->used[vm->n++] = cgroup;
    return 0;
}

static int read_cgroup(struct cgroups *cgroups, int directory, pid_t thread,
                       struct cgroup **ret_cgroup)
{
    char path[64], bytes[2 * PATH_MAX];
    struct proc_text text;

    snprintf(path, sizeof(path), "task/%d/cgroup", (int)thread);
    if (proc_read(directory, path, bytes, sizeof(bytes), &text))
        return -ENOENT;
    return cgroups_get(cgroups, text, ret_cgroup);
}

static uint64_t inode_of(const struct cgroups *cgroups, const struct cgroup_thread *thread)
{
    return cgroups->form == &form_v2 ? thread->in.unified : thread->in.cpu;
}

static int find_group(struct cgroups *cgroups, int directory, const struct cgroup_thread *thread,
                      struct cgroup **ret_cgroup)
{
    uint64_t inode = inode_of(cgroups, thread);
    int err;

    *ret_cgroup = find_inode(cgroups, inode);
    if (*ret_cgroup) {
        (*ret_cgroup)->users++;
        return 0;
    }
    err = read_cgroup(cgroups, directory, thread->thread, ret_cgroup);
    if (!err)
        set_inode(cgroups, *ret_cgroup, inode);
    return err;
}

static int add_thread(struct vm_cgroups *vm, struct cgroups *cgroups, int directory,
                      const struct cgroup_thread *thread)
{
    struct cgroup *cgroup;
    int err = find_group(cgroups, directory, thread, &cgroup);

    if (err)
        return err == -ENOMEM ? err : 0;
    if (has_cgroup(vm, cgroup) || (err = keep(vm, cgroup)) != 0)
        cgroups_put(cgroups, cgroup);
    return err;
}

/* Another one wherever a thread moves, but by a chance that the next look puts right. */
static uint64_t sum_of_inodes(const struct cgroups *cgroups, const struct cgroup_thread *threads,
                              size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ inode_of(cgroups, &threads[i])) * 0x9e3779b97f4a7c15u;
    return sum;
}

bool vm_cgroups_are_due(const struct vm_cgroups *vm, const struct cgroups *cgroups,
                        const struct cgroup_thread *threads, size_t n)
{
    return is_due(cgroups, vm->looked_at) ||
           vm->sum_of_inodes != sum_of_inodes(cgroups, threads, n);
}

/* Those of before are put last, so that a group that is still used keeps what is known of it. */
int vm_cgroups_look(struct vm_cgroups *vm, struct cgroups *cgroups, int directory,
                    const struct cgroup_thread *threads, size_t n)
{
    struct vm_cgroups found = {0};
    int err = 0;

    if (!vm_cgroups_are_due(vm, cgroups, threads, n))
        return 0;
    found.looked_at = look_of_now(cgroups, vm->looked_at);
    found.sum_of_inodes = sum_of_inodes(cgroups, threads, n);
    for (size_t i = 0; !err && i < n; i++)
        err = add_thread(&found, cgroups, directory, &threads[i]);
    vm_cgroups_free(vm, cgroups);
    *vm = found;
    return err;
}

uint64_t vm_cgroups_throttled_ns(const struct vm_cgroups *vm, struct cgroups *cgroups)
{
    uint64_t sum = 0;

    cgroups->sum++;
    for (size_t i = 0; i < vm->n; i++)
        for (struct cgroup *cgroup = vm->used[i]; cgroup && cgroup->sum != cgroups->sum;
             cgroup = cgroup->parent) {
            cgroup->sum = cgroups->sum;
            sum += throttled_ns(cgroups, cgroup);
        }
    return sum;
}

void vm_cgroups_free(struct vm_cgroups *vm, struct cgroups *cgroups)
{
    for (size_t i = 0; i < vm->n; i++)
        cgroups_put(cgroups, vm->used[i]);
    free(vm->used);
    *vm = (struct vm_cgroups){0};
}
