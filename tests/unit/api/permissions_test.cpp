// SPDX-License-Identifier: LGPL-2.1-or-later
#include "api/permissions.h"

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include <string>

#include "api/procedures.h"
#include "api/table.h"

namespace mk::api {
namespace {

// As "domain:read domain:read_secure", for a call with these arguments.
std::string needed(int procedure, unsigned flags = 0, unsigned source = 0) {
    std::string all;
    for (const auto& each : rule_of(procedure).needed) {
        if (!each.applies(flags, source))
            continue;
        all += all.empty() ? "" : " ";
        all += std::string(each.object) + ":" + std::string(each.name);
    }
    return all;
}

TEST(Permissions, AreThoseOfTheProcedure) {
    EXPECT_EQ(needed(REMOTE_PROC_DOMAIN_CREATE), "domain:start");
    EXPECT_EQ(needed(REMOTE_PROC_DOMAIN_CREATE_XML), "domain:write domain:start");
    EXPECT_EQ(needed(REMOTE_PROC_CONNECT_OPEN), "connect:getattr");
    EXPECT_EQ(needed(REMOTE_PROC_CONNECT_CLOSE), "");
}

TEST(Permissions, OfSecretsAreNeededByWhoAsksForThem) {
    EXPECT_EQ(needed(REMOTE_PROC_DOMAIN_GET_XML_DESC), "domain:read");
    EXPECT_EQ(needed(REMOTE_PROC_DOMAIN_GET_XML_DESC, VIR_DOMAIN_XML_SECURE),
              "domain:read domain:read_secure");
}

TEST(Permissions, ToSaveAreNeededUnlessOnlyTheRunningDomainChanges) {
    EXPECT_EQ(needed(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, VIR_DOMAIN_AFFECT_LIVE), "domain:write");
    for (const unsigned flags : {0, 2, 3})  // current, config, both
        EXPECT_EQ(needed(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, flags), "domain:write domain:save")
            << flags;
}

TEST(Permissions, DependOnTheSourceOfAddresses) {
    EXPECT_EQ(
        needed(REMOTE_PROC_DOMAIN_INTERFACE_ADDRESSES, 0, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE),
        "domain:read");
    EXPECT_EQ(
        needed(REMOTE_PROC_DOMAIN_INTERFACE_ADDRESSES, 0, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT),
        "domain:read domain:write");
}

TEST(Permissions, FilterLists) {
    const auto* filter = rule_of(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS).filter;
    ASSERT_NE(filter, nullptr);
    EXPECT_EQ(filter->name, "getattr");
    EXPECT_EQ(rule_of(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS).filter->name, "read");
    EXPECT_EQ(rule_of(REMOTE_PROC_DOMAIN_CREATE).filter, nullptr);
}

TEST(Permissions, OfNothingAreNone) {
    for (const int procedure : {-1, 0, 318, 100000})  // 318: a message of the server
        EXPECT_TRUE(rule_of(procedure).needed.empty()) << procedure;
}

// A change needs a permission that a look does not: nothing was forgotten.
TEST(Permissions, AreAskedForByEveryHandlerThatChangesADomain) {
    for (const Row* row : all_rows()) {
        const auto procedure = find_procedure(row->procedure);
        ASSERT_TRUE(procedure);
        if (!procedure->read_only_allowed) {
            EXPECT_FALSE(rule_of(row->procedure).needed.empty()) << procedure->name;
        }
    }
}

}  // namespace
}  // namespace mk::api
