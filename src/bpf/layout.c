/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/layout.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

enum { PATH_SIZE = 4096, NESTED_MAX = 8 };

struct member {
    __u32 offset, size; /* in bytes */
};

/* ---- members -------------------------------------------------------------------------------- */

static bool is_composite(const struct btf_type *type)
{
    return type && (btf_is_struct(type) || btf_is_union(type));
}

static bool has_name(const char *name, const char *wanted, size_t len)
{
    return name && !strncmp(name, wanted, len) && !name[len];
}

/*
 * The member @name, of @len bytes, of a struct; also if it is in a struct or union without a name.
 * Its offset is added to @offset, in bits. The type of it, or NULL.
 */
static const struct btf_type *find_member(const struct btf *btf, const struct btf_type *type,
                                          const char *name, size_t len, unsigned depth,
                                          __u32 *offset, __u32 *ret_id)
{
    for (__u16 i = 0; depth < NESTED_MAX && is_composite(type) && i < btf_vlen(type); i++) {
        const struct btf_member *member = btf_members(type) + i;
        const char *found = btf__name_by_offset(btf, member->name_off);
        __s32 id = btf__resolve_type(btf, member->type);
        const struct btf_type *inner = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
        __u32 start = *offset + btf_member_bit_offset(type, i);

        if (has_name(found, name, len)) {
            *offset = start;
            *ret_id = member->type;
            return inner;
        }
        if (found && *found)
            continue;
        inner = find_member(btf, inner, name, len, depth + 1, &start, ret_id);
        if (inner) {
            *offset = start;
            return inner;
        }
    }
    return NULL;
}

/* @path is "member" or "member.member.member" of the struct @name. */
static int find_path(const struct btf *btf, const char *name, const char *path,
                     struct member *ret_member)
{
    __s32 id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
    const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
    __u32 offset = 0, type_id = 0;
    __s64 size;

    while (type && *path) {
        size_t len = strcspn(path, ".");

        type = find_member(btf, type, path, len, 0, &offset, &type_id);
        path += len + (path[len] == '.');
    }
    size = type ? btf__resolve_size(btf, type_id) : -1;
    if (size < 0 || size > UINT32_MAX || offset % 8)
        return -ENOENT;
    *ret_member = (struct member){.offset = offset / 8, .size = (__u32)size};
    return 0;
}

/* ---- the layout ----------------------------------------------------------------------------- */

static int refuse(struct bpf_why *why, const char *name, const char *path)
{
    return bpf_why_set(why, -ENOENT, BPF_MISSING_KVM_BTF,
                       "Load the module (modprobe kvm_intel, or kvm_amd). One that was built apart "
                       "from the kernel must have BTF as well.",
                       "the kernel does not describe KVM's struct %s with a member %s of the size "
                       "that is needed",
                       name, path);
}

/* The offset of a member that has at least @size bytes. */
static int take(const struct btf *btf, struct bpf_why *why, const char *name, const char *path,
                __u32 size, __u32 *ret_offset)
{
    struct member member;

    if (find_path(btf, name, path, &member) < 0 || member.size < size)
        return refuse(why, name, path);
    *ret_offset = member.offset;
    return 0;
}

/* With PREEMPT_RT a mutex is made of another kind of lock. */
static int take_mutex_owner(const struct btf *btf, struct bpf_why *why, __u32 *ret_offset)
{
    struct member member;

    if (!find_path(btf, "kvm_vcpu", "mutex.rtmutex.owner", &member)) {
        *ret_offset = member.offset;
        return 0;
    }
    return take(btf, why, "kvm_vcpu", "mutex.owner", sizeof(long), ret_offset);
}

static int take_all(const struct btf *btf, struct bpf_why *why, struct kvm_layout *layout)
{
    const struct {
        const char *name, *path;
        __u32 size, *offset;
    } members[] = {
        {"kvm", "mm", sizeof(void *), &layout->vm_mm},
        {"kvm", "userspace_pid", sizeof(int), &layout->vm_creator},
        {"kvm", "stat", layout->row_size[KVM_KIND_VM], &layout->vm_row},
        {"kvm_vcpu", "kvm", sizeof(void *), &layout->vcpu_vm},
        {"kvm_vcpu", "vcpu_id", sizeof(int), &layout->vcpu_id},
        {"kvm_vcpu", "pid", sizeof(void *), &layout->vcpu_pid},
        {"kvm_vcpu", "stat", layout->row_size[KVM_KIND_VCPU], &layout->vcpu_row},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        int err =
            take(btf, why, members[i].name, members[i].path, members[i].size, members[i].offset);

        if (err)
            return err;
    }
    return take_mutex_owner(btf, why, &layout->vcpu_mutex_owner);
}

static bool has_struct_kvm(const struct btf *btf)
{
    struct member member;

    return !find_path(btf, "kvm", "mm", &member) && !find_path(btf, "kvm_vcpu", "kvm", &member);
}

static struct btf *parse(const char *root, const char *name, struct btf *base)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/sys/kernel/btf/%s", root, name);
    return base ? btf__parse_split(path, base) : btf__parse(path, NULL);
}

int bpf_layout_find(const char *root, struct bpf_why *why, struct kvm_layout *layout)
{
    struct btf *kernel = parse(root, "vmlinux", NULL), *module = NULL;
    int err = -errno;

    if (!kernel)
        return bpf_why_set(why, err, BPF_MISSING_BTF, NULL,
                           "/sys/kernel/btf/vmlinux can't be read: %s", strerror(-err));
    if (!has_struct_kvm(kernel))
        module = parse(root, "kvm", kernel);
    err = take_all(module ? module : kernel, why, layout);
    btf__free(module);
    btf__free(kernel);
    return err;
}
