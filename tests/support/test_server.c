/* SPDX-License-Identifier: MIT */
/*
 * A VMM without a VM, for the tests of the wire: it publishes what it is told to, over the public
 * API only.
 *
 *      test-server SOCKET [NAME [CLIENTS_MAX [MEMORY_MAX]]]
 *
 * It reads a command from each line of standard input and answers with the line "ok NUMBER" or
 * "error ERRNO TEXT". It ends with its input. What the library logs goes to standard error. That
 * there is memory is taken for granted here.
 *
 *      register GROUP STAT...     GROUP is PROVIDER/TARGET or PROVIDER/TARGET#WORD, where there are
 *                                 several; STAT is NAME:TYPE:UNIT:BASE:EXPONENT:COUNT:BUCKET_SIZE,
 *                                 numbers as in vitals/stats.h
 *      unregister GROUP
 *      row GROUP OBJECT VALUE...  adds an object or changes it; "vm" is the VM itself
 *      drop GROUP OBJECT          the object is gone
 *      fail GROUP OBJECT ERRNO    the object can't be read; 0: it can again
 *      break GROUP ERRNO          nothing of the group can be read; 0: it can again
 *      slow GROUP MS              reading the group takes so long
 *      rows GROUP                 answers how many rows were asked for so far
 *      object GROUP PATH NUMBER   the group has this object; -1: whatever number
 *      gone GROUP PATH            it has it no more
 *      thread TARGET PATH TID     the thread of an object
 *      kvm FILE                   the provider 'kvm' with a statistics file of a VM; "-": with none
 *      vcpu PATH FILE             adds a vCPU to it
 *      machine                    the provider 'kvm' with a VM of this host's KVM
 *      cpu PATH ID                adds its vCPU of this id, which is created at first and never runs
 *      unplug PATH                removes the vCPU
 *      running 0|1                whether the guest runs
 *      listen SOCKET DIALECT [PROVIDERS]
 *                                 serves the same on another socket, in dialect grouped or flat; of
 *                                 these providers only, whose names commas join
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <unistd.h>

#include <vitals/vitals.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define STATS_MAX    4096
#define WORDS_MAX    8192
#define CPU_IDS      256

struct row {
    TAILQ_ENTRY(row) link;
    char *object;
    int err;
    uint64_t *values;
};

struct group {
    TAILQ_ENTRY(group) link;
    struct vitals_group *handle; /* NULL: it could not be registered */
    char *key;
    uint32_t row_len;
    pthread_mutex_t lock; /* all below: queries run on the server's thread */
    TAILQ_HEAD(, row) rows;
    int err;
    unsigned delay_ms;
    unsigned long rows_asked_for;
};

static struct vitals_ctx *ctx;
static struct vitals_kvm *kvm;
static struct vitals_server *server;
static int vm_fd = -1, cpu_fds[CPU_IDS]; /* 0: not created */
static TAILQ_HEAD(, group) groups = TAILQ_HEAD_INITIALIZER(groups);

/* ---- groups --------------------------------------------------------------------------------- */

static struct row *find_row(struct group *group, const char *object)
{
    struct row *row;

    TAILQ_FOREACH(row, &group->rows, link)
    {
        if (!strcmp(row->object, object))
            return row;
    }
    return NULL;
}

static struct row *add_row(struct group *group, const char *object)
{
    struct row *row = calloc(1, sizeof(*row));

    row->object = strdup(object);
    row->values = calloc(group->row_len, sizeof(*row->values));
    TAILQ_INSERT_TAIL(&group->rows, row, link);
    return row;
}

static void remove_row(struct group *group, struct row *row)
{
    TAILQ_REMOVE(&group->rows, row, link);
    free(row->object);
    free(row->values);
    free(row);
}

