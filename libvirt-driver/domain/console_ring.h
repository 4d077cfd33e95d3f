// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The last bytes of a console's output, addressed by their place in the stream. Plain memory;
// who reads, and how far he is, is console.h's matter.
//
// Externally synchronised.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mk::domain {

class ConsoleRing {
  public:
    explicit ConsoleRing(std::size_t capacity) : capacity_(capacity) {}

    void append(std::string_view bytes);
    // The oldest byte that is kept, and one past the newest.
    [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }
    [[nodiscard]] std::uint64_t end() const noexcept { return begin_ + size_; }

    // The next bytes for a reader at `position`, which moves on by them; at most `limit`.
    // If bytes at `position` are gone it moves to what is left, and a mark that says how many
    // were lost comes back alone. Empty: nothing new.
    [[nodiscard]] std::string read(std::uint64_t& position, std::size_t limit) const;

  private:
    std::size_t capacity_;
    std::string bytes_;      // grows to capacity_, then wraps at start_
    std::size_t start_ = 0;  // of the oldest byte in bytes_
    std::size_t size_ = 0;
    std::uint64_t begin_ = 0;
};

// The mark for `lost` bytes, on a line of its own.
[[nodiscard]] std::string lost_mark(std::uint64_t lost);

}  // namespace mk::domain
