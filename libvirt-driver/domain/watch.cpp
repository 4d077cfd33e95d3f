// SPDX-License-Identifier: LGPL-2.1-or-later
//
// PartitionWatch: one shot at a time, because the descriptor stays readable until a worker has
// asked for the status.
#include "domain/watch.h"

#include <utility>

namespace mk::domain {

PartitionWatch::PartitionWatch(Loop& loop, Fd fd, Task news)
    : loop_(loop), fd_(std::move(fd)), news_(std::move(news)) {}

PartitionWatch::~PartitionWatch() {
    loop_.call([this] { watch_.reset(); });
}

void PartitionWatch::arm() {
    loop_.call([this] {
        watch_ = std::make_unique<FdWatch>(fd_.get(), G_IO_IN, [this](GIOCondition /*events*/) {
            watch_.reset();
            news_();
        });
    });
}

void PartitionWatch::disarm() {
    loop_.call([this] { watch_.reset(); });
}

}  // namespace mk::domain