static void fill_row(struct group *group, struct row *row, struct vitals_sink *sink)
{
    uint64_t *values = vitals_row(sink, strcmp(row->object, "vm") ? row->object : NULL);

    if (!values)
        return;
    group->rows_asked_for++;
    if (row->err)
        vitals_row_fail(sink, -row->err);
    else
        memcpy(values, row->values, group->row_len * sizeof(*values));
}

static int collect(void *opaque, struct vitals_sink *sink)
{
    struct group *group = opaque;
    struct row *row;
    int err;

    pthread_mutex_lock(&group->lock);
    usleep(group->delay_ms * 1000);
    TAILQ_FOREACH(row, &group->rows, link)
    {
        fill_row(group, row, sink);
    }
    err = group->err;
    pthread_mutex_unlock(&group->lock);
    return -err;
}

static void release(void *opaque)
{
    struct group *group = opaque;
    struct row *row;

    while ((row = TAILQ_FIRST(&group->rows)))
        remove_row(group, row);
    if (group->handle)
        TAILQ_REMOVE(&groups, group, link);
    pthread_mutex_destroy(&group->lock);
    free(group->key);
    free(group);
}

static struct group *find_group(const char *key)
{
    struct group *group;

    TAILQ_FOREACH(group, &groups, link)
    {
        if (!strcmp(group->key, key))
            return group;
    }
    return NULL;
}

/* ---- commands ------------------------------------------------------------------------------- */

struct line {
    struct group *group; /* NULL: the command is not about one */
    int argc;            /* without the command and the group */
    char **argv;
};

static int parse_stat(const char *text, struct vitals_stat *stat, char *name)
{
    int end = 0;
    int n = sscanf(text,
                   "%80[^:]:%" SCNu8 ":%" SCNu8 ":%" SCNu8 ":%" SCNd16 ":%" SCNu16 ":%" SCNu32 "%n",
                   name, &stat->type, &stat->unit, &stat->base, &stat->exponent, &stat->count,
                   &stat->bucket_size, &end);

    stat->name = name;
    stat->help = text[end] == ':' ? text + end + 1 : NULL;
    return n == 7 ? 0 : -EINVAL;
}

static int register_group(struct group *group, const struct vitals_stat *stats, uint32_t n_stats)
{
    char *provider = strdup(group->key), *slash = strchr(provider, '/');
    struct vitals_group_ops ops = {
        VITALS_GROUP_OPS_INIT, .provider = provider, .stats = stats,  .n_stats = n_stats,
        .collect = collect,    .release = release,   .opaque = group, .row_len = group->row_len};
    struct vitals_group *handle;
    int err;

    *slash = '\0';
    ops.target = slash + 1;
    slash[1 + strcspn(slash + 1, "#")] = '\0';
    err = vitals_register(ctx, &ops, &handle);
    free(provider);
    if (err)
        return err;
    group->handle = handle;
    TAILQ_INSERT_TAIL(&groups, group, link);
    return 0;
}

static long run_register(struct line *line)
{
    struct vitals_stat stats[STATS_MAX] = {0};
    char names[STATS_MAX][81];
    uint32_t n_stats = (uint32_t)line->argc - 1, row_len = 0, i;
    struct group *group;

    if (n_stats > STATS_MAX || !strchr(line->argv[0], '/'))
        return -EINVAL;
    for (i = 0; i < n_stats; i++) {
        if (parse_stat(line->argv[i + 1], &stats[i], names[i]))
            return -EINVAL;
        stats[i].slot = row_len;
        row_len += stats[i].count;
    }
    group = calloc(1, sizeof(*group));
    group->key = strdup(line->argv[0]);
    group->row_len = row_len;
    TAILQ_INIT(&group->rows);
    pthread_mutex_init(&group->lock, NULL);
    return register_group(group, stats, n_stats);
}

static long run_unregister(struct line *line)
{
    return vitals_unregister(line->group->handle);
}

