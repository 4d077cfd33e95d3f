// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What all fuzzers have in common. Each runs as nobody if it was started as root: an input may
// name any file for a log or a dump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mk::fuzz {

[[nodiscard]] inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

struct Call {
    int procedure = 0;
    std::string_view arguments;
};

// An input as the frames that a client sends, one after the other. A wrong length word ends
// nothing, so that more of an input means something.
[[nodiscard]] std::vector<Call> calls(std::string_view bytes);

// A property that has to hold for every input; `what` goes to stderr, and the input is a find.
void require(bool holds, std::string_view what);

}  // namespace mk::fuzz

// What libFuzzer calls: for each input, and once at first.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
