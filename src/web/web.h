/* SPDX-License-Identifier: MIT */
/*
 * What the daemon shows by HTTP: /metrics for Prometheus, /api/v1/vms for programs, / for people. It has
 * threads of its own, and a reader of the kernel of its own: nobody at a QMP socket waits for it.
 *
 *      web_prepare() ──> (privileges are given up) ──> web_start() ──> web_stop()
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "host/roster.h"
#include "http/http.h"

struct web;

/*
 * Reads what only root may, binds ports, and loads what reads the kernel, unless only those VMs are shown
 * that @roster has. It must stay until web_stop(). -errno, and the text.
 */
int web_prepare(const struct http_options *options, struct roster *roster, bool registered_only,
                struct web **ret_web, struct error_text *error);

/* @mode: of unix sockets. */
int web_start(struct web *web, mode_t mode, struct error_text *error);

/* As http_address_at(). */
const char *web_address_at(struct web *web, size_t i);

void web_stop(struct web *web); /* NULL is allowed */

#endif
