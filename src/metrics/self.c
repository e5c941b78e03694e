/* SPDX-License-Identifier: MIT */
/* What is exposed beside values: who the VMs are, and what is to be known of the exposition. */
#include "base/count.h"
#include "base/json_write.h"
#include "metrics/decimal.h"
#include "metrics/internal.h"
#include "vitals/vitals.h"

#define VM       "kvm_vm"
#define UP       "vitals_source_up"
#define SUCCESS  "vitals_source_last_success_timestamp_seconds"
#define COLLECT  "vitals_collector_duration_seconds"
#define DURATION "vitals_scrape_duration_seconds"
#define DROPPED  "vitals_series_dropped"
#define OF_USER  "vitals_user_series_dropped"
#define BUILD    "vitals_build"

static const char *const reasons[] = {[METRICS_LIMIT] = "limit",
                                      [METRICS_NAME] = "name",
                                      [METRICS_EXPONENT] = "exponent",
                                      [METRICS_OBJECT] = "object"};
ASSERT_COUNT(reasons, METRICS_REASONS);

void self_reserve_names(struct metrics *metrics)
{
    static const char *const names[] = {VM,       VM "_info", UP,      SUCCESS, COLLECT,
                                        DURATION, DROPPED,    OF_USER, BUILD,   BUILD "_info"};
    bool is_new;

    for (size_t i = 0; i < COUNT(names); i++)
        key_map_get(&metrics->names, names[i], strlen(names[i]), NO_NUMBER, &is_new);
    metrics->failed |= metrics->names.failed;
}

static bool is_up(const struct vm *vm)
{
    return !vm->given.is_down;
}

static bool is_vm(const struct vm *vm)
{
    return is_up(vm) && vm->given.name;
}

static bool has_time(const struct vm *vm)
{
    return vm->given.time_ns;
}

static bool any(const struct metrics *metrics, bool (*is)(const struct vm *vm))
{
    for (size_t i = 0; i < metrics->n_vms; i++)
        if (is(&metrics->vms[i]))
            return true;
    return false;
}

/* What is no VM is a source as well. */
static size_t count_of(const struct metrics *metrics, bool are_vms)
{
    size_t n = 0;

    for (size_t i = 0; i < metrics->n_vms; i++) {
        const struct vm *vm = &metrics->vms[i];

        if (!vm->given.name != are_vms)
            n += 1 + has_time(vm) + is_vm(vm);
    }
    return n;
}

size_t self_count_vms(const struct writer *to)
{
    return count_of(to->metrics, true);
}

size_t self_count(const struct writer *to)
{
    return count_of(to->metrics, false) + to->metrics->n_collectors + (to->form->duration_ns > 0) +
           METRICS_REASONS + 1;
}

/* Of objects that are there twice it is not known. */
static bool is_missed(const struct user *user, size_t reason)
{
    return user->is_known && user->dropped[reason];
}

