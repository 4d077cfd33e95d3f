// SPDX-License-Identifier: LGPL-2.1-or-later
#include "image/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/matchers.h"

namespace mk::image {
namespace {

namespace fs = std::filesystem;

std::string padded(std::string text) {
    text.resize((text.size() + 3) / 4 * 4, '\0');
    return text;
}

std::string member(const std::string& name, const std::string& content) {
    std::string text = "070701";
    for (const std::size_t field :
         {std::size_t{1}, std::size_t{0100644}, std::size_t{0}, std::size_t{0}, std::size_t{1},
          std::size_t{0}, content.size(), std::size_t{0}, std::size_t{0}, std::size_t{0},
          std::size_t{0}, name.size() + 1, std::size_t{0}})
        text += fmt::format("{:08x}", field);
    return padded(text + name + '\0') + padded(content);
}

const std::string trailer = member("TRAILER!!!", "");

// Content that does not compress to nothing.
std::string noise(std::size_t bytes) {
    std::string text;
    std::uint32_t state = 12345;
    while (text.size() < bytes) {
        state = state * 1664525 + 1013904223;
        text += static_cast<char>(state >> 24);
    }
    return text;
}

std::string archive_of(const std::string& content) {
    return member("init", content) + member("empty", "") + trailer;
}

std::string compress(const char* filter, const std::string& bytes) {
    std::string out(bytes.size() * 2 + 65536, '\0');
    std::size_t used = 0;
    archive* const a = archive_write_new();
    EXPECT_EQ(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK) << filter;
    archive_write_set_format_raw(a);
    archive_write_set_bytes_in_last_block(a, 1);
    EXPECT_EQ(archive_write_open_memory(a, out.data(), out.size(), &used), ARCHIVE_OK);
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    EXPECT_EQ(archive_write_header(a, entry), ARCHIVE_OK);
    EXPECT_EQ(archive_write_data(a, bytes.data(), bytes.size()),
              static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
    EXPECT_EQ(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    out.resize(used);
    return out;
}

struct ImageTest : testing::Test {
    ImageTest() {
        std::string pattern = fs::temp_directory_path() / "mk-image-XXXXXX";
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        root = pattern;
        places.loader = root + "/init";
        places.modules = {root + "/first/{}/multikernel_app.ko",
                          root + "/second/{}/multikernel_app.ko"};
        put("init", "the loader");
        put("second/6.1.0-test/multikernel_app.ko", "the module");
    }
    ImageTest(const ImageTest&) = delete;
    ImageTest& operator=(const ImageTest&) = delete;
    ~ImageTest() override { fs::remove_all(root); }

    std::string put(const std::string& name, const std::string& bytes) const {
        const fs::path path = fs::path(root) / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }
    auto checking(const std::string& bytes) const {
        return [this, bytes] {
            const std::string path = put("initrd", bytes);
            check_initramfs(open_file(path, O_RDONLY), path);
        };
    }
    auto building(const std::string& bytes) const {
        return [this, bytes] { (void)build_initramfs(put("initrd", bytes), "6.1.0-test", places); };
    }

    std::string root;
    Places places;
};

struct FilterTest : ImageTest, testing::WithParamInterface<const char*> {};

TEST_F(ImageTest, AcceptsAPlainArchive) {
    EXPECT_NO_THROW(checking(archive_of("hello"))());
    EXPECT_NO_THROW(checking(archive_of(noise(500'000)))());
}

TEST_F(ImageTest, AcceptsArchivesBackToBackWithZerosBetween) {
    const std::string one = archive_of("hello");
    EXPECT_NO_THROW(checking(one + one)());
    EXPECT_NO_THROW(checking(one + std::string(512, '\0') + one + std::string(7, '\0'))());
}

TEST_P(FilterTest, AcceptsACompressedArchive) {
    EXPECT_NO_THROW(checking(compress(GetParam(), archive_of(noise(300'000))))());
}

TEST_P(FilterTest, AcceptsMicrocodeInFrontAndPaddingBehind) {
    const std::string early = archive_of("microcode") + std::string(512, '\0');
    const std::string late = compress(GetParam(), archive_of(noise(1000)));
    EXPECT_NO_THROW(checking(early + late)());
    EXPECT_NO_THROW(checking(early + late + std::string(512, '\0'))());
}

TEST_P(FilterTest, FindsOutThatACompressedArchiveWasCutOff) {
    const std::string whole = compress(GetParam(), archive_of(noise(5000)));
    for (std::size_t length = 16; length < whole.size() - 16; length += 97)
        EXPECT_THAT(checking(whole.substr(0, length)),
                    test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "initrd '"))
            << length << " of " << whole.size();
}

TEST_P(FilterTest, FindsOutThatTheArchiveInsideWasCutOff) {
    const std::string whole = archive_of(noise(5000));
    EXPECT_THAT(checking(compress(GetParam(), whole.substr(0, 3000))),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "cut off"));
}

TEST_P(FilterTest, RefusesSomethingElseThatIsCompressed) {
    EXPECT_THAT(checking(compress(GetParam(), "a text that is no archive")),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "is no cpio archive"));
}

INSTANTIATE_TEST_SUITE_P(All, FilterTest,
                         testing::Values("gzip", "bzip2", "lzma", "xz", "lz4", "zstd"),
                         [](const auto& one) { return std::string(one.param); });

TEST_F(ImageTest, FindsOutWhereverAPlainArchiveWasCutOff) {
    const std::string whole = archive_of("hello");
    for (std::size_t length = 1; length < whole.size(); length++)
        EXPECT_THAT(checking(whole.substr(0, length)),
                    test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "cut off"))
            << length;
}

TEST_F(ImageTest, RefusesAFileThatIsNoArchive) {
    for (const std::string& bytes : {std::string("\177ELF no initramfs at all"), noise(5000)})
        EXPECT_THAT(checking(bytes), test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                                        "neither a cpio archive nor compressed"));
    for (const std::string& bytes : {std::string(), std::string(4096, '\0')})
        EXPECT_THAT(checking(bytes), test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                                        "there is no cpio archive in it"));
}

TEST_F(ImageTest, RefusesJunkBehindAnArchive) {
    EXPECT_THAT(checking(archive_of("hello") + "junk"),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "neither a cpio"));
    EXPECT_THAT(checking(compress("gzip", archive_of("hello")) + "junk"),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "neither a cpio"));
}

TEST_F(ImageTest, SaysHowToPackWhatLinuxDoesNotUnpack) {
    EXPECT_THAT(checking("070707" + std::string(200, '0')),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "cpio -H newc"));
}

TEST_F(ImageTest, RefusesADamagedHeader) {
    std::string bytes = archive_of("hello");
    bytes[60] = 'x';
    EXPECT_THAT(checking(bytes), test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "damaged cpio"));
    bytes = archive_of("hello");
    bytes.replace(94, 8, "ffffffff");
    EXPECT_THAT(checking(bytes), test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "name length"));
    bytes.replace(94, 8, "00000000");
    EXPECT_THAT(checking(bytes), test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "name length"));
}

// What an archive at the end of `bytes` holds: path -> mode and content.
std::map<std::string, std::pair<unsigned, std::string>> entries_of(const std::string& bytes) {
    std::map<std::string, std::pair<unsigned, std::string>> found;
    archive* const a = archive_read_new();
    archive_read_support_format_cpio(a);
    EXPECT_EQ(archive_read_open_memory(a, bytes.data(), bytes.size()), ARCHIVE_OK);
    archive_entry* entry = nullptr;
    while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
        std::string content(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
        EXPECT_EQ(archive_read_data(a, content.data(), content.size()),
                  static_cast<la_ssize_t>(content.size()));
        found[archive_entry_pathname(entry)] = {archive_entry_mode(entry), content};
    }
    archive_read_free(a);
    return found;
}

TEST_F(ImageTest, AppendsTheLoaderAndTheModule) {
    const std::string user = compress("lz4", archive_of("hello"));
    const Fd built = build_initramfs(put("initrd", user), "6.1.0-test", places);
    const std::string bytes = read_all(built.get(), 1U << 20);
    EXPECT_EQ(bytes.substr(0, user.size()), user);
    const std::string ours = bytes.substr((user.size() + 4 + 511) / 512 * 512);
    ASSERT_EQ(ours.substr(0, 6), "070701") << "aligned, behind at least four zeros";
    const auto entries = entries_of(ours);
    EXPECT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries.at("multikernel").first, S_IFDIR | 0755U);
    EXPECT_EQ(entries.at("multikernel/init"),
              std::pair(S_IFREG | 0755U, std::string("the loader")));
    EXPECT_EQ(entries.at("multikernel/multikernel_app.ko").second, "the module");
    EXPECT_NO_THROW(check_initramfs(built, "built"));
}

