// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: vCPUs and memory, of the definition and of what runs. Which calls are allowed, and
// what is said if not, is that of src/qemu/qemu_driver.c and qemu_hotplug.c; what follows for a
// running domain is live.h's.
#include <fmt/format.h>
#include <fmt/printf.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "domain/driver_impl.h"
#include "domain/live.h"
#include "domain/values.h"
#include "util/error.h"
#include "util/round_up.h"

namespace mk::domain {
namespace {

using DefinitionPtr = std::shared_ptr<const Definition>;

[[noreturn]] void bad(const std::string& what) {
    throw Error(VIR_ERR_INVALID_ARG, what);
}

// The first `count` vCPUs that are offline, or the last that are online.
CpuSet to_change(const Definition& definition, unsigned count) {
    CpuSet change;
    unsigned current = definition.current_vcpus();
    for (unsigned vcpu = 0; vcpu < definition.vcpus && current < count; vcpu++)
        if (definition.offline_vcpus.contains(vcpu)) {
            change.insert(vcpu);
            current++;
        }
    for (unsigned vcpu = definition.vcpus; vcpu-- > 1 && current > count;)
        if (!definition.offline_vcpus.contains(vcpu) && !definition.fixed_vcpus.contains(vcpu)) {
            change.insert(vcpu);
            current--;
        }
    if (current != count)
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "failed to find appropriate hotpluggable vcpus to reach the desired target "
                    "vcpu count");
    return change;
}

void check_most(const Definition& definition, unsigned count, const char* which) {
    if (count > definition.vcpus)
        bad(
            fmt::format("requested vcpus is greater than max allowable vcpus for the {} domain: "
                        "{} > {}",
                        which, count, definition.vcpus));
}

void switch_vcpus(Definition& definition, const CpuSet& vcpus, bool enable) {
    if (enable)
        definition.offline_vcpus -= vcpus;
    else
        definition.offline_vcpus |= vcpus;
}

void set_most_vcpus(Definition& definition, unsigned count) {
    CpuSet offline;
    for (unsigned vcpu = 0; vcpu < count; vcpu++)
        if (vcpu >= definition.vcpus || definition.offline_vcpus.contains(vcpu))
            offline.insert(vcpu);
    definition.offline_vcpus = offline;
    definition.vcpus = count;
    std::erase_if(definition.vcpu_pins, [count](const auto& pin) { return pin.first >= count; });
}

void check_present(const Definition& definition, unsigned last, const char* which) {
    if (last >= definition.vcpus)
        bad(fmt::format("vcpu {} is not present in {} config", last, which));
}

// qemuDomainFilterHotplugVcpuEntities
void check_switch(const Definition& live, const CpuSet& vcpus, bool enable) {
    for (const unsigned vcpu : vcpus) {
        if (live.offline_vcpus.contains(vcpu) != enable)
            bad(fmt::format("vcpu '{}' is already in requested state", vcpu));
        if (!enable && (vcpu == 0 || live.fixed_vcpus.contains(vcpu)))
            bad(fmt::format("vcpu '{}' can't be hotunplugged", vcpu));
    }
    if (vcpus.size() != 1)
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED, "only one hotpluggable entity can be selected");
}

// The first device of the wanted size; else, of those whose size is the same in whole blocks as
// `rounded` says, the only one.
template <typename Rounded>
auto find_device(const Definition& definition, const MemoryDevice& wanted, const Rounded& rounded) {
    const auto end = definition.memory_devices.end();
    const auto find = [&](auto from, const auto& has_size) {
        return std::find_if(from, end, [&](const MemoryDevice& device) {
            return has_size(device.size_kib) && (!wanted.slot || wanted.slot == device.slot) &&
                   (!wanted.alias || wanted.alias == device.alias);
        });
    };
    const auto exact = find(definition.memory_devices.begin(), [&wanted](std::uint64_t size_kib) {
        return size_kib == wanted.size_kib;
    });
    if (exact != end)
        return exact;
    const auto only = find(definition.memory_devices.begin(), rounded);
    return only == end || find(std::next(only), rounded) == end ? only : end;
}

// What runs has devices of whole blocks, whatever size was asked for.
auto find_live(const Definition& live, const MemoryDevice& wanted, std::uint64_t block_kib) {
    return find_device(live, wanted, [&](std::uint64_t size_kib) {
        return block_kib != 0 && size_kib == round_up(wanted.size_kib, block_kib);
    });
}

// The XML may be that of the running domain. block_kib: 0 if the domain does not matter.
auto find_config(const Definition& config, const MemoryDevice& wanted, std::uint64_t block_kib) {
    return find_device(config, wanted, [&](std::uint64_t size_kib) {
        return block_kib != 0 && round_up(size_kib, block_kib) == wanted.size_kib;
    });
}