size_t self_count_users(const struct writer *to)
{
    size_t n = 0;

    for (size_t i = 0; i < to->metrics->n_users; i++)
        for (size_t j = 0; j < METRICS_REASONS; j++)
            n += is_missed(&to->metrics->users[i], j);
    return n;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void put_number(struct buf *out, uint64_t value, int16_t exponent)
{
    if (buf_reserve(out, DECIMAL_MAX))
        out->len = (size_t)(decimal_put(out->data + out->len, value, 10, exponent) - out->data);
    buf_puts(out, "\n");
}

static void put_label(struct buf *out, const char *before, const char *text)
{
    buf_puts(out, before);
    label_put_value(out, text ? text : "");
}

static void put_vm_label(struct writer *to, const struct vm *vm)
{
    buf_append(&to->out, to->metrics->texts.data + vm->label_at, vm->label_len);
}

static void put_info(struct writer *to, const struct vm *vm)
{
    struct buf *out = &to->out;

    buf_puts(out, VM "_info{");
    put_vm_label(to, vm);
    put_label(out, ",uuid=", vm->given.uuid);
    buf_puts(out, ",pid=\"");
    if (vm->given.pid >= 0)
        json_put_i64(out, vm->given.pid);
    put_label(out, "\",vmm=", vm->given.vmm);
    put_label(out, ",way=", vm->given.way);
    buf_puts(out, "} 1\n");
    writer_flush(to);
}

void self_put_vms(struct writer *to)
{
    if (!any(to->metrics, is_vm))
        return;
    writer_put_head(to, VM, FAMILY_INFO, NULL,
                    "Who a VM is: its UUID, the process of its VMM, and the way it is read by.");
    for (size_t i = 0; i < to->metrics->n_vms; i++)
        if (is_vm(&to->metrics->vms[i]))
            put_info(to, &to->metrics->vms[i]);
}

static void put_of_source(struct writer *to, const char *name, const struct vm *vm, uint64_t value,
                          int16_t exponent)
{
    buf_puts(&to->out, name);
    buf_puts(&to->out, "{");
    put_vm_label(to, vm);
    put_label(&to->out, ",source=", vm->given.source);
    buf_puts(&to->out, "} ");
    put_number(&to->out, value, exponent);
    writer_flush(to);
}

static void put_sources(struct writer *to)
{
    const struct metrics *metrics = to->metrics;

    if (metrics->n_vms)
        writer_put_head(to, UP, FAMILY_GAUGE, NULL,
                        "Whether the VM could be asked. What has never answered is called by its "
                        "socket.");
    for (size_t i = 0; i < metrics->n_vms; i++)
        put_of_source(to, UP, &metrics->vms[i], is_up(&metrics->vms[i]), 0);
    if (!any(metrics, has_time))
        return;
    writer_put_head(to, SUCCESS, FAMILY_GAUGE, "seconds", "When the VM has answered last.");
    for (size_t i = 0; i < metrics->n_vms; i++)
        if (has_time(&metrics->vms[i]))
            put_of_source(to, SUCCESS, &metrics->vms[i], metrics->vms[i].given.time_ns, -9);
}

static void put_collectors(struct writer *to)
{
    const struct metrics *metrics = to->metrics;

    if (metrics->n_collectors)
        writer_put_head(to, COLLECT, FAMILY_GAUGE, "seconds",
                        "How long the values took to obtain.");
    for (size_t i = 0; i < metrics->n_collectors; i++) {
        put_label(&to->out, COLLECT "{collector=", metrics->collectors[i].name);
        buf_puts(&to->out, "} ");
        put_number(&to->out, metrics->collectors[i].duration_ns, -9);
    }
}

static void put_dropped(struct writer *to)
{
    writer_put_head(
        to, DROPPED, FAMILY_GAUGE, NULL,
        "Series that this exposition lacks: too many, a name or an object that is there "
        "already, a scale that is none.");
    for (size_t i = 0; i < METRICS_REASONS; i++) {
        put_label(&to->out, DROPPED "{reason=", reasons[i]);
        buf_puts(&to->out, "} ");
        put_number(&to->out, to->report.dropped[i], 0);
    }
}

static void put_dropped_of_user(struct writer *to, const struct user *user, size_t reason)
{
    buf_printf(&to->out, OF_USER "{uid=\"%u\"", user->uid);
    put_label(&to->out, ",reason=", reasons[reason]);
    buf_puts(&to->out, "} ");
    put_number(&to->out, user->dropped[reason], 0);
    writer_flush(to);
}

/* Only who lacks any: no more than there are VMs. */
static void put_dropped_of_users(struct writer *to)
{
    if (self_count_users(to))
        writer_put_head(to, OF_USER, FAMILY_GAUGE, NULL,
                        "Those of them that VMs of a user would have, as far as it is known.");
    for (size_t i = 0; i < to->metrics->n_users; i++)
        for (size_t j = 0; j < METRICS_REASONS; j++)
            if (is_missed(&to->metrics->users[i], j))
                put_dropped_of_user(to, &to->metrics->users[i], j);
}

void self_put(struct writer *to)
{
    put_sources(to);
    put_collectors(to);
    if (to->form->duration_ns) {
        writer_put_head(to, DURATION, FAMILY_GAUGE, "seconds",
                        "How long it took until this was written.");
        buf_puts(&to->out, DURATION " ");
        put_number(&to->out, to->form->duration_ns, -9);
    }
    put_dropped(to);
    put_dropped_of_users(to);
    writer_put_head(to, BUILD, FAMILY_INFO, NULL, "Which release of vitals this is.");
    put_label(&to->out, BUILD "_info{version=", vitals_version());
    buf_puts(&to->out, "} 1\n");
    writer_flush(to);
}
