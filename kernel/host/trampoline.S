/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a CPU of a partition arrives after INIT and SIPI: a page below 1 MiB,
 * real mode, CS:0. It goes to long mode, clears the registers of the plan for
 * this CPU (scrub.c), reports, and then parks or enters a kernel. A register
 * that is not there after all raises #GP: it is stepped over and counted;
 * without a handler that would reset the machine. Not for CPUs that the app
 * kernel adds by itself: those start in the app kernel's own trampoline.
 *
 * The page is copied from here; struct mk_trampoline is filled in by cpu.c.
 */
#include "trampoline.h"

#define OFFSET(symbol)	(symbol - mk_trampoline_start)

	.section .rodata, "a"
	.balign	16
	.globl	mk_trampoline_start, mk_trampoline_end, mk_trampoline_data
	.globl	mk_trampoline_64, mk_trampoline_skip, mk_trampoline_return
	.globl	mk_trampoline_trap, mk_trampoline_leave

	.code16
mk_trampoline_start:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$MK_CPU_AWAKE, OFFSET(status)
	lgdtl	OFFSET(gdtr)
	movl	$0x20, %eax			/* CR4.PAE */
	movl	%eax, %cr4
	movl	OFFSET(cr3), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER.LME */
	xorl	%edx, %edx
	movl	$0x100, %eax
	wrmsr
	movl	$0x80000033, %eax		/* PG, NE, ET, MP, PE; caches on */
	movl	%eax, %cr0
	ljmpl	*OFFSET(far)

	.code64
mk_trampoline_64:
	movl	$MK_TRAMPOLINE_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movq	stack(%rip), %rsp
	lidt	idtr(%rip)

	leaq	plan(%rip), %rsi
	movl	planned(%rip), %r8d
	xorl	%eax, %eax
	xorl	%edx, %edx
1:	cmpl	%r8d, walked(%rip)
	jae	scrubbed
	movl	(%rsi), %ecx
	wrmsr
	addq	$4, %rsi
	incl	walked(%rip)
	jmp	1b

scrubbed:
	movl	$MK_CPU_SCRUBBED, status(%rip)
	cmpl	$MK_TRAMPOLINE_BOOT, mode(%rip)
	je	boot
park:
	cli
	hlt
	jmp	park
boot:
	movq	boot_params(%rip), %rsi
	movq	entry(%rip), %rax
	leaq	status(%rip), %rdi
	movq	leave(%rip), %rcx
	movq	boot_cr3(%rip), %rdx
	movq	%rdx, %cr3
	jmp	*%rcx

/*
 * Runs from a copy in the partition's own memory, on page tables there: once
 * it has reported, this page and its tables may serve another CPU.
 */
mk_trampoline_leave:
	movl	$MK_CPU_GONE, (%rdi)
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	jmp	*%rax

mk_trampoline_skip:				/* #GP at a wrmsr, 2 bytes */
	incl	skipped(%rip)
	addq	$8, %rsp			/* error code */
	addq	$2, (%rsp)
	iretq
mk_trampoline_return:				/* NMI */
	iretq
mk_trampoline_trap:
	movl	$MK_CPU_TRAPPED, status(%rip)
	jmp	park

	.balign	16
mk_trampoline_data:
cr3:		.long 0
status:		.long 0
mode:		.long 0
planned:	.long 0
walked:		.long 0
skipped:	.long 0
plan:		.fill MK_SCRUB_MAX, 4, 0
entry:		.quad 0
boot_params:	.quad 0
boot_cr3:	.quad 0
leave:		.quad 0
stack:		.quad 0
gdtr:		.word 0
		.long 0
idtr:		.word 0
		.quad 0
far:		.long 0
		.word 0
		.word 0
		.fill 4, 8, 0			/* gdt */
		.fill 2 * MK_TRAMPOLINE_GATES, 8, 0	/* idt */
	.org	mk_trampoline_start + MK_TRAMPOLINE_BYTES
mk_trampoline_end:
