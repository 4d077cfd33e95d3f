// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a client gets for a procedure is decided in exactly one place, for every procedure.
#include "api/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "api/procedures.h"
#include "api/refused.h"
#include "relay/family.h"

namespace mk::api {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

std::vector<std::string> answers_to(int procedure) {
    std::vector<std::string> all;
    if (find_row(procedure) != nullptr)
        all.emplace_back("handler");
    if (relay::family_of(procedure))
        all.emplace_back("relay");
    if (find_refusal(procedure) != nullptr)
        all.emplace_back("refusal");
    return all;
}

// A procedure that got a handler leaves refused.cpp.
TEST(Table, HasOneAnswerToEachProcedureThatAClientCanCall) {
    for (int procedure = 1; procedure <= last_procedure; ++procedure) {
        if (const auto known = find_procedure(procedure)) {
            EXPECT_THAT(answers_to(procedure), SizeIs(1)) << procedure << " " << known->name;
        }
    }
}

TEST(Table, HasNoAnswerToMessagesOfTheServer) {
    for (const int message :
         {REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
          REMOTE_PROC_DOMAIN_EVENT_CALLBACK_CHANNEL_LIFECYCLE}) {
        EXPECT_FALSE(find_procedure(message)) << message;
        EXPECT_EQ(find_row(message), nullptr) << message;
        EXPECT_EQ(find_refusal(message), nullptr) << message;
    }
}

TEST(Table, EndsWithTheNewestProcedureOfLibvirt) {
    EXPECT_TRUE(find_procedure(last_procedure));
    EXPECT_THAT(answers_to(REMOTE_PROC_DOMAIN_ANNOUNCE_INTERFACE), ElementsAre("refusal"));
    for (const int beyond : {-1, 0, last_procedure + 1}) {
        EXPECT_FALSE(find_procedure(beyond)) << beyond;
        EXPECT_THAT(answers_to(beyond), SizeIs(0)) << beyond;
    }
}

// Clients take VIR_ERR_OPERATION_UNSUPPORTED on a query for a failure of the domain.
TEST(Refusals, AreNoSupportOrNotThereForWhatAReaderMayAsk) {
    for (const Refusal& refusal : all_refusals()) {
        const auto procedure = find_procedure(refusal.procedure);
        ASSERT_TRUE(procedure) << refusal.procedure;
        if (procedure->read_only_allowed || procedure->name.find("Get") != std::string_view::npos) {
            EXPECT_NE(refusal.code, VIR_ERR_OPERATION_UNSUPPORTED) << procedure->name;
        }
    }
}

TEST(Refusals, SayWhyInOneLine) {
    for (const Refusal& refusal : all_refusals()) {
        const std::string reason = refusal.reason;
        EXPECT_GT(reason.size(), 10U) << refusal.procedure;
        EXPECT_EQ(reason.find('\n'), std::string::npos) << refusal.procedure;
        EXPECT_FALSE(reason.ends_with('.')) << refusal.procedure;
    }
}

TEST(Refusals, AreOneForEachProcedure) {
    std::set<int> seen;
    for (const Refusal& refusal : all_refusals())
        EXPECT_TRUE(seen.insert(refusal.procedure).second) << refusal.procedure;
}

}  // namespace
}  // namespace mk::api
