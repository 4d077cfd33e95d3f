// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a definition to a running domain and back: define, create, shutdown, reboot, reset,
// destroy, undefine, rename, autostart.
#include <fmt/format.h>

#include <array>

#include "api/access.h"
#include "api/encode.h"
#include "api/table.h"
#include "util/log.h"

namespace mk::api {

namespace {

void domain_define_xml(Call& call, const remote_domain_define_xml_args& args,
                       remote_domain_define_xml_ret& ret) {
    require_access_to_xml(call, args.xml);
    encode_domain(call.driver.define(args.xml, false), ret.dom);
}

void domain_define_xml_flags(Call& call, const remote_domain_define_xml_flags_args& args,
                             remote_domain_define_xml_flags_ret& ret) {
    const bool validate = (args.flags & VIR_DOMAIN_DEFINE_VALIDATE) != 0;
    require_access_to_xml(call, args.xml);
    encode_domain(call.driver.define(args.xml, validate), ret.dom);
}

void domain_undefine(Call& call, const remote_domain_undefine_args& args) {
    call.driver.undefine(find(call, args.dom).uuid);
}

void not_both(unsigned flags, unsigned both, const char* what) {
    if ((flags & both) == both)
        throw Error(VIR_ERR_OPERATION_INVALID, fmt::format("cannot both keep and delete {}", what));
}

// What the flags would remove as well does not exist here.
void domain_undefine_flags(Call& call, const remote_domain_undefine_flags_args& args) {
    not_both(args.flags, VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM, "nvram");
    not_both(args.flags, VIR_DOMAIN_UNDEFINE_TPM | VIR_DOMAIN_UNDEFINE_KEEP_TPM, "TPM");
    call.driver.undefine(find(call, args.dom).uuid);
}

// The domain ends with the client's connection, but not a later run of the same domain that
// somebody else started: an id is never used twice.
void destroy_with_connection(Call& call, const domain::DomainView& domain) {
    domain::Driver& driver = call.driver;
    call.session.on_close([&driver, uuid = domain.uuid, id = domain.id, name = domain.name] {
        try {
            if (driver.lookup(uuid).id == id)
                driver.destroy(uuid);
        } catch (const Error& error) {
            if (error.code() != VIR_ERR_NO_DOMAIN)
                log::warning("cannot destroy domain '{}' of a client that left: {}", name,
                             error.what());
        }
    });
}

domain::StartOptions start_options(unsigned flags) {
    return {.paused = (flags & VIR_DOMAIN_START_PAUSED) != 0,
            .autodestroy = (flags & VIR_DOMAIN_START_AUTODESTROY) != 0};
}

void domain_create(Call& call, const remote_domain_create_args& args) {
    call.driver.start(find(call, args.dom).uuid, {});
}

void domain_create_with_flags(Call& call, const remote_domain_create_with_flags_args& args,
                              remote_domain_create_with_flags_ret& ret) {
    const Uuid uuid = find(call, args.dom).uuid;
    const auto options = start_options(args.flags);
    call.driver.start(uuid, options);
    const auto domain = call.driver.lookup(uuid);
    if (options.autodestroy)
        destroy_with_connection(call, domain);
    encode_domain(domain, ret.dom);
}

void domain_create_xml(Call& call, const remote_domain_create_xml_args& args,
                       remote_domain_create_xml_ret& ret) {
    const bool validate = (args.flags & VIR_DOMAIN_START_VALIDATE) != 0;
    const auto options = start_options(args.flags);
    require_access_to_xml(call, args.xml_desc);
    const auto domain = call.driver.create_xml(args.xml_desc, validate, options);
    if (options.autodestroy)
        destroy_with_connection(call, domain);
    encode_domain(domain, ret.dom);
}

// A request reaches an app kernel by its own module, whether it is called the ACPI button or
// paravirtual. As in libvirt, several modes mean any of them. The bits of reboots are the same.
void require_known_mode(unsigned flags) {
    constexpr unsigned ours = VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | VIR_DOMAIN_SHUTDOWN_PARAVIRT;
    if (flags != 0 && (flags & ours) == 0) {
        throw Error(VIR_ERR_ARGUMENT_UNSUPPORTED,
                    "a partition has no guest agent, no initctl and no signals; use mode 'acpi' "
                    "or 'paravirt'");
    }
}

void domain_shutdown(Call& call, const remote_domain_shutdown_args& args) {
    call.driver.shutdown(find(call, args.dom).uuid);
}

void domain_shutdown_flags(Call& call, const remote_domain_shutdown_flags_args& args) {
    require_known_mode(args.flags);
    call.driver.shutdown(find(call, args.dom).uuid);
}

void domain_reboot(Call& call, const remote_domain_reboot_args& args) {
    require_known_mode(args.flags);
    call.driver.reboot(find(call, args.dom).uuid);
}

void domain_reset(Call& call, const remote_domain_reset_args& args) {
    call.driver.reset(find(call, args.dom).uuid);
}

void domain_destroy(Call& call, const remote_domain_destroy_args& args) {
    call.driver.destroy(find(call, args.dom).uuid);
}

// Resetting a CPU has no gentler form, so "graceful" changes nothing.
void domain_destroy_flags(Call& call, const remote_domain_destroy_flags_args& args) {
    call.driver.destroy(find(call, args.dom).uuid,
                        (args.flags & VIR_DOMAIN_DESTROY_REMOVE_LOGS) != 0);
}

void domain_rename(Call& call, const remote_domain_rename_args& args,
                   remote_domain_rename_ret& ret) {
    require_not_null(args.new_name, "new_name", "virDomainRename");
    const std::string name = string_or_empty(args.new_name);
    if (name.empty())
        throw Error(VIR_ERR_INVALID_ARG, "string new_name in virDomainRename must not be empty");
    call.driver.rename(find(call, args.dom).uuid, name);
    ret.retcode = 0;
}

void domain_set_lifecycle_action(Call& call, const remote_domain_set_lifecycle_action_args& args) {
    using domain::Action;
    static constexpr std::array actions{Action::destroy,          Action::restart,
                                        Action::rename_restart,   Action::preserve,
                                        Action::coredump_destroy, Action::coredump_restart};
    static_assert(VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART == actions.size() - 1);
    if (args.type > VIR_DOMAIN_LIFECYCLE_CRASH)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("invalid lifecycle type '{}'", args.type));
    if (args.action >= actions.size())
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("invalid lifecycle action '{}'", args.action));
    call.driver.set_lifecycle_action(find(call, args.dom).uuid,
                                     static_cast<virDomainLifecycle>(args.type),
                                     actions[args.action], affect_of(args.flags));
}

