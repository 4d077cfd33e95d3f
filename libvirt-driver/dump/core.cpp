// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Headers, notes, then the memory itself.
#include "dump/core.h"

#include <elf.h>
#include <sys/procfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "dump/address_space.h"
#include "dump/vmcoreinfo.h"
#include "util/error.h"
#include "util/round_up.h"

namespace mk::dump {
namespace {

constexpr std::size_t piece_bytes = 1U << 20;
constexpr std::size_t max_ranges = PN_XNUM - 2;
constexpr std::chrono::minutes search_patience{5};

// Aligned for O_DIRECT.
struct Buffer {
    explicit Buffer(std::size_t size)
        : bytes(static_cast<std::byte*>(std::aligned_alloc(page_bytes, size))) {
        if (!bytes)
            throw std::bad_alloc();
    }
    struct Free {
        void operator()(std::byte* memory) const { std::free(memory); }
    };
    std::unique_ptr<std::byte, Free> bytes;
};

void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            throw Error::from_errno("write the core file", put == 0 ? ENOSPC : errno);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
}

template <typename Struct>
void append(std::string& out, const Struct& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_note(std::string& out, const std::string& name, unsigned type, std::string_view desc) {
    Elf64_Nhdr head = {};
    head.n_namesz = static_cast<Elf64_Word>(name.size() + 1);
    head.n_descsz = static_cast<Elf64_Word>(desc.size());
    head.n_type = type;
    append(out, head);
    out += name;
    out.resize(round_up(out.size() + 1, 4));
    out += desc;
    out.resize(round_up(out.size(), 4));
}

std::string notes_of(const std::vector<backend::Registers>& registers,
                     const std::optional<VmcoreInfo>& info) {
    std::string notes;
    for (const backend::Registers& cpu : registers) {
        if (!cpu.valid)
            continue;
        elf_prstatus status = {};
        static_assert(sizeof status.pr_reg == sizeof cpu.values);
        status.pr_pid = static_cast<pid_t>(cpu.cpu) + 1;
        std::memcpy(&status.pr_reg, cpu.values.data(), sizeof status.pr_reg);
        append_note(notes, "CORE", NT_PRSTATUS,
                    {reinterpret_cast<const char*>(&status), sizeof status});
    }
    if (info)
        append_note(notes, "VMCOREINFO", 0, info->text());
    return notes;
}

std::string head_of(std::size_t loads) {
    Elf64_Ehdr head = {};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_ident[EI_VERSION] = EV_CURRENT;
    head.e_type = ET_CORE;
    head.e_machine = EM_X86_64;
    head.e_version = EV_CURRENT;
    head.e_phoff = sizeof head;
    head.e_ehsize = sizeof head;
    head.e_phentsize = sizeof(Elf64_Phdr);
    head.e_phnum = static_cast<Elf64_Half>(loads + 1);
    std::string out;
    append(out, head);
    return out;
}

// All that is in front of the memory; its size is a whole number of pages.
std::string headers_of(Memory& memory, const std::string& notes,
                       std::optional<std::uint64_t> direct_map) {
    const auto& ranges = memory.ranges();
    std::string out = head_of(ranges.size());
    const std::size_t notes_at = out.size() + (ranges.size() + 1) * sizeof(Elf64_Phdr);
    Elf64_Phdr note = {};
    note.p_type = PT_NOTE;
    note.p_offset = notes_at;
    note.p_filesz = notes.size();
    note.p_memsz = notes.size();
    note.p_align = 4;
    append(out, note);
    std::uint64_t offset = round_up(notes_at + notes.size(), page_bytes);
    for (const Memory::Range& range : ranges) {
        Elf64_Phdr load = {};
        load.p_type = PT_LOAD;
        load.p_flags = PF_R | PF_W | PF_X;
        load.p_offset = offset;
        load.p_vaddr = direct_map ? *direct_map + range.start : 0;
        load.p_paddr = range.start;
        load.p_filesz = range.bytes;
        load.p_memsz = range.bytes;
        append(out, load);
        offset += range.bytes;
    }
    out += notes;
    out.resize(round_up(out.size(), page_bytes));
    return out;
}

bool is_zero(const std::byte* page) {
    return page[0] == std::byte{0} && std::memcmp(page, page + 1, page_bytes - 1) == 0;
}

// Pages of zeroes are left out.
void write_piece(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
    std::size_t begin = 0;
    while (begin < bytes.size()) {
        std::size_t end = begin;
        while (end < bytes.size() && !is_zero(bytes.data() + end))
            end += page_bytes;
        if (end > begin)
            write_at(fd, bytes.subspan(begin, end - begin), offset + begin);
        begin = end + page_bytes;
    }
}

void write_headers(int fd, const std::string& headers) {
    const Buffer buffer(headers.size());
    std::memcpy(buffer.bytes.get(), headers.data(), headers.size());
    write_at(fd, {buffer.bytes.get(), headers.size()}, 0);
}

}  // namespace

void Progress::check() const {
    if (cancelled)
        throw Error(VIR_ERR_OPERATION_ABORTED, "dump job: canceled by client");
}

void write_core(Memory& memory, const std::vector<backend::Registers>& registers, int fd,
                Progress& progress) {
    if (memory.ranges().size() > max_ranges)
        throw Error(VIR_ERR_OPERATION_FAILED, "the partition's memory has too many pieces");
    const auto info = find_vmcoreinfo(memory, search_patience);
    std::optional<std::uint64_t> direct_map;
    if (info) {
        auto space = AddressSpace::of(memory, *info);
        direct_map = space ? space->direct_map() : std::nullopt;
    }
    const std::string headers = headers_of(memory, notes_of(registers, info), direct_map);
    write_headers(fd, headers);
    std::uint64_t offset = headers.size();
    const Buffer buffer(piece_bytes);
    for (const Memory::Range range : memory.ranges()) {
        for (std::uint64_t at = 0; at < range.bytes;) {
            progress.check();
            const auto size = std::min<std::uint64_t>(piece_bytes, range.bytes - at);
            const std::span piece(buffer.bytes.get(), size);
            if (!memory.read(range.start + at, piece))
                throw Error(VIR_ERR_OPERATION_FAILED, "the partition's memory has changed");
            write_piece(fd, piece, offset + at);
            at += size;
            progress.done_bytes += size;
        }
        offset += range.bytes;
    }
    if (::ftruncate(fd, static_cast<off_t>(offset)) < 0)
        throw Error::from_errno("write the core file");
}

}  // namespace mk::dump
