// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line of app kernels: kernel/host/cmdline.c, compiled for user space. Each row of
// its table has a case in `row_cases`; CoversEachRow fails for a row that has none. Not for what a
// kernel then does with the words.
extern "C" {
#include "../../../kernel/host/cmdline.h"
}

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace {

struct Built {
    int ret;
    std::string line;
    std::string message;
};

Built build(const std::string& user, size_t size = 2048) {
    std::string line(size, '\0');
    char message[256] = "";
    const int ret =
        mk_cmdline_build(line.data(), size, user.c_str(), "added=1", message, sizeof(message));
    return {ret, line.c_str(), message};
}

const std::string forced_words =
    "console=hvc0 rdinit=/multikernel/init no_ipi_broadcast=1 nox2apic nopv pci=off nohpet "
    "swiotlb=noforce tsc=reliable clocksource=tsc no_timer_check panic=0 apic_extnmi=none "
    "dis_ucode_ldr 8250.nr_uarts=0 nmi_watchdog=0 memhp_default_state=online_movable maxcpus=1 "
    "nosgx rdt=!cmt,!mbmtotal,!mbmlocal,!l3cat,!l3cdp,!l2cat,!l2cdp,!mba,!smba,!bmec "
    "initcall_blacklist=thermal_throttle_init_device "
    "module_blacklist=kvm_intel,kvm_amd,pcspkr";

// One for each row: a word that the row refuses, and one that looks like it and is passed on.
struct Case {
    const char* row;
    const char* refused;
    const char* passed;
};

const Case row_cases[] = {
    {"console", "console=uart8250,io,0x3f8", "console=ttyS0"},
    {"rdinit", "rdinit=/bin/sh", "init=/bin/sh"},
    {"no_ipi_broadcast", "no_ipi_broadcast=0", "no_ipi_broadcasts=0"},
    {"nox2apic", "nox2apic", "x=nox2apic"},
    {"nopv", "nopv", "nopvspin"},
    {"pci", "pci=conf1", "pcinot=1"},
    {"nohpet", "nohpet", "nohpets"},
    {"swiotlb", "swiotlb=force", "swiotlbs=1"},
    {"tsc", "tsc=unstable", "tsc_x=1"},
    {"clocksource", "clocksource=hpet", "clocksource.x=1"},
    {"no_timer_check", "no_timer_check", "timer_check"},
    {"panic", "panic=5", "panic_on_warn=1"},
    {"apic_extnmi", "apic_extnmi=all", "extnmi=all"},
    {"dis_ucode_ldr", "dis_ucode_ldr", "ucode_ldr"},
    {"8250", "8250_core.nr_uarts=4", "x8250.nr_uarts=4"},
    {"nmi_watchdog", "nmi_watchdog=1", "nowatchdog"},
    {"memhp_default_state", "memhp_default_state=offline", "memhp=1"},
    {"maxcpus", "maxcpus=64", "maxcpu=64"},
    {"nosgx", "nosgx", "nosgxs"},
    {"rdt", "rdt=l3cat", "rdts=1"},
    {"module_blacklist", "module_blacklist=a,multikernel_app", "modprobe.blacklist=a"},
    {"tsc_early_khz", "tsc_early_khz=1", "tsc_khz=1"},
    {"multikernel.", "multikernel.shm=0x1000", "multikernels=1"},
    {"multikernel_app.", "multikernel-app.shm=1", "multikernel_apps=1"},
    {"apic", "apic=verbose", "xapic=1"},
    {"noapic", "noapictimer", "xnoapic"},
    {"lapic", "lapic=notscdeadline", "xlapic"},
    {"nolapic", "nolapic_timer", "xnolapic"},
    {"disableapic", "disableapic", "disableapics"},
    {"x2apic", "x2apic_phys", "xx2apic"},
    {"hpet", "hpet=force", "xhpet"},
    {"notsc", "notscs", "xnotsc"},
    {"pmtmr", "pmtmr=0x60", "pmtmrs=1"},
    {"nomce", "nomce", "nomces"},
    {"mce", "mce=off", "mces=off"},
    {"clock", "clock=pit", "clocks=1"},
    {"disable_timer_pin_1", "disable_timer_pin_1", "disable_timer_pin_2"},
    {"enable_timer_pin_1", "enable_timer_pin_1", "enable_timer_pin_2"},
    {"pcie_", "pcie_aspm=force", "pciehp=1"},
    {"iommu", "iommu.passthrough=1", "xiommu=1"},
    {"intel_iommu", "intel_iommu=on", "intel_idle.max_cstate=1"},
    {"amd_iommu", "amd_iommu_dump", "amd_pstate=passive"},
    {"intremap", "intremap=off", "intremaps=off"},
    {"iomem", "iomem=relaxed", "iomems=1"},
    {"tpm_tis.", "tpm_tis.force=1", "tpm_tis_core=1"},
    {"acpi_rsdp", "acpi_rsdp=0x1000", "xacpi_rsdp=0x1000"},
    {"earlyprintk", "earlyprintk=serial,0x3f8", "earlyprint=1"},
    {"acpi", "acpi_enforce_resources=lax", "xacpi=off"},
    {"noacpi", "noacpi", "noacpis"},
    {"pnp", "pnpacpi=off", "xpnp=1"},
    {"isapnp", "isapnp=1", "isapnps=1"},
    {"alloc_mptable", "alloc_mptable", "alloc_mptables"},
    {"update_mptable", "update-mptable", "update_mptables"},
    {"mtrr_", "mtrr_chunk_size=1g", "mtrr=1"},
    {"enable_mtrr_cleanup", "enable_mtrr_cleanup", "disable_mtrr_trim"},
    {"earlycon", "earlycon", "earlycons"},
    {"i8042.", "i8042.reset", "i8042x=1"},
    {"mem", "mem=1G", "mem_sleep_default=s2idle"},
    {"memmap", "memmap=1G$0x100000000", "memmaps=1"},
    {"efi_fake_mem", "efi_fake_mem=1G@0", "efi=noruntime"},
    {"crashkernel", "crashkernel=256M", "crashkernels=1"},
    {"mem_encrypt", "mem_encrypt=on", "mem_encrypted=1"},
    {"elfcorehdr", "elfcorehdr=0x1000", "elfcorehdrs=1"},
    {"initrd", "initrd=0x1000,5", "retain_initrd"},
    {"initrdmem", "initrdmem=0x1000,5", "initrdmems=1"},
    {"nr_cpus", "nr_cpus=8", "nr_cpu=8"},
    {"possible_cpus", "possible_cpus=8", "possible_cpu=8"},
    {"additional_cpus", "additional_cpus=8", "additional_cpu=8"},
    {"nosmp", "nosmp", "nosmt"},
    {"disable_cpu_apicid", "disable_cpu_apicid=1", "disable_cpu=1"},
    {"reboot", "reboot=t", "reboots=1"},
    {"sysctl", "sysctl/kernel/panic=5", "sysct=1"},
    {"initcall_blacklist", "initcall_blacklist=x", "initcall_debug"},
    {"fred", "fred=on", "freds=1"},
    {"noinitrd", "noinitrd", "noinitrds"},
    {"nomodule", "nomodule", "nomodules=1"},
    {"module.sig_enforce", "module.sig_enforce=1", "module.async_probe=1"},
    {"lockdown", "lockdown=integrity", "lockdowns=1"},
    {"bootconfig", "bootconfig", "bootconfigs"},
};

class CmdlineRow : public testing::TestWithParam<Case> {};

TEST_P(CmdlineRow, RefusesItsWordByName) {
    const Built built = build(std::string("quiet ") + GetParam().refused + " ro");
    EXPECT_EQ(built.ret, -EINVAL);
    EXPECT_NE(built.message.find(std::string("'") + GetParam().refused + "'"), std::string::npos)
        << built.message;
}

TEST_P(CmdlineRow, RefusesItsWordInQuotes) {
    EXPECT_EQ(build(std::string("\"") + GetParam().refused + "\"").ret, -EINVAL);
}

TEST_P(CmdlineRow, PassesAWordThatLooksLikeIt) {
    const Built built = build(GetParam().passed);
    EXPECT_EQ(built.ret, 0) << built.message;
    EXPECT_EQ(built.line, std::string(GetParam().passed) + " " + forced_words + " added=1");
}

std::string row_name(const testing::TestParamInfo<Case>& info) {
    std::string name = info.param.row;
    for (char& c : name) {
        c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    }
    return name;
}

INSTANTIATE_TEST_SUITE_P(Table, CmdlineRow, testing::ValuesIn(row_cases), row_name);

TEST(Cmdline, CoversEachRow) {
    std::multiset<std::string> rows, cases;
    size_t count = 0;
    const mk_word* table = mk_cmdline_table(&count);
    for (size_t i = 0; i < count; i++) {
        rows.insert(table[i].name);
    }
    for (const Case& c : row_cases) {
        cases.insert(c.row);
    }
    EXPECT_EQ(rows, cases);
}

TEST(Cmdline, AddsItsWordsToAnEmptyLine) {
    EXPECT_EQ(build("").line, forced_words + " added=1");
}

TEST(Cmdline, PutsItsWordsLastButInFrontOfThoseOfInit) {
    EXPECT_EQ(build("quiet -- single panic=5").line,
              "quiet " + forced_words + " added=1 -- single panic=5");
}

TEST(Cmdline, KnowsTheSeparatorInQuotesAsTheKernelDoes) {
    EXPECT_EQ(build("\"--\" panic=5").line, forced_words + " added=1 \"--\" panic=5");
}

TEST(Cmdline, TakesNeitherUnderscoresNorAValueForTheSeparator) {
    EXPECT_EQ(build("__ panic=5").ret, -EINVAL);
    EXPECT_EQ(build("--=1 panic=5").ret, -EINVAL);
}

TEST(Cmdline, TreatsDashesAsUnderscores) {
    EXPECT_EQ(build("no-ipi-broadcast=0").ret, -EINVAL);
}

TEST(Cmdline, RefusesWhatTheDecompressorWouldReadBehindTheSeparator) {
    EXPECT_EQ(build("-- earlyprintk=serial").ret, -EINVAL);
    EXPECT_EQ(build("-- acpi_rsdp=0x1000").ret, -EINVAL);
    EXPECT_EQ(build("-- console=uart8250,io,0x3f8").ret, -EINVAL);
    EXPECT_EQ(build("-- console=ttyS0").ret, 0);
    EXPECT_EQ(build("-- mem_encrypt=on").ret, -EINVAL);
}

TEST(Cmdline, RefusesWhatTheLoaderWouldReadBehindTheSeparator) {
    EXPECT_EQ(build("\"--\" multikernel.shm=0x140000000").ret, -EINVAL);
    EXPECT_EQ(build("--\tx multikernel.shm=0x140000000").ret, -EINVAL);
    EXPECT_EQ(build("x=\"y multikernel.shm=0x140000000\"").ret, -EINVAL);
}

TEST(Cmdline, RefusesAConsoleThatMayBeAnEarlyOne) {
    EXPECT_EQ(build("console=ns16550a,io,0x3f8,115200").ret, -EINVAL);
    EXPECT_EQ(build("console=earlycon").ret, -EINVAL);
    EXPECT_EQ(build("console=").ret, 0);
    EXPECT_EQ(build("console=tty0 console=hvc0").ret, 0);
}

TEST(Cmdline, RefusesWhatTheDecompressorWouldReadInsideOfQuotes) {
    EXPECT_EQ(build("x=\"y acpi_rsdp=0x1000 z\"").ret, -EINVAL);
}

TEST(Cmdline, PassesQuotedSpaces) {
    EXPECT_EQ(build("dyndbg=\"file a.c +p\" ro").line,
              "dyndbg=\"file a.c +p\" ro " + forced_words + " added=1");
}

TEST(Cmdline, TakesNoRefusedWordForOneInAValueWithSpaces) {
    EXPECT_EQ(build("x=\"y panic=5 z\"").ret, 0);
}

TEST(Cmdline, RefusesAQuoteThatWouldSwallowItsWords) {
    const Built built = build("x=\"y");
    EXPECT_EQ(built.ret, -EINVAL);
    EXPECT_NE(built.message.find("quotation mark"), std::string::npos);
}

TEST(Cmdline, RefusesControlCharactersAndOtherThanAscii) {
    EXPECT_EQ(build("a\nb").ret, -EINVAL);
    EXPECT_EQ(build("a\x7f").ret, -EINVAL);
    EXPECT_EQ(build("a\xa0"
                    "panic=5")
                  .ret,
              -EINVAL);
    EXPECT_EQ(build("a\tb").line, "a b " + forced_words + " added=1");
}

TEST(Cmdline, JoinsTheUsersListsOfModulesWithItsOwn) {
    EXPECT_EQ(build("module_blacklist=a,b quiet module-blacklist=c").line,
              "quiet " + forced_words + ",a,b,c added=1");
}

TEST(Cmdline, RefusesAListThatWouldBringWordsOfItsOwn) {
    EXPECT_EQ(build("module_blacklist=\"a noapic maxcpus=8\"").ret, -EINVAL);
    EXPECT_EQ(build("\"module_blacklist=a noapic\"").ret, -EINVAL);
    EXPECT_EQ(build("module_blacklist=\"a -- b\"").ret, -EINVAL);
    EXPECT_EQ(build("module_blacklist=a\"b").ret, -EINVAL);
    EXPECT_EQ(build("module_blacklist=\"a,b\"").line, forced_words + ",a,b added=1");
}

TEST(Cmdline, RefusesToBlacklistTheAppModuleAnywhereInAList) {
    EXPECT_EQ(build("module_blacklist=multikernel-app").ret, -EINVAL);
    EXPECT_EQ(build("module_blacklist=multikernel_app,b").ret, -EINVAL);
    EXPECT_EQ(build("module_blacklist=multikernel_apps").ret, 0);
    EXPECT_EQ(build("module_blacklist").ret, 0);
}

TEST(Cmdline, RefusesALineThatDoesNotFit) {
    const size_t fits = forced_words.size() + sizeof("quiet  added=1");
    EXPECT_EQ(build("quiet", fits).ret, 0);
    const Built built = build("quiet", fits - 1);
    EXPECT_EQ(built.ret, -EINVAL);
    EXPECT_NE(built.message.find("too long"), std::string::npos);
}

TEST(CmdlineNumber, IsTheLastValueInFrontOfTheSeparator) {
    EXPECT_EQ(mk_cmdline_number("no_ipi_broadcast=1\n", "no_ipi_broadcast"), 1);
    EXPECT_EQ(mk_cmdline_number("no-ipi-broadcast=0x10 q", "no_ipi_broadcast"), 16);
    EXPECT_EQ(mk_cmdline_number("x=1 x=0", "x"), 0);
    EXPECT_EQ(mk_cmdline_number("x=0 -- x=1", "x"), 0);
    EXPECT_EQ(mk_cmdline_number("x=010", "x"), 8);
    EXPECT_EQ(mk_cmdline_number("x=08", "x"), 0);
    EXPECT_EQ(mk_cmdline_number("xx=1", "x"), 0);
    EXPECT_EQ(mk_cmdline_number("x", "x"), 0);
    EXPECT_EQ(mk_cmdline_number("x=on", "x"), 0);
}

}  // namespace
