// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What most sources include, read once instead of each time, in builds with sanitizers. Others are
// without it, and so find what a source forgot to include.
#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
