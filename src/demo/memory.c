/* SPDX-License-Identifier: MIT */
/* The guest's memory, and what a CPU in 64-bit mode needs to find there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "demo/vmm_private.h"

#define PAGE_PRESENT  0x01u
#define PAGE_WRITABLE 0x02u
#define PAGE_USER     0x04u
#define PAGE_LARGE    0x80u
#define PAGE_TABLE    (PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER)
#define TABLE_ENTRIES 512
#define MAPPED_GIB    4

/* Segments of the whole address space. "Accessed" is set, or the CPU would write to the table. */
#define CODE_SEGMENT           0x00af9b000000ffffu
#define DATA_SEGMENT           0x00cf93000000ffffu
#define USER_CODE_SEGMENT      0x00affb000000ffffu
#define USER_DATA_SEGMENT      0x00cff3000000ffffu

#define VECTOR_NMI             2
#define VECTOR_PAGE_FAULT      14
#define VECTOR_INTERRUPT_FIRST 32
#define VECTORS                256
#define GATE_INTERRUPT         0x8e /* present, 64-bit interrupt gate */

#define DIRTY_BITS             64 /* pages in one word of the bitmap */

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t stack;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

static uint64_t *guest_table(struct demo_vmm *vmm, size_t address)
{
    return (uint64_t *)(vmm->memory + address);
}

static void fill_page_tables(struct demo_vmm *vmm)
{
    uint64_t *pdpt = guest_table(vmm, GUEST_PDPT);
    uint64_t *pd = guest_table(vmm, GUEST_PD);

    guest_table(vmm, GUEST_PML4)[0] = GUEST_PDPT | PAGE_TABLE;
    for (uint64_t i = 0; i < MAPPED_GIB; i++)
        pdpt[i] = (GUEST_PD + i * GUEST_PAGE_SIZE) | PAGE_TABLE;
    for (uint64_t i = 0; i < MAPPED_GIB * TABLE_ENTRIES; i++)
        pd[i] = i << 21 | PAGE_TABLE | PAGE_LARGE;
}

static void fill_segments(struct demo_vmm *vmm)
{
    uint64_t *gdt = guest_table(vmm, GUEST_GDT);

    gdt[GUEST_CODE_SELECTOR / 8] = CODE_SEGMENT;
    gdt[GUEST_DATA_SELECTOR / 8] = DATA_SEGMENT;
    gdt[GUEST_USER_CODE_SELECTOR / 8] = USER_CODE_SEGMENT;
    gdt[GUEST_USER_DATA_SELECTOR / 8] = USER_DATA_SEGMENT;
}

static void set_gate(struct gate *gate, uint64_t handler)
{
    *gate = (struct gate){
        .offset_low = handler & 0xffff,
        .selector = GUEST_CODE_SELECTOR,
        .type = GATE_INTERRUPT,
        .offset_middle = handler >> 16 & 0xffff,
        .offset_high = handler >> 32,
    };
}

static void fill_gates(struct demo_vmm *vmm)
{
    struct gate *idt = (struct gate *)(vmm->memory + GUEST_IDT);
    const struct guest_entries *entries = (const struct guest_entries *)guest_code;

    set_gate(&idt[VECTOR_NMI], entries->nmi);
    set_gate(&idt[VECTOR_PAGE_FAULT], entries->page_fault);
    for (unsigned vector = VECTOR_INTERRUPT_FIRST; vector < VECTORS; vector++)
        set_gate(&idt[vector], entries->interrupt);
}

static int make_memory_slot(struct demo_vmm *vmm)
{
    struct kvm_userspace_memory_region region = {
        .flags = KVM_MEM_LOG_DIRTY_PAGES,
        .memory_size = GUEST_MEMORY_SIZE,
        .userspace_addr = (uintptr_t)vmm->memory,
    };

    if (ioctl(vmm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return vmm_error(vmm, -errno, "giving memory to the VM");
    return 0;
}

int memory_new(struct demo_vmm *vmm)
{
    void *memory = mmap(NULL, GUEST_MEMORY_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return vmm_error(vmm, -errno, "allocating guest memory");
    vmm->memory = memory;

    vmm->dirty_bitmap = calloc(GUEST_MEMORY_SIZE / GUEST_PAGE_SIZE / DIRTY_BITS, sizeof(uint64_t));
    if (!vmm->dirty_bitmap)
        return vmm_error(vmm, -ENOMEM, "allocating the dirty bitmap");

    fill_page_tables(vmm);
    fill_segments(vmm);
    fill_gates(vmm);
    memcpy(vmm->memory + GUEST_CODE, guest_code, (size_t)(guest_code_end - guest_code));
    return make_memory_slot(vmm);
}

void memory_free(struct demo_vmm *vmm)
{
    free(vmm->dirty_bitmap);
    if (vmm->memory)
        munmap(vmm->memory, GUEST_MEMORY_SIZE);
}

int demo_vmm_take_dirty(struct demo_vmm *vmm, size_t *ret_bytes)
{
    struct kvm_dirty_log log = {.dirty_bitmap = vmm->dirty_bitmap};
    size_t pages = 0;

    if (ioctl(vmm->fd, KVM_GET_DIRTY_LOG, &log) < 0)
        return -errno;
    for (size_t i = 0; i < GUEST_MEMORY_SIZE / GUEST_PAGE_SIZE / DIRTY_BITS; i++)
        pages += (size_t)__builtin_popcountll(vmm->dirty_bitmap[i]);
    *ret_bytes = pages * GUEST_PAGE_SIZE;
    return 0;
}
