// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Making the folder of a Sandbox, and running a main loop.
#include "support/sandbox.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "util/error.h"
#include "util/fd.h"

namespace mk::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kernel_version = "6.1.0-fake";

// Documentation/arch/x86/boot.rst: the fields that say "bzImage" and its version.
std::string bzimage() {
    std::string bytes(0x1000, '\0');
    bytes.replace(0x1fe, 2, "\x55\xaa");
    bytes.replace(0x202, 4, "HdrS");
    bytes.replace(0x206, 2, "\x0f\x02");
    bytes.replace(0x20e, 2, std::string("\x00\x03", 2));  // the version is at 0x200 + 0x300
    bytes[0x211] = 1;
    bytes.replace(0x500, 11, fmt::format("{} ", kernel_version));
    return bytes;
}

// Documentation/driver-api/early-userspace/buffer-format.rst: one member of a newc archive.
std::string cpio_member(const std::string& name, const std::string& bytes) {
    const auto pad = [](std::string text) {
        text.resize((text.size() + 3) / 4 * 4, '\0');
        return text;
    };
    const std::string header = fmt::format(
        "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}"
        "{:08x}{:08x}",
        1, 0100755, 0, 0, 1, 0, bytes.size(), 0, 0, 0, 0, name.size() + 1, 0);
    return pad(header + name + '\0') + pad(bytes);
}

}  // namespace

Sandbox::Sandbox(const SandboxMachine& machine) {
    std::string pattern = fs::temp_directory_path() / "mk-sandbox-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr)
        throw Error::from_errno("make a temporary folder");
    root_ = pattern;
    name_paths();
    fill(machine);
}

Sandbox::Sandbox(const SandboxMachine& machine, const std::string& kept)
    : root_(kept), kept_(true) {
    name_paths();
    if (!fs::exists(initrd()))
        fill(machine);
}

void Sandbox::name_paths() {
    paths_.config_dir = root_ + "/etc";
    paths_.state_dir = root_ + "/run";
    paths_.log_dir = root_ + "/log";
    paths_.dump_dir = root_ + "/dump";
    paths_.image_dir = root_ + "/libexec";
    paths_.app_modules = {root_ + "/modules/{}/multikernel_app.ko"};
    paths_.sysfs = root_ + "/sys";
    paths_.procfs = root_ + "/proc";
    paths_.machine_id = root_ + "/machine-id";
}

void Sandbox::fill(const SandboxMachine& machine) const {
    make_machine(machine);
    write("machine-id", "6f0c0de000004000800000000000000f\n");
    write("vmlinuz", bzimage());
    write("libexec/init", "the loader");
    write(fmt::format("modules/{}/multikernel_app.ko", kernel_version), "the module");
    write("initrd.img", cpio_member("init", "#!/bin/sh\n") + cpio_member("TRAILER!!!", ""));
}

Sandbox::~Sandbox() {
    std::error_code ignored;
    if (!kept_)
        fs::remove_all(root_, ignored);
}

void Sandbox::make_machine(const SandboxMachine& machine) const {
    const unsigned cpus = machine.cores * machine.threads;
    const std::string all = fmt::format("0-{}\n", cpus - 1);
    write("sys/devices/system/cpu/present", all);
    write("sys/devices/system/cpu/online", all);
    std::string cpuinfo;
    std::string stat = "cpu  400 0 200 9000 10 0 0 0 0 0\n";
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
        const unsigned core = cpu / machine.threads;
        const unsigned first = core * machine.threads;
        const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/topology/", cpu);
        write(folder + "physical_package_id", "0\n");
        write(folder + "die_id", "0\n");
        write(folder + "core_id", fmt::format("{}\n", core));
        write(folder + "thread_siblings_list",
              fmt::format("{}-{}\n", first, first + machine.threads - 1));
        cpuinfo += fmt::format(
            "processor\t: {}\nvendor_id\t: GenuineIntel\n"
            "model name\t: Made-up Processor\ncpu MHz\t\t: 2000.000\n\n",
            cpu);
        stat += fmt::format("cpu{} 100 0 50 2000 5 0 0 0 0 0\n", cpu);
    }
    const unsigned long long kib = machine.memory_mib * 1024;
    write("proc/cpuinfo", cpuinfo);
    write("proc/stat", stat);
    write("proc/meminfo", fmt::format("MemTotal:       {} kB\nMemFree:        {} kB\n"
                                      "MemAvailable:   {} kB\nBuffers:        0 kB\n"
                                      "Cached:         0 kB\n",
                                      kib, kib, kib));
    write("proc/sys/kernel/random/boot_id", "6f0c0de0-0000-4000-8000-000000000001\n");
}

void Sandbox::write(const std::string& name, const std::string& bytes) const {
    const fs::path path = fs::path(root_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << bytes;
    file.close();
    if (!file)
        throw Error(VIR_ERR_SYSTEM_ERROR, "cannot write " + path.string());
}

std::string Sandbox::read(const std::string& name) const {
    return read_file(root_ + "/" + name);
}

bool Sandbox::exists(const std::string& name) const {
    return fs::exists(fs::path(root_) / name);
}

std::string Sandbox::xml(const std::string& name, unsigned vcpus, const std::string& more) const {
    return fmt::format(
        "<domain type='multikernel'>\n  <name>{}</name>\n  <memory unit='MiB'>256</memory>\n"
        "  <vcpu>{}</vcpu>\n  <os>\n    <type arch='x86_64'>hvm</type>\n"
        "    <kernel>{}</kernel>\n    <initrd>{}</initrd>\n    <cmdline>quiet</cmdline>\n"
        "  </os>\n{}</domain>\n",
        name, vcpus, kernel(), initrd(), more);
}

LoopThread::LoopThread()
    : loop_(g_main_loop_new(nullptr, FALSE)), thread_([this] { g_main_loop_run(loop_); }) {
    while (g_main_loop_is_running(loop_) == 0)
        std::this_thread::yield();
}

LoopThread::~LoopThread() {
    g_main_loop_quit(loop_);
    thread_.join();
    g_main_loop_unref(loop_);
}

}  // namespace mk::test
