// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Asks polkit whether a process may do something, over the system bus. Not for what there is to
// ask (api/) and not for what follows from the answer.
//
// Thread-safe. Nothing here blocks, except ask_all().
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "util/error.h"
#include "util/gobject.h"

namespace mk::access {

// A process, as polkit knows it.
struct Subject {
    uid_t uid = static_cast<uid_t>(-1);
    pid_t pid = 0;
    std::uint64_t start_time = 0;  // clock ticks since boot; 0: not known, nothing is allowed
};

struct Question {
    Subject subject;
    std::string action;  // "org.libvirt.unix.manage"
    std::vector<std::pair<std::string, std::string>> details = {};
    bool interactive = false;  // the user may be asked for a password
};

// Nothing: yes. Else, as libvirt's virPolkitCheckAuth: VIR_ERR_AUTH_FAILED denied,
// VIR_ERR_AUTH_UNAVAILABLE there is no agent to ask the user, VIR_ERR_AUTH_CANCELLED by the user,
// VIR_ERR_DBUS_SERVICE polkit cannot be asked.
using Verdict = std::optional<Error>;

// Nobody waits for the answer any more when this is gone: a dialogue is closed.
class Asked {
  public:
    Asked() = default;
    explicit Asked(GObjectPtr<GCancellable> cancellable) : cancellable_(std::move(cancellable)) {}
    Asked(Asked&& other) = default;
    Asked& operator=(Asked&& other) noexcept;
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;
    ~Asked();

  private:
    GObjectPtr<GCancellable> cancellable_;
};

class Polkit {
  public:
    using Answer = std::function<void(const Verdict&)>;

    // Who has many questions has so many of them in the queue, so that others wait little.
    static constexpr std::size_t at_once = 16;

    Polkit();
    Polkit(const Polkit&) = delete;
    Polkit& operator=(const Polkit&) = delete;
    ~Polkit();

    // `answer` is called once, on the loop thread, later; also if the Asked has gone.
    [[nodiscard]] Asked ask(const Question& question, Answer answer);

    // Waits for the answers to all of them, `at_once` at a time, in their order. Not for the loop
    // thread.
    [[nodiscard]] std::vector<Verdict> ask_all(const std::vector<Question>& questions);

  private:
    struct Bus;
    std::shared_ptr<Bus> bus_;
};

}  // namespace mk::access
