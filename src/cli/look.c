/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/look.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/at_once.h"
#include "cli/cli.h"
#include "cli/suggestion.h"

#define SECONDS_MAX 1e6

/* ---- options -------------------------------------------------------------------------------- */

const struct cli_option look_socket_options[] = {
    {.name = "socket",
     .key = LOOK_OPT_SOCKET,
     .argument = "PATH",
     .words = CLI_FILES,
     .help = "QMP socket of the VM: of vitals, or of QEMU 7.1 or later; can be given again; a "
             "directory stands for all sockets in it (default: $VITALS_SOCKET)"},
    {.name = "timeout",
     .key = LOOK_OPT_TIMEOUT,
     .argument = "S",
     .help = "how long to wait for the VM, each time (default: 5)"},
    {0},
};

const struct cli_option look_stat_options[] = {
    {.name = "target",
     .key = LOOK_OPT_TARGET,
     .argument = "TARGET",
     .choices = "vm vcpu all",
     .help = "vm, vcpu or all (default: all)"},
    {.name = "provider",
     .key = LOOK_OPT_PROVIDER,
     .argument = "NAME",
     .help = "only statistics of this provider"},
    {.name = "stat",
     .key = LOOK_OPT_STAT,
     .argument = "GLOB",
     .help = "only statistics whose names match; can be given again"},
    {0},
};

const struct cli_option look_vcpu_options[] = {
    {.name = "vcpu",
     .key = LOOK_OPT_VCPU,
     .argument = "N|PATH",
     .help = "only this vCPU; can be given again"},
    {0},
};

const struct cli_option look_output_options[] = {
    {.name = "output",
     .letter = 'o',
     .key = LOOK_OPT_OUTPUT,
     .argument = "FORMAT",
     .choices = "table json csv",
     .help = "table, json or csv (default: table)"},
    {.name = "no-legend", .key = LOOK_OPT_NO_LEGEND, .help = "table and csv: no line of titles"},
    {0},
};

bool look_init(struct look *look, const struct cli_args *args)
{
    size_t n = (size_t)args->argc + 1;

    *look = (struct look){.options = {.command = args->command, .timeout_ms = CLIENT_TIMEOUT_MS}};
    look->options.sockets = calloc(n, sizeof(char *));
    look->options.vcpus = calloc(n, sizeof(char *));
    look->options.globs = calloc(n, sizeof(char *));
    if (look->options.sockets && look->options.vcpus && look->options.globs)
        return true;
    look_free(look);
    fprintf(stderr, "%s: out of memory\n", args->command);
    return false;
}

void look_free(struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++) {
        client_free(look->vms[i].client);
        free(look->vms[i].wanted);
        free(look->vms[i].paths);
    }
    for (size_t i = 0; i < look->n_paths; i++)
        free(look->paths[i]);
    free(look->vms);
    free(look->paths);
    free(look->options.sockets);
    free(look->options.vcpus);
    free(look->options.globs);
}

static int parse_target(struct look_options *options, const char *text)
{
    if (strcmp(text, "vm") != 0 && strcmp(text, "vcpu") != 0 && strcmp(text, "all") != 0)
        return cli_usage_error(options->command,
                               "--target: unknown target '%s'; there is: vm vcpu all", text);
    options->target = strcmp(text, "all") != 0 ? text : NULL;
    return 0;
}

int look_parse_seconds(const char *command, const char *option, const char *text,
                       double *ret_seconds)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0.001) || seconds > SECONDS_MAX)
        return cli_usage_error(command, "%s: '%s' is no number of seconds from 0.001 to %g", option,
                               text, SECONDS_MAX);
    *ret_seconds = seconds;
    return 0;
}

int look_parse_count(const char *command, const char *option, const char *text,
                     unsigned long *ret_count)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || count < 1 || count == ULONG_MAX)
        return cli_usage_error(command, "%s: '%s' is no number from 1 on", option, text);
    *ret_count = count;
    return 0;
}

static int parse_timeout(struct look_options *options, const char *text)
{
    double seconds;
    int status = look_parse_seconds(options->command, "--timeout", text, &seconds);

    if (status == 0)
        options->timeout_ms = (unsigned)(seconds * 1000);
    return status;
}

