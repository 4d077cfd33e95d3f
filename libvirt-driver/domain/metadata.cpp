// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What virXMLInjectNamespace and virXMLExtractNamespaceXML (src/util/virxml.c) do for
// libvirt's drivers: an application's element gets its namespace on the way in and loses it on
// the way out.
#include "domain/metadata.h"

#include <fmt/core.h>

#include <algorithm>

#include "util/error.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

const xmlChar* bytes(const std::string& text) {
    return reinterpret_cast<const xmlChar*>(text.c_str());
}

// Elements of the application are written without a prefix; all of them belong to it.
void add_namespace(xmlNode* node, xmlNs* ns) {
    if (node->ns == nullptr) {
        xmlSetNs(node, ns);
    }
    for (xmlNode* child : xml_children(node)) {
        add_namespace(child, ns);
    }
}

void remove_namespace(xmlNode* node, const std::string& uri) {
    if (xml_uri(node) == uri) {
        node->ns = nullptr;
    }
    for (xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) {
        if (attribute->ns != nullptr && xmlStrcmp(attribute->ns->href, bytes(uri)) == 0) {
            attribute->ns = nullptr;
        }
    }
    for (xmlNode* child : xml_children(node)) {
        remove_namespace(child, uri);
    }
}

// Every declaration of `uri` on `node`; nothing may refer to it any more.
void remove_declaration(xmlNode* node, const std::string& uri) {
    for (xmlNs** link = &node->nsDef; *link != nullptr;) {
        xmlNs* ns = *link;
        if (xmlStrcmp(ns->href, bytes(uri)) == 0) {
            *link = ns->next;
            xmlFreeNs(ns);
        } else {
            link = &ns->next;
        }
    }
    for (xmlNode* child : xml_children(node)) {
        remove_declaration(child, uri);
    }
}

auto find(std::vector<MetadataElement>& elements, const std::string& uri) {
    return std::find_if(elements.begin(), elements.end(),
                        [&uri](const MetadataElement& element) { return element.uri == uri; });
}

std::string with_namespace(const MetadataValue& value) {
    const XmlDoc doc = XmlDoc::parse(*value.value, "(metadata_xml)");
    xmlNs* ns = xmlNewNs(doc.root(), bytes(value.uri), bytes(value.key));
    if (ns == nullptr) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("the element declares the prefix '{}' already", value.key));
    }
    add_namespace(doc.root(), ns);
    if (xml_uri(doc.root()) != value.uri) {
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("the element has the namespace '{}', not '{}'",
                                                     xml_uri(doc.root()), value.uri));
    }
    // Read back what is printed: what is stored is what the next parse() will store.
    return xml_print(XmlDoc::parse(xml_print(doc.root(), 2), "(metadata_xml)").root(), 2);
}

void set_element(Definition& definition, const MetadataValue& value) {
    if (value.uri.empty()) {
        throw Error(VIR_ERR_INVALID_ARG, "a metadata element needs the URI of a namespace");
    }
    const auto found = find(definition.metadata, value.uri);
    if (!value.value) {
        if (found != definition.metadata.end()) {
            definition.metadata.erase(found);
        }
        return;
    }
    // These two are XML's own (Namespaces in XML 1.0, section 3); a declaration of them cannot
    // be read back.
    const bool reserved = value.key == "xml" || value.key == "xmlns";
    if (reserved || xmlValidateNCName(bytes(value.key), 0) != 0) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("failed to validate prefix key '{}'", value.key));
    }
    std::string xml = with_namespace(value);
    if (found != definition.metadata.end()) {
        definition.metadata.erase(found);  // libvirt appends what replaces it
    }
    definition.metadata.push_back({value.uri, std::move(xml)});
}

std::string element(const Definition& definition, const std::string& uri) {
    for (const MetadataElement& candidate : definition.metadata) {
        if (candidate.uri != uri) {
            continue;
        }
        const XmlDoc doc = XmlDoc::parse(candidate.xml, "(metadata_xml)");
        remove_namespace(doc.root(), uri);
        remove_declaration(doc.root(), uri);
        return xml_print(doc.root(), 0);
    }
    return {};
}

}  // namespace

void set_metadata(Definition& definition, const MetadataValue& value) {
    if (!xml_can_say(value.value.value_or("")) || !xml_can_say(value.uri)) {
        throw Error(VIR_ERR_INVALID_ARG, "metadata has bytes that no XML document can hold");
    }
    switch (value.type) {
        case VIR_DOMAIN_METADATA_DESCRIPTION:
            definition.description = value.value.value_or("");
            return;
        case VIR_DOMAIN_METADATA_TITLE:
            if (value.value && value.value->find('\n') != std::string::npos) {
                throw Error(VIR_ERR_INVALID_ARG, "metadata title can't contain newlines");
            }
            definition.title = value.value.value_or("");
            return;
        case VIR_DOMAIN_METADATA_ELEMENT:
            set_element(definition, value);
            return;
        default:
            throw Error(VIR_ERR_INVALID_ARG, "unknown metadata type");
    }
}

std::string metadata(const Definition& definition, virDomainMetadataType type,
                     const std::string& uri) {
    std::string text;
    switch (type) {
        case VIR_DOMAIN_METADATA_DESCRIPTION:
            text = definition.description;
            break;
        case VIR_DOMAIN_METADATA_TITLE:
            text = definition.title;
            break;
        case VIR_DOMAIN_METADATA_ELEMENT:
            text = element(definition, uri);
            break;
        default:
            throw Error(VIR_ERR_INVALID_ARG, "unknown metadata type");
    }
    if (text.empty()) {
        throw Error(VIR_ERR_NO_DOMAIN_METADATA, "Requested metadata element is not present");
    }
    return text;
}

}  // namespace mk::domain
