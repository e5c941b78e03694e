# SPDX-License-Identifier: MIT
# Firmware for a VM of QEMU whose first vCPU halts for known times: seven times for about 1 ms, then
# once for about 16 ms, and so on. So the histogram of its waits has a short and a long side, and a
# reversed one can be told from it. Each round also leaves an exit for I/O.
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
    .equ PIT_ONE_SHOT, 0x30     # channel 0, both bytes, interrupt when the count is 0
    .equ DEBUG_PORT, 0x80
    .equ SHORT_WAIT, 1193       # counts of 1193182 Hz
    .equ LONG_WAIT, 19091
    .equ ROUND, 8

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

    mov $ROUND, %cx
wait:
    mov $SHORT_WAIT, %bx
    loop 1f
    mov $LONG_WAIT, %bx
    mov $ROUND, %cx
    out %al, $DEBUG_PORT
1:
    mov $PIT_ONE_SHOT, %al
    out %al, $PIT_COMMAND
    mov %bl, %al
    out %al, $PIT_CHANNEL_0
    mov %bh, %al
    out %al, $PIT_CHANNEL_0
    sti
    hlt
    cli
    jmp wait

on_timer:
    push %ax
    mov $END_OF_INTERRUPT, %al
    out %al, $PIC1_COMMAND
    pop %ax
    iret

    .org 0xfff0
    ljmp $0xf000, $start
    .org 0x10000
