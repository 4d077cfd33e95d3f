// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Typed parameters as calls take and give them: what a client sent, held against the names and
// types that the call knows, and the getters that are asked twice. Not for what one of them means.
//
// Thread-safe: no state.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "api/encode.h"

namespace mk::api {

// A parameter that a setter knows; `type` is a VIR_TYPED_PARAM_… number.
struct ParamRule {
    const char* field;
    int type;
};

// What the client sent, in its order. Throws Error, in the words of libvirt's
// virTypedParamsValidate: VIR_ERR_INVALID_ARG for one that is there twice or has another type
// than its rule, and for none at all; VIR_ERR_ARGUMENT_UNSUPPORTED for one without a rule.
[[nodiscard]] std::vector<Param> decode_params(const remote_typed_param* params, unsigned count,
                                               std::span<const ParamRule> rules);

// A setter whose values can be no others: throws Error(VIR_ERR_OPERATION_UNSUPPORTED, `why`) for
// the first of `wanted` that is not among `fixed` with the same value.
void require_unchanged(const std::vector<Param>& wanted, const std::vector<Param>& fixed,
                       std::string_view why);

// A getter is asked with `wanted` 0 for how many parameters there are, then for so many.
// Throws Error(VIR_ERR_INTERNAL_ERROR) as libvirt's dispatcher if `wanted` is over `limit`, and
// Error(VIR_ERR_INVALID_ARG) if it is negative.
void check_room(int wanted, int limit, std::string_view function);
template <typename Ret>
void encode_two_step(std::vector<Param> params, int wanted, Ret& ret) {
    if (wanted == 0) {
        ret.nparams = static_cast<int>(params.size());
        return;
    }
    if (params.size() > static_cast<std::size_t>(wanted))
        params.resize(static_cast<std::size_t>(wanted));
    encode_params(params, ret.params.params_val, ret.params.params_len);
}

}  // namespace mk::api
