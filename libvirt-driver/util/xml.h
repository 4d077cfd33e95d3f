// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libxml2 with an owner: parse hostile XML within limits, walk it, print it in libvirt's way,
// check it against a RELAX NG schema. Knows no vocabulary; that is domain/.
//
// Externally synchronised; different documents may be used by different threads.
#pragma once

#include <libxml/tree.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mk {

class XmlDoc {
  public:
    // Bytes; libvirt's limit of one string on the wire (REMOTE_STRING_MAX).
    static constexpr std::size_t max_bytes = 4U << 20;

    // `name` stands for the file in messages, e.g. "(domain_definition)". No network, no
    // document type (so no entities), libxml2's limit on depth (256). Blank text between
    // elements is dropped. Throws Error(VIR_ERR_XML_ERROR, "name:line: what").
    [[nodiscard]] static XmlDoc parse(std::string_view text, const std::string& name);
    // A document whose root is a copy of `node`; namespaces it uses are declared in it.
    [[nodiscard]] static XmlDoc copy_of(const xmlNode* node);

    [[nodiscard]] xmlNode* root() const noexcept;
    [[nodiscard]] xmlDoc* get() const noexcept { return doc_.get(); }

    // Throws Error: VIR_ERR_XML_INVALID_SCHEMA it is not what the schema says;
    // VIR_ERR_INTERNAL_ERROR the schema itself cannot be used.
    void validate(const std::string& schema_path) const;

  private:
    struct Free {
        void operator()(xmlDoc* doc) const noexcept;
    };
    explicit XmlDoc(xmlDoc* doc) : doc_(doc) {}
    std::unique_ptr<xmlDoc, Free> doc_;
};

[[nodiscard]] std::string_view xml_name(const xmlNode* node) noexcept;  // without prefix
[[nodiscard]] std::string_view xml_uri(const xmlNode* node) noexcept;   // "": no namespace
[[nodiscard]] std::vector<xmlNode*> xml_children(const xmlNode* node);  // elements only
// The only child element with that name and no namespace, or null.
// Throws Error(VIR_ERR_XML_ERROR) if there are several.
[[nodiscard]] xmlNode* xml_child(const xmlNode* node, std::string_view name);
[[nodiscard]] std::string xml_text(const xmlNode* node);  // all text in it
// Attribute without namespace.
[[nodiscard]] std::optional<std::string> xml_attribute(const xmlNode* node, const char* name);

// `node` as it is printed `level` steps deep, two spaces each; the first line is not indented,
// the last has no newline.
[[nodiscard]] std::string xml_print(xmlNode* node, int level);

// True if XML can say it: UTF-8, and no control characters but tab and line ends (XML 1.0, 2.2).
[[nodiscard]] bool xml_can_say(std::string_view text) noexcept;

// For text, and for attributes in either quotes: what is escaped reads back the same.
[[nodiscard]] std::string xml_escape(std::string_view text);
[[nodiscard]] std::string xml_escape_attribute(std::string_view text);

}  // namespace mk
