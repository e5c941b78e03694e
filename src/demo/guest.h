/* SPDX-License-Identifier: MIT */
/*
 * What the guest code (guest.S) and the VMM agree on: where things lie in guest memory, and what
 * is in the registers when a vCPU starts. Guest virtual addresses are guest physical addresses.
 *
 *      0x001000  page tables: 4 GiB in pages of 2 MiB, open to user code
 *      0x007000  descriptor tables
 *      0x009000  the code of guest.S
 *      0x010000  a page for each vCPU: its TSS at the bottom, its stack from the top down
 *      0x200000  for each vCPU the memory that it dirties
 *
 * Registers at the start: edi = index of the vCPU, esi = behaviour, edx = number of vCPUs.
 */
#ifndef DEMO_GUEST_H
#define DEMO_GUEST_H

#define GUEST_MEMORY_SIZE 0x2000000 /* 32 MiB */

#define GUEST_PML4        0x1000
#define GUEST_PDPT        0x2000
#define GUEST_PD          0x3000 /* four pages, 1 GiB each */
#define GUEST_GDT         0x7000
#define GUEST_IDT         0x8000
#define GUEST_CODE        0x9000
#define GUEST_VCPU_PAGES  0x10000
#define GUEST_PAGE_SIZE   0x1000
#define GUEST_DIRTY       0x200000
#define GUEST_DIRTY_SIZE  0x20000 /* of each vCPU: 32 pages */

/*
 * Running vCPUs that the map above has room for. The x2APIC would end it at 255: id 255 addresses
 * all of them.
 */
#define GUEST_VCPUS_MAX          128

#define GUEST_MMIO               0xd0000000 /* no memory there: an access is an exit to the VMM */
#define GUEST_HOLE               0x7f0000000000 /* not mapped: an access is a page fault */
#define GUEST_PORT               0x80           /* any port that no in-kernel device answers */

#define GUEST_CODE_SELECTOR      0x08
#define GUEST_DATA_SELECTOR      0x10
#define GUEST_USER_CODE_SELECTOR 0x18
#define GUEST_USER_DATA_SELECTOR 0x20
#define GUEST_TSS_SELECTOR       0x28 /* its descriptor is never read: the VMM loads the register */

/* Behaviours. Of WORK, a vCPU does the part index % 4. */
#define GUEST_WORK   0
#define GUEST_SPIN   1
#define GUEST_HALTED 2

#ifndef __ASSEMBLER__
#include <assert.h>
#include <stdint.h>

static_assert(GUEST_VCPU_PAGES + GUEST_VCPUS_MAX * GUEST_PAGE_SIZE <= GUEST_DIRTY &&
                  GUEST_DIRTY + GUEST_VCPUS_MAX * GUEST_DIRTY_SIZE <= GUEST_MEMORY_SIZE,
              "the map has no room for so many vCPUs");

/* The guest's code begins with the addresses that the VMM needs. */
struct guest_entries {
    uint64_t start;
    uint64_t interrupt;
    uint64_t page_fault;
    uint64_t nmi;
};

extern const unsigned char guest_code[];
extern const unsigned char guest_code_end[];
#endif
#endif
