// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Domains, arguments and typed parameters between the wire and our own types. The texts are
// libvirt's (src/internal.h, src/util/virerror.h, src/conf/virdomainobjlist.c): people search for
// them.
#include "api/encode.h"

#include <fmt/format.h>

#include <cstring>

namespace mk::api {

Uuid uuid_of(const remote_nonnull_domain& domain) noexcept {
    std::array<std::uint8_t, Uuid::size> bytes;
    static_assert(sizeof(domain.uuid) == sizeof(bytes));
    std::memcpy(bytes.data(), domain.uuid, sizeof(bytes));
    return Uuid(bytes);
}

domain::DomainView find(Call& call, const remote_nonnull_domain& domain) {
    const Uuid uuid = uuid_of(domain);
    try {
        return call.driver.lookup(uuid);
    } catch (const Error& error) {
        if (error.code() != VIR_ERR_NO_DOMAIN)
            throw;
        throw Error(VIR_ERR_NO_DOMAIN, fmt::format("no domain with matching uuid '{}' ({})",
                                                   uuid.to_string(), domain.name));
    }
}

void require_active(const domain::DomainView& domain) {
    if (!domain.active())
        throw Error(VIR_ERR_OPERATION_INVALID, "domain is not running");
}

void encode_domain(const domain::DomainView& domain, remote_nonnull_domain& out) {
    encode_domain(domain::DomainIdentity{domain.name, domain.uuid, domain.id}, out);
}

void encode_domain(const domain::DomainIdentity& domain, remote_nonnull_domain& out) {
    out.name = protocol::copy_string(domain.name);
    std::memcpy(out.uuid, domain.uuid.bytes().data(), Uuid::size);
    out.id = domain.id;
}

domain::Affect affect_of(unsigned flags) noexcept {
    return {.live = (flags & VIR_DOMAIN_AFFECT_LIVE) != 0,
            .config = (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0};
}

void require_one_of_live_and_config(unsigned flags) {
    if ((flags & VIR_DOMAIN_AFFECT_LIVE) != 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0) {
        throw Error(VIR_ERR_INVALID_ARG,
                    "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually "
                    "exclusive");
    }
}

const domain::Definition& affected(const domain::DomainView& domain, unsigned flags) {
    require_one_of_live_and_config(flags);
    const domain::Affect affect = affect_of(flags);
    if (affect.live)
        require_active(domain);
    if (!affect.config)
        return domain.current();
    if (!domain.persistent_definition) {
        throw Error(VIR_ERR_OPERATION_INVALID,
                    "transient domains do not have any persistent config");
    }
    return *domain.persistent_definition;
}

void require_affected(const domain::DomainView& domain, unsigned flags) {
    const domain::Affect affect = affect_of(flags);
    if (affect.live)
        (void)affected(domain, VIR_DOMAIN_AFFECT_LIVE);
    if (affect.config)
        (void)affected(domain, VIR_DOMAIN_AFFECT_CONFIG);
}

void require_null(const remote_string& value, std::string_view name, std::string_view function) {
    if (value != nullptr)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} in {} must be NULL", name, function));
}

void require_not_null(const remote_string& value, std::string_view name,
                      std::string_view function) {
    if (value == nullptr)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} in {} must not be NULL", name, function));
}

void require_positive(long value, std::string_view name, std::string_view function) {
    if (value <= 0) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("{} in {} must be greater than zero", name, function));
    }
}

void require_not_negative(long value, std::string_view name, std::string_view function) {
    if (value < 0) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("{} in {} must be zero or greater", name, function));
    }
}

std::string string_or_empty(const remote_string& value) {
    return value == nullptr ? std::string() : std::string(*value);
}

namespace {

void encode_value(const Param& param, remote_typed_param_value& out) {
    using Slot = decltype(out.remote_typed_param_value_u);
    struct Put {
        remote_typed_param_value& out;
        Slot& slot;
        void operator()(int v) { out.type = VIR_TYPED_PARAM_INT, slot.i = v; }
        void operator()(unsigned v) { out.type = VIR_TYPED_PARAM_UINT, slot.ui = v; }
        void operator()(long long v) { out.type = VIR_TYPED_PARAM_LLONG, slot.l = v; }
        void operator()(unsigned long long v) { out.type = VIR_TYPED_PARAM_ULLONG, slot.ul = v; }
        void operator()(double v) { out.type = VIR_TYPED_PARAM_DOUBLE, slot.d = v; }
        void operator()(bool v) { out.type = VIR_TYPED_PARAM_BOOLEAN, slot.b = v ? 1 : 0; }
        void operator()(const std::string& v) {
            slot.s = protocol::copy_string(v);
            out.type = VIR_TYPED_PARAM_STRING;
        }
    };
    std::visit(Put{out, out.remote_typed_param_value_u}, param.value);
}

}  // namespace

void encode_params(const std::vector<Param>& params, remote_typed_param*& out,
                   unsigned& out_count) {
    out = protocol::make_array<remote_typed_param>(params.size());
    out_count = static_cast<unsigned>(params.size());
    for (std::size_t i = 0; i < params.size(); i++) {
        // An int until it has a value: a half-made reply can be freed.
        out[i].value.type = VIR_TYPED_PARAM_INT;
        out[i].field = protocol::copy_string(params[i].field);
        encode_value(params[i], out[i].value);
    }
}

}  // namespace mk::api
