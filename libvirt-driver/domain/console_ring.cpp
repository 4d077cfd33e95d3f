// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ring of a console's output.
#include "domain/console_ring.h"

#include <fmt/format.h>

#include <algorithm>

namespace mk::domain {

std::string lost_mark(std::uint64_t lost) {
    return fmt::format("\r\n[{} bytes of console output were lost here]\r\n", lost);
}

void ConsoleRing::append(std::string_view bytes) {
    if (bytes.size() > capacity_) {
        begin_ = end() + bytes.size() - capacity_;
        bytes_ = bytes.substr(bytes.size() - capacity_);
        start_ = 0;
        size_ = capacity_;
        return;
    }
    if (bytes_.size() < capacity_) {  // has not wrapped yet
        const std::size_t fits = std::min(bytes.size(), capacity_ - bytes_.size());
        bytes_.append(bytes.substr(0, fits));
        size_ += fits;
        bytes = bytes.substr(fits);
    }
    for (const char byte : bytes) {
        bytes_[start_] = byte;
        start_ = (start_ + 1) % capacity_;
        ++begin_;
    }
}

std::string ConsoleRing::read(std::uint64_t& position, std::size_t limit) const {
    if (position < begin_) {
        const std::uint64_t lost = begin_ - position;
        position = begin_;
        return lost_mark(lost);
    }
    const std::size_t wanted = std::min<std::uint64_t>(limit, end() - std::min(position, end()));
    const std::size_t first = (start_ + (position - begin_)) % std::max<std::size_t>(1, size_);
    std::string text(bytes_, wanted == 0 ? 0 : first, wanted);
    if (text.size() < wanted)
        text.append(bytes_, 0, wanted - text.size());
    position += wanted;
    return text;
}

}  // namespace mk::domain
