// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The operations of an XDR stream. They are called by C code: without memory the daemon ends.
#include "protocol/xdr_string.h"

#include <arpa/inet.h>

#include <cstdint>

namespace mk::protocol {
namespace {

std::string& bytes_of(XDR* stream) {
    return *static_cast<std::string*>(stream->x_private);
}

}  // namespace

// Nothing is read, and nobody gets at the bytes but by put_long() and put_bytes().
const XDR::xdr_ops XdrString::operations = {
    .x_getlong = [](XDR*, long*) -> bool_t { return FALSE; },
    .x_putlong = put_long,
    .x_getbytes = [](XDR*, char*, u_int) -> bool_t { return FALSE; },
    .x_putbytes = put_bytes,
    .x_getpostn = position,
    .x_setpostn = [](XDR*, u_int) -> bool_t { return FALSE; },
    .x_inline = [](XDR*, u_int) -> std::int32_t* { return nullptr; },
    .x_destroy = nullptr,
    .x_control = nullptr,
};

XdrString::XdrString() noexcept {
    stream_.x_op = XDR_ENCODE;
    stream_.x_ops = &operations;
    stream_.x_private = &bytes_;
}

// XDR's words have 32 bits, whatever the interface says.
bool_t XdrString::put_long(XDR* stream, const long* value) noexcept {
    const std::uint32_t word = htonl(static_cast<std::uint32_t>(*value));
    bytes_of(stream).append(reinterpret_cast<const char*>(&word), sizeof(word));
    return TRUE;
}

bool_t XdrString::put_bytes(XDR* stream, const char* bytes, u_int count) noexcept {
    bytes_of(stream).append(bytes, count);
    return TRUE;
}

u_int XdrString::position(XDR* stream) noexcept {
    return static_cast<u_int>(bytes_of(stream).size());
}

}  // namespace mk::protocol
