// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Definitions in the native format and back (domain/native.h). Nothing is defined by it.
#include "domain/native.h"

#include <fmt/format.h>

#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

void require_known_format(std::string_view format) {
    if (format != domain::native_format)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("unsupported config type {}", format));
}

void connect_domain_xml_to_native(Call&, const remote_connect_domain_xml_to_native_args& args,
                                  remote_connect_domain_xml_to_native_ret& ret) {
    require_known_format(args.nativeFormat);
    const domain::Definition definition = domain::parse(args.domainXml);
    domain::validate(definition);
    ret.nativeConfig = protocol::copy_string(domain::to_native(definition));
}

void connect_domain_xml_from_native(Call&, const remote_connect_domain_xml_from_native_args& args,
                                    remote_connect_domain_xml_from_native_ret& ret) {
    require_known_format(args.nativeFormat);
    const domain::Definition definition = domain::from_native(args.nativeConfig);
    domain::validate(definition);
    ret.domainXml = protocol::copy_string(domain::format(definition));
}

const Row rows[] = {
    row<connect_domain_xml_to_native>(REMOTE_PROC_CONNECT_DOMAIN_XML_TO_NATIVE),
    row<connect_domain_xml_from_native>(REMOTE_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE),
};

}  // namespace

std::span<const Row> native_rows() {
    return rows;
}

}  // namespace mk::api
