// SPDX-License-Identifier: LGPL-2.1-or-later
#include "protocol/xdr.h"

#include <gtest/gtest.h>

#include "protocol/remote.h"
#include "protocol/remote_codec.h"

namespace mk::protocol {
namespace {

// Names of 0, 1, 2, … characters.
Xdr<remote_connect_list_defined_domains_ret> names(unsigned count) {
    Xdr<remote_connect_list_defined_domains_ret> made;
    made->names.names_val = make_array<remote_nonnull_string>(count);
    made->names.names_len = count;
    for (unsigned i = 0; i < count; ++i)
        made->names.names_val[i] = copy_string(std::string(i, 'x'));
    return made;
}

TEST(Xdr, EncodesWordsAndPaddedStrings) {
    EXPECT_EQ(names(3).encode(), std::string("\0\0\0\3"
                                             "\0\0\0\0"
                                             "\0\0\0\1x\0\0\0"
                                             "\0\0\0\2xx\0\0",
                                             24));
}

TEST(Xdr, EncodesAnEmptyList) {
    EXPECT_EQ(names(0).encode(), std::string(4, '\0'));
}

TEST(Xdr, DecodesWhatItEncodedHoweverLong) {
    constexpr unsigned count = 500;
    auto made = names(count);
    const std::string bytes = made.encode();
    const auto read = Xdr<remote_connect_list_defined_domains_ret>::decode(bytes);
    ASSERT_EQ(read->names.names_len, count);
    for (unsigned i = 0; i < count; ++i)
        EXPECT_EQ(read->names.names_val[i], std::string(i, 'x'));
    EXPECT_EQ(made.encode(), bytes);
}

TEST(Xdr, RefusesAStringWithAZeroByteWhereverItIs) {
    for (unsigned length = 1; length < 10; ++length) {
        const std::string good = names(length + 1).encode();
        const auto decode = [](const std::string& bytes) {
            return Xdr<remote_connect_list_defined_domains_ret>::decode(bytes);
        };
        EXPECT_NO_THROW((void)decode(good));
        const std::size_t text = good.rfind(std::string(length, 'x'));
        for (unsigned at = 0; at < length; ++at) {
            std::string bad = good;
            bad[text + at] = '\0';
            EXPECT_THROW((void)decode(bad), Error) << at << " of " << length;
        }
    }
}

TEST(Xdr, RefusesToEncodeAListOverItsLimit) {
    EXPECT_NO_THROW((void)Xdr<remote_connect_list_domains_ret>().encode());
    Xdr<remote_connect_list_domains_ret> made;
    made->ids.ids_val = make_array<int>(REMOTE_DOMAIN_LIST_MAX + 1);
    made->ids.ids_len = REMOTE_DOMAIN_LIST_MAX + 1;
    EXPECT_THROW((void)made.encode(), Error);
}

}  // namespace
}  // namespace mk::protocol
