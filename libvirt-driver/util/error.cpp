// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Error and libvirt's words for its codes. Only the codes this program throws are listed.
#include "util/error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace mk {

Error::Error(virErrorNumber code, const std::string& message, int error_number)
    : std::runtime_error(message), code_(code), error_number_(error_number) {}

Error Error::from_errno(std::string_view what) {
    return from_errno(what, errno);
}

Error Error::from_errno(std::string_view what, int error_number) {
    const std::string reason = std::generic_category().message(error_number);
    return {VIR_ERR_SYSTEM_ERROR, std::string(what) + ": " + reason, error_number};
}

std::string Error::full_message() const {
    std::string text(error_format(code_));
    const auto at = text.find("%s");
    if (at != std::string::npos)
        text.replace(at, 2, what());
    return text;
}

std::string_view error_format(virErrorNumber code) noexcept {
    // src/util/virerror.c, virErrorMsgStrings
    switch (code) {
        case VIR_ERR_INTERNAL_ERROR:
            return "internal error: %s";
        case VIR_ERR_NO_MEMORY:
            return "out of memory: %s";
        case VIR_ERR_NO_SUPPORT:
            return "this function is not supported by the connection driver: %s";
        case VIR_ERR_NO_CONNECT:
            return "no connection driver available for %s";
        case VIR_ERR_INVALID_CONN:
            return "invalid connection pointer in %s";
        case VIR_ERR_INVALID_ARG:
            return "invalid argument: %s";
        case VIR_ERR_OPERATION_FAILED:
            return "operation failed: %s";
        case VIR_ERR_OPERATION_DENIED:
            return "operation forbidden: %s";
        case VIR_ERR_XML_ERROR:
            return "XML error: %s";
        case VIR_ERR_DOM_EXIST:
            return "domain '%s' already exists";
        case VIR_ERR_NO_DOMAIN:
            return "Domain not found: %s";
        case VIR_ERR_OPERATION_INVALID:
            return "Requested operation is not valid: %s";
        case VIR_ERR_CONFIG_UNSUPPORTED:
            return "unsupported configuration: %s";
        case VIR_ERR_OPERATION_TIMEOUT:
            return "Timed out during operation: %s";
        case VIR_ERR_ARGUMENT_UNSUPPORTED:
            return "argument unsupported: %s";
        case VIR_ERR_NO_DOMAIN_METADATA:
            return "metadata not found: %s";
        case VIR_ERR_NO_DOMAIN_SNAPSHOT:
            return "Domain snapshot not found: %s";
        case VIR_ERR_NO_DOMAIN_CHECKPOINT:
            return "Domain checkpoint not found: %s";
        case VIR_ERR_NO_CLIENT:
            return "Client not found: %s";
        case VIR_ERR_NO_SERVER:
            return "Server not found: %s";
        case VIR_ERR_OPERATION_UNSUPPORTED:
            return "Operation not supported: %s";
        case VIR_ERR_RESOURCE_BUSY:
            return "resource busy: %s";
        case VIR_ERR_AUTH_FAILED:
            return "authentication failed: %s";
        case VIR_ERR_AUTH_CANCELLED:
            return "authentication cancelled: %s";
        case VIR_ERR_AUTH_UNAVAILABLE:
            return "authentication unavailable: %s";
        case VIR_ERR_ACCESS_DENIED:
            return "access denied: %s";
        case VIR_ERR_OVERFLOW:
            return "numerical overflow: %s";
        case VIR_ERR_CONF_SYNTAX:
            return "configuration file syntax error: %s";
        case VIR_ERR_AGENT_UNRESPONSIVE:
            return "Guest agent is not responding: %s";
        case VIR_ERR_OPERATION_ABORTED:
            return "operation aborted: %s";
        case VIR_ERR_XML_INVALID_SCHEMA:
            return "XML document failed to validate against schema: %s";
        default:
            return "%s";
    }
}

}  // namespace mk
