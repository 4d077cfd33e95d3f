// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Walks cpio archives of the kinds Linux unpacks (newc and crc), keeping nothing: is it whole?
// Follows init/initramfs.c of Linux. Does not decompress and does not extract.
//
// Externally synchronised.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace mk::image {

class CpioWalk {
  public:
    // Takes the next bytes of the stream. Returns how many it took: fewer than given only when
    // it stands between two archives and the next byte is neither zero nor an archive's first.
    // Throws Error(VIR_ERR_CONFIG_UNSUPPORTED) if it is damaged ("… at byte 1234"). The archives
    // of a file start at multiples of 4.
    std::size_t feed(std::span<const char> bytes);

    // False in the middle of an archive: if the stream ends here, it was cut off.
    [[nodiscard]] bool between_archives() const noexcept { return state_ == State::between; }
    [[nodiscard]] unsigned archives() const noexcept { return archives_; }
    // Bytes that did not go through feed(), for the alignment of what follows.
    void skip(std::uint64_t bytes) noexcept { position_ += bytes; }

  private:
    enum class State { between, header, name, body };

    void begin_header() noexcept;
    void read_header();
    void read_name();
    [[noreturn]] void damaged(const char* what) const;

    State state_ = State::between;
    std::uint64_t position_ = 0;    // of the next byte
    std::uint64_t wanted_ = 0;      // bytes left of the header, name or body
    std::uint64_t body_bytes_ = 0;  // of the current entry, padding included
    std::size_t name_bytes_ = 0;
    std::string kept_;  // header or name so far
    unsigned archives_ = 0;
};

}  // namespace mk::image
