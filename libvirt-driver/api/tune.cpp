// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The tunables of libvirt's cgroup drivers: scheduler, memory limits, NUMA, block I/O weights,
// performance events. A partition is in no cgroup and owns what it has, so each of them has one
// value that is always true. Getters tell it under the names that the qemu driver uses; setters
// take it and refuse any other.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/encode.h"
#include "api/params.h"
#include "api/table.h"

namespace mk::api {

namespace {

using Params = std::vector<Param>;

// Scheduler: the CPUs of a partition are its own all the time, so nothing is throttled, which
// libvirt says with a quota of -1.

constexpr ParamRule scheduler_rules[] = {
    {VIR_DOMAIN_SCHEDULER_CPU_SHARES, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_SCHEDULER_VCPU_PERIOD, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_SCHEDULER_VCPU_QUOTA, VIR_TYPED_PARAM_LLONG},
    {VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, VIR_TYPED_PARAM_LLONG},
    {VIR_DOMAIN_SCHEDULER_EMULATOR_PERIOD, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_SCHEDULER_EMULATOR_QUOTA, VIR_TYPED_PARAM_LLONG},
    {VIR_DOMAIN_SCHEDULER_IOTHREAD_PERIOD, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_SCHEDULER_IOTHREAD_QUOTA, VIR_TYPED_PARAM_LLONG},
};

constexpr char no_scheduler[] =
    "a partition owns its CPUs whole, no scheduler of the host is above it";

Params scheduler_params() {
    return {{VIR_DOMAIN_SCHEDULER_VCPU_QUOTA, -1LL}, {VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, -1LL}};
}

void domain_get_scheduler_type(Call& call, const remote_domain_get_scheduler_type_args& args,
                               remote_domain_get_scheduler_type_ret& ret) {
    (void)find(call, args.dom);
    ret.type = protocol::copy_string("none");
    ret.nparams = static_cast<int>(scheduler_params().size());
}

// These two are not asked for a count: they give what there is room for.
template <typename Args, typename Ret>
void get_scheduler_params(const Args& args, std::string_view function, Ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_SCHEDULER_PARAMETERS_MAX, function);
    Params params = scheduler_params();
    params.resize(std::min<std::size_t>(params.size(), static_cast<std::size_t>(args.nparams)));
    encode_params(params, ret.params.params_val, ret.params.params_len);
}

void domain_get_scheduler_parameters(Call& call,
                                     const remote_domain_get_scheduler_parameters_args& args,
                                     remote_domain_get_scheduler_parameters_ret& ret) {
    (void)find(call, args.dom);
    get_scheduler_params(args, "virDomainGetSchedulerParameters", ret);
}

void domain_get_scheduler_parameters_flags(
    Call& call, const remote_domain_get_scheduler_parameters_flags_args& args,
    remote_domain_get_scheduler_parameters_flags_ret& ret) {
    (void)affected(find(call, args.dom), args.flags);
    get_scheduler_params(args, "virDomainGetSchedulerParametersFlags", ret);
}

void domain_set_scheduler_parameters(Call& call,
                                     const remote_domain_set_scheduler_parameters_args& args) {
    const Params wanted =
        decode_params(args.params.params_val, args.params.params_len, scheduler_rules);
    (void)find(call, args.dom);
    require_unchanged(wanted, scheduler_params(), no_scheduler);
}

void domain_set_scheduler_parameters_flags(
    Call& call, const remote_domain_set_scheduler_parameters_flags_args& args) {
    const Params wanted =
        decode_params(args.params.params_val, args.params.params_len, scheduler_rules);
    require_affected(find(call, args.dom), args.flags);
    require_unchanged(wanted, scheduler_params(), no_scheduler);
}

// Memory: a partition grows to <maxMemory>, or to <memory> without it, and cannot get more. How it
// swaps is its own affair.

constexpr ParamRule memory_rules[] = {
    {VIR_DOMAIN_MEMORY_HARD_LIMIT, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_MEMORY_SOFT_LIMIT, VIR_TYPED_PARAM_ULLONG},
    {VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, VIR_TYPED_PARAM_ULLONG},
};

Params memory_params(const domain::Definition& definition) {
    constexpr unsigned long long unlimited = VIR_DOMAIN_MEMORY_PARAM_UNLIMITED;
    const unsigned long long most_kib = std::max(definition.memory_kib, definition.max_memory_kib);
    return {{VIR_DOMAIN_MEMORY_HARD_LIMIT, most_kib},
            {VIR_DOMAIN_MEMORY_SOFT_LIMIT, unlimited},
            {VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, unlimited}};
}

void domain_get_memory_parameters(Call& call, const remote_domain_get_memory_parameters_args& args,
                                  remote_domain_get_memory_parameters_ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_MEMORY_PARAMETERS_MAX, "virDomainGetMemoryParameters");
    const auto domain = find(call, args.dom);
    encode_two_step(memory_params(affected(domain, args.flags)), args.nparams, ret);
}

