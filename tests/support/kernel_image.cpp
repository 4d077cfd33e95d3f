// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Laying out a KernelImage.
#include "support/kernel_image.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "util/error.h"

namespace mk::test {
namespace {

constexpr std::uint64_t names = 0x24000;
constexpr std::uint64_t prb = 0x24800;
constexpr std::uint64_t count_bits = 3;
constexpr std::uint64_t data_bits = 9;
constexpr std::uint64_t desc_bytes = 24;
constexpr std::uint64_t info_bytes = 88;
constexpr std::uint64_t first_id = 0x3ffffffffffffffe;  // runs over within a few records

}  // namespace

template <typename Value>
void KernelImage::write(std::uint64_t offset, Value value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
}

void KernelImage::put(std::uint64_t offset, std::uint64_t value) {
    write(offset, value);
}

KernelImage::KernelImage(const std::vector<std::string>& records) : bytes_(size, '\0') {
    put_tables();
    constexpr std::string_view release = "6.1.0-56-amd64";
    bytes_.replace(names + 4 + 130, release.size(), release);
    put_log(records);
    put_note(note);
}

void KernelImage::put_tables() {
    constexpr std::uint64_t present = 1;
    constexpr std::uint64_t large = 0x80;
    put(top_table + 511UL * 8, (start + 0x1000) | present);
    put(0x1000 + 510UL * 8, (start + 0x2000) | present);
    for (std::uint64_t i = 0; i < size >> 21; ++i)
        put(0x2000 + (8 + i) * 8, (start + (i << 21)) | present | large);
    put(top_table + 273UL * 8, (start + 0x3000) | present);
    put(0x3000 + 5UL * 8, present | large);
}

void KernelImage::put_log(const std::vector<std::string>& records) {
    std::uint64_t id = first_id & ~(3ULL << 62);
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < records.size(); ++i, id = (id + 1) & ~(3ULL << 62)) {
        const std::uint64_t index = id % (1U << count_bits);
        const std::uint64_t block = (8 + records[i].size() + 7) / 8 * 8;
        std::uint64_t begin = at;
        if (at / (1U << data_bits) != (at + block - 1) / (1U << data_bits))
            at = (at / (1U << data_bits) + 1) << data_bits;  // it would wrap
        bytes_.replace(data + at % (1U << data_bits) + 8, records[i].size(), records[i]);
        at += block;
        write(descs + index * desc_bytes, id | 2ULL << 62);
        write(descs + index * desc_bytes + 8, begin);
        write(descs + index * desc_bytes + 16, at);
        write(infos + index * info_bytes + 8, std::uint64_t{(i + 1) * 1'000'000'000});
        write(infos + index * info_bytes + 16, static_cast<std::uint16_t>(records[i].size()));
    }
    put(prb, text + ring);
    write(ring, static_cast<std::uint32_t>(count_bits));
    put(ring + 8, text + descs);
    put(ring + 16, text + infos);
    put(ring + 24, (id - 1) & ~(3ULL << 62));  // head
    put(ring + 32, first_id & ~(3ULL << 62));  // tail
    write(ring + 48, static_cast<std::uint32_t>(data_bits));
    put(ring + 56, text + data);
}

void KernelImage::put_note(std::uint64_t offset) {
    const std::string lines = fmt::format(
        "OSRELEASE=6.1.0-56-amd64\nPAGESIZE=4096\nSYMBOL(init_uts_ns)={:x}\n"
        "OFFSET(uts_namespace.name)=4\nSYMBOL(swapper_pg_dir)={:x}\nNUMBER(phys_base)={}\n"
        "NUMBER(pgtable_l5_enabled)=0\nSYMBOL(prb)={:x}\nSIZE(printk_ringbuffer)=80\n"
        "OFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(printk_ringbuffer.text_data_ring)=48\n"
        "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n"
        "OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n"
        "OFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)={}\nOFFSET(prb_desc.state_var)=0\n"
        "OFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\n"
        "OFFSET(prb_data_blk_lpos.next)=8\nSIZE(printk_info)={}\nOFFSET(printk_info.ts_nsec)=8\n"
        "OFFSET(printk_info.text_len)=16\nOFFSET(prb_data_ring.size_bits)=0\n"
        "OFFSET(prb_data_ring.data)=8\nOFFSET(atomic_long_t.counter)=0\n",
        text + names, text + top_table, std::int64_t{start} - 0x1000000, text + prb, desc_bytes,
        info_bytes);
    Elf64_Nhdr head = {11, static_cast<Elf64_Word>(lines.size()), 0};
    write(offset, head);
    bytes_.replace(offset + sizeof head, 11, std::string_view("VMCOREINFO\0", 11));
    bytes_.replace(offset + sizeof head + 12, lines.size(), lines);
}

std::vector<backend::MemoryRange> KernelImage::ranges() const {
    backend::MemoryRange range;
    range.start_kib = start >> 10;
    range.size_kib = size >> 10;
    return {range};
}

Fd KernelImage::file() const {
    Fd fd(::memfd_create("kernel", MFD_CLOEXEC));
    if (!fd)
        throw Error::from_errno("memfd");
    write_all(fd.get(), std::as_bytes(std::span(bytes_)));
    return fd;
}

}  // namespace mk::test
