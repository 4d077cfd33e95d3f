// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the files of the module backend make an ioctl: sizes, sentences, lists, errors. Not for
// anyone else.
#pragma once

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "backend/module_error.h"
#include "uapi/linux/multikernel.h"
#include "util/fd.h"
#include "util/log.h"

namespace mk::backend {

constexpr std::uint64_t kib = 1024;

// The buffer that a failing call fills with a sentence.
class Message {
  public:
    template <typename T>
    void attach(T& arguments) {
        arguments.message = reinterpret_cast<std::uintptr_t>(text_.data());
        arguments.message_bytes = text_.size();
    }
    [[nodiscard]] std::string text() const {
        return {text_.data(), ::strnlen(text_.data(), text_.size())};
    }

  private:
    std::array<char, 512> text_{};
};

template <typename T>
[[nodiscard]] T sized() {
    T arguments = {};
    arguments.size = sizeof(T);
    return arguments;
}

// Text fields of the module, which are NUL-terminated unless they are full.
template <std::size_t N, typename Char>
[[nodiscard]] std::string text(const Char (&field)[N]) {
    const char* start = reinterpret_cast<const char*>(field);
    return log::escape({start, ::strnlen(start, N)});
}

template <typename T>
[[nodiscard]] int try_ioctl(const Fd& fd, unsigned long request, T& arguments) {
    return ::ioctl(fd.get(), request, &arguments) < 0 ? errno : 0;
}

template <typename T>
void do_ioctl(const Fd& fd, unsigned long request, T& arguments, Call call, std::string_view what) {
    const int error_number = try_ioctl(fd, request, arguments);
    if (error_number != 0)
        throw module_error(call, what, error_number);
}

template <typename T>
void do_ioctl_message(const Fd& fd, unsigned long request, T& arguments, Call call,
                      std::string_view what) {
    Message message;
    message.attach(arguments);
    const int error_number = try_ioctl(fd, request, arguments);
    if (error_number != 0)
        throw module_error(call, what, error_number, message.text());
}

// Reads a list whose length may change between asking and reading. `set` stores the array's
// address in the arguments, `last` gets what else the call said.
template <typename Entry, typename T, typename Set>
[[nodiscard]] std::vector<Entry> read_list(const Fd& fd, unsigned long request, const Set& set,
                                           std::string_view what, T* last = nullptr) {
    std::vector<Entry> entries(16);
    for (;;) {
        T arguments = sized<T>();
        set(arguments, reinterpret_cast<std::uintptr_t>(entries.data()));
        arguments.count = static_cast<std::uint32_t>(entries.size());
        const int error_number = try_ioctl(fd, request, arguments);
        if (error_number == 0) {
            entries.resize(std::min<std::size_t>(arguments.count, entries.size()));
            if (last != nullptr)
                *last = arguments;
            return entries;
        }
        if (error_number != EMSGSIZE || arguments.count <= entries.size())
            throw module_error(Call::act, what, error_number);
        entries.resize(arguments.count);
    }
}

}  // namespace mk::backend
