// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What each step of a start takes and gives back.
#include "domain/steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "image/regular.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

std::uint64_t round_up(std::uint64_t value, std::uint64_t step) {
    std::uint64_t sum = 0;
    if (step == 0 || __builtin_add_overflow(value, step - 1, &sum))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("{} KiB of memory are too many", value));
    return sum / step * step;
}

host::Request request_for(const Definition& definition, std::uint64_t memory_align_kib) {
    host::Request request;
    const std::vector<unsigned> online = definition.online_vcpus();
    request.vcpus = definition.current_vcpus();
    request.cpuset = definition.cpuset;
    for (unsigned i = 0; i < online.size(); i++)
        if (const auto pin = definition.vcpu_pins.find(online[i]);
            pin != definition.vcpu_pins.end())
            request.pins.emplace(i, pin->second);
    request.memory_kib = round_up(definition.current_memory_kib, memory_align_kib);
    return request;
}

// An app kernel can only be given CPUs that were named to it when it booted, and each costs it
// some memory (its per-CPU areas). So all that the definition allows are named, up to four for
// each vCPU that it may have, and 16 in any case.
std::size_t known_limit(const Definition& definition) {
    return std::max<std::size_t>(16, 4 * std::size_t{definition.vcpus});
}

void require_boot_files(const Definition& definition) {
    if (definition.kernel.empty())
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "its definition has no <kernel> in <os>: an app kernel is booted directly");
    if (definition.initrd.empty())
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "its definition has no <initrd> in <os>: the app module reaches the app "
                    "kernel in its initramfs");
}

}  // namespace

void Stranded::keep(host::Grant grant) {
    const std::scoped_lock lock(mutex_);
    grants_.push_back(std::move(grant));
}

Starting::Starting(Domain& domain) : domain_(domain) {
    domain_.update([](DomainFields& fields) {
        fields.starting = true;
        fields.cancelled = false;
    });
}

Starting::~Starting() {
    domain_.update([](DomainFields& fields) { fields.starting = false; });
}

void Starting::check() const {
    if (domain_.fields().cancelled)
        throw Error(VIR_ERR_OPERATION_ABORTED, "it was destroyed meanwhile");
}

backend::Limits require_host(const Context& context) {
    backend::Limits limits = context.backend.limits();
    if (!limits.blockers.empty())
        throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("{}", fmt::join(limits.blockers, "; ")));
    return limits;
}

void add_idle_threads(const Context& context, const Uuid& uuid,
                      const std::vector<unsigned>& threads, const CpuSet& known) {
    std::vector<unsigned> standby;
    std::vector<unsigned> idle;
    for (const unsigned thread : threads)
        (known.contains(thread) ? standby : idle).push_back(thread);
    if (!standby.empty())
        context.backend.add_cpus(uuid, standby, backend::CpuRole::standby);
    if (!idle.empty())
        context.backend.add_cpus(uuid, idle, backend::CpuRole::idle);
}

image::Kernel open_boot_files(const Context& context, const Definition& definition) {
    require_boot_files(definition);
    image::Kernel kernel = image::open_kernel(definition.kernel);
    static_cast<void>(image::find_app_module(kernel.version, context.places));
    static_cast<void>(image::open_regular(definition.initrd, "initrd"));
    return kernel;
}

InitramfsStep::InitramfsStep(const Context& context, const Definition& definition,
                             const image::Kernel& kernel)
    : context_(context),
      built_(context.workers,
             [initrd = definition.initrd, version = kernel.version, places = context.places] {
                 return image::build_initramfs(initrd, version, places);
             }) {}

// Freeing its memory takes milliseconds that a start need not have.
InitramfsStep::~InitramfsStep() {
    Fd* const built = built_.made();
    if (built == nullptr)
        return;
    try {
        context_.idle_workers.post([fd = std::make_shared<Fd>(std::move(*built))] {});
    } catch (const std::exception& error) {
        log::debug("an initramfs is freed at once: {}", error.what());
    }
}

PartitionStep::PartitionStep(const Context& context, Stranded& stranded,
                             const Definition& definition, std::uint64_t memory_align_kib)
    : context_(context),
      stranded_(stranded),
      definition_(definition),
      grant_(context.pool.reserve(definition.uuid, request_for(definition, memory_align_kib))) {}

