/* SPDX-License-Identifier: MIT */
#include "web/web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "web/exposition.h"
#include "web/vms_json.h"
#include "web_page.h"

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define PROMETHEUS  "text/plain; version=0.0.4; charset=utf-8"
#define JSON        "application/json"
#define VMS         "/api/v1/vms"

struct web {
    struct http *http;
    struct view *view;
    struct metrics *metrics;
    uint64_t begin_ns; /* of the pass; of one thread, as is all below */
    int err;
    bool is_taken; /* the metrics are of this pass, as far as this preset has them */
    enum metrics_preset taken;
};

/* ---- documents ------------------------------------------------------------------------------ */

/* An exposition has its form in its kind. */
enum {
    KIND_VMS,
    KIND_VM,
    KIND_METRICS,
    IS_THIN = 1 << 4,
    IS_OPENMETRICS = 1 << 5,
    PRESET_SHIFT = 8,
};

static void begin(void *opaque)
{
    struct web *web = opaque;

    web->begin_ns = clock_now_ns();
    web->err = view_read(web->view);
    web->is_taken = false;
}

/* A larger preset has all that a smaller one has. */
static void take_metrics(struct web *web, enum metrics_preset preset)
{
    if (web->is_taken && preset <= web->taken)
        return;
    web->is_taken = true;
    web->taken = preset;
    web_metrics_take(web->metrics, web->view, web->err, &web->taken);
}

static void write_metrics(struct web *web, unsigned kind, struct buf *out)
{
    const struct exposition_form form = {
        .format = kind & IS_OPENMETRICS ? METRICS_OPENMETRICS : METRICS_PROMETHEUS,
        .preset = (enum metrics_preset)(kind >> PRESET_SHIFT),
        .is_thin = kind & IS_THIN,
    };

    take_metrics(web, form.preset);
    web_metrics_write(web->metrics, &form, web->begin_ns, out);
}

static bool write_vm(const struct web *web, const char *name, struct buf *out)
{
    const struct view_vm *vm = view_find(web->view, name);

    if (vm)
        web_put_vm(out, web->view, vm);
    return vm;
}

/* Of a pass that has failed, who reads JSON gets nothing: it has no place for saying so. */
static bool write_document(void *opaque, const struct http_document *document, struct buf *out)
{
    struct web *web = opaque;

    if (document->kind == KIND_VMS || document->kind == KIND_VM)
        out->failed = web->err;
    if (out->failed)
        return true;
    if (document->kind == KIND_VM)
        return write_vm(web, document->name, out);
    if (document->kind == KIND_VMS)
        web_put_vms(out, web->view);
    else
        write_metrics(web, document->kind, out);
    return true;
}

/* ---- paths ---------------------------------------------------------------------------------- */

static void answer_text(struct http_answer *answer, unsigned status, const char *text)
{
    *answer = (struct http_answer){.status = status, .text = text, .len = strlen(text)};
}

static void find_page(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    *answer = (struct http_answer){.status = 200,
                                   .type = "text/html; charset=utf-8",
                                   .text = web_page,
                                   .len = web_page_len,
                                   .policy = WEB_PAGE_POLICY};
}

static void find_health(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    answer_text(answer, 200, "vitals serve is healthy.\n");
}

/* -1: it is none. */
static int find_preset(const char *name)
{
    static const char *const names[] = {
        [METRICS_MINIMAL] = "minimal", [METRICS_DEFAULT] = "default", [METRICS_FULL] = "full"};

    if (!name)
        return METRICS_DEFAULT;
    for (size_t i = 0; i < COUNT(names); i++)
        if (!strcmp(name, names[i]))
            return (int)i;
    return -1;
}

static void find_metrics(const struct http_request *request, struct http_answer *answer)
{
    int preset = find_preset(http_argument(request, "preset"));
    const char *thin = http_argument(request, "thin");

    if (preset < 0) {
        answer_text(answer, 400, "preset is one of " METRICS_PRESET_NAMES ".\n");
        return;
    }
    answer->status = 200;
    answer->type = request->wants_openmetrics ? OPENMETRICS : PROMETHEUS;
    answer->document.kind = KIND_METRICS | (unsigned)preset << PRESET_SHIFT |
                            (request->wants_openmetrics ? IS_OPENMETRICS : 0) |
                            (thin && !strcmp(thin, "1") ? IS_THIN : 0);
}

static void find_vms(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    *answer = (struct http_answer){.status = 200, .type = JSON, .document.kind = KIND_VMS};
}

static void find_vm(const struct http_request *request, struct http_answer *answer)
{
    const char *name = request->path + strlen(VMS "/");

    if (strlen(name) > HTTP_NAME_MAX) {
        answer_text(answer, 404, "There is no such VM.\n");
        return;
    }
    *answer = (struct http_answer){.status = 200, .type = JSON, .document.kind = KIND_VM};
    strcpy(answer->document.name, name);
}

static void find(void *opaque, const struct http_request *request, struct http_answer *ret_answer)
{
    static const struct {
        const char *path;
        void (*find)(const struct http_request *request, struct http_answer *answer);
    } paths[] = {
        {"/", find_page},
        {"/metrics", find_metrics},
        {"/-/healthy", find_health},
        {VMS, find_vms},
    };

    (void)opaque;
    for (size_t i = 0; i < COUNT(paths); i++) {
        if (!strcmp(request->path, paths[i].path)) {
            paths[i].find(request, ret_answer);
            return;
        }
    }
    if (!strncmp(request->path, VMS "/", strlen(VMS "/")))
        find_vm(request, ret_answer);
    else
        answer_text(ret_answer, 404,
                    "Nothing is here. /metrics is for Prometheus, / for people.\n");
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int open_view(struct web *web, struct roster *roster, bool registered_only,
                     struct error_text *error)
{
    struct bpf_why why = {.text = "out of memory"};
    int err = view_open(roster, registered_only, &why, &web->view);

    if (err)
        return error_set(error, err, "the VMs of this host can't be read for HTTP: %s", why.text);
    web->metrics = metrics_new();
    return web->metrics ? 0 : error_set(error, -ENOMEM, "out of memory");
}

int web_prepare(const struct http_options *options, struct roster *roster, bool registered_only,
                struct web **ret_web, struct error_text *error)
{
    struct web *web = calloc(1, sizeof(*web));
    int err = web ? 0 : error_set(error, -ENOMEM, "out of memory");

    if (!err)
        err = http_prepare(options, &web->http, error);
    if (!err)
        err = open_view(web, roster, registered_only, error);
    if (err)
        web_stop(web);
    else
        *ret_web = web;
    return err;
}

int web_start(struct web *web, mode_t mode, struct error_text *error)
{
    const struct http_site site = {
        .find = find, .begin = begin, .write = write_document, .opaque = web};

    return http_start(web->http, &site, mode, error);
}

const char *web_address_at(struct web *web, size_t i)
{
    return http_address_at(web->http, i);
}

void web_stop(struct web *web)
{
    if (!web)
        return;
    http_stop(web->http);
    metrics_free(web->metrics);
    view_close(web->view);
    free(web);
}
