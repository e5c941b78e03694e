/* SPDX-License-Identifier: MIT */
/*
 * Writes the description of a kernel whose KVM is a module, as /sys/kernel/btf has it.
 *
 *      make-btf DIRECTORY STRUCT.MEMBER:OFFSET:SIZE...
 *
 * DIRECTORY/vmlinux has no struct of KVM, DIRECTORY/kvm builds on it and has these. The member `mutex`
 * is a struct with one member, `owner`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

enum { NAME_SIZE = 64, STRUCT_SIZE = 1 << 20 };

struct member {
    char structure[NAME_SIZE], name[NAME_SIZE];
    unsigned offset, size;
};

static int byte_type, index_type, mutex_type;

static void die(const char *what)
{
    fprintf(stderr, "make-btf: %s\n", what);
    exit(1);
}

static void write_file(const struct btf *btf, const char *directory, const char *name)
{
    char path[4096];
    __u32 size;
    const void *bytes = btf__raw_data(btf, &size);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        die(path);
}

static void make_base(struct btf *base)
{
    int word = btf__add_int(base, "long", 8, BTF_INT_SIGNED);

    index_type = btf__add_int(base, "int", 4, BTF_INT_SIGNED);
    byte_type = btf__add_int(base, "char", 1, BTF_INT_CHAR);
    mutex_type = btf__add_struct(base, "mutex", 8);
    if (btf__add_field(base, "owner", word, 0, 0) < 0)
        die("mutex");
}

/* The members of one struct, each an array of bytes, or the mutex. */
static void make_struct(struct btf *btf, const char *name, const struct member *members, int n)
{
    int *types = calloc((size_t)n, sizeof(*types));

    if (!types)
        die("no memory");

    for (int i = 0; i < n; i++)
        types[i] = !strcmp(members[i].name, "mutex")
                       ? mutex_type
                       : btf__add_array(btf, index_type, byte_type, members[i].size);
    btf__add_struct(btf, name, STRUCT_SIZE);
    for (int i = 0; i < n; i++)
        if (!strcmp(members[i].structure, name) &&
            btf__add_field(btf, members[i].name, types[i], members[i].offset * 8, 0) < 0)
            die(members[i].name);
    free(types);
}

int main(int argc, char **argv)
{
    struct btf *base = btf__new_empty(), *module;
    struct member *members = calloc((size_t)argc, sizeof(*members));

    if (argc < 3 || !members)
        die("usage: make-btf DIRECTORY STRUCT.MEMBER:OFFSET:SIZE...");
    for (int i = 2; i < argc; i++)
        if (sscanf(argv[i], "%63[^.].%63[^:]:%u:%u", members[i - 2].structure, members[i - 2].name,
                   &members[i - 2].offset, &members[i - 2].size) != 4)
            die(argv[i]);
    make_base(base);
    module = btf__new_empty_split(base);
    make_struct(module, "kvm", members, argc - 2);
    make_struct(module, "kvm_vcpu", members, argc - 2);
    write_file(base, argv[1], "vmlinux");
    write_file(module, argv[1], "kvm");
    free(members);
    btf__free(module);
    btf__free(base);
    return 0;
}
