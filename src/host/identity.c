/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/identity.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum {
    CONTAINER_ID_LEN = 64,
    CONTAINER_ID_SHOWN = 12, /* as `docker ps`, `podman ps` and `crictl ps` show it, or more */
};

/* How an option's value holds the name. */
enum name_form {
    NAME_PLAIN,
    NAME_QEMU,   /* guest=NAME,key=value or NAME,key=value; a comma in it is doubled */
    NAME_SOCKET, /* path=PATH or PATH of a socket that is named after the VM */
};

struct name_option {
    const char *name; /* without its dashes */
    enum name_form form;
};

struct vmm {
    const char *program; /* '*' at its end: any program that begins so */
    const char *name;
    struct name_option options[2]; /* the first that is given names the VM */
};

static const struct vmm vmms[] = {
    {"qemu-system-*", "qemu", {{"name", NAME_QEMU}, {"id", NAME_PLAIN}}},
    {"qemu-kvm", "qemu", {{"name", NAME_QEMU}}},
    {"kvm", "qemu", {{"name", NAME_QEMU}, {"id", NAME_PLAIN}}}, /* Proxmox, and Debian's script */
    {"firecracker*", "firecracker", {{"id", NAME_PLAIN}}},
    {"crosvm", "crosvm", {{"name", NAME_PLAIN}, {"socket", NAME_SOCKET}}},
    {"cloud-hypervisor*", "cloud-hypervisor", {{"api-socket", NAME_SOCKET}}},
    {"lkvm*", "kvmtool", {{"name", NAME_PLAIN}}},
    {"vitals", "vitals", {{"name", NAME_PLAIN}}},
};

/* ---- arguments ------------------------------------------------------------------------------ */

struct arguments {
    const char *at, *end;
};

/* NULL: no more. The last argument may lack its NUL, since what was read of the line is cut. */
static const char *next_argument(struct arguments *arguments)
{
    const char *argument = arguments->at;
    size_t left = (size_t)(arguments->end - argument), len = strnlen(argument, left);

    if (len == left)
        return NULL;
    arguments->at += len + 1;
    return argument;
}

static struct arguments arguments_of(const struct process_text *process)
{
    const char *text = process->command_line ? process->command_line : "";

    return (struct arguments){text,
                              text + (process->command_line ? process->command_line_size : 0)};
}

