// SPDX-License-Identifier: LGPL-2.1-or-later
//
// CPU models as libvirt names them. What they are and how several are combined only libvirt
// itself knows: its library is asked in this process, through its test driver, which needs no
// hypervisor and no daemon for that.
//
// Free functions, thread-safe. All throw libvirt's own errors.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace mk::host {

// Throws Error(VIR_ERR_INVALID_ARG): no such architecture.
[[nodiscard]] std::vector<std::string> cpu_model_names(const std::string& arch);

struct BaselineOptions {
    bool expand_features = false;  // name each feature, not only what the model lacks
    bool migratable = false;       // without those that keep a domain on its host
};
// The <cpu> that all of `cpus`, each a <cpu> of a host, can be.
[[nodiscard]] std::string baseline_cpu(const std::vector<std::string>& cpus,
                                       const BaselineOptions& options);

// All features of an x86-64 model.
[[nodiscard]] std::set<std::string> features_of_model(const std::string& model);

}  // namespace mk::host