int look_parse_option(struct look *look, int key, const char *text)
{
    struct look_options *options = &look->options;

    switch (key) {
    case LOOK_OPT_SOCKET:
        if (!*text) /* as that of a shell's variable which is not set */
            return cli_usage_error(options->command, "--socket: the path is missing");
        options->sockets[options->n_sockets++] = text;
        return 0;
    case LOOK_OPT_TARGET:
        return parse_target(options, text);
    case LOOK_OPT_VCPU:
        options->vcpus[options->n_vcpus++] = text;
        return 0;
    case LOOK_OPT_PROVIDER:
        options->provider = text;
        return 0;
    case LOOK_OPT_STAT:
        options->globs[options->n_globs++] = text;
        return 0;
    case LOOK_OPT_NO_LEGEND:
        options->no_legend = true;
        return 0;
    case LOOK_OPT_TIMEOUT:
        return parse_timeout(options, text);
    case LOOK_OPT_OUTPUT:
        if (output_format_parse(text, &options->format) < 0)
            return cli_usage_error(options->command,
                                   "-o: unknown format '%s'; there is: table json csv", text);
        return 0;
    default:
        return cli_try_help(options->command);
    }
}

bool look_wants_target(const struct look *look, const char *target)
{
    return !look->options.target || !strcmp(look->options.target, target);
}

/* ---- sockets -------------------------------------------------------------------------------- */

void look_complain(struct look *look, const struct client_error *error)
{
    fprintf(stderr, "%s: %s\n", look->options.command, error->text);
    if (error->hint[0])
        fprintf(stderr, "  %s\n", error->hint);
    look->has_failed = true;
}

/* @hint may be NULL. */
__attribute__((format(printf, 3, 4))) static int complain(struct look *look, const char *hint,
                                                          const char *format, ...)
{
    struct client_error error = {0};
    va_list args;

    snprintf(error.hint, sizeof(error.hint), "%s", hint ? hint : "");
    va_start(args, format);
    vsnprintf(error.text, sizeof(error.text), format, args);
    va_end(args);
    look_complain(look, &error);
    return EXIT_FAILURE;
}

/* @path belongs to the list from here on; NULL: there was no memory for it. */
static int add_path(struct look *look, char *path)
{
    char **grown = reallocarray(look->paths, look->n_paths + 1, sizeof(*grown));

    if (grown)
        look->paths = grown;
    if (!path || !grown) {
        free(path);
        return complain(look, NULL, "out of memory");
    }
    look->paths[look->n_paths++] = path;
    return 0;
}

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

static int add_directory(struct look *look, const char *directory)
{
    size_t n_before = look->n_paths;
    struct dirent **entries;
    int n = scandir(directory, &entries, NULL, alphasort), status = 0;

    if (n < 0)
        return complain(look, LOOK_HINT_LISTING, "%s: the directory can't be read: %s", directory,
                        strerror(errno));
    for (int i = 0; i < n; i++) {
        char *path = NULL;

        if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
            path = NULL;
        if (path && !is_socket(path))
            free(path);
        else if (status == 0)
            status = add_path(look, path);
        free(entries[i]);
    }
    free(entries);
    if (status == 0 && look->n_paths == n_before)
        return complain(look, LOOK_HINT_NO_SOCKET, "%s: no socket in this directory", directory);
    return status;
}

static void add_socket(struct look *look, const char *path)
{
    if (is_directory(path))
        add_directory(look, path);
    else
        add_path(look, strdup(path));
}

static int find_sockets(struct look *look)
{
    const char *path = getenv("VITALS_SOCKET");

    for (size_t i = 0; i < look->options.n_sockets; i++)
        add_socket(look, look->options.sockets[i]);
    if (look->options.n_sockets)
        return 0;
    if (!path || !*path)
        return cli_usage_error(look->options.command,
                               "which VM? --socket is missing, and VITALS_SOCKET is not set");
    add_socket(look, path);
    return 0;
}

/* What came of each socket. */
struct opening {
    const struct look *look;
    struct client **clients;
    struct client_error *errors;
};

static void open_client(void *opaque, size_t i)
{
    struct opening *opening = opaque;

    if (client_open(opening->look->paths[i], opening->look->options.timeout_ms,
                    &opening->clients[i], &opening->errors[i]) < 0)
        opening->clients[i] = NULL;
}