// The definitions that a change with these flags means, live first.
std::vector<const domain::Definition*> all_affected(const domain::DomainView& domain,
                                                    unsigned flags) {
    const domain::Affect affect = affect_of(flags);
    require_affected(domain, flags);
    std::vector<const domain::Definition*> all;
    if (affect.live || !affect.config)
        all.push_back(&domain.current());
    if (affect.config)
        all.push_back(domain.persistent_definition.get());
    return all;
}

void domain_set_memory_parameters(Call& call,
                                  const remote_domain_set_memory_parameters_args& args) {
    const Params wanted =
        decode_params(args.params.params_val, args.params.params_len, memory_rules);
    const auto domain = find(call, args.dom);
    for (const auto* definition : all_affected(domain, args.flags)) {
        require_unchanged(wanted, memory_params(*definition),
                          "a partition owns exactly its <memory>; use setmem or setmaxmem");
    }
}

// NUMA: memory is taken from nodes at a start and stays there.

constexpr ParamRule numa_rules[] = {
    {VIR_DOMAIN_NUMA_MODE, VIR_TYPED_PARAM_INT},
    {VIR_DOMAIN_NUMA_NODESET, VIR_TYPED_PARAM_STRING},
};

Params numa_params(const domain::DomainView& domain, unsigned flags) {
    const bool live = domain.active() && (flags & VIR_DOMAIN_AFFECT_CONFIG) == 0;
    return {{VIR_DOMAIN_NUMA_MODE, static_cast<int>(VIR_DOMAIN_NUMATUNE_MEM_STRICT)},
            {VIR_DOMAIN_NUMA_NODESET, live ? domain.details.numa_nodeset : std::string()}};
}

void domain_get_numa_parameters(Call& call, const remote_domain_get_numa_parameters_args& args,
                                remote_domain_get_numa_parameters_ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_NUMA_PARAMETERS_MAX, "virDomainGetNumaParameters");
    const auto domain = find(call, args.dom);
    (void)affected(domain, args.flags);
    encode_two_step(numa_params(domain, args.flags), args.nparams, ret);
}

// What can be wrong with a value for every driver; the words are the qemu driver's. The nodeset
// comes back in the form that the getter uses.
void check_numa_value(Param& param) {
    if (auto* mode = std::get_if<int>(&param.value)) {
        if (*mode < VIR_DOMAIN_NUMATUNE_MEM_STRICT || *mode > VIR_DOMAIN_NUMATUNE_MEM_RESTRICTIVE)
            throw Error(VIR_ERR_INVALID_ARG, fmt::format("unsupported numatune mode: '{}'", *mode));
        return;
    }
    auto& text = std::get<std::string>(param.value);
    const CpuSet nodes = CpuSet::parse(text);
    if (nodes.empty()) {
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("Invalid nodeset of 'numatune': {}", text));
    }
    text = nodes.to_string();
}

void domain_set_numa_parameters(Call& call, const remote_domain_set_numa_parameters_args& args) {
    Params wanted = decode_params(args.params.params_val, args.params.params_len, numa_rules);
    const auto domain = find(call, args.dom);
    std::for_each(wanted.begin(), wanted.end(), check_numa_value);
    require_affected(domain, args.flags);
    const domain::Affect affect = affect_of(args.flags);
    if (domain.active() && (affect.live || !affect.config)) {
        require_unchanged(wanted, numa_params(domain, VIR_DOMAIN_AFFECT_LIVE),
                          "the memory of a running partition stays on the nodes that it is on");
    }
    if (affect.config || !domain.active()) {
        require_unchanged(wanted, numa_params(domain, VIR_DOMAIN_AFFECT_CONFIG),
                          "nodes cannot be chosen yet; choose CPUs by <vcpu cpuset>");
    }
}

// Block I/O: no weight and no limit for any device, as of a domain that says nothing of it.

constexpr ParamRule blkio_rules[] = {
    {VIR_DOMAIN_BLKIO_WEIGHT, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BLKIO_DEVICE_WEIGHT, VIR_TYPED_PARAM_STRING},
    {VIR_DOMAIN_BLKIO_DEVICE_READ_IOPS, VIR_TYPED_PARAM_STRING},
    {VIR_DOMAIN_BLKIO_DEVICE_WRITE_IOPS, VIR_TYPED_PARAM_STRING},
    {VIR_DOMAIN_BLKIO_DEVICE_READ_BPS, VIR_TYPED_PARAM_STRING},
    {VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS, VIR_TYPED_PARAM_STRING},
};