static long run_row(struct line *line)
{
    struct row *row = find_row(line->group, line->argv[0]);

    if (line->argc - 1 != (int)line->group->row_len)
        return -EINVAL;
    if (!row)
        row = add_row(line->group, line->argv[0]);
    for (int i = 1; i < line->argc; i++)
        row->values[i - 1] = strtoull(line->argv[i], NULL, 10);
    return 0;
}

static long run_drop(struct line *line)
{
    struct row *row = find_row(line->group, line->argv[0]);

    if (!row)
        return -ENOENT;
    remove_row(line->group, row);
    return 0;
}

static long run_fail(struct line *line)
{
    struct row *row = find_row(line->group, line->argv[0]);

    if (!row)
        return -ENOENT;
    row->err = atoi(line->argv[1]);
    return 0;
}

static long run_break(struct line *line)
{
    line->group->err = atoi(line->argv[0]);
    return 0;
}

static long run_slow(struct line *line)
{
    line->group->delay_ms = (unsigned)atoi(line->argv[0]);
    return 0;
}

static long run_rows(struct line *line)
{
    return (long)line->group->rows_asked_for;
}

static long run_object(struct line *line)
{
    return vitals_object_add(line->group->handle, line->argv[0], atoll(line->argv[1]));
}

static long run_gone(struct line *line)
{
    return vitals_object_remove(line->group->handle, line->argv[0]);
}

static long run_thread(struct line *line)
{
    return vitals_object_set_thread(ctx, line->argv[0], line->argv[1], atoi(line->argv[2]));
}

static long run_kvm(struct line *line)
{
    int fd = strcmp(line->argv[0], "-") ? open(line->argv[0], O_RDONLY | O_CLOEXEC) : -1;
    int err = vitals_kvm_new(ctx, fd, &kvm);

    if (fd >= 0)
        close(fd);
    return err;
}

static long run_vcpu(struct line *line)
{
    int fd = open(line->argv[1], O_RDONLY | O_CLOEXEC);
    int err;

    if (fd < 0)
        return -errno;
    err = vitals_kvm_add_vcpu(kvm, line->argv[0], fd);
    close(fd);
    return err;
}

static long run_machine(struct line *line)
{
    int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    (void)line;
    if (kvm_fd < 0)
        return -errno;
    vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    close(kvm_fd);
    return vm_fd < 0 ? -errno : vitals_kvm_new(ctx, vm_fd, &kvm);
}

static long run_cpu(struct line *line)
{
    unsigned long id = strtoul(line->argv[1], NULL, 10);

    if (id >= CPU_IDS)
        return -EINVAL;
    if (!cpu_fds[id])
        cpu_fds[id] = ioctl(vm_fd, KVM_CREATE_VCPU, id);
    return cpu_fds[id] < 0 ? -errno : vitals_kvm_add_vcpu(kvm, line->argv[0], cpu_fds[id]);
}

static long run_unplug(struct line *line)
{
    return vitals_kvm_remove_vcpu(kvm, line->argv[0]);
}

static long run_running(struct line *line)
{
    vitals_set_running(ctx, atoi(line->argv[0]));
    return 0;
}

static long run_listen(struct line *line)
{
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .path = line->argv[0]};

    options.providers = line->argc > 2 ? line->argv[2] : NULL;
    if (!strcmp(line->argv[1], "flat"))
        options.dialect = VITALS_DIALECT_FLAT;
    else if (strcmp(line->argv[1], "grouped"))
        return -EINVAL;
    return vitals_server_listen(server, ctx, &options, NULL);
}

/* ---- the protocol --------------------------------------------------------------------------- */

enum scope {
    SCOPE_CTX,
    SCOPE_GROUP,        /* the first argument names a group */
    SCOPE_LOCKED_GROUP, /* and no query reads it meanwhile */
};

