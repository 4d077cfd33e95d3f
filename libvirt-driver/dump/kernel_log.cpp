// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reading the three arrays of the ring at once, then going through its descriptors from the
// oldest to the newest as Documentation/admin-guide/kdump/gdbmacros.txt does.
#include "dump/kernel_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "dump/address_space.h"
#include "dump/vmcoreinfo.h"

namespace mk::dump {
namespace {

constexpr std::uint64_t max_count_bits = 18;  // a log buffer of 8 MiB
constexpr std::uint64_t max_size_bits = 25;
constexpr std::uint64_t max_struct = 1024;
constexpr std::size_t max_text = 16U << 20;
constexpr std::uint64_t id_mask = ~(std::uint64_t{3} << 62);  // the state is above

struct Unusable {
    std::string_view what;
};

template <typename Number>
Number number_at(std::span<const std::byte> bytes, std::uint64_t offset) {
    Number value = 0;
    if (offset > bytes.size() || bytes.size() - offset < sizeof value)
        throw Unusable{"a field lies outside of its structure"};
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

class Ring {
  public:
    Ring(AddressSpace& space, const VmcoreInfo& info) : space_(space), info_(info) { load(); }
    [[nodiscard]] std::string text() const;

  private:
    void load();
    [[nodiscard]] std::uint64_t offset(std::string_view name) const;
    [[nodiscard]] std::uint64_t size(std::string_view name) const;
    [[nodiscard]] std::vector<std::byte> copy(std::uint64_t address, std::uint64_t bytes) const;
    void append(std::string& out, std::uint64_t id) const;
    [[nodiscard]] std::string_view record_text(std::span<const std::byte> desc,
                                               std::uint64_t length) const;

    AddressSpace& space_;
    const VmcoreInfo& info_;
    std::uint64_t count_ = 0;
    std::uint64_t head_ = 0;
    std::uint64_t tail_ = 0;
    std::uint64_t desc_bytes_ = 0;
    std::uint64_t info_bytes_ = 0;
    std::vector<std::byte> descs_;
    std::vector<std::byte> infos_;
    std::vector<std::byte> data_;
};

std::uint64_t Ring::offset(std::string_view name) const {
    const auto value = info_.offset(name);
    if (!value || *value >= max_struct)
        throw Unusable{"its notes do not describe the log"};
    return *value;
}

std::uint64_t Ring::size(std::string_view name) const {
    const auto value = info_.size(name);
    if (!value || *value == 0 || *value > max_struct)
        throw Unusable{"its notes do not describe the log"};
    return *value;
}

std::vector<std::byte> Ring::copy(std::uint64_t address, std::uint64_t bytes) const {
    std::vector<std::byte> out(bytes);
    if (!space_.read(address, out))
        throw Unusable{"the log is not mapped"};
    return out;
}

void Ring::load() {
    const auto prb = info_.symbol("prb");
    if (!prb)
        throw Unusable{"its notes do not name the log"};
    const std::uint64_t address = number_at<std::uint64_t>(copy(*prb, 8), 0);
    const auto all = copy(address, size("printk_ringbuffer"));
    const std::span whole(all);

    const std::uint64_t counter = offset("atomic_long_t.counter");
    const std::uint64_t ring = offset("printk_ringbuffer.desc_ring");
    const auto bits = number_at<std::uint32_t>(whole, ring + offset("prb_desc_ring.count_bits"));
    if (bits > max_count_bits)
        throw Unusable{"the log has too many records"};
    count_ = std::uint64_t{1} << bits;
    head_ = number_at<std::uint64_t>(whole, ring + offset("prb_desc_ring.head_id") + counter);
    tail_ = number_at<std::uint64_t>(whole, ring + offset("prb_desc_ring.tail_id") + counter);
    desc_bytes_ = size("prb_desc");
    info_bytes_ = size("printk_info");
    descs_ = copy(number_at<std::uint64_t>(whole, ring + offset("prb_desc_ring.descs")),
                  count_ * desc_bytes_);
    infos_ = copy(number_at<std::uint64_t>(whole, ring + offset("prb_desc_ring.infos")),
                  count_ * info_bytes_);

    const std::uint64_t text = offset("printk_ringbuffer.text_data_ring");
    const auto text_bits =
        number_at<std::uint32_t>(whole, text + offset("prb_data_ring.size_bits"));
    if (text_bits > max_size_bits)
        throw Unusable{"the log is too large"};
    data_ = copy(number_at<std::uint64_t>(whole, text + offset("prb_data_ring.data")),
                 std::uint64_t{1} << text_bits);
}

std::string Ring::text() const {
    std::string out;
    std::uint64_t id = tail_ & id_mask;
    for (std::uint64_t i = 0; i < count_ && out.size() < max_text; ++i) {
        append(out, id);
        if (id == (head_ & id_mask))
            break;
        id = (id + 1) & id_mask;
    }
    return out;
}

void Ring::append(std::string& out, std::uint64_t id) const {
    const std::uint64_t index = id % count_;
    const auto desc = std::span(descs_).subspan(index * desc_bytes_, desc_bytes_);
    const auto info = std::span(infos_).subspan(index * info_bytes_, info_bytes_);
    const auto state = number_at<std::uint64_t>(
        desc, offset("prb_desc.state_var") + offset("atomic_long_t.counter"));
    const std::uint64_t kind = state >> 62;
    constexpr std::uint64_t committed = 1;
    constexpr std::uint64_t finalized = 2;
    if ((state & id_mask) != id || (kind != committed && kind != finalized))
        return;
    const auto time_ns = number_at<std::uint64_t>(info, offset("printk_info.ts_nsec"));
    const auto length = number_at<std::uint16_t>(info, offset("printk_info.text_len"));
    out += fmt::format("[{:5}.{:06}] ", time_ns / 1'000'000'000, time_ns / 1000 % 1'000'000);
    for (const char c : record_text(desc, length)) {
        const bool control =
            (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        out += control ? '?' : c;
    }
    out += '\n';
}

// A block of the data ring: an id, then the text. One that would wrap begins at 0 instead.
std::string_view Ring::record_text(std::span<const std::byte> desc, std::uint64_t length) const {
    const std::uint64_t lpos = offset("prb_desc.text_blk_lpos");
    const auto from = number_at<std::uint64_t>(desc, lpos + offset("prb_data_blk_lpos.begin"));
    const auto to = number_at<std::uint64_t>(desc, lpos + offset("prb_data_blk_lpos.next"));
    if ((from & 1) != 0)  // a record without text
        return {};
    std::uint64_t begin = from % data_.size();
    const std::uint64_t end = to % data_.size() == 0 ? data_.size() : to % data_.size();
    if (begin > end)
        begin = 0;
    begin += sizeof(std::uint64_t);
    if (begin >= end)
        return {};
    return {reinterpret_cast<const char*>(data_.data()) + begin, std::min(length, end - begin)};
}

}  // namespace

KernelLog read_kernel_log(Memory& memory, std::chrono::milliseconds patience) {
    const auto info = find_vmcoreinfo(memory, patience);
    if (!info)
        return {{}, "it ended before it said where its log is"};
    auto space = AddressSpace::of(memory, *info);
    if (!space)
        return {{}, "its notes do not say where its page tables are"};
    try {
        return {Ring(*space, *info).text(), {}};
    } catch (const Unusable& reason) {
        return {{}, std::string(reason.what)};
    }
}

}  // namespace mk::dump
