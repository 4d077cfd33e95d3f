// SPDX-License-Identifier: LGPL-2.1-or-later
//
// XmlDoc and the few calls on nodes. Nothing thrown crosses libxml2: its callbacks only note.
#include "util/xml.h"

#include <fmt/core.h>
#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>

#include <algorithm>

#include "util/error.h"

namespace mk {
namespace {

struct FreeParser {
    void operator()(xmlParserCtxt* context) const noexcept { xmlFreeParserCtxt(context); }
};
struct FreeString {
    void operator()(xmlChar* text) const noexcept { xmlFree(text); }
};
struct FreeBuffer {
    void operator()(xmlBuffer* buffer) const noexcept { xmlBufferFree(buffer); }
};
struct FreeSchemaParser {
    void operator()(xmlRelaxNGParserCtxt* context) const noexcept {
        xmlRelaxNGFreeParserCtxt(context);
    }
};
struct FreeSchema {
    void operator()(xmlRelaxNG* schema) const noexcept { xmlRelaxNGFree(schema); }
};
struct FreeValidator {
    void operator()(xmlRelaxNGValidCtxt* context) const noexcept {
        xmlRelaxNGFreeValidCtxt(context);
    }
};

using XmlString = std::unique_ptr<xmlChar, FreeString>;

std::string_view view(const xmlChar* text) noexcept {
    return text != nullptr ? reinterpret_cast<const char*>(text) : "";
}

// A document type is where entities come from; stopping at it means that none is ever read.
void refuse_doctype(void* data, const xmlChar* /*name*/, const xmlChar* /*external_id*/,
                    const xmlChar* /*system_id*/) noexcept {
    auto* context = static_cast<xmlParserCtxt*>(data);
    *static_cast<bool*>(context->_private) = true;
    xmlStopParser(context);
}

std::string first_line(const char* text) {
    const std::string_view line(text != nullptr ? text : "unknown error");
    return std::string(line.substr(0, line.find('\n')));
}

// libxml2 calls it for each complaint; the text of the first ones is kept.
void note(void* data, xmlErrorPtr error) noexcept {
    auto& text = *static_cast<std::string*>(data);
    if (text.size() > 1000) {
        return;
    }
    try {
        text += fmt::format("{}line {}: {}", text.empty() ? "" : "; ", error->line,
                            first_line(error->message));
    } catch (...) {
        text.clear();
    }
}

void ignore(void* /*data*/, const char* /*format*/, ...) {}

}  // namespace

void XmlDoc::Free::operator()(xmlDoc* doc) const noexcept {
    xmlFreeDoc(doc);
}

XmlDoc XmlDoc::parse(std::string_view text, const std::string& name) {
    if (text.size() > max_bytes) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("{}: {} bytes are more than the limit of {}",
                                                   name, text.size(), max_bytes));
    }
    static const bool ready = (xmlInitParser(), true);  // once, whichever thread comes first
    static_cast<void>(ready);
    // Of text that is not in the encoding that it names libxml2 complains to stderr, whatever the
    // options; each thread has a function of its own for that.
    xmlSetGenericErrorFunc(nullptr, ignore);
    const std::unique_ptr<xmlParserCtxt, FreeParser> context(xmlNewParserCtxt());
    if (!context) {
        throw std::bad_alloc();
    }
    bool doctype = false;
    context->_private = &doctype;
    context->sax->internalSubset = refuse_doctype;
    XmlDoc doc(xmlCtxtReadMemory(
        context.get(), text.data(), static_cast<int>(text.size()), name.c_str(), nullptr,
        XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR | XML_PARSE_NOWARNING));
    if (doctype) {
        throw Error(VIR_ERR_XML_ERROR, name + ": a document type declaration is not allowed");
    }
    if (doc.get() == nullptr || doc.root() == nullptr) {
        const xmlError* error = xmlCtxtGetLastError(context.get());
        throw Error(VIR_ERR_XML_DETAIL,
                    fmt::format("{}:{}: {}", name, error != nullptr ? error->line : 0,
                                first_line(error != nullptr ? error->message : nullptr)));
    }
    return doc;
}

XmlDoc XmlDoc::copy_of(const xmlNode* node) {
    XmlDoc doc(xmlNewDoc(reinterpret_cast<const xmlChar*>("1.0")));
    if (doc.get() == nullptr) {
        throw std::bad_alloc();
    }
    xmlNode* copy = xmlDocCopyNode(const_cast<xmlNode*>(node), doc.get(), 1);
    if (copy == nullptr) {
        throw std::bad_alloc();
    }
    xmlDocSetRootElement(doc.get(), copy);
    return doc;
}

