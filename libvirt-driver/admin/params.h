// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Typed parameters of the admin program, written and read.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/admin.h"

namespace mk::admin {

struct Param {
    std::string field;
    // unsigned, int, bool, string: what the protocol calls uint, int, boolean and string
    std::variant<unsigned, int, bool, std::string> value;
};

// As an array that the Xdr of the struct which it becomes a part of frees.
[[nodiscard]] admin_typed_param* make_params(const std::vector<Param>& params);

// Each of `known` may be there once, as an unsigned int, and nothing else.
// Throws Error: VIR_ERR_ARGUMENT_UNSUPPORTED another field; VIR_ERR_INVALID_ARG.
void check_params(std::span<const admin_typed_param> params,
                  std::initializer_list<std::string_view> known);

// REQUIRES: checked.
[[nodiscard]] std::optional<unsigned> param(std::span<const admin_typed_param> params,
                                            std::string_view field);

}  // namespace mk::admin
