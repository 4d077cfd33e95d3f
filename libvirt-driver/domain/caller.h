// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whose call a thread works on: those who wait for it are told ("cannot acquire state change lock
// (held by monitor=remoteDispatchDomainCreate)"), as with libvirt's virThreadJobSet().
//
// Each thread has its own.
#pragma once

#include <string_view>

namespace mk::domain {

class Caller {
  public:
    // `function` is the library's, "virDomainCreate", and constant. It counts while this lives.
    explicit Caller(std::string_view function) noexcept { current = function; }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { current = {}; }

    // Of this thread; empty: no client's call.
    [[nodiscard]] static std::string_view function() noexcept { return current; }

  private:
    static inline thread_local std::string_view current;
};

}  // namespace mk::domain
