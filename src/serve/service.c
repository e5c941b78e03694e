/* SPDX-License-Identifier: MIT */
#include "serve/service.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/file_limit.h"
#include "host/privileges.h"
#include "host/run_path.h"
#include "http/http.h"
#include "serve/config.h"
#include "serve/log.h"
#include "serve/reach.h"

/* For what has arrived when the daemon is told to end. */
#define DRAIN_NS UINT64_C(500000000)

/* ---- opening -------------------------------------------------------------------------------- */

static bool open_directory(const struct serve_options *options, const struct service_sockets *given,
                           struct service *service)
{
    bool makes_sockets = given->host < 0 || given->registration < 0;
    const char *path = options->run_directory ? options->run_directory : host_run_directory();
    struct error_text error;
    struct account account;

    if (account_find(&options->names, &account, &error) ||
        run_directory_open(path, &account, makes_sockets, &service->directory, &error)) {
        serve_log(SERVE_ERROR, "%s", error.text);
        return false;
    }
    return true;
}

static bool open_host(const struct serve_options *options, struct service *service)
{
    struct bpf_why why = {.text = "out of memory"};
    int err = options->registered_only ? host_open_empty(&service->host)
                                       : host_open("", &why, &service->host);

    if (err == 0)
        return true;
    serve_log(SERVE_ERROR, "the VMs of this host can't be read: %s", why.text);
    if (why.hint[0])
        serve_log(SERVE_ERROR, "%s", why.hint);
    return false;
}

static bool prepare_web(const struct serve_options *options, struct service *service)
{
    const struct http_options http = {.addresses = options->metrics.all,
                                      .n_addresses = options->metrics.n,
                                      .web_config = options->web_config,
                                      .is_public = options->metrics_are_public};
    struct error_text error;

    if (!http.n_addresses)
        return true;
    service->roster = roster_new();
    if (service->roster &&
        web_prepare(&http, service->roster, options->registered_only, &service->web, &error) == 0)
        return true;
    if (!service->roster)
        error_set(&error, -ENOMEM, "out of memory");
    serve_log(SERVE_ERROR, "%s", error.text);
    return false;
}

static bool start_web(struct service *service)
{
    mode_t mode = run_directory_socket_mode(&service->directory);
    struct error_text error;

    if (!service->web || web_start(service->web, mode, &error) == 0)
        return true;
    serve_log(SERVE_ERROR, "%s", error.text);
    return false;
}

static bool drop_privileges(const struct service *service)
{
    const struct account *account = &service->directory.account;
    const struct privileges kept = {.loads_bpf = bpf_passes_need_capability("")};
    int err = privileges_become(account->uid, account->gid);

    if (!err)
        err = privileges_drop(&kept);
    if (err)
        serve_log(SERVE_ERROR, "privileges can't be given up: %s", strerror(-err));
    return !err;
}

/* Anyone may come to the second one, so it has places of its own: nobody takes those of the VMs. */
static bool open_servers(struct service *service)
{
    const struct vitals_server_options of_registrants = {VITALS_SERVER_OPTIONS_INIT,
                                                         .clients_max = register_clients_max()};
    int err = vitals_server_new(NULL, &service->server);

    if (!err)
        err = vitals_server_new(&of_registrants, &service->register_server);
    if (err)
        serve_log(SERVE_ERROR, "no server can be made: %s", strerror(-err));
    return !err;
}

static bool open_register_socket(struct service *service, const struct serve_options *options,
                                 int fd)
{
    int err = register_socket_open(&service->register_socket, service->host, service->roster,
                                   &service->directory, service->register_server, fd);

    if (err)
        serve_log(SERVE_ERROR, "%s/register.sock can't be made: %s", service->directory.path,
                  strerror(-err));
    else
        register_socket_limit(&service->register_socket, options->register_clients,
                              options->register_files);
    service->register_socket.gate = &service->reads.gate;
    return !err;
}

/* Last: who finds it finds the others. */
static bool open_host_socket(struct service *service, int fd)
{
    int err = host_socket_open(&service->sockets, fd, &service->host_socket);

    if (err)
        serve_log(SERVE_ERROR, "%s/host.sock can't be made: %s", service->directory.path,
                  strerror(-err));
    return !err;
}

