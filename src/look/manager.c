/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "look/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/count.h"
#include "base/text.h"

#define HINT_LIBVIRT                                                                               \
    "'virt-qemu-qmp-proxy DOMAIN PATH' (Debian: libvirt-clients-qemu) makes a socket that can be " \
    "asked beside libvirt; so can a second one: -qmp unix:PATH,server=on,wait=off."
#define HINT_PROXMOX                                                                               \
    "QEMU serves one client at a time, and meanwhile Proxmox has to wait. Named by itself, it is " \
    "asked."

/* Of the system, and of anybody's session. What * stands for may have a / in it. */
static const char *const libvirt_places[] = {
    "/var/lib/libvirt/*",  "/run/libvirt/*",           "/run/user/*/libvirt/*",
    "*/.config/libvirt/*", "*/.local/share/libvirt/*", "*/.cache/libvirt/*",
};

static bool is_below(const char *path, const char *directory, const char *name)
{
    char place[4096];
    char *real;
    size_t len;
    bool is;

    if (!directory || !*directory ||
        snprintf(place, sizeof(place), "%s/%s", directory, name) >= (int)sizeof(place))
        return false;
    real = realpath(place, NULL);
    len = real ? strlen(real) : 0;
    is = len && strncmp(path, real, len) == 0 && path[len] == '/';
    free(real);
    return is;
}

/* Where this user's environment says that libvirt's session has its files. */
static bool is_of_session(const char *path)
{
    return is_below(path, getenv("XDG_CONFIG_HOME"), "libvirt") ||
           is_below(path, getenv("XDG_RUNTIME_DIR"), "libvirt") ||
           is_below(path, getenv("XDG_CACHE_HOME"), "libvirt") ||
           is_below(path, getenv("XDG_DATA_HOME"), "libvirt") ||
           is_below(path, getenv("HOME"), ".config/libvirt") ||
           is_below(path, getenv("HOME"), ".cache/libvirt");
}

static bool is_of_libvirt(const char *path)
{
    for (size_t i = 0; i < COUNT(libvirt_places); i++)
        if (fnmatch(libvirt_places[i], path, 0) == 0)
            return true;
    return is_of_session(path);
}

static int check_real_path(const char *real, const char *path, bool is_named,
                           struct client_error *error)
{
    int err = 0;

    if (is_of_libvirt(real))
        err = client_fail(error, EPERM, HINT_LIBVIRT, "%s: libvirt needs this socket for itself",
                          path);
    else if (!is_named && fnmatch("/run/qemu-server/*", real, FNM_PATHNAME) == 0)
        err = client_fail(error, EPERM, HINT_PROXMOX, "%s: Proxmox needs this socket for itself",
                          path);
    if (err)
        text_make_plain(error->text);
    return err;
}

/* Without /proc nobody says where the descriptor's file is: what is at the path then has to do. */
static char *find_real_path(int fd, const char *path)
{
    char link[32], real[PATH_MAX];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, real, sizeof(real) - 1);
    if (len < 0)
        return realpath(path, NULL);
    real[len] = '\0';
    return strdup(real);
}

static int check(int fd, const char *path, bool is_named, struct client_error *error)
{
    char *real = find_real_path(fd, path);
    int err;

    if (!real)
        return client_fail(error, errno, NULL, "%s: %s", path, strerror(errno));
    err = check_real_path(real, path, is_named, error);
    free(real);
    return err;
}

static int check_named(int fd, const char *path, struct client_error *error)
{
    return check(fd, path, true, error);
}

static int check_found(int fd, const char *path, struct client_error *error)
{
    return check(fd, path, false, error);
}

client_check *manager_check_of(bool is_named)
{
    return is_named ? check_named : check_found;
}

int manager_check(const char *path, bool is_named, struct client_error *error)
{
    int fd = open(path, O_PATH | O_CLOEXEC), err;

    if (fd < 0)
        return 0; /* connecting to it says why */
    err = check(fd, path, is_named, error);
    close(fd);
    return err;
}