TEST_F(ImageTest, GivesAFileThatNobodyCanWrite) {
    const Fd built = build_initramfs(put("initrd", archive_of("hello")), "6.1.0-test", places);
    EXPECT_EQ(::fcntl(built.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(::fcntl(built.get(), F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
    EXPECT_EQ(::lseek(built.get(), 0, SEEK_CUR), 0);
    EXPECT_THAT(
        [&] {
            const Fd again = open_file(fmt::format("/proc/self/fd/{}", built.get()), O_RDWR);
            write_all(again.get(), std::as_bytes(std::span("x", 1)));
        },
        test::throws_error(VIR_ERR_SYSTEM_ERROR, "not permitted"));
}

TEST_F(ImageTest, ChecksTheUsersArchiveWhenBuilding) {
    EXPECT_THAT(building("no archive"),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, root + "/initrd': neither"));
}

TEST_F(ImageTest, NamesAMissingInitrd) {
    EXPECT_THAT([&] { (void)build_initramfs(root + "/gone", "6.1.0-test", places); },
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "/gone: No such file"));
}

TEST_F(ImageTest, RefusesAnInitrdThatIsNoRegularFile) {
    const std::string pipe = root + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THAT([&] { (void)build_initramfs(pipe, "6.1.0-test", places); },
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "is not a regular file"));
    EXPECT_THAT([&] { (void)build_initramfs(root, "6.1.0-test", places); },
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "is not a regular file"));
}