/* ---- who may use what ----------------------------------------------------------------------- */

static void let_in_at(const struct service *service, const char *path, enum access_kind kind)
{
    int err = account_let_in(&service->directory.account, path, kind, NULL);

    if (err)
        serve_log(SERVE_WARNING, "%s: the group can't be let in: %s", path, strerror(-err));
}

/* Of TCP whoever reaches it is let in. */
static void let_in_to_http(const struct service *service)
{
    const char *address;

    for (size_t i = 0; service->web && (address = web_address_at(service->web, i)); i++)
        if (!strstr(address, "://"))
            let_in_at(service, address, ACCESS_SOCKET);
}

static void let_in(const struct service *service, const char *name, enum access_kind kind)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", service->directory.path, name) < (int)sizeof(path))
        let_in_at(service, path, kind);
}

/* All but the sockets of VMs. */
static void let_group_in(const struct service *service)
{
    let_in(service, "vms", ACCESS_LIST_OF_VMS);
    let_in(service, "host.sock", ACCESS_SOCKET);
    let_in_to_http(service);
}

/* ---- opening it all -------------------------------------------------------------------------- */

bool service_open(const struct serve_options *options, const struct service_sockets *given,
                  struct service *ret_service)
{
    struct service *service = ret_service;
    struct person_range people;
    bool is_open;

    *service = (struct service){.directory = {.vms = -1, .lock = -1}};
    file_limit_raise(); /* each VM takes two files, and each client one */
    if (!open_directory(options, given, service) || !open_host(options, service) ||
        !prepare_web(options, service) || !drop_privileges(service) || !open_servers(service)) {
        service_close(service);
        return false;
    }
    if (!account_read_people(options->owners, "", &people))
        people = (struct person_range){.min = 1, .max = 0};
    reads_init(&service->reads, service->host, service->server, service->register_server);
    vm_sockets_init(&service->sockets, &service->directory, service->server, &service->reads,
                    people);
    service_pass(service);
    is_open = open_register_socket(service, options, given->registration) &&
              open_host_socket(service, given->host);
    if (is_open)
        reach_limit(&service->directory, options);
    if (!is_open || !start_web(service)) {
        service_close(service);
        return false;
    }
    /* A socket that was handed over may be another group's by an earlier start. */
    if (given->host >= 0 || account_needs_list(&service->directory.account, NULL))
        let_group_in(service);
    return true;
}

/* ---- passes --------------------------------------------------------------------------------- */

static void tell_states(struct service *service)
{
    size_t n;
    struct host_vm *const *vms = host_vms(service->host, &n);

    for (size_t i = 0; i < n; i++)
        reads_tell_state(vms[i]);
}

void service_begin_pass(struct service *service, bool retries)
{
    struct service_pass *pass = &service->pass;
    uint64_t cpu_ns = clock_thread_cpu_ns();

    if (pass->is_under_way) {
        pass->retries |= retries;
        return;
    }
    *pass =
        (struct service_pass){.is_under_way = true, .retries = retries, .begin_ns = clock_now_ns()};
    register_socket_look(&service->register_socket);
    host_begin(service->host);
    pass->cpu_ns = clock_thread_cpu_ns() - cpu_ns;
}

/* All VMs have been. */
static void end_reading(struct service *service)
{
    int err = host_end(service->host);

    if (err && !service->has_failed)
        serve_log(SERVE_WARNING, "the VMs of this host can't be read now: %s", strerror(-err));
    service->has_failed = err;
    service->pass.is_read = true;
    tell_states(service);
    if (service->pass.retries)
        vm_sockets_retry(&service->sockets);
}

/* True: there is more to do. */
static bool go_on_reading(struct service *service, uint64_t until_ns)
{
    uint64_t cpu_ns = clock_thread_cpu_ns();
    bool is_more = host_go_on(service->host, until_ns);

    if (!is_more)
        end_reading(service);
    service->pass.cpu_ns += clock_thread_cpu_ns() - cpu_ns;
    return is_more;
}

