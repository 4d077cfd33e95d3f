// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libarchive behind three functions.
#include "image/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "image/zstd.h"
#include "util/error.h"

namespace mk::image {
namespace {

constexpr std::size_t block_bytes = 128U << 10;

struct ReadEnd {
    void operator()(archive* a) const noexcept { archive_read_free(a); }
};
struct WriteEnd {
    void operator()(archive* a) const noexcept { archive_write_free(a); }
};
struct EntryEnd {
    void operator()(archive_entry* e) const noexcept { archive_entry_free(e); }
};
using Reader = std::unique_ptr<archive, ReadEnd>;
using Writer = std::unique_ptr<archive, WriteEnd>;
using EntryPtr = std::unique_ptr<archive_entry, EntryEnd>;

std::string text_of(archive* a) {
    const char* const text = archive_error_string(a);
    return text != nullptr ? text : "unknown error";
}

// A part of a file, as libarchive asks for it.
struct Source {
    int fd = -1;
    std::uint64_t offset = 0;
    std::uint64_t end = 0;
    std::vector<char> block = std::vector<char>(block_bytes);
};

la_ssize_t read_source(archive* a, void* context, const void** block) noexcept {
    auto& source = *static_cast<Source*>(context);
    *block = source.block.data();
    const auto wanted = std::min<std::uint64_t>(source.block.size(), source.end - source.offset);
    ssize_t got = 0;
    do {
        got = ::pread(source.fd, source.block.data(), wanted, static_cast<off_t>(source.offset));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        archive_set_error(a, errno, "read failed");
        return ARCHIVE_FATAL;
    }
    source.offset += static_cast<std::uint64_t>(got);
    return got;
}

// Reads any bytes as one nameless entry, through the decompressors that Linux has too
// (usr/Kconfig), if one of them knows the magic number. LZO is left out: libarchive would run
// the lzop program for it.
Reader raw_reader() {
    Reader reader(archive_read_new());
    if (!reader)
        throw std::bad_alloc();
    archive* const a = reader.get();
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_lzma(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_lz4(a);
    archive_read_support_filter_zstd(a);
    return reader;
}

std::uint64_t size_of(const Fd& fd) {
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0)
        throw Error::from_errno("stat");
    return static_cast<std::uint64_t>(status.st_size);
}

bool compressed(archive* a) {
    return archive_filter_count(a) > 1;  // the last one is the file itself
}

// Empty: the end was reached.
std::string drain(archive* a, const std::function<void(std::span<const char>)>& sink) {
    archive_entry* entry = nullptr;
    int status = archive_read_next_header(a, &entry);
    if (status == ARCHIVE_EOF)
        return {};
    while (status == ARCHIVE_OK) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        status = archive_read_data_block(a, &block, &size, &offset);
        if (status == ARCHIVE_OK)
            sink({static_cast<const char*>(block), size});
    }
    return status == ARCHIVE_EOF ? "" : text_of(a);
}

void write_entry(archive* a, const Entry& what) {
    const EntryPtr entry(archive_entry_new());
    if (!entry)
        throw std::bad_alloc();
    archive_entry_set_pathname(entry.get(), what.path.c_str());
    archive_entry_set_filetype(entry.get(), what.directory ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry.get(), what.mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(what.content.size()));
    archive_entry_set_mtime(entry.get(), 0, 0);
    archive_entry_set_nlink(entry.get(), what.directory ? 2 : 1);
    if (archive_write_header(a, entry.get()) != ARCHIVE_OK ||
        archive_write_data(a, what.content.data(), what.content.size()) !=
            static_cast<la_ssize_t>(what.content.size()))
        throw Error::from_errno("write initramfs: " + text_of(a), archive_errno(a));
}

}  // namespace

Decompressed decompress(const Fd& fd, std::uint64_t offset,
                        const std::function<void(std::span<const char>)>& sink) {
    Source source{.fd = fd.get(), .offset = offset, .end = size_of(fd)};
    if (is_zstd(fd, offset)) {
        const auto end = zstd_frame_end(fd, offset, source.end);
        if (!end)
            return {0, "truncated zstd input"};
        source.end = *end;
    }
    const Reader reader = raw_reader();
    archive* const a = reader.get();
    if (archive_read_open(a, &source, nullptr, read_source, nullptr) != ARCHIVE_OK)
        return {0, text_of(a)};
    if (!compressed(a))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "neither a cpio archive nor compressed with gzip, bzip2, lzma, xz, lz4 or "
                    "zstd");
    Decompressed result;
    result.error = drain(a, sink);
    result.used_bytes = static_cast<std::uint64_t>(archive_filter_bytes(a, -1));
    return result;
}

std::string read_maybe_compressed(const std::string& path, std::size_t limit) {
    const Fd fd = open_file(path, O_RDONLY);
    Source source{.fd = fd.get(), .offset = 0, .end = size_of(fd)};
    const Reader reader = raw_reader();
    archive* const a = reader.get();
    std::string content;
    const bool open = archive_read_open(a, &source, nullptr, read_source, nullptr) == ARCHIVE_OK;
    const std::string error = !open ? text_of(a) : drain(a, [&](std::span<const char> bytes) {
        if (bytes.size() > limit - content.size())
            throw Error(VIR_ERR_OPERATION_FAILED,
                        fmt::format("{} is longer than {} bytes", path, limit));
        content.append(bytes.data(), bytes.size());
    });
    if (!error.empty())
        throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("{}: {}", path, error));
    return content;
}

void write_cpio(const Fd& fd, const std::vector<Entry>& entries) {
    const Writer writer(archive_write_new());
    if (!writer)
        throw std::bad_alloc();
    archive* const a = writer.get();
    archive_write_set_format_cpio_newc(a);
    archive_write_add_filter_none(a);
    archive_write_set_bytes_per_block(a, block_bytes);  // by default 10 KiB: a call for each
    archive_write_set_bytes_in_last_block(a, 1);
    if (archive_write_open_fd(a, fd.get()) != ARCHIVE_OK)
        throw Error::from_errno("write initramfs: " + text_of(a), archive_errno(a));
    for (const Entry& entry : entries)
        write_entry(a, entry);
    if (archive_write_close(a) != ARCHIVE_OK)
        throw Error::from_errno("write initramfs: " + text_of(a), archive_errno(a));
}

}  // namespace mk::image
