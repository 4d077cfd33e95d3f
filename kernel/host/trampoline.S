/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a CPU of a partition arrives after INIT and SIPI: a page below 1 MiB,
 * real mode, CS:0. It goes to long mode, turns off what could still write to
 * memory or interrupt on behalf of the kernel that ran on it before (INIT
 * leaves these registers as they were: Intel SDM vol. 3, table "IA-32 and
 * Intel 64 Processor States Following Power-up, Reset, or INIT"), reports,
 * and then parks or enters a kernel. Not for CPUs that the app kernel adds by
 * itself: those start in the app kernel's own trampoline.
 *
 * The page is copied from here; struct mk_trampoline is filled in by cpu.c.
 */
#include "trampoline.h"

#define OFFSET(symbol)	(symbol - mk_trampoline_start)

#define MSR_DEBUGCTL		0x1d9
#define MSR_PERFEVTSEL0		0x186
#define MSR_FIXED_CTR_CTRL	0x38d
#define MSR_GLOBAL_CTRL		0x38f
#define MSR_PEBS_ENABLE		0x3f1
#define MSR_RTIT_CTL		0x570
#define MSR_DS_AREA		0x600
#define MSR_LBR_CTL		0x14ce
#define MSR_AMD_EVNTSEL0	0xc0010000
#define MSR_AMD_PERF_CTL0	0xc0010200
#define MSR_AMD_GLOBAL_CTL	0xc0000301
#define MSR_IBS_FETCH_CTL	0xc0011030
#define MSR_IBS_OP_CTL		0xc0011033

/* A register that is not there raises #GP; mk_trampoline_skip steps over it. */
.macro CLEAR_MSR msr
	movl	$\msr, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
.endm

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

	CLEAR_MSR MSR_DEBUGCTL			/* branch trace stores, LBR */
	xorl	%eax, %eax
	cpuid
	movl	%eax, %r8d			/* highest basic leaf */
	cmpl	$0x68747541, %ebx		/* "Auth"enticAMD */
	je	amd
	cmpl	$0x6f677948, %ebx		/* "Hygo"nGenuine */
	je	amd

	cmpl	$0xa, %r8d			/* architectural monitoring */
	jb	1f
	movl	$0xa, %eax
	cpuid
	movl	%eax, %r9d
	movzbl	%ah, %edx			/* number of counters */
	movl	%edx, %r10d
	testb	%r9b, %r9b
	jz	1f
	cmpb	$2, %r9b
	jb	2f
	CLEAR_MSR MSR_GLOBAL_CTRL
	CLEAR_MSR MSR_FIXED_CTR_CTRL
2:	movl	$MSR_PERFEVTSEL0, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
3:	testl	%r10d, %r10d
	jz	1f
	wrmsr
	incl	%ecx
	decl	%r10d
	jmp	3b

1:	movl	$1, %eax
	cpuid
	btl	$21, %edx			/* debug store */
	jnc	1f
	CLEAR_MSR MSR_PEBS_ENABLE
	CLEAR_MSR MSR_DS_AREA
1:	cmpl	$7, %r8d
	jb	scrubbed
	movl	$7, %eax
	xorl	%ecx, %ecx
	cpuid
	movl	%edx, %r9d
	btl	$25, %ebx			/* processor trace */
	jnc	1f
	xorl	%eax, %eax			/* if the read is stepped over */
	xorl	%edx, %edx
	movl	$MSR_RTIT_CTL, %ecx
	rdmsr
	andl	$~1, %eax			/* TraceEn, before all else */
	wrmsr
1:	btl	$19, %r9d			/* architectural LBR */
	jnc	scrubbed
	CLEAR_MSR MSR_LBR_CTL
	jmp	scrubbed

amd:
	movl	$0x80000000, %eax
	cpuid
	movl	%eax, %r8d			/* highest extended leaf */
	movl	$0x80000001, %eax
	cpuid
	movl	%ecx, %r9d
	movl	$MSR_AMD_EVNTSEL0, %ecx		/* four, one after the other */
	movl	$4, %r10d
	movl	$1, %r11d
	btl	$23, %r9d			/* or six, every other register */
	jnc	1f
	movl	$MSR_AMD_PERF_CTL0, %ecx
	movl	$6, %r10d
	movl	$2, %r11d
1:	xorl	%eax, %eax
	xorl	%edx, %edx
2:	wrmsr
	addl	%r11d, %ecx
	decl	%r10d
	jnz	2b
	btl	$10, %r9d			/* instruction based sampling */
	jnc	1f
	CLEAR_MSR MSR_IBS_FETCH_CTL
	CLEAR_MSR MSR_IBS_OP_CTL
1:	cmpl	$0x80000022, %r8d
	jb	scrubbed
	movl	$0x80000022, %eax
	cpuid
	testb	$1, %al				/* performance monitoring v2 */
	jz	scrubbed
	CLEAR_MSR MSR_AMD_GLOBAL_CTL

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

mk_trampoline_skip:				/* #GP at a wrmsr or rdmsr, 2 bytes */
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
		.long 0
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
