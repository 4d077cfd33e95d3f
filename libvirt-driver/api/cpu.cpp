// SPDX-License-Identifier: LGPL-2.1-or-later
//
// CPU models: names, what several CPUs have in common, whether this machine's are what somebody
// wants. There is no hypervisor between an app kernel and its CPUs, so the calls that ask about
// the hypervisor's CPU get the same answers.
#include <fmt/format.h>

#include "api/encode.h"
#include "api/table.h"
#include "host/cpu_compare.h"
#include "host/cpu_models.h"

namespace mk::api {

namespace {

void connect_get_cpu_model_names(Call&, const remote_connect_get_cpu_model_names_args& args,
                                 remote_connect_get_cpu_model_names_ret& ret) {
    const auto names = host::cpu_model_names(args.arch);
    if (names.size() > REMOTE_CONNECT_CPU_MODELS_MAX)
        throw Error(VIR_ERR_RPC, fmt::format("Too many CPU models '{}' for limit '{}'",
                                             names.size(), REMOTE_CONNECT_CPU_MODELS_MAX));
    ret.ret = static_cast<int>(names.size());
    if (args.need_results == 0)
        return;
    ret.models.models_val = protocol::make_array<remote_nonnull_string>(names.size());
    ret.models.models_len = static_cast<unsigned>(names.size());
    for (std::size_t i = 0; i < names.size(); i++)
        ret.models.models_val[i] = protocol::copy_string(names[i]);
}

int compare(const std::string& xml, unsigned flags) {
    const auto [result, why] =
        host::compare_cpu(xml, (flags & VIR_CONNECT_COMPARE_CPU_VALIDATE_XML) != 0);
    const bool fail = (flags & VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE) != 0;
    if (fail && result == VIR_CPU_COMPARE_INCOMPATIBLE)
        throw Error(VIR_ERR_CPU_INCOMPATIBLE, why);
    return result;
}

template <typename Args>
std::string baseline(const Args& args, const char* function) {
    if (args.xmlCPUs.xmlCPUs_len == 0)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("ncpus in {} must not be zero", function));
    return host::baseline_cpu(
        {args.xmlCPUs.xmlCPUs_val, args.xmlCPUs.xmlCPUs_val + args.xmlCPUs.xmlCPUs_len},
        {.expand_features = (args.flags & VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES) != 0,
         .migratable = (args.flags & VIR_CONNECT_BASELINE_CPU_MIGRATABLE) != 0});
}

void connect_compare_cpu(Call&, const remote_connect_compare_cpu_args& args,
                         remote_connect_compare_cpu_ret& ret) {
    ret.result = compare(args.xml, args.flags);
}

void connect_baseline_cpu(Call&, const remote_connect_baseline_cpu_args& args,
                          remote_connect_baseline_cpu_ret& ret) {
    ret.cpu = protocol::copy_string(baseline(args, "virConnectBaselineCPU"));
}

// Throws as virConnectGetDomainCapabilities for what we are not.
template <typename Args>
void require_ours(Call& call, const Args& args) {
    static_cast<void>(
        call.driver.domain_capabilities({.emulator = string_or_empty(args.emulator),
                                         .arch = string_or_empty(args.arch),
                                         .machine = string_or_empty(args.machine),
                                         .virt_type = string_or_empty(args.virttype)}));
}

void connect_compare_hypervisor_cpu(Call& call,
                                    const remote_connect_compare_hypervisor_cpu_args& args,
                                    remote_connect_compare_hypervisor_cpu_ret& ret) {
    require_ours(call, args);
    ret.result = compare(args.xmlCPU, args.flags);
}

void connect_baseline_hypervisor_cpu(Call& call,
                                     const remote_connect_baseline_hypervisor_cpu_args& args,
                                     remote_connect_baseline_hypervisor_cpu_ret& ret) {
    require_ours(call, args);
    ret.cpu = protocol::copy_string(baseline(args, "virConnectBaselineHypervisorCPU"));
}

constexpr unsigned compare_flags =
    VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE | VIR_CONNECT_COMPARE_CPU_VALIDATE_XML;
constexpr unsigned baseline_flags =
    VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES | VIR_CONNECT_BASELINE_CPU_MIGRATABLE;

const Row rows[] = {
    row<connect_get_cpu_model_names>(REMOTE_PROC_CONNECT_GET_CPU_MODEL_NAMES),
    row<connect_compare_cpu>(REMOTE_PROC_CONNECT_COMPARE_CPU, compare_flags),
    row<connect_baseline_cpu>(REMOTE_PROC_CONNECT_BASELINE_CPU, baseline_flags),
    row<connect_compare_hypervisor_cpu>(REMOTE_PROC_CONNECT_COMPARE_HYPERVISOR_CPU, compare_flags),
    row<connect_baseline_hypervisor_cpu>(REMOTE_PROC_CONNECT_BASELINE_HYPERVISOR_CPU,
                                         baseline_flags),
};

}  // namespace

std::span<const Row> cpu_rows() {
    return rows;
}

}  // namespace mk::api
