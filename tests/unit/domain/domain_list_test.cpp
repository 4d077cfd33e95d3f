// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/domain_list.h"

#include <gtest/gtest.h>

#include "support/matchers.h"
#include "util/error.h"

namespace mk::domain {
namespace {

std::shared_ptr<const Definition> named(const std::string& name) {
    auto definition = std::make_shared<Definition>();
    definition->name = name;
    definition->uuid = Uuid::random();
    return definition;
}

struct DomainListTest : testing::Test {
    DomainList list{std::chrono::seconds(30)};
    std::shared_ptr<Domain> web = list.find_or_add(named("web")).domain;
};

TEST_F(DomainListTest, ADomainThatIsBeingRenamedHasBothNames) {
    list.begin_rename("shop");
    for (const char* name : {"web", "shop"})
        EXPECT_THAT([&] { list.find_or_add(named(name)); },
                    test::throws_error(VIR_ERR_OPERATION_FAILED, name));
    EXPECT_THAT([&] { list.begin_rename("shop"); },
                test::throws_error(VIR_ERR_OPERATION_INVALID, "already exists"));
    list.finish_rename(*web, "shop");
    EXPECT_EQ(list.find_by_name("shop"), web);
    EXPECT_TRUE(list.find_or_add(named("web")).is_new);
}

TEST_F(DomainListTest, ARenameThatFailsLeavesTheOtherNameFree) {
    list.begin_rename("shop");
    list.cancel_rename("shop");
    EXPECT_EQ(list.find_by_name("web"), web);
    EXPECT_TRUE(list.find_or_add(named("shop")).is_new);
}

}  // namespace
}  // namespace mk::domain
