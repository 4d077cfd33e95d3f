// SPDX-License-Identifier: GPL-2.0-only
/*
 * How this kernel ends: power-off, reboot, halt and crash are caught before
 * anything of the machine is touched, told to the host, and the CPUs parked.
 * What the host asks for is request.c's matter.
 *
 * Where they are caught (kernel/reboot.c, kernel/panic.c):
 *
 *   syscore shutdown   power-off, reboot, halt. Callbacks run in reverse order of
 *                      registration: devices are shut down by then, the
 *                      interrupt controllers, which are the host's, are not.
 *   kmsg dump, EMERG   emergency_restart(): sysrq-b, and panic with a timeout
 *   smp_ops            how panic() stops the other CPUs
 *   panic notifier     keeps the message
 *   panic_blink        after the last flush of the console: the end of a panic
 *   reboot notifier    kexec, which announces itself as a restart and never
 *                      comes to syscore shutdown
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/notifier.h>
#include <linux/panic.h>
#include <linux/panic_notifier.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/syscore_ops.h>
#include <asm/barrier.h>
#include <asm/smp.h>
#include <asm/sync_core.h>

#include "app.h"
#include "compat.h"

#define PARK_WAIT_US	100000		/* how long the last CPU waits for the others to park */

static atomic_t ended;
static atomic_t parked;
static bool panicked;
static struct smp_ops stock_ops;
static struct sys_off_handler *power_off_handler;

/*
 * INIT from the host ends it. An NMI is handled by nmi.c as in a kernel that runs;
 * where this was reached in an NMI, its handler does not run again, so look here.
 */
static void __noreturn park(void)
{
	atomic_inc(&parked);
	iret_to_self();		/* in an NMI, others are blocked until an IRET */
	for (;;) {
		local_irq_disable();
		native_halt();
		if (in_nmi())
			mk_nmi_check();
	}
}

/**
 * mk_park - wait for the host's INIT
 *
 * Does not return, but objtool cannot know that of another file's function.
 *
 * Context: any, NMI included.
 */
void mk_park(void)
{
	park();
}

static void park_call(void *arg)
{
	park();
}

static DEFINE_PER_CPU(call_single_data_t, park_csd);

static bool wait_for_parked(int others)
{
	unsigned int us;

	for (us = 0; us < PARK_WAIT_US && atomic_read(&parked) < others; us++)
		udelay(1);
	return atomic_read(&parked) >= others;
}

/*
 * Asynchronous, since this may run with interrupts off. By interrupt first, which
 * a CPU takes when it holds no lock of the console; then by NMI. One that does not
 * listen even then is left to the host, whose INIT needs no consent.
 */
static void park_others(void)
{
	unsigned int cpu;
	int others = 0;

	for_each_online_cpu(cpu) {
		if (cpu == raw_smp_processor_id())
			continue;
		if (!smp_call_function_single_async(cpu, per_cpu_ptr(&park_csd, cpu)))
			others++;
	}
	if (wait_for_parked(others))
		return;
	mk_nmi_park_others();
	wait_for_parked(others);
}

/*
 * panic() stops the others with it. The kernel's own way leaves them where no NMI
 * is heard, and what they were doing is what a dump is to show.
 */
static void on_stop(int wait)
{
	park_others();
}

static void on_crash_stop(void)
{
	park_others();
}

/* The first to come tells the host; a second one (crash during reboot) parks. */
static void __noreturn end(enum mk_app_state state)
{
	preempt_disable();
	if (!atomic_cmpxchg(&ended, 0, 1)) {
		park_others();
		mk_announce(state);
	}
	park();
}

static void on_shutdown(void)
{
	switch (system_state) {
	case SYSTEM_POWER_OFF:
		pr_emerg("powered off\n");
		end(MK_APP_POWEROFF);
	case SYSTEM_HALT:
		pr_emerg("halted\n");
		end(MK_APP_HALTED);
	default:
		pr_emerg("rebooting\n");
		end(MK_APP_REBOOT);
	}
}

static struct syscore_ops shutdown_ops = {
	.shutdown = on_shutdown,
};

