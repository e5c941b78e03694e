/* SPDX-License-Identifier: MIT */
/*
 * The guest: code without an operating system that makes the kernel's counters move. The VMM copies
 * it to GUEST_CODE and starts every vCPU at `start`, in 64-bit mode with the x2APIC on (guest.h
 * says what else is set up). Jumps are relative, and the few absolute addresses are made by AT(), so
 * the code doesn't care where the linker put it.
 *
 * Instructions are kept simple on purpose: a host without hardware virtualisation emulates all that
 * is not user code (CPL 3), and the emulator knows only the common ones.
 */
#include "demo/guest.h"
#ifdef __CET__
#include <cet.h> /* the host never runs this, so it keeps no rule of CET from the program */
#endif

#define AT(label) (GUEST_CODE + (label - guest_code))

/* x2APIC registers, as MSRs */
#define APIC_EOI           0x80b
#define APIC_SPURIOUS      0x80f
#define APIC_ICR           0x830
#define APIC_TIMER         0x832
#define APIC_TIMER_COUNT   0x838
#define APIC_TIMER_DIVIDER 0x83e

#define APIC_ENABLED   0x1ff   /* with 255 as the vector of spurious interrupts */
#define TIMER_ONE_SHOT 0x00020 /* vector 32 */
#define TIMER_PERIODIC 0x20020
#define DIVIDE_BY_1    0xb     /* then one tick is one nanosecond under KVM */
#define IPI_VECTOR     0x40

#define DELAY_FIRST   2000     /* ns; doubled up to the last */
#define DELAY_LAST    32768000
#define DELAY_REPEATS 32       /* so often that the host learns to poll for the end of a halt */
#define LADDER_STARTS 8        /* a power of 2: the first step, the last one, the last but one ... */
#define BURST_PERIOD  10000000 /* ns */
#define BURST_MAX     16       /* rounds; a power of 2 */

.macro write_msr msr, value
        mov     ecx, \msr
        mov     eax, \value
        xor     edx, edx
        wrmsr
.endm

        .intel_syntax noprefix
        .section .rodata
        .balign 8
        .globl  guest_code, guest_code_end
guest_code:                             /* struct guest_entries */
        .quad   AT(start)
        .quad   AT(interrupt)
        .quad   AT(page_fault)
        .quad   AT(nmi)

start:
        cmp     esi, GUEST_HALTED
        je      halted
        mov     r15d, edi               /* r15: this vCPU */
        mov     r14d, edx               /* r14: number of vCPUs */
        write_msr APIC_SPURIOUS, APIC_ENABLED
        write_msr APIC_TIMER_DIVIDER, DIVIDE_BY_1
        lea     rbp, [rip + spin]
        cmp     esi, GUEST_SPIN
        je      enter_user
        mov     r12d, r15d
        and     r12d, 3                 /* r12: the part of GUEST_WORK */
        test    r12d, 1
        jz      ladder
        cmp     r12d, 1
        je      exits
        jmp     dirtier

/* Interrupts are off, so nothing ends this but the VMM. */
halted:
        cli
        hlt
        jmp     halted

/*
 * Parts 0 and 2: sleeps of 2 us, 4 us ... 32 ms, each ended by a one-shot timer. Short ones end
 * while the host still polls, long ones after it put the vCPU's thread to sleep, so that all
 * histograms of halts get their share. Part 2 also interrupts the next vCPU before each sleep.
 *
 * Not all begin with the first step: the host polls only while nobody else wants the CPU, so it is
 * better if the vCPUs' short sleeps are at different times.
 */
ladder:
        mov     ecx, r15d
        shr     ecx, 1
        and     ecx, LADDER_STARTS - 1
        mov     ebx, DELAY_LAST * 2
        shr     ebx, cl
        jmp     ladder_check
ladder_step:
        mov     r13d, DELAY_REPEATS
ladder_sleep:
        cli
        write_msr APIC_TIMER, TIMER_ONE_SHOT
        write_msr APIC_TIMER_COUNT, ebx
        cmp     r12d, 2
        jne     ladder_halt
        lea     edx, [r15 + 1]
        cmp     edx, r14d
        jb      ladder_interrupt_next
        xor     edx, edx
ladder_interrupt_next:
        mov     eax, IPI_VECTOR
        mov     ecx, APIC_ICR           /* edx: the id of the vCPU */
        wrmsr
ladder_halt:
        sti                             /* takes effect after hlt: no interrupt is lost */
        hlt
        dec     r13d
        jnz     ladder_sleep
        add     ebx, ebx
ladder_check:
        cmp     ebx, DELAY_LAST
        jbe     ladder_step
        mov     ebx, DELAY_FIRST
        jmp     ladder_step

/*
 * Part 1: every 10 ms a burst of port and memory accesses that the VMM must handle: 1 round of four
 * exits, then 2 rounds ... 16, and again from 1.
 */
exits:
        write_msr APIC_TIMER, TIMER_PERIODIC
        write_msr APIC_TIMER_COUNT, BURST_PERIOD
        mov     ebx, GUEST_MMIO
        xor     r13d, r13d
exits_burst:
        sti
        hlt
        mov     ebp, r13d
        inc     r13d
        and     r13d, BURST_MAX - 1
exits_round:
        out     GUEST_PORT, al
        in      al, GUEST_PORT
        mov     [rbx], eax
        mov     eax, [rbx + 8]
        dec     ebp
        jns     exits_round
        jmp     exits_burst

/* Part 3: user code that writes to its pages, again after every interrupt of a periodic timer. */
dirtier:
        write_msr APIC_TIMER, TIMER_PERIODIC
        write_msr APIC_TIMER_COUNT, BURST_PERIOD
        lea     rbp, [rip + dirty_pages]

/* Goes on at rbp as user code, which any host runs natively. It needs no stack. */
enter_user:
        push    GUEST_USER_DATA_SELECTOR | 3
        push    0
        push    0x202                   /* interrupts on */
        push    GUEST_USER_CODE_SELECTOR | 3
        push    rbp
        iretq

spin:
        jmp     spin

dirty_pages:
        mov     ebx, r15d
        imul    ebx, ebx, GUEST_DIRTY_SIZE
        add     ebx, GUEST_DIRTY
        mov     ecx, GUEST_DIRTY_SIZE / GUEST_PAGE_SIZE
dirty_page:
        inc     qword ptr [rbx]
        add     ebx, GUEST_PAGE_SIZE
        dec     ecx
        jnz     dirty_page
        movabs  rbx, GUEST_HOLE
        mov     al, [rbx]

/*
 * Comes from the line above only, where user code goes to rest: sleeps until an interrupt, then
 * starts the user code again. Any other fault has no handler, ends in a triple fault and is
 * reported by the VMM.
 */
page_fault:
        add     rsp, 8                  /* the error code */
        mov     [rsp], rbp
        invlpg  [GUEST_DIRTY]
        sti
        hlt
        iretq

interrupt:
        push    rax
        push    rcx
        push    rdx
        write_msr APIC_EOI, 0
        pop     rdx
        pop     rcx
        pop     rax
nmi:
        iretq
guest_code_end:

        .section .note.GNU-stack, "", @progbits