static void take_clients(struct look *look, const struct opening *opening)
{
    at_once(look->n_sockets, open_client, (void *)opening);
    for (size_t i = 0; i < look->n_sockets; i++) {
        if (opening->clients[i])
            look->vms[look->n_vms++].client = opening->clients[i];
        else
            look_complain(look, &opening->errors[i]);
    }
}

static int open_vms(struct look *look)
{
    size_t n = look->n_sockets = look->n_paths;
    struct opening opening = {
        .look = look,
        .clients = calloc(n + 1, sizeof(*opening.clients)),
        .errors = calloc(n + 1, sizeof(*opening.errors)),
    };
    bool has_memory;

    look->vms = calloc(n + 1, sizeof(*look->vms));
    has_memory = opening.clients && opening.errors && look->vms;
    if (has_memory)
        take_clients(look, &opening);
    free(opening.clients);
    free(opening.errors);
    if (!has_memory)
        return complain(look, NULL, "out of memory");
    return look->n_vms ? 0 : EXIT_FAILURE;
}

/* ---- what was meant ------------------------------------------------------------------------- */

#define HINT_KVM     "QEMU has them only where the VM runs with KVM: -accel kvm."
#define HINT_SCHEMAS "'vitals schemas' lists what there is."

static int refuse(struct look *look, const char *what, const struct suggestion *suggestion,
                  const char *hint)
{
    suggestion_print(suggestion, look->options.command, what, hint);
    return EXIT_NO_MATCH;
}

/* What a VM without KVM looks like; that nothing matches then is not the fault of a name. */
static int check_any(struct look *look)
{
    size_t n;

    for (size_t i = 0; i < look->n_vms; i++) {
        client_stats(look->vms[i].client, &n);
        if (n)
            return 0;
    }
    if (look->n_vms == 1)
        complain(look, HINT_KVM, "%s: no statistics", client_path(look->vms[0].client));
    else
        complain(look, HINT_KVM, "no statistics in any of %zu VMs", look->n_vms);
    return EXIT_NO_MATCH;
}

/* ---- matching ------------------------------------------------------------------------------- */

static bool is_candidate(const struct look *look, const struct client_stat *stat)
{
    return look_wants_target(look, stat->target) &&
           (!look->options.provider || !strcmp(look->options.provider, stat->provider));
}

static bool is_wanted(const struct look *look, const struct client_stat *stat)
{
    bool matches = !look->options.n_globs;

    for (size_t i = 0; i < look->options.n_globs && !matches; i++)
        matches = fnmatch(look->options.globs[i], stat->name, 0) == 0;
    return matches && is_candidate(look, stat);
}

bool *look_want(const struct look *look, const struct client *client)
{
    size_t n;
    const struct client_stat *stats = client_stats(client, &n);
    bool *wanted = calloc(n + 1, sizeof(*wanted));

    for (size_t i = 0; wanted && i < n; i++)
        wanted[i] = is_wanted(look, &stats[i]);
    return wanted;
}

/* Whether something matches; if not, what may have been meant. */
static bool match(const struct look *look, const struct look_vm *vm, const char *glob,
                  struct suggestion *suggestion)
{
    size_t n;
    const struct client_stat *stats = client_stats(vm->client, &n);
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (!is_candidate(look, &stats[i]))
            continue;
        if (fnmatch(glob, stats[i].name, 0) == 0)
            any = true;
        else
            suggestion_consider(suggestion, stats[i].name);
    }
    return any;
}

/* There are some, and some of the provider: so it is the target that has none. */
static int refuse_target(struct look *look)
{
    const char *target = look->options.target, *provider = look->options.provider;

    if (provider)
        complain(look, HINT_SCHEMAS, "no statistics of target '%s' and provider '%s'", target,
                 provider);
    else
        complain(look, HINT_SCHEMAS, "no statistics of target '%s'", target);
    return EXIT_NO_MATCH;
}

static int match_in_all(struct look *look, const char *glob)
{
    struct suggestion suggestion = {.meant = glob};
    bool any = false;

    for (size_t i = 0; i < look->n_vms; i++)
        if (match(look, &look->vms[i], glob, &suggestion))
            any = true;
    if (any)
        return 0;
    if (strcmp(glob, "*") == 0 && look->options.target)
        return refuse_target(look);
    return refuse(look, "statistic", &suggestion,
                  look->options.target || look->options.provider
                      ? "--target or --provider may leave it out; " HINT_SCHEMAS
                      : HINT_SCHEMAS);
}

