// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Typed parameters.
#include "admin/params.h"

#include <fmt/format.h>
#include <libvirt/libvirt.h>

#include <algorithm>

#include "protocol/admin_codec.h"
#include "protocol/xdr.h"
#include "util/log.h"

namespace mk::admin {
namespace {

admin_typed_param_value wire_value(const Param& param) {
    admin_typed_param_value wire{};
    if (const auto* text = std::get_if<std::string>(&param.value)) {
        wire.type = VIR_TYPED_PARAM_STRING;
        wire.admin_typed_param_value_u.s = protocol::copy_string(*text);
    } else if (const auto* flag = std::get_if<bool>(&param.value)) {
        wire.type = VIR_TYPED_PARAM_BOOLEAN;
        wire.admin_typed_param_value_u.b = *flag ? 1 : 0;
    } else if (const auto* number = std::get_if<int>(&param.value)) {
        wire.type = VIR_TYPED_PARAM_INT;
        wire.admin_typed_param_value_u.i = *number;
    } else {
        wire.type = VIR_TYPED_PARAM_UINT;
        wire.admin_typed_param_value_u.ui = std::get<unsigned>(param.value);
    }
    return wire;
}

}  // namespace

admin_typed_param* make_params(const std::vector<Param>& params) {
    auto* array = protocol::make_array<admin_typed_param>(params.size());
    for (std::size_t i = 0; i < params.size(); ++i) {
        array[i].field = protocol::copy_string(params[i].field);
        array[i].value = wire_value(params[i]);
    }
    return array;
}

void check_params(std::span<const admin_typed_param> params,
                  std::initializer_list<std::string_view> known) {
    for (const auto& each : params) {
        const std::string_view field = each.field;
        if (std::ranges::find(known, field) == known.end())
            throw Error(VIR_ERR_ARGUMENT_UNSUPPORTED,
                        fmt::format("parameter '{}' not supported", log::escape(field)));
        if (each.value.type != VIR_TYPED_PARAM_UINT)
            throw Error(VIR_ERR_INVALID_ARG,
                        fmt::format("parameter '{}' must be an unsigned int", field));
        if (std::ranges::count(params, field, &admin_typed_param::field) > 1)
            throw Error(VIR_ERR_INVALID_ARG,
                        fmt::format("parameter '{}' occurs multiple times", field));
    }
}

std::optional<unsigned> param(std::span<const admin_typed_param> params, std::string_view field) {
    const auto found = std::ranges::find(params, field, &admin_typed_param::field);
    if (found == params.end())
        return std::nullopt;
    return found->value.admin_typed_param_value_u.ui;
}

}  // namespace mk::admin
