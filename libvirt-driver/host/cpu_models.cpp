// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/cpu_models.h"

#include <fmt/format.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <memory>

#include "util/error.h"
#include "util/xml.h"

namespace mk::host {

namespace {

struct CloseConnection {
    void operator()(virConnect* connection) const noexcept { (void)virConnectClose(connection); }
};
using Connection = std::unique_ptr<virConnect, CloseConnection>;

[[noreturn]] void throw_last_error() {
    const virError* error = virGetLastError();
    if (error == nullptr)
        throw Error(VIR_ERR_INTERNAL_ERROR, "libvirt failed and does not say why");
    // str2 is the message without the prefix of its code.
    const char* text = error->str2 != nullptr ? error->str2 : error->message;
    throw Error(static_cast<virErrorNumber>(error->code), text != nullptr ? text : "");
}

Connection connect() {
    static const bool quiet = [] {
        virSetErrorFunc(nullptr, [](void*, virError*) {});  // else it prints them
        return true;
    }();
    static_cast<void>(quiet);
    Connection connection(virConnectOpen("test:///default"));
    if (!connection)
        throw_last_error();
    return connection;
}

struct FreeText {
    void operator()(char* text) const noexcept {
        std::free(text);  // as libvirt says of its strings
    }
};

// virCPUx86DataFilterMigratable: a CPU with an invariant TSC cannot follow another clock.
void remove_migration_blockers(xmlNode* cpu) {
    for (xmlNode* child : xml_children(cpu)) {
        if (xml_name(child) == "feature" && xml_attribute(child, "name") == "invtsc") {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        }
    }
}

}  // namespace

std::vector<std::string> cpu_model_names(const std::string& arch) {
    const Connection connection = connect();
    char** names = nullptr;
    const int count = virConnectGetCPUModelNames(connection.get(), arch.c_str(), &names, 0);
    if (count < 0)
        throw_last_error();
    std::vector<std::string> models;
    models.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; i++)
        models.emplace_back(std::unique_ptr<char, FreeText>(names[i]).get());
    const std::unique_ptr<char, FreeText> array(reinterpret_cast<char*>(names));
    return models;
}

std::string baseline_cpu(const std::vector<std::string>& cpus, const BaselineOptions& options) {
    const Connection connection = connect();
    std::vector<const char*> texts;
    texts.reserve(cpus.size());
    for (const std::string& cpu : cpus)
        texts.push_back(cpu.c_str());
    const std::unique_ptr<char, FreeText> xml(virConnectBaselineCPU(
        connection.get(), texts.data(), static_cast<unsigned>(texts.size()),
        options.expand_features ? VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES : 0));
    if (!xml)
        throw_last_error();
    if (!options.migratable)
        return xml.get();
    const XmlDoc doc = XmlDoc::parse(xml.get(), "(cpu)");
    remove_migration_blockers(doc.root());
    return xml_print(doc.root(), 0) + "\n";
}

std::set<std::string> features_of_model(const std::string& model) {
    const std::string cpu =
        fmt::format("<cpu><arch>x86_64</arch><model>{}</model></cpu>", xml_escape(model));
    const XmlDoc doc = XmlDoc::parse(baseline_cpu({cpu}, {.expand_features = true}), "(cpu)");
    std::set<std::string> features;
    for (const xmlNode* child : xml_children(doc.root()))
        if (xml_name(child) == "feature")
            features.insert(xml_attribute(child, "name").value_or(""));
    return features;
}

}  // namespace mk::host
