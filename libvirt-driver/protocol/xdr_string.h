// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where generated XDR routines encode to: a string that grows as it is written. libtirpc's own
// stream in memory has to be told the size, and to measure a struct is to encode it once more.
// Not for decoding (xdr.h).
//
// Externally synchronised.
#pragma once

#include <rpc/rpc.h>

#include <string>
#include <utility>

namespace mk::protocol {

class XdrString {
  public:
    XdrString() noexcept;
    XdrString(const XdrString&) = delete;
    XdrString& operator=(const XdrString&) = delete;
    ~XdrString() = default;

    [[nodiscard]] XDR* stream() noexcept { return &stream_; }
    // Appends a word, such as the length of a list.
    void put_unsigned(unsigned value) noexcept { (void)xdr_u_int(&stream_, &value); }
    // What was encoded; nothing more can be.
    [[nodiscard]] std::string take() noexcept { return std::move(bytes_); }

  private:
    static bool_t put_long(XDR* stream, const long* value) noexcept;
    static bool_t put_bytes(XDR* stream, const char* bytes, u_int count) noexcept;
    static u_int position(XDR* stream) noexcept;
    static const XDR::xdr_ops operations;

    XDR stream_{};
    std::string bytes_;
};

}  // namespace mk::protocol
