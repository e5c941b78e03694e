/* SPDX-License-Identifier: MIT */
#include "serve/reach.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "http/http.h"
#include "serve/config.h"
#include "host/confine.h"
#include "serve/log.h"

/*
 * The figures are below /proc and /sys. What libc needs to look up names is below /etc, /usr and /lib, and,
 * of systemd's users and sssd's, in the others; their sockets can be reached from anywhere.
 */
static const char *const always[] = {"/proc",
                                     "/sys",
                                     "/etc",
                                     "/usr",
                                     "/lib",
                                     "/lib64",
                                     "/run/systemd/userdb",
                                     "/run/userdb",
                                     "/run/host/userdb",
                                     "/var/lib/sss/mc"};

/* Where paths are put together: they must stay until the end. */
struct paths {
    char of_config[PATH_MAX], config[PATH_MAX], of_real_config[PATH_MAX], conf_d[PATH_MAX + 8];
    char of_addresses[HTTP_ADDRESSES_MAX][PATH_MAX];
};

/* The directory of @path, in @directory. */
static const char *directory_of(const char *path, char directory[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash && slash > path ? (size_t)(slash - path) : 1;

    snprintf(directory, PATH_MAX, "%.*s", (int)len, slash ? path : ".");
    return directory;
}

static void read_too(struct confinement *confinement, const char *path)
{
    confinement->read[confinement->n_read++] = path;
}

/* It is read again at SIGHUP, as is what comes in its place: the directories count, also behind a link. */
static void add_config(struct confinement *confinement, const char *path, struct paths *paths)
{
    read_too(confinement, directory_of(path, paths->of_config));
    snprintf(paths->conf_d, sizeof(paths->conf_d), "%s/conf.d", paths->of_config);
    read_too(confinement, paths->conf_d);
    if (realpath(path, paths->config))
        read_too(confinement, directory_of(paths->config, paths->of_real_config));
}

void reach_limit(const struct run_directory *directory, const struct serve_options *options)
{
    struct confinement confinement = {.written = {directory->path}, .n_written = 1};
    struct paths paths;
    int version;

    for (size_t i = 0; i < COUNT(always); i++)
        read_too(&confinement, always[i]);
    add_config(&confinement, options->config ? options->config : SERVE_CONFIG_FILE, &paths);
    for (size_t i = 0; i < options->metrics.n && i < HTTP_ADDRESSES_MAX; i++)
        if (!strncmp(options->metrics.all[i], "unix:", 5))
            confinement.written[confinement.n_written++] =
                directory_of(options->metrics.all[i] + 5, paths.of_addresses[i]);
    version = confine(&confinement);
    if (version >= 0)
        serve_log(SERVE_INFO, "confined by Landlock, version %d", version);
    else
        serve_log(SERVE_WARNING, "not confined by Landlock: %s", strerror(-version));
}