void add_device(Definition& definition, MemoryDevice device) {
    if (definition.max_memory_kib != 0 &&
        definition.memory_devices.size() == definition.memory_slots)
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "no free memory device slot available");
    CpuSet used;
    for (const MemoryDevice& other : definition.memory_devices)
        if (other.slot)
            used.insert(*other.slot);
    for (unsigned slot = 0; !device.slot && slot < definition.memory_slots; slot++)
        if (!used.contains(slot))
            device.slot = slot;
    definition.memory_kib += device.size_kib;
    definition.current_memory_kib += device.size_kib;
    definition.memory_devices.push_back(std::move(device));
    if (definition.max_memory_kib != 0 && definition.memory_kib > definition.max_memory_kib)
        throw Error(
            VIR_ERR_CONFIG_UNSUPPORTED,
            fmt::format("Attaching memory device with size '{}' would exceed domain's "
                        "maxMemory config size '{}'",
                        definition.memory_devices.back().size_kib, definition.max_memory_kib));
}

void remove_device(Definition& definition, std::vector<MemoryDevice>::const_iterator device) {
    const std::uint64_t size_kib = device->size_kib;
    definition.memory_devices.erase(device);
    definition.memory_kib -= size_kib;
    definition.current_memory_kib -= std::min(definition.current_memory_kib, size_kib);
}

[[noreturn]] void no_device() {
    throw Error(VIR_ERR_DEVICE_MISSING,
                "model 'dimm' memory device not present in the domain configuration");
}

}  // namespace

void Driver::Impl::save_config(Domain& domain, const DefinitionPtr& config) {
    validate(*config);
    store.save(*config);
    domain.update([&config](DomainFields& fields) {
        fields.view.persistent_definition = config;
        note_difference(fields.view);
    });
}

void Driver::set_vcpus(const Uuid& uuid, const VcpuCount& count) {
    if (count.vcpus == 0)
        bad("nvcpus in virDomainSetVcpusFlags must not be zero");
    const Job job(impl_->domains.find(uuid), "vcpus");
    impl_->lifecycle.hear_late_answer(job);
    const DomainView view = job.domain().view();
    const Affect affect = resolve(view, count.affect);
    if (count.guest && count.vcpus > view.current().current_vcpus())
        bad(
            fmt::format("requested vcpu count is greater than the count of enabled vcpus in the "
                        "domain: {} > {}",
                        count.vcpus, view.current().current_vcpus()));
    if (count.maximum && affect.live)
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    "maximum vcpu count of a live domain can't be modified");
    std::shared_ptr<Definition> config;
    if (affect.config)
        config = std::make_shared<Definition>(*view.persistent_definition);
    if (affect.live)
        check_most(*view.live, count.vcpus, "live");
    if (config && count.maximum) {
        set_most_vcpus(*config, count.vcpus);
    } else if (config) {
        check_most(*config, count.vcpus, "persistent");
        switch_vcpus(*config, to_change(*config, count.vcpus),
                     count.vcpus > config->current_vcpus());
    }
    if (config)
        validate(*config);
    if (affect.live) {
        const CpuSet vcpus = to_change(*view.live, count.vcpus);
        if (!vcpus.empty()) {
            const Context context = impl_->context();
            LiveChange change(context, impl_->lifecycle, job);
            if (count.vcpus > view.live->current_vcpus())
                enable_vcpus(change, vcpus);
            else
                disable_vcpus(change, vcpus);
        }
    }
    if (config)
        impl_->save_config(job.domain(), config);
}

void Driver::set_vcpu(const Uuid& uuid, const CpuSet& vcpus, bool enable, const Affect& wanted) {
    if (vcpus.empty())
        bad("no vcpus selected for modification");
    const unsigned last = *std::max_element(vcpus.begin(), vcpus.end());
    const Job job(impl_->domains.find(uuid), "vcpu");
    impl_->lifecycle.hear_late_answer(job);
    const DomainView view = job.domain().view();
    const Affect affect = resolve(view, wanted);
    if (affect.config)
        check_present(*view.persistent_definition, last, "persistent");
    if (affect.live) {
        check_present(*view.live, last, "live");
        check_switch(*view.live, vcpus, enable);
    }
    std::shared_ptr<Definition> config;
    if (affect.config) {
        if (vcpus.contains(0))
            bad("vCPU '0' can't be modified");
        config = std::make_shared<Definition>(*view.persistent_definition);
        config->individual_vcpus = true;
        switch_vcpus(*config, vcpus, enable);
        validate(*config);
    }
    if (affect.live) {
        const Context context = impl_->context();
        LiveChange change(context, impl_->lifecycle, job);
        change.edit([](Definition& live) { live.individual_vcpus = true; });
        if (enable)
            enable_vcpus(change, vcpus);
        else
            disable_vcpus(change, vcpus);
    }
    if (config)
        impl_->save_config(job.domain(), config);
}