void domain_get_autostart(Call& call, const remote_domain_get_autostart_args& args,
                          remote_domain_get_autostart_ret& ret) {
    ret.autostart = find(call, args.dom).autostart ? 1 : 0;
}

void domain_get_autostart_once(Call& call, const remote_domain_get_autostart_once_args& args,
                               remote_domain_get_autostart_once_ret& ret) {
    ret.autostart = find(call, args.dom).autostart_once ? 1 : 0;
}

void domain_set_autostart_once(Call& call, const remote_domain_set_autostart_once_args& args) {
    call.driver.set_autostart_once(find(call, args.dom).uuid, args.autostart != 0);
}

void domain_set_autostart(Call& call, const remote_domain_set_autostart_args& args) {
    call.driver.set_autostart(find(call, args.dom).uuid, args.autostart != 0);
}

constexpr unsigned start_flags = VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY;
// Nothing is cached, saved or kept in NVRAM between two starts.
constexpr unsigned start_flags_true_anyway =
    VIR_DOMAIN_START_BYPASS_CACHE | VIR_DOMAIN_START_FORCE_BOOT | VIR_DOMAIN_START_RESET_NVRAM;
constexpr unsigned undefine_flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                                    VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                                    VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM |
                                    VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
                                    VIR_DOMAIN_UNDEFINE_TPM | VIR_DOMAIN_UNDEFINE_KEEP_TPM;
constexpr unsigned modes = VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | VIR_DOMAIN_SHUTDOWN_GUEST_AGENT |
                           VIR_DOMAIN_SHUTDOWN_INITCTL | VIR_DOMAIN_SHUTDOWN_SIGNAL |
                           VIR_DOMAIN_SHUTDOWN_PARAVIRT;

const Row rows[] = {
    finds_domain(row<domain_define_xml>(REMOTE_PROC_DOMAIN_DEFINE_XML)),
    finds_domain(row<domain_define_xml_flags>(REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS,
                                              VIR_DOMAIN_DEFINE_VALIDATE)),
    row<domain_undefine>(REMOTE_PROC_DOMAIN_UNDEFINE),
    row<domain_undefine_flags>(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, undefine_flags),
    row<domain_create>(REMOTE_PROC_DOMAIN_CREATE),
    row<domain_create_with_flags>(REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS,
                                  start_flags | start_flags_true_anyway),
    finds_domain(
        row<domain_create_xml>(REMOTE_PROC_DOMAIN_CREATE_XML,
                               start_flags | start_flags_true_anyway | VIR_DOMAIN_START_VALIDATE)),
    row<domain_shutdown>(REMOTE_PROC_DOMAIN_SHUTDOWN),
    row<domain_shutdown_flags>(REMOTE_PROC_DOMAIN_SHUTDOWN_FLAGS, modes),
    row<domain_reboot>(REMOTE_PROC_DOMAIN_REBOOT, modes),
    row<domain_reset>(REMOTE_PROC_DOMAIN_RESET),
    row<domain_destroy>(REMOTE_PROC_DOMAIN_DESTROY),
    row<domain_destroy_flags>(REMOTE_PROC_DOMAIN_DESTROY_FLAGS,
                              VIR_DOMAIN_DESTROY_GRACEFUL | VIR_DOMAIN_DESTROY_REMOVE_LOGS),
    row<domain_rename>(REMOTE_PROC_DOMAIN_RENAME),
    row<domain_set_lifecycle_action>(REMOTE_PROC_DOMAIN_SET_LIFECYCLE_ACTION,
                                     VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG),
    row<domain_get_autostart>(REMOTE_PROC_DOMAIN_GET_AUTOSTART),
    row<domain_set_autostart>(REMOTE_PROC_DOMAIN_SET_AUTOSTART),
    row<domain_get_autostart_once>(REMOTE_PROC_DOMAIN_GET_AUTOSTART_ONCE),
    row<domain_set_autostart_once>(REMOTE_PROC_DOMAIN_SET_AUTOSTART_ONCE),
};

}  // namespace

std::span<const Row> lifecycle_rows() {
    return rows;
}

}  // namespace mk::api