xmlNode* XmlDoc::root() const noexcept {
    return xmlDocGetRootElement(doc_.get());
}

void XmlDoc::validate(const std::string& schema_path) const {
    std::string complaint;
    const std::unique_ptr<xmlRelaxNGParserCtxt, FreeSchemaParser> parser(
        xmlRelaxNGNewParserCtxt(schema_path.c_str()));
    if (!parser) {
        throw std::bad_alloc();
    }
    xmlRelaxNGSetParserStructuredErrors(parser.get(), note, &complaint);
    const std::unique_ptr<xmlRelaxNG, FreeSchema> schema(xmlRelaxNGParse(parser.get()));
    if (!schema) {
        throw Error(VIR_ERR_INTERNAL_ERROR,
                    fmt::format("cannot use the schema {}: {}", schema_path, complaint));
    }
    const std::unique_ptr<xmlRelaxNGValidCtxt, FreeValidator> validator(
        xmlRelaxNGNewValidCtxt(schema.get()));
    if (!validator) {
        throw std::bad_alloc();
    }
    complaint.clear();
    xmlRelaxNGSetValidErrors(validator.get(), ignore, ignore, nullptr);
    xmlRelaxNGSetValidStructuredErrors(validator.get(), note, &complaint);
    if (xmlRelaxNGValidateDoc(validator.get(), doc_.get()) != 0) {
        throw Error(VIR_ERR_XML_INVALID_SCHEMA, complaint);
    }
}

std::string_view xml_name(const xmlNode* node) noexcept {
    return view(node->name);
}

std::string_view xml_uri(const xmlNode* node) noexcept {
    return node->ns != nullptr ? view(node->ns->href) : "";
}

std::vector<xmlNode*> xml_children(const xmlNode* node) {
    std::vector<xmlNode*> children;
    for (xmlNode* child = node->children; child != nullptr; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            children.push_back(child);
        }
    }
    return children;
}

xmlNode* xml_child(const xmlNode* node, std::string_view name) {
    xmlNode* found = nullptr;
    for (xmlNode* child : xml_children(node)) {
        if (xml_name(child) != name || !xml_uri(child).empty()) {
            continue;
        }
        if (found != nullptr) {
            throw Error(VIR_ERR_XML_ERROR,
                        fmt::format("element <{}> appears twice in <{}>", name, xml_name(node)));
        }
        found = child;
    }
    return found;
}

std::string xml_text(const xmlNode* node) {
    const XmlString text(xmlNodeGetContent(node));
    return std::string(view(text.get()));
}

std::optional<std::string> xml_attribute(const xmlNode* node, const char* name) {
    const XmlString text(xmlGetNoNsProp(node, reinterpret_cast<const xmlChar*>(name)));
    if (!text) {
        return std::nullopt;
    }
    return std::string(view(text.get()));
}

std::string xml_print(xmlNode* node, int level) {
    const std::unique_ptr<xmlBuffer, FreeBuffer> buffer(xmlBufferCreate());
    if (!buffer || xmlNodeDump(buffer.get(), node->doc, node, level, 1) < 0) {
        throw std::bad_alloc();
    }
    std::string_view text = view(xmlBufferContent(buffer.get()));
    // libxml2 before 2.9.3 ends with a newline.
    text = text.substr(0, text.find_last_not_of('\n') + 1);
    return std::string(text);
}

bool xml_can_say(std::string_view text) noexcept {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t left = text.size();
    while (left > 0) {
        int length = static_cast<int>(std::min<std::size_t>(left, 4));
        const int character = xmlGetUTF8Char(at, &length);
        if (character < 0 || !xmlIsCharQ(character)) {
            return false;
        }
        at += length;
        left -= static_cast<std::size_t>(length);
    }
    return true;
}

namespace {

std::string escape(std::string_view text, bool attribute) {
    std::string out;
    for (const char c : text) {
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else if (c == '\'') {
            out += "&apos;";
        } else if (c == '\r' || (attribute && (c == '\n' || c == '\t'))) {
            out += fmt::format("&#{};", static_cast<int>(c));  // XML 1.0, 2.11 and 3.3.3
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

std::string xml_escape(std::string_view text) {
    return escape(text, false);
}

std::string xml_escape_attribute(std::string_view text) {
    return escape(text, true);
}

}  // namespace mk
