// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/heartbeat.h"

namespace mk::domain {

void Heartbeats::set_patience(Clock::duration patience) {
    const std::scoped_lock lock(mutex_);
    patience_ = patience;
}

bool Heartbeats::lost(const Uuid& uuid, const backend::Status& status, Clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    if (status.state == backend::State::paused) {  // by its dump, perhaps: a told loss stays told
        if (const auto known = beats_.find(uuid); known != beats_.end())
            known->second.since = now;
        return false;
    }
    if (status.state != backend::State::running || !status.app) {
        beats_.erase(uuid);
        return false;
    }
    const auto [beat, first] =
        beats_.try_emplace(uuid, Beat{status.boots, status.app->heartbeat, now, false});
    Beat& known = beat->second;
    if (first)
        return false;
    if (known.boots != status.boots || known.heartbeat != status.app->heartbeat) {
        known = {status.boots, status.app->heartbeat, now, false};
        return false;
    }
    if (known.told || now - known.since < patience_)
        return false;
    known.told = true;
    return true;
}

void Heartbeats::forget(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    beats_.erase(uuid);
}

}  // namespace mk::domain
