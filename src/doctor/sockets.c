/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/at_once.h"
#include "doctor/doctor.h"
#include "look/look.h"
#include "look/manager.h"
#include "look/peer_text.h"
#include "look/progress.h"
#include "look/socket_list.h"
#include "client/client.h"
#include "base/count.h"

enum { SOCKETS_MAX = 256 }; /* shown of each usual place */

#define QEMU_QUIET 80100 /* QEMU keeps the statistics files of vCPUs open since 8.1 */

/* ---- those that were named ------------------------------------------------------------------ */

static void judge(struct doctor *doctor, const char *path, const struct client *client)
{
    char peer[PEER_TEXT_MAX];
    size_t n_stats, n_vcpus;
    struct finding *finding;

    client_stats(client, &n_stats);
    client_vcpus(client, &n_vcpus);
    peer_text(peer, client);
    finding =
        doctor_find(doctor, "socket", FINDING_OK, "%s: %s, VM '%s', %zu statistics, %zu vCPUs",
                    path, peer, client_vm_name(client), n_stats, n_vcpus);
    if (!client_has_statistics(client)) {
        finding->status = FINDING_WARNING;
        finding_hint(finding, "QEMU has statistics only where the VM runs with KVM: -accel kvm.");
    } else if (client_peer(client) == CLIENT_QEMU && client_qemu_version(client) < QEMU_QUIET) {
        finding->status = FINDING_WARNING;
        finding_hint(finding, "QEMU before 8.1 interrupts every vCPU at each query for statistics "
                              "of vCPUs: ask seldom.");
    }
}

/* Once for each, as the statistics of a provider and target stand together. */
static void judge_providers(struct doctor *doctor, const char *path, const struct client *client)
{
    size_t n;
    const struct client_stat *stats = client_stats(client, &n), *last = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct client_stat *stat = &stats[i];
        const char *failure = client_failure(client, stat);

        if (!failure || (last && !strcmp(last->provider, stat->provider) &&
                         !strcmp(last->target, stat->target)))
            continue;
        last = stat;
        finding_hint(doctor_find(doctor, "socket", FINDING_WARNING,
                                 "%s: provider '%s' has no values of target '%s': %s", path,
                                 stat->provider, stat->target, failure),
                     "Its VMM could not read them; what it logs may say more.");
    }
}

/* A socket, or the text of what is wrong with a name. */
struct asking {
    char *path; /* NULL: there is nothing to ask */
    bool is_named;
    struct client *client;
    struct client_error error;
};

struct askings {
    const struct doctor *doctor;
    struct asking *all;
    size_t n;
};

static struct asking *add_asking(struct askings *askings)
{
    askings->all = reallocarray(askings->all, askings->n + 1, sizeof(*askings->all));
    if (!askings->all)
        doctor_out_of_memory(askings->doctor);
    askings->all[askings->n] = (struct asking){0};
    return &askings->all[askings->n++];
}

