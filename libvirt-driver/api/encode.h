// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the handlers of several families share: a domain off the wire and onto it, libvirt's
// checks of arguments, in its words, and typed parameters. Not for what one family needs.
//
// Thread-safe: no state.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/call.h"
#include "domain/driver.h"
#include "protocol/remote.h"
#include "protocol/xdr.h"

namespace mk::api {

// A domain is who its UUID says: clients hold on to names and ids that are stale.
[[nodiscard]] Uuid uuid_of(const remote_nonnull_domain& domain) noexcept;

// Throws Error(VIR_ERR_NO_DOMAIN) "no domain with matching uuid '…' (name)".
[[nodiscard]] domain::DomainView find(Call& call, const remote_nonnull_domain& domain);

// Throws Error(VIR_ERR_OPERATION_INVALID) "domain is not running".
void require_active(const domain::DomainView& domain);

void encode_domain(const domain::DomainView& domain, remote_nonnull_domain& out);
void encode_domain(const domain::DomainIdentity& domain, remote_nonnull_domain& out);

// The VIR_DOMAIN_AFFECT_* bits of a flags word.
[[nodiscard]] domain::Affect affect_of(unsigned flags) noexcept;
// Throws Error(VIR_ERR_INVALID_ARG) if both LIVE and CONFIG are there: a query has one answer.
void require_one_of_live_and_config(unsigned flags);
// The definition that a query with these flags means. Throws Error(VIR_ERR_OPERATION_INVALID)
// "domain is not running" or "transient domains do not have any persistent config".
[[nodiscard]] const domain::Definition& affected(const domain::DomainView& domain, unsigned flags);

// The same checks for a change, which may mean both.
void require_affected(const domain::DomainView& domain, unsigned flags);

// libvirt's checks of arguments. `name` is the argument's, `function` the library's.
// Throw Error(VIR_ERR_INVALID_ARG).
void require_null(const remote_string& value, std::string_view name, std::string_view function);
void require_not_null(const remote_string& value, std::string_view name, std::string_view function);
void require_positive(long value, std::string_view name, std::string_view function);
void require_not_negative(long value, std::string_view name, std::string_view function);

// Empty if the client sent none.
[[nodiscard]] std::string string_or_empty(const remote_string& value);

// One typed parameter of a reply.
struct Param {
    std::string field;
    std::variant<int, unsigned, long long, unsigned long long, double, bool, std::string> value;
};
// The caller's out fields get an array that the reply's Xdr frees.
void encode_params(const std::vector<Param>& params, remote_typed_param*& out, unsigned& out_count);

// What clients are told of a job.
[[nodiscard]] std::vector<Param> job_params(const domain::JobStats& stats);

}  // namespace mk::api
