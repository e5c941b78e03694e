# SPDX-License-Identifier: MIT
# Firmware for a VM of QEMU whose first vCPU halts for about 1 ms, again and again: its histogram has
# one high bucket that is not in the middle, so a reversed one can be told from it. Each round also
# leaves an exit for I/O.
#
# 64 KiB at the end of the first MiB, entered at F000:FFF0 in real mode.
    .code16
    .text

    .equ PIC1_COMMAND, 0x20
    .equ PIC1_DATA, 0x21
    .equ PIC2_DATA, 0xa1
    .equ END_OF_INTERRUPT, 0x20
    .equ TIMER_VECTOR, 0x20
    .equ PIT_CHANNEL_0, 0x40
    .equ PIT_COMMAND, 0x43
    .equ PIT_ONE_SHOT, 0x30     # channel 0, both bytes, an interrupt when the count is 0
    .equ DEBUG_PORT, 0x80
    .equ LAPIC, 0xfee00000
    .equ LAPIC_SPURIOUS, 0xf0
    .equ LAPIC_LINT0, 0x350
    .equ ENABLED, 0x1ff
    .equ EXTERNAL, 0x700        # interrupts come from the PIC
    .equ PIT_COUNT, 1193        # of 1193182 Hz

start:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7000, %sp
    movw $on_timer, TIMER_VECTOR * 4
    movw %cs, TIMER_VECTOR * 4 + 2

    # The first interrupt controller has its vectors from TIMER_VECTOR on; only the timer is let in.
    mov $0x11, %al
    out %al, $PIC1_COMMAND
    mov $TIMER_VECTOR, %al
    out %al, $PIC1_DATA
    mov $4, %al
    out %al, $PIC1_DATA
    mov $1, %al
    out %al, $PIC1_DATA
    mov $0xfe, %al
    out %al, $PIC1_DATA
    mov $0xff, %al
    out %al, $PIC2_DATA

    # The local APIC lets the PIC through. It lies above 1 MiB: a segment keeps the limit of 4 GiB
    # that it got in protected mode.
    lgdtl %cs:gdt_register
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $FLAT, %bx
    mov %bx, %ds
    and $0xfe, %al
    mov %eax, %cr0
    mov $LAPIC, %ebx
    movl $ENABLED, LAPIC_SPURIOUS(%ebx)
    movl $EXTERNAL, LAPIC_LINT0(%ebx)
    xor %ax, %ax
    mov %ax, %ds

    call start_timer
    sti
wait:
    hlt
    jmp wait

    # The timer begins anew each time, and as late as can be, so that the vCPU halts also where a
    # machine is so slow that a periodic one would leave it no time for that. It is the handler that
    # begins it: an interrupt that comes before the halt ends none, and another one follows.
on_timer:
    push %ax
    mov $END_OF_INTERRUPT, %al
    out %al, $PIC1_COMMAND
    out %al, $DEBUG_PORT
    call start_timer
    pop %ax
    iret

start_timer:
    mov $PIT_ONE_SHOT, %al
    out %al, $PIT_COMMAND
    mov $PIT_COUNT, %ax
    out %al, $PIT_CHANNEL_0
    mov %ah, %al
    out %al, $PIT_CHANNEL_0
    ret

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf93000000ffff    # data, all 4 GiB
    .equ FLAT, 8
gdt_register:
    .word gdt_register - gdt - 1
    .long 0xf0000 + (gdt - start)

    .org 0xfff0
    ljmp $0xf000, $start
    .org 0x10000