/* Not reached; but reboot(2) turns a power-off into a halt if nobody offers one. */
static int on_power_off(struct sys_off_data *data)
{
	end(MK_APP_POWEROFF);
}

static int on_reboot(struct notifier_block *nb, unsigned long code, void *command)
{
	if (code == SYS_RESTART && command && !strcmp(command, "kexec reboot")) {
		pr_emerg("kexec is not possible in a partition, rebooting\n");
		end(MK_APP_REBOOT);
	}
	return NOTIFY_DONE;
}

static struct notifier_block reboot_block = {
	.notifier_call = on_reboot,
	.priority = INT_MAX,
};

static int on_panic(struct notifier_block *nb, unsigned long code, void *message)
{
	strscpy(mk_shared.page->panic, message, sizeof(mk_shared.page->panic));
	panicked = true;
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = {
	.notifier_call = on_panic,
	.priority = INT_MAX,	/* first: another notifier may hang */
};

static long on_panic_end(int state)
{
	end(MK_APP_PANIC);
}

static void on_dump(enum kmsg_dump_reason reason)
{
	if (reason == KMSG_DUMP_EMERG)
		end(panicked ? MK_APP_PANIC : MK_APP_REBOOT);
}

MK_KMSG_DUMPER(dumper, on_dump);

/*
 * Sleep states are refused: nothing wakes a suspended partition, and hibernation
 * writes an image that no later start would find.
 */
static int on_sleep(struct notifier_block *nb, unsigned long event, void *arg)
{
	if (event != PM_SUSPEND_PREPARE && event != PM_HIBERNATION_PREPARE)
		return NOTIFY_DONE;
	pr_err("a partition cannot suspend itself\n");
	return notifier_from_errno(-EOPNOTSUPP);
}

static struct notifier_block sleep_block = {
	.notifier_call = on_sleep,
	.priority = INT_MAX,
};

/**
 * mk_lifecycle_init - stand between this kernel's end and the machine
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_lifecycle_init(void)
{
	unsigned int cpu;
	int ret;

	/* not by CSD_INIT(): the module loader does not relocate per-CPU data */
	for_each_possible_cpu(cpu)
		INIT_CSD(per_cpu_ptr(&park_csd, cpu), park_call, NULL);

	power_off_handler = register_sys_off_handler(SYS_OFF_MODE_POWER_OFF,
						     SYS_OFF_PRIO_FIRMWARE, on_power_off, NULL);
	if (IS_ERR(power_off_handler)) {
		ret = PTR_ERR(power_off_handler);
		goto err;
	}
	ret = kmsg_dump_register(&dumper);
	if (ret)
		goto err_power_off;
	ret = register_reboot_notifier(&reboot_block);
	if (ret)
		goto err_dump;
	ret = register_pm_notifier(&sleep_block);
	if (ret)
		goto err_reboot;
	ret = atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	if (ret)
		goto err_sleep;
	register_syscore_ops(&shutdown_ops);
	panic_blink = on_panic_end;
	stock_ops = smp_ops;
	smp_ops.stop_other_cpus = on_stop;
	smp_ops.crash_stop_other_cpus = on_crash_stop;
	return 0;

err_sleep:
	unregister_pm_notifier(&sleep_block);
err_reboot:
	unregister_reboot_notifier(&reboot_block);
err_dump:
	kmsg_dump_unregister(&dumper);
err_power_off:
	unregister_sys_off_handler(power_off_handler);
err:
	pr_err("cannot catch the end of this kernel: error %d\n", ret);
	return ret;
}

/**
 * mk_lifecycle_exit - undo mk_lifecycle_init() when the module fails to load
 *
 * Context: may sleep.
 */
void mk_lifecycle_exit(void)
{
	smp_ops = stock_ops;
	panic_blink = NULL;
	unregister_syscore_ops(&shutdown_ops);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	unregister_pm_notifier(&sleep_block);
	unregister_reboot_notifier(&reboot_block);
	kmsg_dump_unregister(&dumper);
	unregister_sys_off_handler(power_off_handler);
}