/* The value of -@name or --@name, as the next argument or behind '='. NULL: not given. */
static const char *option_value(const struct process_text *process, const char *name)
{
    struct arguments arguments = arguments_of(process);
    size_t len = strlen(name);
    const char *argument;

    next_argument(&arguments);
    while ((argument = next_argument(&arguments))) {
        if (argument[0] != '-')
            continue;
        argument += argument[1] == '-' ? 2 : 1;
        if (strncmp(argument, name, len) != 0)
            continue;
        if (argument[len] == '\0')
            return next_argument(&arguments);
        if (argument[len] == '=')
            return argument + len + 1;
    }
    return NULL;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* Cut at a whole character, and fit for a terminal. */
static void set_text(char *text, size_t size, const char *from, size_t len)
{
    if (len > size - 1)
        for (len = size - 1; len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80; len--)
            ;
    memcpy(text, from, len);
    text[len] = '\0';
    text_make_plain(text);
}

static void take_name(struct identity *identity, const char *name, size_t len)
{
    set_text(identity->name, sizeof(identity->name), name, len);
}

/* One key or value of QEMU's options: up to a single comma, of doubled ones one each. */
static const char *qemu_piece(const char *text, char *piece, size_t size)
{
    size_t len = 0;

    for (; *text && (text[0] != ',' || text[1] == ','); text++) {
        if (text[0] == ',')
            text++;
        if (len < size - 1)
            piece[len++] = *text;
    }
    piece[len] = '\0';
    return *text ? text + 1 : NULL;
}

static void take_qemu_name(struct identity *identity, const char *value)
{
    char piece[2 * IDENTITY_NAME_MAX];
    bool is_first = true;

    for (; value; is_first = false) {
        value = qemu_piece(value, piece, sizeof(piece));
        if (strncmp(piece, "guest=", 6) == 0)
            take_name(identity, piece + 6, strlen(piece + 6));
        else if (is_first && !strchr(piece, '='))
            take_name(identity, piece, strlen(piece));
    }
}

static void take_socket_name(struct identity *identity, const char *value)
{
    const char *base, *dot;

    if (strncmp(value, "path=", 5) == 0)
        value += 5;
    base = strrchr(value, '/');
    base = base ? base + 1 : value;
    dot = strrchr(base, '.');
    take_name(identity, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

static void take_value(struct identity *identity, enum name_form form, const char *value)
{
    switch (form) {
    case NAME_PLAIN:
        take_name(identity, value, strlen(value));
        break;
    case NAME_QEMU:
        take_qemu_name(identity, value);
        break;
    case NAME_SOCKET:
        take_socket_name(identity, value);
        break;
    }
}

static void name_by_command_line(const struct process_text *process, const struct vmm *vmm,
                                 struct identity *identity)
{
    for (size_t i = 0; i < COUNT(vmm->options) && !identity->name[0]; i++) {
        const char *value = NULL;

        if (vmm->options[i].name)
            value = option_value(process, vmm->options[i].name);
        if (value)
            take_value(identity, vmm->options[i].form, value);
    }
}

/* ---- control groups ------------------------------------------------------------------------- */

static bool is_escape(const char *text)
{
    return text[0] == '\\' && text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
           isxdigit((unsigned char)text[3]);
}

/* systemd writes a byte that has a meaning of its own as \xHH. Returns the length. */
static size_t unescape_unit(const char *unit, size_t len, char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < size - 1; i++) {
        unsigned byte = (unsigned char)unit[i];

        if (len - i >= 4 && is_escape(unit + i) && sscanf(unit + i + 2, "%2x", &byte) == 1)
            i += 3;
        text[n++] = (char)byte;
    }
    text[n] = '\0';
    return strlen(text);
}

/* libvirt's scopes are machine-qemu-NUMBER-NAME.scope. */
static const char *skip_driver(const char *name)
{
    const char *number = strchr(name, '-');
    size_t digits = number ? strspn(number + 1, "0123456789") : 0;

    return digits && number[1 + digits] == '-' ? number + digits + 2 : name;
}

static void take_machine(struct identity *identity, const char *component, size_t len)
{
    char name[2 * IDENTITY_NAME_MAX];
    const char *rest;

    unescape_unit(component, len, name, sizeof(name));
    rest = skip_driver(name);
    take_name(identity, rest, strlen(rest));
}

/* "pod" and the pod's UID, in which systemd's form has '_' for '-'. */
static void take_pod(struct identity *identity, const char *component, size_t len)
{
    char name[IDENTITY_NAME_MAX];
    int n = snprintf(name, sizeof(name), "pod-%.*s", (int)len - 3, component + 3);

    for (char *at = name; *at; at++)
        if (*at == '_')
            *at = '-';
    take_name(identity, name, n < (int)sizeof(name) ? (size_t)n : sizeof(name) - 1);
}

static bool begins_with(const char *text, size_t len, const char *start)
{
    return len > strlen(start) && strncmp(text, start, strlen(start)) == 0;
}

static size_t without_suffix(const char *text, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);

    return len > n && strncmp(text + len - n, suffix, n) == 0 ? len - n : 0;
}

static bool are_digits(const char *text, size_t len, const char *others)
{
    for (size_t i = 0; i < len; i++)
        if (!isxdigit((unsigned char)text[i]) && !strchr(others, text[i]))
            return false;
    return true;
}

/* "pod" and a UID, and not "podman.service". */
static bool is_pod(const char *component, size_t len)
{
    return begins_with(component, len, "pod") && are_digits(component + 3, len - 3, "-_");
}

/* Where a component says "pod": it may stand behind kubepods-CLASS-. 0: nowhere. */
static size_t pod_length(const char *component, size_t len, const char **ret_pod)
{
    size_t whole = without_suffix(component, len, ".slice");
    const char *pod = component;

    if (whole && begins_with(component, whole, "kubepods")) {
        pod = memmem(component, whole, "-pod", 4);
        pod = pod ? pod + 1 : component;
        len = (size_t)(component + whole - pod);
    }
    *ret_pod = pod;
    return is_pod(pod, len) ? len : 0;
}

/*
 * Runtimes name the group of a container by its id, alone or behind a word: docker-ID.scope,
 * libpod-ID, cri-containerd-ID.scope, /docker/ID. NULL: it has none.
 */
static const char *find_container(const char *component, size_t len)
{
    size_t scope = without_suffix(component, len, ".scope");
    size_t whole = scope ? scope : len;
    const char *id = component + whole - CONTAINER_ID_LEN;

    if (whole < CONTAINER_ID_LEN || !are_digits(id, CONTAINER_ID_LEN, ""))
        return NULL;
    return id == component || id[-1] == '-' ? id : NULL;
}

static void name_by_cgroup(const char *cgroup, struct identity *identity)
{
    const char *at = cgroup ? cgroup : "", *pod, *id;

    while (*at && !identity->name[0]) {
        size_t len = strcspn(at, "/:\n"), scope = without_suffix(at, len, ".scope"), n;

        if (scope && begins_with(at, scope, "machine-"))
            take_machine(identity, at + strlen("machine-"), scope - strlen("machine-"));
        else if ((n = pod_length(at, len, &pod)) > 0)
            take_pod(identity, pod, n);
        else if ((id = find_container(at, len)))
            take_name(identity, id, CONTAINER_ID_SHOWN);
        at += len;
        at += *at != '\0';
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static bool is_program(const char *pattern, const char *program)
{
    size_t len = strlen(pattern);

    if (pattern[len - 1] == '*')
        return strncmp(pattern, program, len - 1) == 0;
    return strcmp(pattern, program) == 0;
}

static const struct vmm *find_vmm(const char *program)
{
    for (size_t i = 0; i < COUNT(vmms); i++)
        if (is_program(vmms[i].program, program))
            return &vmms[i];
    return NULL;
}

/* The first argument, else the kernel's name, which is cut at 15 bytes. */
static const char *program_of(const struct process_text *process)
{
    struct arguments arguments = arguments_of(process);
    const char *path = next_argument(&arguments), *slash;

    if (!path || !*path)
        return process->program ? process->program : "";
    slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t i;

    for (i = 0; form[i]; i++)
        if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != '-')
            return false;
    return text[i] == '\0';
}

static void read_uuid(const struct process_text *process, struct identity *identity)
{
    const char *uuid = option_value(process, "uuid");

    if (uuid && is_uuid(uuid))
        memcpy(identity->uuid, uuid, sizeof(identity->uuid));
}

void identity_read(const struct process_text *process, struct identity *ret_identity)
{
    const char *program = program_of(process);
    const struct vmm *vmm = find_vmm(program);

    *ret_identity = (struct identity){0};
    if (vmm) {
        snprintf(ret_identity->vmm, sizeof(ret_identity->vmm), "%s", vmm->name);
        name_by_command_line(process, vmm, ret_identity);
        read_uuid(process, ret_identity);
    } else {
        set_text(ret_identity->vmm, sizeof(ret_identity->vmm), program, strlen(program));
    }
    if (!ret_identity->name[0])
        name_by_cgroup(process->cgroup, ret_identity);
    if (!ret_identity->name[0])
        snprintf(ret_identity->name, sizeof(ret_identity->name), "%s-%d",
                 ret_identity->vmm[0] ? ret_identity->vmm : "process", (int)process->pid);
}
