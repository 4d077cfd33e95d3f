// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/cpu_compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "host/cpu_features.h"
#include "host/cpu_models.h"
#include "util/error.h"
#include "util/xml.h"

namespace mk::host {

namespace {

constexpr const char* schema = "/usr/share/libvirt/schemas/cpu.rng";

using Names = std::set<std::string>;

Names minus(const Names& all, const Names& some) {
    Names rest;
    std::set_difference(all.begin(), all.end(), some.begin(), some.end(),
                        std::inserter(rest, rest.end()));
    return rest;
}

CpuComparison incompatible(std::string why) {
    return {VIR_CPU_COMPARE_INCOMPATIBLE, std::move(why)};
}

std::string text_of(const xmlNode* cpu, std::string_view name) {
    const xmlNode* child = xml_child(cpu, name);
    return child != nullptr ? xml_text(child) : std::string();
}

// The features that <feature policy=> names, by policy. Those of a host's CPU have none: it has
// them.
std::map<std::string, Names> by_policy(const xmlNode* cpu, const Names& known) {
    std::map<std::string, Names> features;
    for (const xmlNode* child : xml_children(cpu)) {
        if (xml_name(child) != "feature")
            continue;
        const std::string name = xml_attribute(child, "name").value_or("");
        const std::string policy = xml_attribute(child, "policy").value_or("require");
        if (name.empty())
            throw Error(VIR_ERR_XML_ERROR, "Invalid CPU feature name");
        if (!known.contains(name))
            throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("Unknown CPU feature {}", name));
        constexpr std::string_view policies[] = {"force", "require", "optional", "disable",
                                                 "forbid"};
        if (std::find(std::begin(policies), std::end(policies), policy) == std::end(policies))
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        fmt::format("Unknown CPU feature policy '{}'", policy));
        features[policy].insert(name);
    }
    return features;
}

CpuComparison compare_features(const xmlNode* cpu, const CpuFeatures& host) {
    auto named = by_policy(cpu, host.known);
    Names required = features_of_model(text_of(cpu, "model"));
    required.merge(Names(named["require"]));
    for (const char* policy : {"force", "optional", "disable"})
        required = minus(required, named[policy]);
    Names forbidden;
    std::set_intersection(named["forbid"].begin(), named["forbid"].end(), host.here.begin(),
                          host.here.end(), std::inserter(forbidden, forbidden.end()));
    if (!forbidden.empty())
        return incompatible(
            fmt::format("Host CPU provides forbidden features: {}", fmt::join(forbidden, ", ")));
    const Names missing = minus(required, host.here);
    if (!missing.empty())
        return incompatible(fmt::format("Host CPU does not provide required features: {}",
                                        fmt::join(missing, ", ")));
    Names extra = minus(host.here, required);
    for (const char* policy : {"force", "optional", "disable"})
        extra = minus(extra, named[policy]);
    if (!extra.empty() && xml_attribute(cpu, "match") == "strict")
        return incompatible(
            fmt::format("Host CPU does not strictly match guest CPU: Extra features: {}",
                        fmt::join(extra, ", ")));
    return {extra.empty() ? VIR_CPU_COMPARE_IDENTICAL : VIR_CPU_COMPARE_SUPERSET, {}};
}

}  // namespace

CpuComparison compare_cpu(const std::string& xml, bool validate) {
    const XmlDoc doc = XmlDoc::parse(xml, "(CPU_definition)");
    const xmlNode* cpu = doc.root();
    if (xml_name(cpu) != "cpu")
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("expecting root element of 'cpu', not '{}'", xml_name(cpu)));
    if (validate)
        doc.validate(schema);
    const std::string arch = text_of(cpu, "arch");
    if (!arch.empty() && arch != "x86_64" && arch != "i686")
        return incompatible(fmt::format("CPU arch {} does not match host arch", arch));
    const std::string model = text_of(cpu, "model");
    const std::string mode = xml_attribute(cpu, "mode").value_or("");
    // What an app kernel sees is the CPU as it is.
    if (model.empty() && mode == "host-passthrough")
        return {VIR_CPU_COMPARE_IDENTICAL, {}};
    if (model.empty())
        throw Error(VIR_ERR_XML_ERROR, "Missing CPU model name");
    const CpuFeatures host = read_cpu_features();
    const std::string vendor = text_of(cpu, "vendor");
    if (!vendor.empty() && vendor != host.vendor)
        return incompatible(
            fmt::format("host CPU vendor does not match required CPU vendor {}", vendor));
    return compare_features(cpu, host);
}

}  // namespace mk::host