Params blkio_params() {
    Params params;
    for (const ParamRule& rule : blkio_rules) {
        if (rule.type == VIR_TYPED_PARAM_UINT)
            params.push_back({rule.field, 0U});
        else
            params.push_back({rule.field, std::string()});
    }
    return params;
}

void domain_get_blkio_parameters(Call& call, const remote_domain_get_blkio_parameters_args& args,
                                 remote_domain_get_blkio_parameters_ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_BLKIO_PARAMETERS_MAX, "virDomainGetBlkioParameters");
    (void)affected(find(call, args.dom), args.flags);
    encode_two_step(blkio_params(), args.nparams, ret);
}

void domain_set_blkio_parameters(Call& call, const remote_domain_set_blkio_parameters_args& args) {
    const Params wanted =
        decode_params(args.params.params_val, args.params.params_len, blkio_rules);
    require_affected(find(call, args.dom), args.flags);
    require_unchanged(wanted, blkio_params(), "a partition is in no cgroup of the host");
}

// Performance events: the host's counters do not see the CPUs of a partition.

constexpr auto perf_rules = std::to_array<ParamRule>({
    {VIR_PERF_PARAM_CMT, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_MBMT, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_MBML, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_CPU_CYCLES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_INSTRUCTIONS, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_CACHE_REFERENCES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_CACHE_MISSES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_BRANCH_INSTRUCTIONS, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_BRANCH_MISSES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_BUS_CYCLES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_STALLED_CYCLES_FRONTEND, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_STALLED_CYCLES_BACKEND, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_REF_CPU_CYCLES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_CPU_CLOCK, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_TASK_CLOCK, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_PAGE_FAULTS, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_CONTEXT_SWITCHES, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_CPU_MIGRATIONS, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_PAGE_FAULTS_MIN, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_PAGE_FAULTS_MAJ, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_ALIGNMENT_FAULTS, VIR_TYPED_PARAM_BOOLEAN},
    {VIR_PERF_PARAM_EMULATION_FAULTS, VIR_TYPED_PARAM_BOOLEAN},
});

Params perf_params() {
    Params params;
    for (const ParamRule& rule : perf_rules)
        params.push_back({rule.field, false});
    return params;
}

void domain_get_perf_events(Call& call, const remote_domain_get_perf_events_args& args,
                            remote_domain_get_perf_events_ret& ret) {
    (void)affected(find(call, args.dom), args.flags);
    encode_params(perf_params(), ret.params.params_val, ret.params.params_len);
}

void domain_set_perf_events(Call& call, const remote_domain_set_perf_events_args& args) {
    const Params wanted = decode_params(args.params.params_val, args.params.params_len, perf_rules);
    require_affected(find(call, args.dom), args.flags);
    require_unchanged(wanted, perf_params(),
                      "the host's performance counters do not see an app kernel's CPUs; use perf "
                      "there");
}

constexpr unsigned affect_flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;
constexpr unsigned get_flags = affect_flags | typed_params_flag;

const Row rows[] = {
    row<domain_get_scheduler_type>(REMOTE_PROC_DOMAIN_GET_SCHEDULER_TYPE),
    row<domain_get_scheduler_parameters>(REMOTE_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS),
    row<domain_get_scheduler_parameters_flags>(REMOTE_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS,
                                               get_flags),
    row<domain_set_scheduler_parameters>(REMOTE_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS),
    row<domain_set_scheduler_parameters_flags>(REMOTE_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS,
                                               affect_flags),
    row<domain_get_memory_parameters>(REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, get_flags),
    row<domain_set_memory_parameters>(REMOTE_PROC_DOMAIN_SET_MEMORY_PARAMETERS, affect_flags),
    row<domain_get_numa_parameters>(REMOTE_PROC_DOMAIN_GET_NUMA_PARAMETERS, get_flags),
    row<domain_set_numa_parameters>(REMOTE_PROC_DOMAIN_SET_NUMA_PARAMETERS, affect_flags),
    row<domain_get_blkio_parameters>(REMOTE_PROC_DOMAIN_GET_BLKIO_PARAMETERS, get_flags),
    row<domain_set_blkio_parameters>(REMOTE_PROC_DOMAIN_SET_BLKIO_PARAMETERS, affect_flags),
    row<domain_get_perf_events>(REMOTE_PROC_DOMAIN_GET_PERF_EVENTS, get_flags),
    row<domain_set_perf_events>(REMOTE_PROC_DOMAIN_SET_PERF_EVENTS, affect_flags),
};

}  // namespace

std::span<const Row> tune_rows() {
    return rows;
}

}  // namespace mk::api
