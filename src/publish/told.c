/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "publish/told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct told *told)
{
    size_t cap = told->cap ? told->cap * 2 : 8;
    struct told_vcpu *vcpus;

    if (told->n < told->cap)
        return 0;
    vcpus = reallocarray(told->vcpus, cap, sizeof(*vcpus));
    if (!vcpus)
        return -ENOMEM;
    told->vcpus = vcpus;
    told->cap = cap;
    return 0;
}

int told_append(struct told *told, uint64_t serial, const char *path, int64_t thread)
{
    char *copy = strdup(path);

    if (!copy || reserve(told)) {
        free(copy);
        return -ENOMEM;
    }
    told->vcpus[told->n++] = (struct told_vcpu){.serial = serial, .thread = thread, .path = copy};
    return 0;
}

void told_cut(struct told *told, size_t n)
{
    while (told->n > n)
        free(told->vcpus[--told->n].path);
}

void told_forget_gone(struct told *told, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < told->n; i++) {
        if (i < n && told->vcpus[i].is_gone)
            free(told->vcpus[i].path);
        else
            told->vcpus[kept++] = told->vcpus[i];
    }
    told->n = kept;
}

void told_free(struct told *told)
{
    told_cut(told, 0);
    free(told->vcpus);
    *told = (struct told){0};
}