static bool go_on(struct service *service, uint64_t until_ns)
{
    if (!service->pass.is_read && go_on_reading(service, until_ns))
        return true;
    return vm_sockets_update(&service->sockets, service->host, until_ns);
}

bool service_go_on(struct service *service, uint64_t until_ns)
{
    struct service_pass *pass = &service->pass;

    if (!pass->is_under_way)
        return false;
    pass->is_under_way = go_on(service, until_ns);
    if (pass->is_under_way)
        return true;
    reads_passed(&service->reads, pass->begin_ns, pass->cpu_ns);
    server_ask_again(service->server);
    server_ask_again(service->register_server);
    return false;
}

uint64_t service_pass_ns(const struct service *service)
{
    return service->pass.cpu_ns;
}

void service_pass(struct service *service)
{
    service_go_on(service, UINT64_MAX);
    service_begin_pass(service, false);
    service_go_on(service, UINT64_MAX);
}

void service_serve(struct service *service)
{
    vitals_server_process(service->server);
}

bool service_wants_pass(const struct service *service)
{
    return reads_want_pass(&service->reads);
}

void service_serve_registrants(struct service *service)
{
    vitals_server_process(service->register_server);
    if (register_socket_has_changed(&service->register_socket))
        vm_sockets_update(&service->sockets, service->host, UINT64_MAX);
}

/* ---- other settings ------------------------------------------------------------------------- */

static bool differs(const char *a, const char *b)
{
    return !a != !b || (a && strcmp(a, b) != 0);
}

static bool lists_differ(const struct cli_texts *a, const struct cli_texts *b)
{
    bool differ = a->n != b->n;

    for (size_t i = 0; i < a->n && !differ; i++)
        differ = differs(a->all[i], b->all[i]);
    return differ;
}

/* What was taken while there were privileges. */
static void tell_what_stays(const struct serve_options *before, const struct serve_options *now)
{
    const struct {
        const char *key;
        bool differs;
    } keys[] = {
        {"run-dir", differs(before->run_directory, now->run_directory)},
        {"user", differs(before->names.user, now->names.user)},
        {"registered-only", before->registered_only != now->registered_only},
        {"metrics", lists_differ(&before->metrics, &now->metrics)},
        {"web-config", differs(before->web_config, now->web_config)},
        {"metrics-public", before->metrics_are_public != now->metrics_are_public},
    };

    for (size_t i = 0; i < COUNT(keys); i++)
        if (keys[i].differs)
            serve_log(SERVE_WARNING, "'%s' has another value now, from the next start on",
                      keys[i].key);
}

bool service_change(struct service *service, const struct serve_options *before,
                    const struct serve_options *now)
{
    struct account account = service->directory.account;
    struct person_range people;
    struct error_text error;

    if (account_change_group(&now->names, &account, &error)) {
        serve_log(SERVE_ERROR, "%s", error.text);
        return false;
    }
    if (!account_read_people(now->owners, "", &people))
        return false;
    tell_what_stays(before, now);
    service->directory.account = account;
    let_group_in(service);
    vm_sockets_allow(&service->sockets, people);
    register_socket_limit(&service->register_socket, now->register_clients, now->register_files);
    return true;
}

/* ---- closing -------------------------------------------------------------------------------- */

static void drain(struct service *service)
{
    struct pollfd fds[] = {{.fd = vitals_server_fd(service->server), .events = POLLIN},
                           {.fd = vitals_server_fd(service->register_server), .events = POLLIN}};
    uint64_t end = clock_now_ns() + DRAIN_NS;

    while (clock_now_ns() < end && (poll(fds, COUNT(fds), 0) > 0 || service_wants_pass(service))) {
        service_pass(service);
        service_serve(service);
        service_serve_registrants(service);
    }
}

void service_close(struct service *service)
{
    web_stop(service->web);
    if (service->register_server)
        drain(service);
    host_socket_close(&service->host_socket);
    register_socket_close(&service->register_socket);
    roster_free(service->roster);
    vm_sockets_close(&service->sockets);
    vitals_server_free(service->register_server);
    vitals_server_free(service->server);
    host_close(service->host);
    run_directory_close(&service->directory);
}
