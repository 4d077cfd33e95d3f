// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a domain is: its state, its XML, its title, description and metadata, whether it is
// active, persistent, up to date. Nothing here changes a domain but virDomainSetMetadata.
#include <fmt/format.h>

#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

void domain_get_info(Call& call, const remote_domain_get_info_args& args,
                     remote_domain_get_info_ret& ret) {
    const auto domain = find(call, args.dom);
    const domain::Definition& definition = domain.current();
    ret.state = static_cast<unsigned char>(domain.state);
    ret.maxMem = definition.memory_kib;
    ret.memory = definition.current_memory_kib;
    ret.nrVirtCpu = static_cast<unsigned short>(definition.current_vcpus());
    if (!domain.active())
        return;
    if (call.left_to_worker != nullptr) {  // the kernel is asked
        *call.left_to_worker = true;
        return;
    }
    try {
        if (const auto status = call.driver.status(domain.uuid); status.app)
            ret.cpuTime = status.app->busy_ns;
    } catch (const Error& error) {
        // It ended since the look: the rest of the answer was true a moment ago.
        if (error.code() != VIR_ERR_OPERATION_INVALID && error.code() != VIR_ERR_NO_DOMAIN)
            throw;
    }
}

void domain_get_state(Call& call, const remote_domain_get_state_args& args,
                      remote_domain_get_state_ret& ret) {
    const auto domain = find(call, args.dom);
    ret.state = domain.state;
    ret.reason = domain.reason;
}

// UPDATE_CPU and MIGRATABLE change nothing: there is no CPU model to fill in, and one format.
void domain_get_xml_desc(Call& call, const remote_domain_get_xml_desc_args& args,
                         remote_domain_get_xml_desc_ret& ret) {
    constexpr unsigned not_for_readers = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE;
    if (call.session.read_only() && (args.flags & not_for_readers) != 0)
        throw Error(VIR_ERR_OPERATION_DENIED, "virDomainGetXMLDesc with secure flag");

    const auto domain = find(call, args.dom);
    const bool inactive = (args.flags & VIR_DOMAIN_XML_INACTIVE) != 0;
    if (inactive && domain.persistent_definition)
        ret.xml = protocol::copy_string(format(*domain.persistent_definition));
    else
        ret.xml = protocol::copy_string(
            format(domain.current(), domain.active() && !inactive ? &domain.details : nullptr));
}

void domain_get_os_type(Call& call, const remote_domain_get_os_type_args& args,
                        remote_domain_get_os_type_ret& ret) {
    (void)find(call, args.dom);
    ret.type = protocol::copy_string("hvm");
}

void domain_is_active(Call& call, const remote_domain_is_active_args& args,
                      remote_domain_is_active_ret& ret) {
    ret.active = find(call, args.dom).active() ? 1 : 0;
}

void domain_is_persistent(Call& call, const remote_domain_is_persistent_args& args,
                          remote_domain_is_persistent_ret& ret) {
    ret.persistent = find(call, args.dom).persistent ? 1 : 0;
}

void domain_is_updated(Call& call, const remote_domain_is_updated_args& args,
                       remote_domain_is_updated_ret& ret) {
    ret.updated = find(call, args.dom).updated ? 1 : 0;
}

// Elements without effect are a taint in libvirt's sense: the domain is not quite what was asked
// for. Nothing here is deprecated.
void domain_get_messages(Call& call, const remote_domain_get_messages_args& args,
                         remote_domain_get_messages_ret& ret) {
    const auto domain = find(call, args.dom);
    const bool wanted = args.flags == 0 || (args.flags & VIR_DOMAIN_MESSAGE_TAINTING) != 0;
    const auto messages = wanted ? domain::messages(domain.current()) : std::vector<std::string>();
    ret.msgs.msgs_val = protocol::make_array<remote_nonnull_string>(messages.size());
    ret.msgs.msgs_len = static_cast<unsigned>(messages.size());
    for (std::size_t i = 0; i < messages.size(); i++)
        ret.msgs.msgs_val[i] = protocol::copy_string(messages[i]);
}

virDomainMetadataType metadata_type(int type) {
    if (type < VIR_DOMAIN_METADATA_DESCRIPTION || type > VIR_DOMAIN_METADATA_ELEMENT)
        throw Error(VIR_ERR_INVALID_ARG, "unknown metadata type");
    return static_cast<virDomainMetadataType>(type);
}

void domain_get_metadata(Call& call, const remote_domain_get_metadata_args& args,
                         remote_domain_get_metadata_ret& ret) {
    constexpr char function[] = "virDomainGetMetadata";
    require_one_of_live_and_config(args.flags);
    const auto type = metadata_type(args.type);
    if (type == VIR_DOMAIN_METADATA_ELEMENT)
        require_not_null(args.uri, "uri", function);
    else
        require_null(args.uri, "uri", function);
    const auto domain = find(call, args.dom);
    ret.metadata = protocol::copy_string(
        call.driver.metadata(domain.uuid, type, string_or_empty(args.uri), affect_of(args.flags)));
}

void domain_set_metadata(Call& call, const remote_domain_set_metadata_args& args) {
    constexpr char function[] = "virDomainSetMetadata";
    domain::Driver::MetadataChange change;
    change.type = metadata_type(args.type);
    if (args.metadata != nullptr)
        change.value = *args.metadata;
    if (change.type == VIR_DOMAIN_METADATA_ELEMENT) {
        require_not_null(args.uri, "uri", function);
        if (change.value)
            require_not_null(args.key, "key", function);
    } else {
        if (change.type == VIR_DOMAIN_METADATA_TITLE && change.value &&
            change.value->find('\n') != std::string::npos)
            throw Error(VIR_ERR_INVALID_ARG, "metadata title can't contain newlines");
        require_null(args.uri, "uri", function);
        require_null(args.key, "key", function);
    }
    change.key = string_or_empty(args.key);
    change.uri = string_or_empty(args.uri);
    change.affect = affect_of(args.flags);
    call.driver.set_metadata(find(call, args.dom).uuid, change);
}

constexpr unsigned xml_flags = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE |
                               VIR_DOMAIN_XML_UPDATE_CPU | VIR_DOMAIN_XML_MIGRATABLE;
constexpr unsigned affect_flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;

const Row rows[] = {
    row<domain_get_info>(REMOTE_PROC_DOMAIN_GET_INFO),
    row<domain_get_state>(REMOTE_PROC_DOMAIN_GET_STATE),
    row<domain_get_xml_desc>(REMOTE_PROC_DOMAIN_GET_XML_DESC, xml_flags),
    row<domain_get_os_type>(REMOTE_PROC_DOMAIN_GET_OS_TYPE),
    row<domain_is_active>(REMOTE_PROC_DOMAIN_IS_ACTIVE),
    row<domain_is_persistent>(REMOTE_PROC_DOMAIN_IS_PERSISTENT),
    row<domain_is_updated>(REMOTE_PROC_DOMAIN_IS_UPDATED),
    row<domain_get_messages>(REMOTE_PROC_DOMAIN_GET_MESSAGES,
                             VIR_DOMAIN_MESSAGE_DEPRECATION | VIR_DOMAIN_MESSAGE_TAINTING),
    row<domain_get_metadata>(REMOTE_PROC_DOMAIN_GET_METADATA, affect_flags),
    row<domain_set_metadata>(REMOTE_PROC_DOMAIN_SET_METADATA, affect_flags),
};

}  // namespace

std::span<const Row> describe_rows() {
    return rows;
}

}  // namespace mk::api
