// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dump/core.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "support/kernel_image.h"
#include "util/error.h"

namespace mk::dump {

struct CoreTest : testing::Test {
    test::KernelImage image{{"Linux version 6.1.0"}};
    Fd out{::memfd_create("core", MFD_CLOEXEC)};
    Progress progress;

    std::string write(const std::vector<backend::MemoryRange>& ranges,
                      const std::vector<backend::Registers>& registers) {
        Memory memory(image.file(), ranges);
        write_core(memory, registers, out.get(), progress);
        (void)::lseek(out.get(), 0, SEEK_SET);
        return read_all(out.get(), 64U << 20);
    }
    template <typename Struct>
    static Struct at(const std::string& core, std::uint64_t offset) {
        Struct value;
        std::memcpy(&value, core.data() + offset, sizeof value);
        return value;
    }
};

TEST_F(CoreTest, HoldsMemoryAtTheAddressesOfTheKernel) {
    const std::string core = write(image.ranges(), {});
    const auto head = at<Elf64_Ehdr>(core, 0);
    ASSERT_EQ(head.e_phnum, 2);
    const auto load = at<Elf64_Phdr>(core, head.e_phoff + sizeof(Elf64_Phdr));
    EXPECT_EQ(load.p_type, Elf64_Word{PT_LOAD});
    EXPECT_EQ(load.p_paddr, test::KernelImage::start);
    EXPECT_EQ(load.p_vaddr, test::KernelImage::direct_map + test::KernelImage::start);
    EXPECT_EQ(core.substr(load.p_offset), image.bytes());
    EXPECT_EQ(progress.done_bytes, test::KernelImage::size);
    struct stat status = {};
    ::fstat(out.get(), &status);
    EXPECT_LT(status.st_blocks * 512, 1 << 20);  // the rest is zeroes: holes
}

TEST_F(CoreTest, HasRegistersOfEachCpuThatAnsweredAndTheKernelsNote) {
    backend::Registers one{.cpu = 2, .valid = true};
    one.values[16] = 0xffffffff81234567;
    const std::string core = write(image.ranges(), {one, {.cpu = 3}});
    const auto note = at<Elf64_Phdr>(core, sizeof(Elf64_Ehdr));
    const std::string notes = core.substr(note.p_offset, note.p_filesz);
    EXPECT_EQ(at<Elf64_Nhdr>(notes, 0).n_type, Elf64_Word{NT_PRSTATUS});
    const std::uint64_t size = sizeof(Elf64_Nhdr) + 8 + 336;  // struct elf_prstatus
    EXPECT_EQ(at<std::uint64_t>(notes, sizeof(Elf64_Nhdr) + 8 + 112 + 16UL * 8), one.values[16]);
    EXPECT_EQ(notes.substr(size + sizeof(Elf64_Nhdr), 11), std::string("VMCOREINFO\0", 11));
    EXPECT_NE(notes.find("OSRELEASE=6.1.0-56-amd64\n"), std::string::npos);
}

TEST_F(CoreTest, KeepsRangesInTheOrderOfTheirAddresses) {
    auto ranges = image.ranges();
    ranges[0].size_kib /= 2;
    ranges.push_back({64, ranges[0].size_kib, 0, backend::Use::given, 2});
    const std::string core = write(ranges, {});
    const auto load = at<Elf64_Phdr>(core, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
    EXPECT_EQ(load.p_paddr, 64U << 10);
    EXPECT_EQ(core.substr(load.p_offset, load.p_filesz), image.bytes().substr(image.size / 2));
}

TEST_F(CoreTest, EndsWhenItIsCancelled) {
    progress.cancelled = true;
    try {
        (void)write(image.ranges(), {});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_OPERATION_ABORTED);
    }
}

}  // namespace mk::dump