PartitionStep::~PartitionStep() {
    if (!created_)
        return;
    try {
        context_.backend.destroy(definition_.uuid);
    } catch (const std::exception& error) {
        log::error("what domain '{}' took cannot be given back: {}",
                   log::Subject{definition_.name, definition_.uuid}, error.what());
        stranded_.keep(std::move(grant_));
    }
}

void PartitionStep::create() {
    context_.backend.create(definition_.uuid, definition_.name);
    created_ = true;
}

void PartitionStep::add_memory() {
    for (const host::MemoryShare& share : grant_.memory())
        static_cast<void>(context_.backend.add_memory(
            definition_.uuid, {share.size_kib, static_cast<int>(share.node)}));
}

void PartitionStep::add_cpus() {
    context_.backend.add_cpus(definition_.uuid, grant_.cpus(), backend::CpuRole::run);
    for (const unsigned cpu : grant_.cpus())
        known_cpus_.insert(cpu);
    const CpuSet idle = grant_.holding().all_cpus() - known_cpus_;
    std::vector<unsigned> spares;
    for (const unsigned cpu : candidates()) {
        if (idle.contains(cpu))
            known_cpus_.insert(cpu);
        else
            spares.push_back(cpu);
    }
    add_idle_threads(context_, definition_.uuid, grant_.idle_cpus(), known_cpus_);
    name_spares(spares);
}

std::vector<unsigned> PartitionStep::candidates() const {
    host::Request most;
    most.vcpus = definition_.vcpus;
    most.cpuset = definition_.cpuset;
    most.pins = definition_.vcpu_pins;
    const std::size_t limit = known_limit(definition_);
    const std::size_t count = grant_.cpus().size();
    return context_.pool.candidates(grant_, most, limit - std::min(limit, count));
}

void PartitionStep::name_spares(const std::vector<unsigned>& spares) {
    if (spares.empty())
        return;
    try {
        context_.backend.add_cpus(definition_.uuid, spares, backend::CpuRole::spare);
    } catch (const Error& error) {
        log::warning("domain '{}' cannot be given other CPUs while it runs: {}",
                     log::Subject{definition_.name, definition_.uuid}, error.what());
        return;
    }
    for (const unsigned cpu : spares)
        known_cpus_.insert(cpu);
}

void PartitionStep::load(const image::Kernel& kernel, InitramfsStep& initramfs) {
    context_.backend.load(definition_.uuid, kernel.fd, initramfs.get(), definition_.cmdline);
}

host::Grant PartitionStep::commit() noexcept {
    created_ = false;
    return std::move(grant_);
}

std::string console_log_path(const Paths& paths, const std::string& domain_name) {
    return fmt::format("{}/{}.log", paths.log_dir, file_name(domain_name));
}

ConsoleOptions console_options(const Context& context, const Definition& definition) {
    ConsoleOptions options;
    options.domain_name = definition.name;
    options.record_path =
        fmt::format("{}/{}.console", context.paths.state_dir, definition.uuid.to_string());
    options.logs.push_back({console_log_path(context.paths, definition.name), true});
    if (definition.console && definition.console->log_file)
        options.logs.push_back({*definition.console->log_file, definition.console->log_append});
    return options;
}

ConsoleStep::ConsoleStep(const Context& context, const Definition& definition)
    : hub_(context.workers, [&loop = context.loop, options = console_options(context, definition)] {
          return std::make_shared<ConsoleHub>(loop, options);
      }) {}

ConsoleStep::~ConsoleStep() {
    if (const auto* const hub = hub_.made(); hub != nullptr && *hub)
        (*hub)->end();
}

LiveRecordStep::LiveRecordStep(const Context& context, const LiveRecord& record)
    : context_(context) {
    context_.store.save_live(record);
    name_ = record.definition.name;
}

LiveRecordStep::~LiveRecordStep() {
    if (!name_)
        return;
    try {
        context_.store.remove_live(*name_);
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
}

std::string nodeset(const std::vector<host::MemoryShare>& memory) {
    CpuSet nodes;
    for (const host::MemoryShare& share : memory)
        nodes.insert(share.node);
    return nodes.to_string();
}

}  // namespace mk::domain
