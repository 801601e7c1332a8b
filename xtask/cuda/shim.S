/* One trampoline for each function of a library (x86-64, System V calling convention): jump through the function's slot,
 * or, while the slot is empty, ask shim.c for the address first. Every register that can hold an argument survives. */
#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define SLOTS JOIN(shim_, SHIM_LIBRARY, _slots)
#define RESOLVE JOIN(shim_, SHIM_LIBRARY, _resolve)

    .text
    .type ask, @function
ask:                            /* r11d: which function */
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    subq $192, %rsp
    movq %rdi, 0(%rsp)
    movq %rsi, 8(%rsp)
    movq %rdx, 16(%rsp)
    movq %rcx, 24(%rsp)
    movq %r8, 32(%rsp)
    movq %r9, 40(%rsp)
    movq %rax, 48(%rsp)
    movups %xmm0, 64(%rsp)
    movups %xmm1, 80(%rsp)
    movups %xmm2, 96(%rsp)
    movups %xmm3, 112(%rsp)
    movups %xmm4, 128(%rsp)
    movups %xmm5, 144(%rsp)
    movups %xmm6, 160(%rsp)
    movups %xmm7, 176(%rsp)
    movl %r11d, %edi
    call RESOLVE
    movq %rax, %r11
    movq 0(%rsp), %rdi
    movq 8(%rsp), %rsi
    movq 16(%rsp), %rdx
    movq 24(%rsp), %rcx
    movq 32(%rsp), %r8
    movq 40(%rsp), %r9
    movq 48(%rsp), %rax
    movups 64(%rsp), %xmm0
    movups 80(%rsp), %xmm1
    movups 96(%rsp), %xmm2
    movups 112(%rsp), %xmm3
    movups 128(%rsp), %xmm4
    movups 144(%rsp), %xmm5
    movups 160(%rsp), %xmm6
    movups 176(%rsp), %xmm7
    movq %rbp, %rsp
    popq %rbp
    jmp *%r11
    .size ask, .-ask

    /* \@ counts the uses of the macro, so it is the number of the function. */
    .macro TRAMPOLINE name
    .globl \name
    .type \name, @function
\name:
    movq SLOTS+8*\@(%rip), %r11
    testq %r11, %r11
    je .Lempty\@
    jmp *%r11
.Lempty\@:
    movl $\@, %r11d
    jmp ask
    .size \name, .-\name
    .endm

#define F(name) TRAMPOLINE name
#include SHIM_NAMES

    .section .note.GNU-stack, "", @progbits
