// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Generated XDR structs made safe: decoded within bounds, encoded, freed. Everything in this
// program that touches rpcgen's functions or their malloc'ed memory goes through this file. Not
// for frames (frame.h).
//
// Thread-safe: no state.
#pragma once

#include <rpc/rpc.h>

#include <concepts>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "protocol/xdr_string.h"
#include "util/error.h"

namespace mk::protocol {

// For each struct T of our .x files the build makes `bool_t xdr_value(XDR*, T*)`
// (remote_codec.h, message_codec.h).
template <typename T>
concept Wire = std::is_trivial_v<T> && requires(XDR* stream, T* value) {
    { xdr_value(stream, value) } -> std::convertible_to<int>;
};

// Owns a generated struct and all it points to. Zeroed at first.
template <Wire T>
class Xdr {
  public:
    Xdr() noexcept { std::memset(&value_, 0, sizeof(value_)); }
    Xdr(Xdr&& other) noexcept : Xdr() { std::swap(value_, other.value_); }
    Xdr& operator=(Xdr&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    Xdr(const Xdr&) = delete;
    Xdr& operator=(const Xdr&) = delete;
    ~Xdr() {
        XDR stream{};
        stream.x_op = XDR_FREE;
        (void)xdr_value(&stream, &value_);
    }

    // The struct at the start of `bytes`; what follows it is ignored, as libvirt does.
    // Throws Error(VIR_ERR_RPC): too short, a list or string over its limit, a string with a
    // zero byte in it (C code would see another string than the one that was sent).
    [[nodiscard]] static Xdr decode(std::string_view bytes) {
        Xdr result;
        XDR stream{};
        // xdrmem does not write when it decodes; its interface is older than const.
        xdrmem_create(&stream, const_cast<char*>(bytes.data()), static_cast<u_int>(bytes.size()),
                      XDR_DECODE);
        // Encoded again, a string that was cut at a zero byte is not what was sent.
        if (!xdr_value(&stream, &result.value_) || !bytes.starts_with(result.encode()))
            throw Error(VIR_ERR_RPC, "Unable to decode message payload");
        return result;
    }

    // Throws Error(VIR_ERR_RPC) if it is over a limit of the protocol or has a null string.
    [[nodiscard]] std::string encode() {
        XdrString encoded;
        encode_after(encoded);
        return encoded.take();
    }
    // Appends it to what is there. Throws as encode().
    void encode_after(XdrString& encoded) {
        if (!xdr_value(encoded.stream(), &value_))
            throw Error(VIR_ERR_RPC, "Unable to encode message payload");
    }

    [[nodiscard]] T& operator*() noexcept { return value_; }
    [[nodiscard]] const T& operator*() const noexcept { return value_; }
    [[nodiscard]] T* operator->() noexcept { return &value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &value_; }

  private:
    T value_;
};

// What a generated struct may point to. Freed by the Xdr that holds the struct.
[[nodiscard]] inline char* copy_string(std::string_view text) {
    auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (copy == nullptr)
        throw std::bad_alloc();
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
}

// `count` zeroed elements; null if it is 0.
template <typename T>
requires std::is_trivial_v<T>
[[nodiscard]] T* make_array(std::size_t count) {
    if (count == 0)
        return nullptr;
    auto* array = static_cast<T*>(std::calloc(count, sizeof(T)));
    if (array == nullptr)
        throw std::bad_alloc();
    return array;
}

// For "*" fields, which may be absent: remote_string is a pointer to a pointer to characters.
template <typename T>
[[nodiscard]] T* make_one(T value) {
    T* one = make_array<T>(1);
    *one = value;
    return one;
}
[[nodiscard]] inline char** make_optional_string(std::string_view text) {
    return make_one(copy_string(text));
}

// The encoded result of a call.
struct Marshalled {
    std::string bytes;
};

template <typename Function>
struct Shape;
template <typename Call>
struct Shape<void (*)(Call&)> {
    using Args = void;
    using Ret = void;
};
template <typename Call, typename A>
struct Shape<void (*)(Call&, const A&)> {
    using Args = A;
    using Ret = void;
};
template <typename Call, typename R>
struct Shape<void (*)(Call&, R&)> {
    using Args = void;
    using Ret = R;
};
template <typename Call, typename A, typename R>
struct Shape<void (*)(Call&, const A&, R&)> {
    using Args = A;
    using Ret = R;
};

// Decodes, calls Checks::before(), calls, encodes, frees. A function whose result is an XdrString
// encodes by itself.
template <auto function, typename Call, typename Checks>
Marshalled marshal(Call& call, std::string_view arguments) {
    using Args = typename Shape<decltype(function)>::Args;
    using Ret = typename Shape<decltype(function)>::Ret;
    if constexpr (std::is_void_v<Args> && std::is_void_v<Ret>) {
        Checks::before(call);
        function(call);
        return {};
    } else if constexpr (std::is_void_v<Args>) {
        Checks::before(call);
        Xdr<Ret> ret;
        function(call, *ret);
        return {ret.encode()};
    } else {
        const auto args = Xdr<Args>::decode(arguments);
        Checks::before(call, *args);
        if constexpr (std::is_void_v<Ret>) {
            function(call, *args);
            return {};
        } else if constexpr (std::is_same_v<Ret, XdrString>) {
            XdrString ret;
            function(call, *args, ret);
            return {ret.take()};
        } else {
            Xdr<Ret> ret;
            function(call, *args, *ret);
            return {ret.encode()};
        }
    }
}

}  // namespace mk::protocol
