/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <paths.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPT_LINE_MAX = 256, /* of "#!INTERPRETER": what the kernel reads */
    SCRIPTS_MAX = 5,       /* that interpret each other, as the kernel has it */
    SEGMENTS_MAX = 128,
};

/* ---- finding -------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int program_find(const char *name, char ret_path[PATH_MAX])
{
    const char *at = getenv("PATH");

    if (strchr(name, '/')) {
        if (strlen(name) >= PATH_MAX)
            return -ENAMETOOLONG;
        strcpy(ret_path, name);
        return access(name, F_OK) < 0 ? -errno : 0;
    }
    for (at = at ? at : _PATH_DEFPATH; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        int len = (int)strcspn(at, ":");

        snprintf(ret_path, PATH_MAX, "%.*s%s%s", len, at, len ? "/" : "./", name);
        if (is_program(ret_path))
            return 0;
    }
    return -ENOENT;
}

/* ---- what its file says --------------------------------------------------------------------- */

/* The loader then takes no library that the user names. */
static bool gains_rights(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return false;
    return (st.st_mode & S_ISUID && st.st_uid != getuid()) ||
           (st.st_mode & S_ISGID && st.st_gid != getgid()) ||
           (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

/* The loader that it asks for. False: none. */
static bool read_loader(int fd, const ElfW(Ehdr) * header, char loader[PATH_MAX])
{
    ElfW(Phdr) segment;
    ssize_t n;

    for (unsigned i = 0; i < header->e_phnum && i < SEGMENTS_MAX; i++) {
        off_t at = (off_t)(header->e_phoff + i * sizeof(segment));

        if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
            return false;
        if (segment.p_type != PT_INTERP)
            continue;
        n = pread(fd, loader, PATH_MAX - 1, (off_t)segment.p_offset);
        loader[n < 0 ? 0 : n] = '\0';
        return true;
    }
    return false;
}

static const char *why_not_elf(int fd, const ElfW(Ehdr) * header)
{
    char loader[PATH_MAX];

    if (header->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return "is built for another kind of CPU";
    if (!read_loader(fd, header, loader))
        return "is linked statically";
    return strstr(loader, "/ld-musl") ? "uses another libc" : NULL;
}

/* Why the file at @path, or else the @interpreter that its first line names: "" if it names none. */
static const char *why_not(int fd, char interpreter[SCRIPT_LINE_MAX + 1])
{
    union {
        char line[SCRIPT_LINE_MAX + 1];
        ElfW(Ehdr) header;
    } head = {{0}};
    const char *word = head.line + strlen("#!");
    ssize_t n = pread(fd, head.line, SCRIPT_LINE_MAX, 0);

    interpreter[0] = '\0';
    if (gains_rights(fd))
        return "gains rights when it is started";
    if (n >= (ssize_t)sizeof(head.header) && memcmp(head.line, ELFMAG, SELFMAG) == 0)
        return why_not_elf(fd, &head.header);
    if (strncmp(head.line, "#!", strlen("#!")) != 0)
        return NULL;
    word += strspn(word, " \t");
    snprintf(interpreter, SCRIPT_LINE_MAX + 1, "%.*s", (int)strcspn(word, " \t\n"), word);
    return NULL;
}

const char *program_why_not(const char *path)
{
    char interpreters[2][SCRIPT_LINE_MAX + 1];
    const char *why = NULL;

    for (unsigned i = 0; !why && *path && i < SCRIPTS_MAX; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0)
            return NULL;
        path = interpreters[i % 2];
        why = why_not(fd, interpreters[i % 2]);
        close(fd);
    }
    return why;
}