static int check_provider(struct look *look)
{
    struct suggestion suggestion = {.meant = look->options.provider};

    for (size_t i = 0; look->options.provider && i < look->n_vms; i++) {
        size_t n;
        const struct client_stat *stats = client_stats(look->vms[i].client, &n);

        for (size_t j = 0; j < n; j++) {
            if (!strcmp(stats[j].provider, look->options.provider))
                return 0;
            suggestion_consider(&suggestion, stats[j].provider);
        }
    }
    return look->options.provider ? refuse(look, "provider", &suggestion, HINT_SCHEMAS) : 0;
}

static int match_stats(struct look *look)
{
    int status = check_provider(look);

    for (size_t i = 0; i < look->n_vms; i++) {
        look->vms[i].wanted = look_want(look, look->vms[i].client);
        if (!look->vms[i].wanted)
            return complain(look, NULL, "out of memory");
    }
    for (size_t i = 0; status == 0 && i < look->options.n_globs; i++)
        status = match_in_all(look, look->options.globs[i]);
    return status == 0 && !look->options.n_globs ? match_in_all(look, "*") : status;
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static bool is_vcpu(const struct client_vcpu *vcpu, const char *text)
{
    char *end;
    long long index = strtoll(text, &end, 10);

    if (isdigit((unsigned char)text[0]) && *end == '\0')
        return index == vcpu->index;
    return !strcmp(text, vcpu->path);
}

/* The client's own texts change with each query. */
static const char *keep_path(struct look *look, const char *path)
{
    return add_path(look, strdup(path)) == 0 ? look->paths[look->n_paths - 1] : "";
}

static bool match_vcpu(struct look *look, struct look_vm *vm, const char *text)
{
    size_t n;
    const struct client_vcpu *vcpus = client_vcpus(vm->client, &n);
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (is_vcpu(&vcpus[i], text)) {
            vm->paths[vm->n_paths++] = keep_path(look, vcpus[i].path);
            any = true;
        }
    }
    return any;
}

static int refuse_vcpu(struct look *look, const char *text)
{
    const struct suggestion nothing = {.meant = text};
    char hint[80] = "There are no vCPUs.";
    int64_t last = -1;

    for (size_t i = 0; i < look->n_vms; i++) {
        size_t n;
        const struct client_vcpu *vcpus = client_vcpus(look->vms[i].client, &n);

        for (size_t j = 0; j < n; j++)
            last = vcpus[j].index > last ? vcpus[j].index : last;
    }
    if (last >= 0)
        snprintf(hint, sizeof(hint), "--vcpu takes a number from 0 to %lld, or a QOM path.",
                 (long long)last);
    return refuse(look, "vCPU", &nothing, hint);
}

static int match_vcpu_in_all(struct look *look, const char *text)
{
    bool any = false;

    for (size_t i = 0; i < look->n_vms; i++)
        if (match_vcpu(look, &look->vms[i], text))
            any = true;
    return any ? 0 : refuse_vcpu(look, text);
}

static int match_vcpus(struct look *look)
{
    int status = 0;

    for (size_t i = 0; look->options.n_vcpus && i < look->n_vms; i++) {
        size_t n;

        client_vcpus(look->vms[i].client, &n);
        look->vms[i].paths = calloc(n * look->options.n_vcpus + 1, sizeof(char *));
        if (!look->vms[i].paths)
            return complain(look, NULL, "out of memory");
    }
    for (size_t i = 0; status == 0 && i < look->options.n_vcpus; i++)
        status = match_vcpu_in_all(look, look->options.vcpus[i]);
    return status;
}

/* What depends on more than one option. */
static int complete(struct look_options *options)
{
    if (options->n_vcpus && options->target && strcmp(options->target, "vm") == 0)
        return cli_usage_error(options->command, "--vcpu and --target vm exclude each other");
    if (options->n_vcpus)
        options->target = "vcpu";
    return 0;
}

int look_open(struct look *look)
{
    int status = complete(&look->options);

    if (status == 0)
        status = find_sockets(look);
    if (status == 0)
        status = open_vms(look);
    if (status == 0)
        status = check_any(look);
    if (status == 0)
        status = match_vcpus(look);
    return status ? status : match_stats(look);
}
