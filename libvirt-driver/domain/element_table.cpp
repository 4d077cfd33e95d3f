// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The rows of the table of elements, in the order of https://libvirt.org/formatdomain.html.
// A row is refused until the code that honours it is there. No logic here.
#include <array>

#include "domain/elements.h"

namespace mk::domain {
namespace {

constexpr auto honoured = Class::honoured;
constexpr auto true_anyway = Class::true_anyway;
constexpr auto without_effect = Class::without_effect;
constexpr auto live_only = Class::live_only;
constexpr auto refused = Class::refused;

constexpr std::string_view no_pins_but_vcpus =
    "only vCPUs have CPUs here, there is no emulator or I/O thread; remove it";
constexpr std::string_view no_shares =
    "a partition owns its CPUs whole, nothing else runs on them; remove it";
constexpr std::string_view no_emulation = "there is no hypervisor that could emulate it; remove it";
constexpr std::string_view no_firmware =
    "an app kernel is started directly, without firmware; use <kernel> and <initrd>";
constexpr std::string_view no_container_init =
    "it belongs to containers; name the first program with init= in <cmdline>";
constexpr std::string_view always_native =
    "app kernels see the bare processor, there is no hypervisor interface; remove it";
constexpr std::string_view no_disk_yet =
    "an app kernel has no block devices yet; put what it needs into <initrd>";
constexpr std::string_view no_network_yet = "an app kernel has no network yet; remove it";
constexpr std::string_view no_files_yet =
    "host directories cannot be shared yet; put what it needs into <initrd>";
constexpr std::string_view no_devices_yet = "devices cannot be handed over yet; remove it";
constexpr std::string_view no_screen = "an app kernel has no screen or keyboard; use <console>";
constexpr std::string_view no_bus =
    "an app kernel sees no emulated bus; remove it, nothing depends on it";
constexpr std::string_view only_console = "an app kernel has one port; use <console type='pty'>";
constexpr std::string_view cpu_is_real = "an app kernel sees the CPU as it is; remove it";
constexpr std::string_view only_pty = "only type='pty' is supported, with <log> for a file";

constexpr auto table = std::to_array<Element>({
    {"domain", honoured, "one partition"},
    {"domain@type", honoured, "'multikernel'"},
    {"domain@id", live_only, "the running domain's number"},

    {"domain/name", honoured, "as in libvirt, and at most 240 bytes", Text::yes},
    {"domain/uuid", honoured, "made if absent", Text::yes},
    {"domain/genid", refused, "a partition is never a clone of a running one; remove it"},
    {"domain/title", honoured, "one line", Text::yes},
    {"domain/description", honoured, "any text", Text::yes},
    {"domain/metadata", honoured, "one child for each namespace, kept as it is", Text::any},
    {"domain/hwuuid", refused, no_emulation},

    {"domain/os", honoured, "what is booted"},
    {"domain/os@firmware", refused, no_firmware},
    {"domain/os/type", honoured, "'hvm': an OS made for bare metal, which this is", Text::yes},
    {"domain/os/type@arch", honoured, "'x86_64'"},
    {"domain/os/type@machine", honoured, "'multikernel'; better left out"},
    {"domain/os/kernel", honoured, "path of a bzImage", Text::yes},
    {"domain/os/initrd", honoured, "path of a cpio archive, compressed or not", Text::yes},
    {"domain/os/cmdline", honoured, "kernel words; some belong to the driver", Text::yes},
    {"domain/os/dtb", refused, "x86 kernels take no device tree; remove it"},
    {"domain/os/shim", refused, no_firmware},
    {"domain/os/boot", refused, "there is nothing to boot from but <kernel> and <initrd>"},
    {"domain/os/bootmenu", refused, no_firmware},
    {"domain/os/smbios", refused, "an app kernel gets no SMBIOS tables; remove it"},
    {"domain/os/bios", refused, no_firmware},
    {"domain/os/loader", refused, no_firmware},
    {"domain/os/nvram", refused, no_firmware},
    {"domain/os/firmware", refused, no_firmware},
    {"domain/os/varstore", refused, no_firmware},
    {"domain/os/acpi", refused, "the ACPI tables of an app kernel are the driver's; remove it"},
    {"domain/os/init", refused, no_container_init},
    {"domain/os/initarg", refused, no_container_init},
    {"domain/os/initenv", refused, no_container_init},
    {"domain/os/initdir", refused, no_container_init},
    {"domain/os/inituser", refused, no_container_init},
    {"domain/os/initgroup", refused, no_container_init},
    {"domain/os/idmap", refused, no_container_init},
    {"domain/bootloader", refused, no_firmware},
    {"domain/bootloader_args", refused, no_firmware},
    {"domain/idmap", refused, "an app kernel has users of its own; remove it"},
    {"domain/sysinfo", refused, "an app kernel gets no SMBIOS tables; remove it"},

    {"domain/vcpu", honoured, "so many whole cores are taken from the host", Text::yes},
    {"domain/vcpu@placement", honoured, "'static', or 'auto': the driver chooses, as without"},
    {"domain/vcpu@cpuset", honoured, "CPUs to choose from; the chosen ones while it runs"},
    {"domain/vcpu@current", honoured, "how many it starts with; how many it has"},
    {"domain/vcpus", honoured, "which of the vCPUs are there"},
    {"domain/vcpus/vcpu", honoured, "one vCPU; vCPU 0 is always there"},
    {"domain/vcpus/vcpu@id", honoured, "its number"},
    {"domain/vcpus/vcpu@enabled", honoured, "'yes' or 'no'"},
    {"domain/vcpus/vcpu@hotpluggable", honoured, "'no': it stays while the domain runs"},
    {"domain/vcpus/vcpu@order", live_only, "vCPUs are brought up by their numbers"},
    {"domain/iothreads", refused, no_pins_but_vcpus},
    {"domain/iothreadids", refused, no_pins_but_vcpus},
    {"domain/defaultiothread", refused, no_pins_but_vcpus},
    {"domain/cputune", honoured, "<vcpupin> only"},
    {"domain/cputune/vcpupin", honoured, "the CPUs for one vCPU to choose from"},
    {"domain/cputune/vcpupin@vcpu", honoured, "number of the vCPU"},
    {"domain/cputune/vcpupin@cpuset", honoured, "CPUs; the chosen one while it runs"},
    {"domain/cputune/emulatorpin", refused, no_pins_but_vcpus},
    {"domain/cputune/iothreadpin", refused, no_pins_but_vcpus},
    {"domain/cputune/shares", refused, no_shares},
    {"domain/cputune/period", refused, no_shares},
    {"domain/cputune/quota", refused, no_shares},
    {"domain/cputune/global_period", refused, no_shares},
    {"domain/cputune/global_quota", refused, no_shares},
    {"domain/cputune/emulator_period", refused, no_shares},
    {"domain/cputune/emulator_quota", refused, no_shares},
    {"domain/cputune/iothread_period", refused, no_shares},
    {"domain/cputune/iothread_quota", refused, no_shares},
    {"domain/cputune/vcpusched", refused, no_shares},
    {"domain/cputune/iothreadsched", refused, no_shares},
    {"domain/cputune/emulatorsched", refused, no_shares},
    {"domain/cputune/cachetune", refused, "caches cannot be divided yet; remove it"},
    {"domain/cputune/memorytune", refused, "memory bandwidth cannot be divided yet; remove it"},

    {"domain/memory", honoured, "what it may have without <maxMemory>, memory devices included",
     Text::yes},
    {"domain/memory@unit", honoured, "all of libvirt's; 'KiB' if absent"},
    {"domain/memory@dumpCore", refused, "a dump always holds all memory; remove it"},
    {"domain/maxMemory", honoured, "how far it can grow while it runs", Text::yes},
    {"domain/maxMemory@slots", honoured, "how many memory devices it can have"},
    {"domain/maxMemory@unit", honoured, "all of libvirt's; 'KiB' if absent"},
    {"domain/currentMemory", honoured, "what it starts with; what it has", Text::yes},
    {"domain/currentMemory@unit", honoured, "all of libvirt's; 'KiB' if absent"},
    {"domain/memoryBacking", refused, "a partition owns its memory itself, unswapped; remove it"},
    {"domain/memtune", refused, "a partition owns exactly <memory>, no more; remove it"},
    {"domain/numatune", refused, "nodes cannot be chosen yet; choose CPUs by <vcpu cpuset>"},
    {"domain/blkiotune", refused, no_disk_yet},
    {"domain/throttlegroups", refused, no_disk_yet},
    {"domain/resource", refused, "a partition is in no cgroup; remove it"},

    {"domain/cpu", true_anyway, "app kernels see the CPU as it is"},
    {"domain/cpu@mode", true_anyway, "'host-passthrough'"},
    {"domain/cpu@match", refused, cpu_is_real},
    {"domain/cpu@check", refused, cpu_is_real},
    {"domain/cpu@migratable", refused, "a running partition cannot migrate; remove it"},
    {"domain/cpu@deprecated_features", refused, cpu_is_real},
    {"domain/cpu/model", refused, cpu_is_real},
    {"domain/cpu/vendor", refused, cpu_is_real},
    {"domain/cpu/feature", refused, cpu_is_real},
    {"domain/cpu/cache", refused, cpu_is_real},
    {"domain/cpu/maxphysaddr", refused, cpu_is_real},
    {"domain/cpu/topology", refused, "the CPUs chosen have their real topology; remove it"},
    {"domain/cpu/numa", refused, "an app kernel has one NUMA node yet; remove it"},

    {"domain/on_poweroff", honoured, "'destroy', 'restart', 'preserve'", Text::yes},
    {"domain/on_reboot", honoured, "'destroy', 'restart', 'preserve'", Text::yes},
    {"domain/on_crash", honoured, "those, 'coredump-destroy' and 'coredump-restart'", Text::yes},
    {"domain/on_lockfailure", refused, "there are no disk leases; remove it"},
    {"domain/pm", refused, "an app kernel cannot put the machine to sleep; remove it"},
    {"domain/perf", refused, "performance events are the app kernel's own; remove it"},

    {"domain/features", honoured, "<acpi/> and <apic/>"},
    {"domain/features/acpi", true_anyway, "ACPI tables name the partition's CPUs"},
    {"domain/features/apic", true_anyway, "app kernels drive their local APICs"},
    {"domain/features/apic@eoi", refused, always_native},
    {"domain/features/pae", refused, "a 64-bit kernel always uses PAE; remove it"},
    {"domain/features/hap", refused, always_native},
    {"domain/features/viridian", refused, always_native},
    {"domain/features/privnet", refused, no_network_yet},
    {"domain/features/hyperv", refused, always_native},
    {"domain/features/kvm", refused, always_native},
    {"domain/features/xen", refused, always_native},
    {"domain/features/pvspinlock", refused, always_native},
    {"domain/features/pmu", refused, "the performance counters cannot be hidden; remove it"},
    {"domain/features/vmport", refused, always_native},
    {"domain/features/gic", refused, "it belongs to ARM; remove it"},
    {"domain/features/smm", refused, "system management mode is the machine's own; remove it"},
    {"domain/features/ioapic", refused, "an app kernel has no I/O APIC; remove it"},
    {"domain/features/hpt", refused, "it belongs to POWER; remove it"},
    {"domain/features/htm", refused, "it belongs to POWER; remove it"},
    {"domain/features/nested-hv", refused, "it belongs to POWER; remove it"},
    {"domain/features/ccf-assist", refused, "it belongs to POWER; remove it"},
    {"domain/features/cfpc", refused, "it belongs to POWER; remove it"},
    {"domain/features/sbbc", refused, "it belongs to POWER; remove it"},
    {"domain/features/ibs", refused, "it belongs to POWER; remove it"},
    {"domain/features/vmcoreinfo", true_anyway, "dumps hold what the app kernel says of itself"},
    {"domain/features/msrs", refused, always_native},
    {"domain/features/tcg", refused, no_emulation},
    {"domain/features/async-teardown", refused, no_emulation},
    {"domain/features/capabilities", refused, no_container_init},

    {"domain/clock", true_anyway, "the machine's clock, in UTC"},
    {"domain/clock@offset", true_anyway, "'utc'"},
    {"domain/clock@adjustment", refused, "the clock is the machine's; remove it"},
    {"domain/clock@basis", refused, "the clock is the machine's; remove it"},
    {"domain/clock@timezone", refused, "the clock is the machine's; remove it"},
    {"domain/clock@start", refused, "the clock is the machine's; remove it"},
    {"domain/clock/timer", refused, "timers are the CPU's own (TSC, local APIC); remove it"},

    {"domain/devices", honoured, "the console"},
    {"domain/devices/emulator", true_anyway, "a path, kept; nothing is emulated", Text::yes},
    {"domain/devices/disk", refused, no_disk_yet},
    {"domain/devices/filesystem", refused, no_files_yet},
    {"domain/devices/interface", refused, no_network_yet},
    {"domain/devices/hostdev", refused, no_devices_yet},
    {"domain/devices/controller", without_effect, "an app kernel sees no emulated bus"},
    {"domain/devices/lease", refused, no_disk_yet},
    {"domain/devices/redirdev", refused, no_devices_yet},
    {"domain/devices/redirfilter", refused, no_devices_yet},
    {"domain/devices/smartcard", refused, no_devices_yet},
    {"domain/devices/hub", without_effect, "an app kernel sees no emulated bus"},
    {"domain/devices/input", without_effect,
     "an app kernel has no screen or keyboard; <console> is its terminal"},
    {"domain/devices/graphics", refused, no_screen},
    {"domain/devices/video", refused, no_screen},
    {"domain/devices/sound", without_effect, "an app kernel has no sound"},
    {"domain/devices/audio", without_effect, "an app kernel has no sound"},
    {"domain/devices/parallel", refused, only_console},
    {"domain/devices/channel", refused, only_console},
    {"domain/devices/serial", honoured, "the same port as <console>: hvc0"},
    {"domain/devices/serial@type", honoured, "'pty'"},
    {"domain/devices/serial/source", live_only, "the pty"},
    {"domain/devices/serial/source@path", live_only, "the pty"},
    {"domain/devices/serial/source@append", refused, only_pty},
    {"domain/devices/serial/source@mode", refused, only_pty},
    {"domain/devices/serial/protocol", refused, only_pty},
    {"domain/devices/serial/log", honoured, "a copy of all output"},
    {"domain/devices/serial/log@file", honoured, "absolute path"},
    {"domain/devices/serial/log@append", honoured, "'on', or 'off': empty it at each start"},
    {"domain/devices/serial/target", honoured, "port 0"},
    {"domain/devices/serial/target@port", honoured, "'0'"},
    {"domain/devices/serial/target@type", refused, "there is no UART; remove the attribute"},
    {"domain/devices/serial/target/model", refused, "there is no UART; remove it"},
    {"domain/devices/serial/alias", honoured, "as in libvirt"},
    {"domain/devices/serial/alias@name", honoured, "'ua-…' is kept; others are live only"},
    {"domain/devices/serial/address", refused, no_bus},
    {"domain/devices/console", honoured, "the app kernel's console, hvc0"},
    {"domain/devices/console@type", honoured, "'pty'"},
    {"domain/devices/console@tty", live_only, "the pty"},
    {"domain/devices/console/source", live_only, "the pty"},
    {"domain/devices/console/source@path", live_only, "the pty"},
    {"domain/devices/console/source@append", refused, only_pty},
    {"domain/devices/console/source@mode", refused, only_pty},
    {"domain/devices/console/protocol", refused, only_pty},
    {"domain/devices/console/log", honoured, "a copy of all output"},
    {"domain/devices/console/log@file", honoured, "absolute path"},
    {"domain/devices/console/log@append", honoured, "'on', or 'off': empty it at each start"},
    {"domain/devices/console/target", honoured, "port 0"},
    {"domain/devices/console/target@type", honoured, "'serial' or 'virtio', both are hvc0"},
    {"domain/devices/console/target@port", honoured, "'0'"},
    {"domain/devices/console/alias", honoured, "as in libvirt"},
    {"domain/devices/console/alias@name", honoured, "'ua-…' is kept; others are live only"},
    {"domain/devices/console/address", refused, no_bus},
    {"domain/devices/watchdog", honoured, "watches the app kernel's heartbeat"},
    {"domain/devices/watchdog@model", honoured, "'multikernel'"},
    {"domain/devices/watchdog@action", honoured,
     "'reset' (default), 'poweroff', 'pause', 'dump', 'inject-nmi', 'none'"},
    {"domain/devices/watchdog/alias", refused, "there is one heartbeat; remove it"},
    {"domain/devices/watchdog/address", refused, no_bus},
    {"domain/devices/memballoon", honoured, "'none': its boot memory stays as it is"},
    {"domain/devices/memballoon@model", honoured, "'none'"},
    {"domain/devices/memballoon@autodeflate", refused, "the balloon is no device; remove it"},
    {"domain/devices/memballoon@freePageReporting", refused, "the balloon is no device; remove it"},
    {"domain/devices/memballoon/stats", refused, "the balloon is no device; remove it"},
    {"domain/devices/memballoon/alias", refused, "the balloon is no device; remove it"},
    {"domain/devices/memballoon/address", refused, "the balloon is no device; remove it"},
    {"domain/devices/rng", without_effect, "app kernels use the CPU's own RDRAND"},
    {"domain/devices/tpm", refused, no_devices_yet},
    {"domain/devices/nvram", refused, no_firmware},
    {"domain/devices/panic", refused, "panics are always caught, see <on_crash>; remove it"},
    {"domain/devices/shmem", refused, "memory cannot be shared between domains; remove it"},
    {"domain/devices/memory", honoured, "memory that comes and goes while it runs"},
    {"domain/devices/memory@model", honoured, "'dimm'"},
    {"domain/devices/memory@access", refused, "memory is never shared; remove it"},
    {"domain/devices/memory@discard", refused, "no file is behind it; remove it"},
    {"domain/devices/memory/source", refused, "the driver chooses the node; remove it"},
    {"domain/devices/memory/target", honoured, "size and node"},
    {"domain/devices/memory/target/size", honoured, "whole memory blocks", Text::yes},
    {"domain/devices/memory/target/size@unit", honoured, "all of libvirt's"},
    {"domain/devices/memory/target/node", honoured, "'0'", Text::yes},
    {"domain/devices/memory/alias", honoured, "as in libvirt"},
    {"domain/devices/memory/alias@name", honoured, "'ua-…' is kept; others are live only"},
    {"domain/devices/memory/address", honoured, "its slot"},
    {"domain/devices/memory/address@type", honoured, "'dimm'"},
    {"domain/devices/memory/address@slot", honoured, "below <maxMemory slots>"},
    {"domain/devices/memory/address@base", live_only, "where it begins"},
    {"domain/devices/iommu", refused, no_devices_yet},
    {"domain/devices/vsock", refused, "an app kernel has no vsock yet; use <console>"},
    {"domain/devices/crypto", refused, no_devices_yet},
    {"domain/devices/pstore", refused, "the console log keeps the last messages; remove it"},

    {"domain/seclabel", refused, "no process of the host runs a partition; remove it"},
    {"domain/keywrap", refused, "it belongs to s390; remove it"},
    {"domain/launchSecurity", refused, "memory cannot be hidden from the host; remove it"},
    {"domain/qemu:commandline", refused, "there is no QEMU; remove it"},
    {"domain/qemu:capabilities", refused, "there is no QEMU; remove it"},
    {"domain/qemu:override", refused, "there is no QEMU; remove it"},
    {"domain/qemu:deprecation", refused, "there is no QEMU; remove it"},

    {"domain/multikernel:chosen", live_only, "where the running partition is; see README"},
    {"domain/multikernel:chosen@cpus", live_only, "CPU of vCPU 0, 1, …"},
    {"domain/multikernel:chosen@nodeset", live_only, "NUMA nodes of its memory"},
    {"domain/multikernel:chosen@known", live_only, "all CPUs that it can ever be given"},
    {"domain/multikernel:chosen@wanted", live_only, "the definition's own <vcpu cpuset>"},
    {"domain/multikernel:chosen/multikernel:wanted", live_only, "the definition's <vcpupin>"},
    {"domain/multikernel:chosen/multikernel:wanted@vcpu", live_only, "number of the vCPU"},
    {"domain/multikernel:chosen/multikernel:wanted@cpuset", live_only, "its CPUs"},
});

}  // namespace

std::span<const Element> element_table() noexcept {
    return table;
}

}  // namespace mk::domain
