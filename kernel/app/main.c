// SPDX-License-Identifier: GPL-2.0-only
/*
 * multikernel_app.ko: what a stock kernel needs to live in a partition of a
 * multikernel host. This file maps the control area, checks that it is one, and
 * starts the other files in order. What the host does is not here.
 *
 * There is no module exit: once loaded, only this module stands between a
 * reboot of this kernel and a reset of the whole machine.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/utsname.h>
#include <asm/barrier.h>

#include "app.h"

static unsigned long shm;
module_param(shm, ulong, 0);
MODULE_PARM_DESC(shm, "physical address of the control area, multikernel.shm= of the command line");

struct mk_shared mk_shared;

/**
 * mk_announce - tell the host what became of this kernel
 * @state: enum mk_app_state
 *
 * Context: any, NMI included.
 */
void mk_announce(enum mk_app_state state)
{
	struct mk_app_page *page = mk_shared.page;

	WRITE_ONCE(page->state, state);
	virt_wmb();	/* magic says that the rest of the page is true */
	WRITE_ONCE(page->magic, MK_SHARED_MAGIC);
	virt_mb();	/* the state before the ring */
	mk_ring_host();
}

/* Says why if the control area is not one that this module understands. */
static int __init check_host_page(const struct mk_host_page *host)
{
	u64 magic = READ_ONCE(host->magic);
	u32 version = READ_ONCE(host->version), cpus = READ_ONCE(host->cpus);

	if (magic != MK_SHARED_MAGIC) {
		pr_err("no control area at %#lx: found %#llx, expected %#llx\n",
		       shm, magic, MK_SHARED_MAGIC);
		return -ENODEV;
	}
	if (version != MK_SHARED_VERSION) {
		pr_err("the host speaks version %u, not %u: both modules must be of one release\n",
		       version, MK_SHARED_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!cpus || cpus > MK_SHARED_CPUS) {
		pr_err("the host lists %u CPUs, 1 to %u can be\n", cpus, MK_SHARED_CPUS);
		return -EPROTO;
	}
	return 0;
}

static void __init unmap_shared(void)
{
	memunmap((void *)mk_shared.host);
	memunmap((void *)mk_shared.grants);
}

static int __init map_shared(void)
{
	void *base, *live;
	int ret;

	if (!shm || !PAGE_ALIGNED(shm)) {
		pr_err("shm=%#lx is no page of a control area\n", shm);
		return -EINVAL;
	}
	/* it is reserved in the memory map that the host made for us */
	if (region_intersects(shm, MK_CONTROL_BYTES, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT) {
		pr_err("shm=%#lx is RAM of this kernel, not a control area\n", shm);
		return -EINVAL;
	}
	base = memremap(shm, MK_SHARED_BYTES, MEMREMAP_WB);
	live = memremap(shm + MK_LIVE, MK_LIVE_BYTES, MEMREMAP_WB);
	if (!base || !live) {
		pr_err("cannot map the control area at %#lx\n", shm);
		ret = -ENOMEM;
		goto err;
	}
	ret = check_host_page(base + MK_HOST_PAGE);
	if (ret)
		goto err;
	mk_shared.host = base + MK_HOST_PAGE;
	mk_shared.page = base + MK_APP_PAGE;
	mk_shared.tx = base + MK_TX_RING;
	mk_shared.rx = base + MK_RX_RING;
	mk_shared.grants = live + MK_GRANT_TABLE - MK_LIVE;
	mk_shared.balloon = live + MK_BALLOON_TABLE - MK_LIVE;
	mk_shared.stats = base + MK_STATS_PAGE;
	mk_shared.cpus = live + MK_APP_CPUS - MK_LIVE;

	memset(mk_shared.page, 0, sizeof(*mk_shared.page));
	WRITE_ONCE(mk_shared.page->version, MK_SHARED_VERSION);
	strscpy(mk_shared.page->release, init_utsname()->release, sizeof(mk_shared.page->release));
	return 0;

err:
	if (live)
		memunmap(live);
	if (base)
		memunmap(base);
	return ret;
}

static int __init mk_app_init(void)
{
	int ret;

	ret = map_shared();
	if (ret)
		return ret;
	ret = mk_platform_init();
	if (ret)
		goto err_map;
	mk_memory_init();
	ret = mk_balloon_init();
	if (ret)
		goto err_map;
	mk_request_init();
	ret = mk_doorbell_init();
	if (ret)
		goto err_request;
	ret = mk_nmi_init();
	if (ret)
		goto err_doorbell;
	ret = mk_cpus_init();
	if (ret)
		goto err_nmi;
	ret = mk_lifecycle_init();
	if (ret)
		goto err_cpus;
	ret = mk_console_init();
	if (ret)
		goto err_lifecycle;

	mk_stats_start();
	mk_announce(MK_APP_RUNNING);
	mk_cpus_bring_up();
	return 0;

err_lifecycle:
	mk_lifecycle_exit();
err_cpus:
	mk_cpus_exit();
err_nmi:
	mk_nmi_exit();
err_doorbell:
	mk_doorbell_exit();
err_request:
	mk_request_exit();
	mk_balloon_exit();
err_map:
	unmap_shared();
	return ret;
}
module_init(mk_app_init);

MODULE_DESCRIPTION("Runs a stock kernel in a partition of a multikernel host");
MODULE_LICENSE("GPL");