static const struct {
    const char *name;
    int least_arguments;
    enum scope scope;
    long (*run)(struct line *line);
} commands[] = {
    {"register", 1, SCOPE_CTX, run_register},
    {"unregister", 0, SCOPE_GROUP, run_unregister},
    {"row", 1, SCOPE_LOCKED_GROUP, run_row},
    {"drop", 1, SCOPE_LOCKED_GROUP, run_drop},
    {"fail", 2, SCOPE_LOCKED_GROUP, run_fail},
    {"break", 1, SCOPE_LOCKED_GROUP, run_break},
    {"slow", 1, SCOPE_LOCKED_GROUP, run_slow},
    {"rows", 0, SCOPE_LOCKED_GROUP, run_rows},
    {"object", 2, SCOPE_GROUP, run_object},
    {"gone", 1, SCOPE_GROUP, run_gone},
    {"thread", 3, SCOPE_CTX, run_thread},
    {"kvm", 1, SCOPE_CTX, run_kvm},
    {"vcpu", 2, SCOPE_CTX, run_vcpu},
    {"machine", 0, SCOPE_CTX, run_machine},
    {"cpu", 2, SCOPE_CTX, run_cpu},
    {"unplug", 1, SCOPE_CTX, run_unplug},
    {"running", 1, SCOPE_CTX, run_running},
    {"listen", 2, SCOPE_CTX, run_listen},
};

static long run_command(size_t command, struct line *line)
{
    bool locks = commands[command].scope == SCOPE_LOCKED_GROUP;
    long result;

    if (commands[command].scope != SCOPE_CTX) {
        line->group = line->argc ? find_group(line->argv[0]) : NULL;
        if (!line->group)
            return -ENOENT;
        line->argc--;
        line->argv++;
    }
    if (line->argc < commands[command].least_arguments)
        return -EINVAL;
    if (locks)
        pthread_mutex_lock(&line->group->lock);
    result = commands[command].run(line);
    if (locks)
        pthread_mutex_unlock(&line->group->lock);
    return result;
}

static long run_words(char **words, int n)
{
    struct line line = {.argc = n - 1, .argv = words + 1};

    for (size_t i = 0; i < COUNT(commands); i++)
        if (!strcmp(commands[i].name, words[0]))
            return run_command(i, &line);
    return -ENOSYS;
}

static void answer(long result)
{
    char text[256];

    if (result < 0) {
        vitals_error_text(ctx, text, sizeof(text));
        printf("error %ld %s\n", -result, text);
    } else {
        printf("ok %ld\n", result);
    }
    fflush(stdout);
}

static void read_commands(void)
{
    char *line = NULL, *position, *words[WORDS_MAX];
    size_t size = 0;
    int n;

    while (getline(&line, &size, stdin) > 0) {
        n = 0;
        for (char *word = strtok_r(line, " \n", &position); word && n < WORDS_MAX;
             word = strtok_r(NULL, " \n", &position))
            words[n++] = word;
        if (n)
            answer(run_words(words, n));
    }
    free(line);
}

static void log_to_stderr(void *opaque, enum vitals_log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    fprintf(stderr, "log: %s\n", text);
}

int main(int argc, char **argv)
{
    struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .log = log_to_stderr};
    struct vitals_server_options limits = {VITALS_SERVER_OPTIONS_INIT};
    struct vitals_listen_options listen = {VITALS_LISTEN_OPTIONS_INIT, .path = argv[1]};
    int err;

    options.name = argc > 2 && *argv[2] ? argv[2] : NULL;
    limits.clients_max = argc > 3 ? (uint32_t)atol(argv[3]) : 0;
    limits.memory_max = argc > 4 ? (size_t)atol(argv[4]) : 0;
    err = argc < 2 ? -EINVAL : vitals_ctx_new(&options, &ctx);
    if (!err && !(err = vitals_server_new(&limits, &server)) &&
        !(err = vitals_server_listen(server, ctx, &listen, NULL)) &&
        !(err = vitals_server_start(server))) {
        answer(0);
        read_commands();
    }
    if (err)
        fprintf(stderr, "test-server: %s\n", strerror(-err));
    vitals_server_free(server);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
    return err != 0;
}
