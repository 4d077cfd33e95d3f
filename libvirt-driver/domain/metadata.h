// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virDomainSetMetadata and virDomainGetMetadata on a definition: title, description, and the
// children of <metadata>, each of which belongs to one application and is found by the URI of
// its namespace. Knows no domain: whoever holds one copies its definition and calls these.
//
// Pure functions; externally synchronised.
#pragma once

#include <libvirt/libvirt.h>

#include <optional>
#include <string>

#include "domain/definition.h"

namespace mk::domain {

// nullopt in `value` removes; removing what is not there is no error, as in libvirt.
struct MetadataValue {
    virDomainMetadataType type = VIR_DOMAIN_METADATA_DESCRIPTION;
    std::optional<std::string> value{};
    std::string key{};  // prefix; only for VIR_DOMAIN_METADATA_ELEMENT
    std::string uri{};  // namespace; only for VIR_DOMAIN_METADATA_ELEMENT
};

// Throws Error: VIR_ERR_INVALID_ARG a title with a newline, an unknown type, an element without
// a usable key or URI; VIR_ERR_XML_ERROR the element is not well-formed.
void set_metadata(Definition& definition, const MetadataValue& value);

// An element comes back without its prefix and namespace, as from libvirt.
// Throws Error: VIR_ERR_NO_DOMAIN_METADATA there is none; VIR_ERR_INVALID_ARG unknown type.
[[nodiscard]] std::string metadata(const Definition& definition, virDomainMetadataType type,
                                   const std::string& uri);

}  // namespace mk::domain