void Driver::pin_vcpu(const Uuid& uuid, unsigned vcpu, const CpuSet& cpus, const Affect& wanted) {
    const Job job(impl_->domains.find(uuid), "vcpupin");
    impl_->lifecycle.hear_late_answer(job);
    const DomainView view = job.domain().view();
    const Affect affect = resolve(view, wanted);
    if (affect.config && vcpu >= view.persistent_definition->vcpus)
        bad(fmt::format("vcpu {} is out of range of persistent cpu count {}", vcpu,
                        view.persistent_definition->current_vcpus()));
    if (cpus.empty())
        bad("Empty cpu list for pinning");
    if (affect.live && vcpu >= view.live->vcpus)
        bad(fmt::format("vcpu {} is out of range of live cpu count {}", vcpu, view.live->vcpus));
    std::shared_ptr<Definition> config;
    if (affect.config) {
        config = std::make_shared<Definition>(*view.persistent_definition);
        config->vcpu_pins[vcpu] = cpus;
        validate(*config);
    }
    if (affect.live) {
        Definition pinned = *view.live;
        pinned.vcpu_pins[vcpu] = cpus;
        validate(pinned);
        const Context context = impl_->context();
        LiveChange change(context, impl_->lifecycle, job);
        move_vcpu(change, vcpu, cpus);
        change.edit([&](Definition& live) { live.vcpu_pins[vcpu] = cpus; });
        impl_->lifecycle.note_live(job.domain());
        impl_->events.push(
            {job.domain().identity(),
             TunableEvent{fmt::sprintf(VIR_DOMAIN_TUNABLE_CPU_VCPUPIN, vcpu), cpus.to_string()}});
    }
    if (config)
        impl_->save_config(job.domain(), config);
}

Driver::GuestVcpus Driver::guest_vcpus(const Uuid& uuid) {
    const DomainView view = impl_->domains.find(uuid)->view();
    require_active(view);
    const auto stats = impl_->backend->stats(uuid);
    if (!stats)
        throw Error(VIR_ERR_AGENT_UNRESPONSIVE,
                    fmt::format("the app kernel of domain '{}' has not reported yet", view.name));
    GuestVcpus guest;
    for (const backend::CpuTimes& cpu : stats->cpus) {
        if (!cpu.app_cpu || *cpu.app_cpu >= CpuSet::limit)
            continue;
        guest.vcpus.insert(*cpu.app_cpu);
        if (cpu.online)
            guest.online.insert(*cpu.app_cpu);
        if (view.details.cpus.empty() || cpu.cpu != view.details.cpus.front())
            guest.offlinable.insert(*cpu.app_cpu);
    }
    return guest;
}

// What the app kernel does not use goes back to the host, so it can only be switched on again by
// its vCPU, with set_vcpu() and set_vcpus().
void Driver::set_guest_vcpus(const Uuid& uuid, const CpuSet& vcpus, bool online) {
    const Job job(impl_->domains.find(uuid), "guest vcpus");
    impl_->lifecycle.hear_late_answer(job);
    const GuestVcpus guest = guest_vcpus(uuid);
    const CpuSet missing = vcpus - guest.vcpus;
    for (const unsigned vcpu : vcpus& guest.vcpus)
        if (!online && !guest.offlinable.contains(vcpu))
            throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                        fmt::format("vCPU '{}' is not offlinable", vcpu));
    if (!missing.empty())
        bad(fmt::format("guest is missing vCPUs '{}'", missing.to_string()));
    if (online) {
        if (const CpuSet off = vcpus - guest.online; !off.empty())
            throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                        fmt::format("vCPUs '{}' were taken offline inside the app kernel, which "
                                    "alone can bring them up",
                                    off.to_string()));
        return;  // they are
    }
    const DomainView view = job.domain().view();
    const auto stats = impl_->backend->stats(uuid);
    const std::vector<unsigned> ids = view.live->online_vcpus();
    CpuSet leaving;
    for (std::size_t i = 0; stats && i < std::min(ids.size(), view.details.cpus.size()); i++)
        for (const backend::CpuTimes& cpu : stats->cpus)
            if (cpu.cpu == view.details.cpus[i] && cpu.app_cpu && vcpus.contains(*cpu.app_cpu))
                leaving.insert(ids[i]);
    const Context context = impl_->context();
    LiveChange change(context, impl_->lifecycle, job);
    change.edit([](Definition& live) { live.individual_vcpus = true; });
    disable_vcpus(change, leaving);
}