static void add_socket(struct askings *askings, const char *path, bool is_named)
{
    struct asking *asking = add_asking(askings);

    asking->is_named = is_named;
    asking->path = strdup(path);
    if (!asking->path)
        doctor_out_of_memory(askings->doctor);
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void add_error(void *opaque, const struct client_error *error)
{
    add_asking(opaque)->error = *error;
}

static void add_named(struct askings *askings, struct doctor *doctor)
{
    struct socket_list list = {.complain = add_error, .opaque = askings};

    for (size_t i = 0, n = 0; i < doctor->n_sockets; i++) {
        socket_list_add(&list, doctor->sockets[i]);
        for (; n < list.n; n++)
            add_socket(askings, list.all[n].path, list.all[n].is_named);
    }
    for (size_t i = 0; i < list.n_left_out; i++)
        doctor_find(doctor, "socket", FINDING_OK, "%s: no QMP by its name; was not asked",
                    list.left_out[i]);
    socket_list_free(&list);
}

/* Which there are shows when somebody has asked for everything. What does not answer has none. */
static void read_failures(struct client *client)
{
    static const char *const targets[] = {"vm", "vcpu", CLIENT_OTHER_TARGETS};
    struct client_error error;
    size_t n;
    bool *all;

    client_stats(client, &n);
    all = malloc(n + 1);
    if (!all || client_peer(client) == CLIENT_QEMU) {
        free(all);
        return;
    }
    memset(all, true, n);
    for (size_t i = 0; i < COUNT(targets); i++) {
        const struct client_request request = {.target = targets[i], .wanted = all};
        struct client_snapshot *snapshot;

        if (client_query(client, &request, &snapshot, &error) == 0)
            client_snapshot_free(snapshot);
    }
    free(all);
    client_read_failures(client, &error);
}

static void open_client(void *opaque, size_t i)
{
    const struct askings *askings = opaque;
    struct asking *asking = &askings->all[i];

    if (!asking->path)
        return;
    if (client_open(asking->path, manager_check_of(asking->is_named), askings->doctor->timeout_ms,
                    &asking->client, &asking->error) < 0)
        asking->client = NULL;
    else
        read_failures(asking->client);
}

static void report(struct doctor *doctor, struct asking *asking)
{
    if (asking->client) {
        judge(doctor, asking->path, asking->client);
        judge_providers(doctor, asking->path, asking->client);
    } else {
        finding_hint(doctor_find(doctor, "socket", FINDING_PROBLEM, "%s", asking->error.text), "%s",
                     asking->error.hint);
    }
    client_free(asking->client);
    free(asking->path);
}

/* All at once: of those that are silent each takes a timeout. */
static void ask_named(struct doctor *doctor)
{
    struct askings askings = {.doctor = doctor};
    struct progress *progress;

    add_named(&askings, doctor);
    progress = progress_begin_vms(doctor->command, askings.n);
    at_once(askings.n, open_client, &askings);
    progress_end(progress);
    for (size_t i = 0; i < askings.n; i++)
        report(doctor, &askings.all[i]);
    free(askings.all);
}

/* ---- the usual places ----------------------------------------------------------------------- */

struct usual_place {
    const char *pattern, *owner;
    bool is_taken; /* by the owner, which stays connected */
    const char *hint;
};

static const struct usual_place places[] = {
    {"/run/vitals/vms/*/*", "vitals", false, "--socket asks it."},
    {"/var/run/qemu-server/*.qmp", "Proxmox", false,
     "--socket asks it. QEMU serves one client at a time: meanwhile Proxmox has to wait."},
    {"/var/lib/libvirt/qemu/domain-*/monitor.sock", "libvirt", true,
     "'virt-qemu-qmp-proxy DOMAIN PATH' (Debian: libvirt-clients-qemu) makes a socket that can be "
     "asked beside libvirt; so can a second one: -qmp unix:PATH,server=on,wait=off."},
};

static bool is_same_file(const char *a, const char *b)
{
    struct stat st_a, st_b;

    return stat(a, &st_a) == 0 && stat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
           st_a.st_ino == st_b.st_ino;
}

/* By itself, or by its directory. */
static bool is_named(const struct doctor *doctor, const char *path)
{
    char directory[DOCTOR_PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) : 0, path);
    for (size_t i = 0; i < doctor->n_sockets; i++)
        if (is_same_file(path, doctor->sockets[i]) || is_same_file(directory, doctor->sockets[i]))
            return true;
    return false;
}

/* Who may write may connect. Nothing here does: it would disturb whom the socket is for. */
static void look_at(struct doctor *doctor, const struct usual_place *place, const char *path)
{
    struct finding *finding;

    if (access(path, W_OK) < 0) {
        finding =
            doctor_find(doctor, "socket", FINDING_WARNING, "%s: of %s; not for this user (%s)",
                        path, place->owner, strerror(errno));
        finding_hint(finding, "The socket's mode and owner say who may connect.");
        return;
    }
    finding = doctor_find(doctor, "socket", FINDING_OK, "%s: of %s%s; was not asked", path,
                          place->owner, place->is_taken ? ", which has taken it" : "");
    finding_hint(finding, "%s", place->hint);
}

static void look_around(struct doctor *doctor, const struct usual_place *place)
{
    char pattern[DOCTOR_PATH_MAX];
    size_t n_shown = 0, n_more = 0;
    glob_t found;

    doctor_path(doctor, pattern, place->pattern);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];

        if (!is_socket(path) || is_named(doctor, path))
            continue;
        if (n_shown < SOCKETS_MAX) {
            look_at(doctor, place, path);
            n_shown++;
        } else {
            n_more++;
        }
    }
    globfree(&found);
    if (n_more)
        doctor_find(doctor, "socket", FINDING_OK, "%zu more of %s were not looked at", n_more,
                    place->owner);
}

void doctor_check_sockets(struct doctor *doctor)
{
    size_t n_before = doctor->n_findings;
    struct finding *finding;

    ask_named(doctor);
    for (size_t i = 0; i < COUNT(places); i++)
        look_around(doctor, &places[i]);
    if (doctor->n_findings > n_before)
        return;
    finding = doctor_find(doctor, "socket", FINDING_ABSENT,
                          "no socket of a VM is in the usual places, and none was named");
    finding_hint(finding, "Name one with --socket; 'vitals demo --qmp PATH' makes one.");
}
