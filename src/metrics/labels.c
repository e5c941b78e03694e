/* SPDX-License-Identifier: MIT */
/* By which labels series are told apart: each VM, and each object of it, has its own. */
#include <stdlib.h>

#include "base/json_write.h"
#include "base/text.h"
#include "metrics/internal.h"

/* It has nothing to be escaped or replaced, as nearly all names. */
static bool is_plain(const char *text, size_t len)
{
    bool is = true;

    for (size_t i = 0; i < len; i++)
        is &= text[i] >= ' ' && text[i] <= '~' && text[i] != '"' && text[i] != '\\';
    return is;
}

void label_put_value(struct buf *out, const char *text)
{
    size_t len = strlen(text), begin;

    buf_puts(out, "\"");
    if (is_plain(text, len)) {
        buf_append(out, text, len);
        buf_puts(out, "\"");
        return;
    }
    begin = out->len + len; /* behind the place of the value, which may double */
    if (!buf_reserve(out, 3 * len + 2))
        return;
    memcpy(out->data + begin, text, len + 1);
    text_make_plain(out->data + begin);
    for (const char *at = out->data + begin; *at; at++) {
        if (*at == '"' || *at == '\\')
            out->data[out->len++] = '\\';
        out->data[out->len++] = *at;
    }
    buf_puts(out, "\"");
}

/* ---- VMs ------------------------------------------------------------------------------------ */

/* How often each name is there: the number of a key is the first VM with it. */
static bool *find_shared(struct metrics *metrics)
{
    bool *are_shared = calloc(metrics->n_vms + 1, sizeof(*are_shared));

    for (size_t i = 0; are_shared && i < metrics->n_vms; i++) {
        const struct metrics_vm *vm = &metrics->vms[i].given;
        bool is_new;
        uint32_t first;

        if (vm->is_down || !vm->name)
            continue;
        first =
            key_map_get(&metrics->labels_seen, vm->name, strlen(vm->name), (uint32_t)i, &is_new);
        if (!is_new)
            are_shared[i] = are_shared[first] = true;
    }
    key_map_clear(&metrics->labels_seen);
    return are_shared;
}

/* "web1", "web1@4242", "web1@4242#2". */
static void put_vm_name(struct metrics *metrics, const struct metrics_vm *vm, bool is_shared,
                        unsigned turn)
{
    struct buf name = {0};

    buf_puts(&name, vm->name ? vm->name : "");
    if (is_shared && vm->pid >= 0)
        buf_printf(&name, "@%lld", (long long)vm->pid);
    if (turn > 1)
        buf_printf(&name, "#%u", turn);
    buf_append(&name, "", 1);
    if (!name.failed)
        label_put_value(&metrics->texts, name.data);
    metrics->failed |= name.failed;
    buf_free(&name);
}

/* All VMs are told apart by their names; they and the sources that gave none, by both. */
static bool takes_label(struct metrics *metrics, const struct vm *vm, uint32_t number)
{
    const char *label = metrics->texts.data + vm->label_at;
    bool is_vm = !vm->given.is_down && vm->given.name, is_new = true;

    if (is_vm)
        key_map_get(&metrics->labels_seen, label, vm->label_len, number, &is_new);
    if (!is_new)
        return false;
    buf_reset(&metrics->key);
    buf_append(&metrics->key, label, vm->label_len);
    label_put_value(&metrics->key, vm->given.source ? vm->given.source : "");
    metrics->failed |= metrics->key.failed;
    if (!metrics->failed)
        key_map_get(&metrics->labels_seen, metrics->key.data, metrics->key.len, number, &is_new);
    metrics->failed |= metrics->labels_seen.failed;
    return is_new || metrics->failed;
}

/* Texts that differ may be the same as labels: what is not plain in them is a question mark there. */
static void label_vm(struct metrics *metrics, size_t i, bool is_shared)
{
    struct vm *vm = &metrics->vms[i];

    vm->label_at = metrics->texts.len;
    for (unsigned turn = 1;; turn++) {
        metrics->texts.len = vm->label_at;
        buf_puts(&metrics->texts, "vm=");
        put_vm_name(metrics, &vm->given, is_shared, turn);
        vm->label_len = metrics->texts.len - vm->label_at;
        if (metrics->failed || metrics->texts.failed || takes_label(metrics, vm, (uint32_t)i))
            return;
    }
}

/* ---- objects -------------------------------------------------------------------------------- */

/* Targets are a stranger's words, labels are not: what is no vCPU is an object. */
static void put_object_label(struct metrics *metrics, const struct object *object)
{
    bool is_vcpu = !strcmp(object->target, "vcpu");

    if (!object->path && object->number < 0)
        return;
    buf_puts(&metrics->texts, is_vcpu ? ",vcpu=" : ",object=");
    if (is_vcpu && object->number >= 0) {
        buf_puts(&metrics->texts, "\"");
        json_put_i64(&metrics->texts, object->number);
        buf_puts(&metrics->texts, "\"");
    } else {
        label_put_value(&metrics->texts, object->path ? object->path : "");
    }
}

/* The same labels in another target are those of another family. */
static void find_repeated(struct metrics *metrics, size_t i)
{
    struct object *object = &metrics->objects[i];
    bool is_new;

    if (metrics->texts.failed)
        return;
    buf_reset(&metrics->key);
    buf_append(&metrics->key, metrics->texts.data + object->labels_at, object->labels_len);
    buf_puts(&metrics->key, object->target);
    metrics->failed |= metrics->key.failed;
    if (metrics->failed)
        return;
    key_map_get(&metrics->labels_seen, metrics->key.data, metrics->key.len, (uint32_t)i, &is_new);
    object->is_repeated = !is_new;
    metrics->n_repeated += !is_new;
}

static void label_object(struct metrics *metrics, size_t i)
{
    struct object *object = &metrics->objects[i];
    const struct vm *vm = &metrics->vms[object->vm];

    object->labels_at = metrics->texts.len;
    if (!buf_reserve(&metrics->texts, vm->label_len + 1))
        return;
    buf_puts(&metrics->texts, "{");
    buf_append(&metrics->texts, metrics->texts.data + vm->label_at, vm->label_len);
    put_object_label(metrics, object);
    object->labels_len = metrics->texts.len - object->labels_at;
    buf_puts(&metrics->texts, "} ");
    find_repeated(metrics, i);
}

void metrics_label(struct metrics *metrics)
{
    bool *are_shared;

    if (metrics->is_labelled)
        return;
    buf_reset(&metrics->texts);
    key_map_clear(&metrics->labels_seen);
    metrics->n_repeated = 0;
    are_shared = find_shared(metrics);
    metrics->failed |= !are_shared;
    for (size_t i = 0; are_shared && i < metrics->n_vms; i++)
        label_vm(metrics, i, are_shared[i]);
    free(are_shared);
    for (size_t i = 0; i < metrics->n_objects && !metrics->failed; i++)
        label_object(metrics, i);
    metrics->failed |= metrics->texts.failed || metrics->labels_seen.failed;
    metrics->is_labelled = true;
}