TEST_F(ImageTest, NamesTheKernelForWhichNoModuleWasBuilt) {
    EXPECT_THAT([&] { (void)find_app_module("6.9.9-other", places); },
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                   "no multikernel_app.ko was built for kernel 6.9.9-other: "
                                   "install linux-headers-6.9.9-other"));
}

TEST_F(ImageTest, PrefersTheFirstPlaceOfAModule) {
    const std::string second = find_app_module("6.1.0-test", places);
    const std::string first = put("first/6.1.0-test/multikernel_app.ko", "newer");
    EXPECT_NE(second, first);
    EXPECT_EQ(find_app_module("6.1.0-test", places), first);
}

TEST_F(ImageTest, UnpacksACompressedModule) {
    put("first/6.1.0-test/multikernel_app.ko.xz", compress("xz", "newer"));
    const Fd built = build_initramfs(put("initrd", archive_of("hello")), "6.1.0-test", places);
    const std::string bytes = read_all(built.get(), 1U << 20);
    const auto entries = entries_of(bytes.substr(bytes.find("070701", 512) / 512 * 512));
    EXPECT_EQ(entries.at("multikernel/multikernel_app.ko").second, "newer");
}

TEST_F(ImageTest, NamesAMissingLoader) {
    fs::remove(places.loader);
    EXPECT_THAT(building(archive_of("hello")),
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "/init: No such file"));
}

// Documentation/arch/x86/boot.rst
std::string bzimage(const std::string& version) {
    std::string bytes(0x2000, '\0');
    bytes.replace(0x1fe, 2, "\x55\xaa");
    bytes.replace(0x202, 4, "HdrS");
    bytes.replace(0x206, 2, "\x0f\x02");
    bytes.replace(0x20e, 2, std::string("\x00\x10", 2));
    bytes[0x211] = 1;
    bytes.replace(0x1200, version.size(), version);
    return bytes;
}

struct KernelTest : ImageTest {
    auto opening(const std::string& bytes) const {
        return [this, bytes] { (void)open_kernel(put("vmlinuz", bytes)); };
    }
};

TEST_F(KernelTest, ReadsTheVersion) {
    const std::string text = "6.1.0-56-amd64 (debian-kernel@lists.debian.org) #1 SMP";
    const Kernel kernel = open_kernel(put("vmlinuz", bzimage(text)));
    EXPECT_EQ(kernel.version, "6.1.0-56-amd64");
    EXPECT_EQ(::fcntl(kernel.fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(::lseek(kernel.fd.get(), 0, SEEK_CUR), 0);
}

TEST_F(KernelTest, RefusesWhatIsNoBzImage) {
    const std::string good = bzimage("6.1.0");
    std::string zimage = good;
    zimage[0x211] = 0;
    std::string old = good;
    old[0x207] = 1;
    for (const std::string& bytes : {std::string(), std::string("\177ELF vmlinux"), noise(20000),
                                     good.substr(0, 0x210), zimage, old})
        EXPECT_THAT(opening(bytes),
                    test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "is not a bzImage for x86"));
}

TEST_F(KernelTest, RefusesAVersionThatWouldLeadElsewhere) {
    for (const char* version : {"", "../../etc", "6.1/../..", "..", "6.1\n", " 6.1"})
        EXPECT_THAT(opening(bzimage(version)),
                    test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "does not say its version"))
            << version;
    std::string beyond = bzimage("6.1.0");
    beyond.replace(0x20e, 2, "\xff\xff");
    EXPECT_THAT(opening(beyond),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "does not say its version"));
}

TEST_F(KernelTest, NamesAMissingFile) {
    EXPECT_THAT([&] { (void)open_kernel(root + "/gone"); },
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "/gone: No such file"));
}

}  // namespace
}  // namespace mk::image
