// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The texts are those of libvirt's src/util/virtypedparam.c.
#include "api/params.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace mk::api {

namespace {

const char* type_name(int type) {
    static constexpr std::array names{"unknown", "int",    "uint",    "llong",
                                      "ullong",  "double", "boolean", "string"};
    return type > 0 && type < static_cast<int>(names.size()) ? names[static_cast<std::size_t>(type)]
                                                             : names[0];
}

void check_against(const remote_typed_param& param, std::span<const ParamRule> rules) {
    const std::string_view field = param.field;
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const ParamRule& known) { return field == known.field; });
    if (rule == rules.end()) {
        throw Error(VIR_ERR_ARGUMENT_UNSUPPORTED,
                    fmt::format("parameter '{}' not supported", field));
    }
    if (param.value.type != rule->type) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("invalid type '{}' for parameter '{}', expected '{}'",
                                type_name(param.value.type), field, type_name(rule->type)));
    }
}

Param decode(const remote_typed_param& param) {
    const auto& value = param.value.remote_typed_param_value_u;
    switch (param.value.type) {
        case VIR_TYPED_PARAM_INT:
            return {param.field, value.i};
        case VIR_TYPED_PARAM_UINT:
            return {param.field, value.ui};
        case VIR_TYPED_PARAM_LLONG:
            return {param.field, static_cast<long long>(value.l)};
        case VIR_TYPED_PARAM_ULLONG:
            return {param.field, static_cast<unsigned long long>(value.ul)};
        case VIR_TYPED_PARAM_BOOLEAN:
            return {param.field, value.b != 0};
        default:  // no rule wants a double
            return {param.field, std::string(value.s)};
    }
}

}  // namespace

std::vector<Param> decode_params(const remote_typed_param* params, unsigned count,
                                 std::span<const ParamRule> rules) {
    if (count == 0)
        throw Error(VIR_ERR_INVALID_ARG, "params must not be NULL");
    std::set<std::string_view> seen;
    std::vector<Param> decoded;
    for (const auto& param : std::span(params, count)) {
        check_against(param, rules);
        if (!seen.insert(param.field).second) {
            throw Error(VIR_ERR_INVALID_ARG,
                        fmt::format("parameter '{}' occurs multiple times", param.field));
        }
        decoded.push_back(decode(param));
    }
    return decoded;
}

void require_unchanged(const std::vector<Param>& wanted, const std::vector<Param>& fixed,
                       std::string_view why) {
    for (const Param& param : wanted) {
        const bool same = std::any_of(fixed.begin(), fixed.end(), [&](const Param& one) {
            return one.field == param.field && one.value == param.value;
        });
        if (!same) {
            throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                        fmt::format("parameter '{}' cannot be changed: {}", param.field, why));
        }
    }
}

void check_room(int wanted, int limit, std::string_view function) {
    if (wanted > limit)
        throw Error(VIR_ERR_INTERNAL_ERROR, "nparams too large");
    require_not_negative(wanted, "nparams", function);
}

}  // namespace mk::api