void Driver::set_memory(const Uuid& uuid, std::uint64_t size_kib, bool maximum,
                        const Affect& wanted) {
    if (size_kib == 0)
        bad("memory in virDomainSetMemoryFlags must not be zero");
    const Job job(impl_->domains.find(uuid), "memory");
    impl_->lifecycle.hear_late_answer(job);
    const DomainView view = job.domain().view();
    const Affect affect = resolve(view, wanted);
    std::shared_ptr<Definition> config;
    if (affect.config)
        config = std::make_shared<Definition>(*view.persistent_definition);
    if (maximum && affect.live)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    "cannot resize the maximum memory on an active domain");
    if (maximum) {
        if (config->max_memory_kib != 0 && config->max_memory_kib < size_kib)
            throw Error(VIR_ERR_OPERATION_INVALID,
                        "cannot set initial memory size greater than the maximum memory size");
        config->memory_kib = size_kib;
        config->current_memory_kib = std::min(config->current_memory_kib, size_kib);
        impl_->save_config(job.domain(), config);
        return;
    }
    const bool too_much =
        (affect.live && size_kib > std::max(view.live->memory_kib, view.live->max_memory_kib)) ||
        (config && size_kib > std::max(config->memory_kib, config->max_memory_kib));
    if (too_much)
        bad("cannot set memory higher than max memory");
    if (config) {
        config->current_memory_kib = size_kib;
        config->memory_kib = std::max(config->memory_kib, size_kib);
        validate(*config);
    }
    if (affect.live) {
        const Context context = impl_->context();
        LiveChange change(context, impl_->lifecycle, job);
        resize_memory(change, size_kib);
    }
    if (config)
        impl_->save_config(job.domain(), config);
}

void Driver::change_device(const Uuid& uuid, const std::string& xml, DeviceAction action,
                           const Affect& wanted) {
    const MemoryDevice device = parse_memory_device(xml);
    const Job job(impl_->domains.find(uuid), "device");
    impl_->lifecycle.hear_late_answer(job);
    const DomainView view = job.domain().view();
    const Affect affect = resolve(view, wanted);
    if (action == DeviceAction::update)  // qemuDomainChangeMemoryLiveValidateChange
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "modification of memory of model 'dimm' is not supported; detach the device "
                    "and attach another");
    const Context context = impl_->context();
    std::optional<LiveChange> change;
    if (affect.live)
        change.emplace(context, impl_->lifecycle, job);
    const std::uint64_t block_kib = change ? change->block_kib() : 0;
    std::shared_ptr<Definition> config;
    if (affect.config) {
        config = std::make_shared<Definition>(*view.persistent_definition);
        if (action == DeviceAction::attach) {
            add_device(*config, device);
        } else {
            const auto found = find_config(*config, device, block_kib);
            if (found == config->memory_devices.end())
                throw Error(VIR_ERR_DEVICE_MISSING, "matching memory device was not found");
            remove_device(*config, found);
        }
        validate(*config);
    }
    if (change && action == DeviceAction::attach) {
        attach_memory(*change, device);
    } else if (change) {
        const auto found = find_live(*view.live, device, block_kib);
        if (found == view.live->memory_devices.end())
            no_device();
        detach_memory(*change, *found);
    }
    if (config)
        impl_->save_config(job.domain(), config);
}

void Driver::detach_alias(const Uuid& uuid, const std::string& alias, const Affect& wanted) {
    const Job job(impl_->domains.find(uuid), "device");
    impl_->lifecycle.hear_late_answer(job);
    const DomainView view = job.domain().view();
    const Affect affect = resolve(view, wanted);
    const auto find = [&alias](const Definition& definition) {
        const auto found = std::find_if(
            definition.memory_devices.begin(), definition.memory_devices.end(),
            [&alias](const MemoryDevice& device) { return alias_of(device) == alias; });
        if (found == definition.memory_devices.end())
            throw Error(VIR_ERR_DEVICE_MISSING,
                        fmt::format("no device found with alias {}", alias));
        return found;
    };
    std::shared_ptr<Definition> config;
    if (affect.config) {
        config = std::make_shared<Definition>(*view.persistent_definition);
        remove_device(*config, find(*config));
        validate(*config);
    }
    if (affect.live) {
        const MemoryDevice device = *find(*view.live);
        const Context context = impl_->context();
        LiveChange change(context, impl_->lifecycle, job);
        detach_memory(change, device);
    }
    if (config)
        impl_->save_config(job.domain(), config);
}

}  // namespace mk::domain
