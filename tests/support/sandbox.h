// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A folder that has everything a Driver reads and writes: sysfs and procfs of a small made-up
// machine, a file that looks like a bzImage, an initramfs, the loader and an app module. For
// tests that run beside a real daemon, with FakeBackend in the kernel's place.
#pragma once

#include <glib.h>

#include <string>
#include <thread>

#include "domain/driver.h"

namespace mk::test {

struct SandboxMachine {
    unsigned cores = 8;
    unsigned threads = 1;  // of a core; CPU n is thread n % threads of core n / threads
    unsigned long long memory_mib = 8192;
};

class Sandbox {
  public:
    explicit Sandbox(const SandboxMachine& machine = {});
    // The folder `kept`, made at the first time, which stays.
    Sandbox(const SandboxMachine& machine, const std::string& kept);
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;
    ~Sandbox();

    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] const domain::Paths& paths() const { return paths_; }
    [[nodiscard]] std::string kernel() const { return root_ + "/vmlinuz"; }
    [[nodiscard]] std::string initrd() const { return root_ + "/initrd.img"; }
    void write(const std::string& name, const std::string& bytes) const;
    [[nodiscard]] std::string read(const std::string& name) const;
    [[nodiscard]] bool exists(const std::string& name) const;

    // A <domain> that starts here; `more` goes in front of </domain>.
    [[nodiscard]] std::string xml(const std::string& name, unsigned vcpus = 1,
                                  const std::string& more = {}) const;

  private:
    void name_paths();
    void fill(const SandboxMachine& machine) const;
    void make_machine(const SandboxMachine& machine) const;

    std::string root_;
    bool kept_ = false;
    domain::Paths paths_;
};

// Runs the default main context on a thread of its own, as the daemon's main() does.
class LoopThread {
  public:
    LoopThread();
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    ~LoopThread();

  private:
    GMainLoop* loop_;
    std::thread thread_;
};

}  // namespace mk::test
