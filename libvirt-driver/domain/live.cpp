// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Asking an app kernel, and waiting for what it says.
#include "domain/live.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <exception>
#include <system_error>

#include "domain/settle.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// A call of status() by somebody else takes the news away, and a destroy() sends none: so no
// wait is longer than this.
constexpr milliseconds look_again{100};

backend::Channel channel_of(backend::Request what) {
    return what == backend::Request::cpu_add || what == backend::Request::cpu_remove
               ? backend::Channel::cpu
               : backend::Channel::memory;
}

}  // namespace

LiveChange::LiveChange(const Context& context, Lifecycle& lifecycle, const Job& job)
    : context_(context), lifecycle_(lifecycle), job_(job), interruptible_(job.domain()) {
    lifecycle.require_listening(job);
    news_ = context.backend.watch(uuid());
    last_ = context.backend.status(uuid());
    running().watch->disarm();
}

LiveChange::~LiveChange() {
    try {
        if (job_.domain().running)
            lifecycle_.listen(job_.shared(), last_.state);
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
}

std::string LiveChange::Outcome::why() const {
    if (!answered)
        return "its app kernel does not answer; what it still does will be noted";
    return fmt::format("its app kernel says: {}", std::generic_category().message(error));
}

backend::Status LiveChange::status() {
    last_ = context_.backend.status(uuid());
    if (has_ended(last_.state))
        throw Error(VIR_ERR_OPERATION_FAILED, "its app kernel ended meanwhile");
    return last_;
}

// False: not in time.
bool LiveChange::wait_for_answer(std::size_t channel, std::uint32_t sequence,
                                 milliseconds patience) {
    const auto give_up = Clock::now() + patience;
    for (;;) {
        interruptible_.check();
        if (status().answers.at(channel).done == sequence)
            return true;
        const auto left = std::chrono::duration_cast<milliseconds>(give_up - Clock::now());
        if (left <= milliseconds(0))
            return false;
        std::array<pollfd, 1> fds = {{{news_.get(), POLLIN, 0}}};
        static_cast<void>(
            ::poll(fds.data(), fds.size(), static_cast<int>(std::min(left, look_again).count())));
    }
}

std::uint64_t LiveChange::used_kib() {
    return domain::used_kib(running(), status());
}

void LiveChange::require_answered(backend::Channel channel) const {
    if (running().pending.at(index(channel)))
        throw Error(VIR_ERR_RESOURCE_BUSY, "the app kernel has not taken the last request yet");
}

LiveChange::Outcome LiveChange::ask(const backend::Ask& ask,
                                    const std::optional<MemoryDevice>& device) {
    const backend::Channel channel = channel_of(ask.what);
    const std::size_t at = index(channel);
    const milliseconds patience = context_.paths.app_patience;
    auto& slot = running().pending.at(at);
    const Pending pending{context_.backend.request(uuid(), ask), ask, device};
    slot = pending;
    if (!wait_for_answer(at, pending.sequence, patience)) {
        log::warning(
            "the app kernel of domain '{}' has not done what it was asked for within "
            "{} ms: the request is withdrawn",
            view().name, patience.count());
        context_.backend.withdraw(uuid(), channel);
        if (!wait_for_answer(at, pending.sequence, patience / 4)) {
            job_.domain().awaits_answer = true;
            return {};
        }
    }
    slot.reset();
    const backend::Answer& answer = last_.answers.at(at);
    return {true, answer.error, answer.value_kib};
}

void LiveChange::settle() {
    last_ = context_.backend.status(uuid());
    static_cast<void>(domain::settle(context_, job_, last_));
    lifecycle_.note_live(job_.domain());
}

void LiveChange::audit_failure(AuditResource resource, std::uint64_t wanted) {
    const DomainView now = view();
    const std::uint64_t has =
        resource == AuditResource::vcpu ? now.live->current_vcpus() : now.live->current_memory_kib;
    audit_change(context_.audit, {now.name, now.uuid}, {resource, has, wanted, false});
}

}  // namespace mk::domain
