// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The walk that holds a document against the table; the table is in element_table.cpp.
#include "domain/elements.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "domain/definition.h"
#include "util/error.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

std::string_view view(const xmlChar* text) noexcept {
    return text != nullptr ? reinterpret_cast<const char*>(text) : "";
}

// A part of a path: the plain name, "multikernel:name" for ours, else the document's own prefix
// (or the URI), which is in no table.
std::string part(const xmlChar* name, const xmlNs* ns) {
    if (ns == nullptr) {
        return std::string(view(name));
    }
    if (view(ns->href) == multikernel_uri) {
        return fmt::format("multikernel:{}", view(name));
    }
    const std::string_view prefix = view(ns->prefix);
    // Whatever the prefix, it must not look like ours.
    if (prefix.empty() || prefix == "multikernel") {
        return fmt::format("{{{}}}{}", view(ns->href), view(name));
    }
    return fmt::format("{}:{}", prefix, view(name));
}

[[noreturn]] void refuse(const std::string& path, const Element* element) {
    const bool attribute = path.find('@') != std::string::npos;
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                fmt::format("{} {} is not supported: {}", attribute ? "attribute" : "element", path,
                            element != nullptr ? element->sentence
                                               : "it has no meaning for this driver; remove it"));
}

const Element& accepted(const std::string& path) {
    const Element* element = find_element(path);
    if (element == nullptr || element->cls == Class::refused) {
        refuse(path, element);
    }
    return *element;
}

bool blank(std::string_view text) noexcept {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

void check(const xmlNode* node, const std::string& path) {
    const Element& element = accepted(path);
    if (element.cls == Class::without_effect) {
        return;
    }
    for (const xmlAttr* attribute = node->properties; attribute != nullptr;
         attribute = attribute->next) {
        static_cast<void>(accepted(path + "@" + part(attribute->name, attribute->ns)));
    }
    if (element.text == Text::any) {
        return;
    }
    for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            check(child, path + "/" + part(child->name, child->ns));
        } else if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) &&
                   element.text == Text::no && !blank(view(child->content))) {
            throw Error(VIR_ERR_XML_ERROR, fmt::format("unexpected text in element {}", path));
        }
    }
}

}  // namespace

const Element* find_element(std::string_view path) {
    static const auto index = [] {
        std::unordered_map<std::string_view, const Element*> map;
        for (const Element& element : element_table()) {
            map.emplace(element.path, &element);
        }
        return map;
    }();
    const auto found = index.find(path);
    return found != index.end() ? found->second : nullptr;
}

void check_elements(const xmlNode* root) {
    check(root, part(root->name, root->ns));
}

void check_device(const xmlNode* device) {
    check(device, "domain/devices/" + part(device->name, device->ns));
}

std::vector<std::string> messages(const Definition& definition) {
    std::vector<std::string> all;
    for (const KeptElement& kept : definition.without_effect) {
        const Element* element = find_element(kept.path);
        std::string message =
            fmt::format("element {} has no effect: {}", kept.path,
                        element != nullptr ? element->sentence : std::string_view("unknown"));
        if (std::find(all.begin(), all.end(), message) == all.end()) {
            all.push_back(std::move(message));
        }
    }
    return all;
}

void refuse_value(std::string_view path, std::string_view value, std::string_view why) {
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                fmt::format("{} '{}' is not supported: {}", path, value, why));
}

}  // namespace mk::domain
