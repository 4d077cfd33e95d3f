// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lists of ranges of memory: kernel/host/memory_list.c, compiled for user space, against an array
// that says for each page whose it is. Not for what a range may become.
extern "C" {
#include "../../../kernel/host/memory_list.h"
}

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include "uapi/linux/multikernel.h"

namespace {

constexpr unsigned long first = 0x1000;
constexpr unsigned pages_in_all = 32;

struct List : mk_chunks {
    List() : mk_chunks{} {}
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() { std::free(at); }

    void add(unsigned begin, unsigned pages, unsigned id, unsigned state = MK_RANGE_TAKEN) {
        ASSERT_EQ(mk_chunks_room(this, 1), 0);
        const mk_chunk chunk{first + begin, pages, 0, state, id, state == MK_RANGE_BOOT};
        mk_chunks_add(this, &chunk);
    }
};

// 0: in no range.
using Owners = std::array<unsigned, pages_in_all>;

bool all_the_same(const Owners& owners, unsigned begin, unsigned pages) {
    return std::all_of(owners.begin() + begin, owners.begin() + begin + pages,
                       [&](unsigned owner) { return owner == owners[begin]; });
}

// Sorted, joined, and as the array has it.
void expect_same(const List& list, const Owners& owners) {
    unsigned n = 0;
    for (unsigned page = 0, pages = 0; page < pages_in_all; page += pages) {
        pages = 1;
        while (page + pages < pages_in_all && owners[page + pages] == owners[page])
            ++pages;
        if (owners[page] == 0)
            continue;
        ASSERT_LT(n, list.count);
        EXPECT_EQ(list.at[n].pfn, first + page);
        EXPECT_EQ(list.at[n].pages, pages);
        EXPECT_EQ(list.at[n].id, owners[page]);
        ++n;
    }
    EXPECT_EQ(n, list.count);
}

// Makes a range another owner's, or nobody's, if it is in one chunk.
void move_range(List& list, const Owners& owners, unsigned begin, unsigned pages, unsigned owner) {
    ASSERT_EQ(mk_chunks_room(&list, 2), 0);
    mk_chunk* chunk = mk_chunks_cut(&list, first + begin, pages);
    if (owners[begin] == 0 || !all_the_same(owners, begin, pages)) {
        EXPECT_EQ(chunk, nullptr);
        if (owner != 0)
            list.add(begin, pages, owner);
        return;
    }
    ASSERT_NE(chunk, nullptr);
    EXPECT_EQ(chunk->pfn, first + begin);
    EXPECT_EQ(chunk->pages, pages);
    if (owner != 0)
        chunk->id = owner;
    else
        mk_chunks_drop(&list, static_cast<unsigned>(chunk - list.at));
}

TEST(MemoryList, SaysTheSameAsAnArray) {
    List list;
    Owners owners{};
    std::mt19937 random(3);
    unsigned longest = 0;
    for (int round = 0; round < 20000; ++round) {
        const unsigned begin = random() % pages_in_all;
        const unsigned pages = 1 + random() % std::min(pages_in_all - begin, 8U);
        const bool same = all_the_same(owners, begin, pages);
        const unsigned owner = same ? random() % 4 : 0;  // what is two owners' has no third one
        move_range(list, owners, begin, pages, owner);
        if (same)
            std::fill_n(owners.begin() + begin, pages, owner);
        mk_chunks_merge(&list, 0);
        expect_same(list, owners);
        longest = std::max(longest, list.count);
    }
    EXPECT_GT(longest, pages_in_all / 4);
}

// It begins with the control area.
TEST(MemoryList, TheFirstRangeKeepsItsPlaceAndGrows) {
    List list;
    for (const unsigned begin : {16U, 24U, 0U, 20U, 8U})
        list.add(begin, 4, 1);
    mk_chunks_merge(&list, 1);
    ASSERT_EQ(list.count, 3U);
    EXPECT_EQ(list.at[0].pfn, first + 16);
    EXPECT_EQ(list.at[0].pages, 12UL);
    EXPECT_EQ(list.at[1].pfn, first);
    EXPECT_EQ(list.at[2].pfn, first + 8);
}

TEST(MemoryList, OnlyWhatItBootedWithIsJoinedWhoeverClaimedIt) {
    List list;
    list.add(0, 4, 1, MK_RANGE_BOOT);
    list.add(4, 4, 2, MK_RANGE_BOOT);
    list.add(8, 4, 3);
    list.add(12, 4, 4);
    mk_chunks_merge(&list, 0);
    ASSERT_EQ(list.count, 3U);
    EXPECT_EQ(list.at[0].pages, 8UL);
}

TEST(MemoryList, FindsNoRangeThatIsNotInOneOrWraps) {
    List list;
    list.add(0, 4, 1);
    EXPECT_EQ(mk_chunks_find(&list, first + 1, 3), &list.at[0]);
    EXPECT_EQ(mk_chunks_find(&list, first + 1, 4), nullptr);
    EXPECT_EQ(mk_chunks_find(&list, first - 1, 2), nullptr);
    EXPECT_EQ(mk_chunks_find(&list, first + 4, 1), nullptr);
    EXPECT_EQ(mk_chunks_find(&list, first + 1, ~0UL), nullptr);
    EXPECT_EQ(mk_chunks_find(&list, ~0UL, 2), nullptr);
}

}  // namespace
