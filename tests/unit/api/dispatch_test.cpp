// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which calls the loop thread answers itself. What they answer is tests/wire's matter.
#include "api/dispatch.h"

#include <gtest/gtest.h>

#include "api/connection.h"
#include "api/encode.h"
#include "protocol/remote.h"
#include "protocol/remote_codec.h"
#include "support/driver_fixture.h"

namespace mk::test {
namespace {

struct DispatchTest : DriverFixture {
    access::Polkit polkit;
    rpc::Session session{
        {.uid = 0, .gid = 0, .pid = 1},
        false,
        {.send = [](const std::string&) {}, .start_keepalive = [] {}, .close_after_reply = [] {}}};

    rpc::Program program(bool access_control = false) {
        rpc::Program made = api::remote_program(*driver, polkit, access_control, {});
        made.greet(session);
        static_cast<api::Connection*>(session.state())->opened = true;
        return made;
    }
    std::string info_of(const Uuid& uuid) const {
        protocol::Xdr<remote_domain_get_info_args> args;
        api::encode_domain(view(uuid), args->dom);
        return args.encode();
    }
};

TEST_F(DispatchTest, LoopThreadAnswersForADomainThatDoesNotRun) {
    const auto answer =
        program().answer_at_once(session, REMOTE_PROC_DOMAIN_GET_INFO, info_of(define("web", 3)));
    ASSERT_TRUE(answer && answer->ok);
    const auto info = protocol::Xdr<remote_domain_get_info_ret>::decode(answer->payload);
    EXPECT_EQ(info->state, VIR_DOMAIN_SHUTOFF);
    EXPECT_EQ(info->nrVirtCpu, 3);
}

TEST_F(DispatchTest, WorkerAsksTheKernelOfADomainThatRuns) {
    const std::string arguments = info_of(define_and_start("web"));
    const rpc::Program all = program();
    EXPECT_FALSE(all.answer_at_once(session, REMOTE_PROC_DOMAIN_GET_INFO, arguments));
    const rpc::Answer answer = all.call(session, REMOTE_PROC_DOMAIN_GET_INFO, arguments);
    ASSERT_TRUE(answer.ok);
    EXPECT_EQ(protocol::Xdr<remote_domain_get_info_ret>::decode(answer.payload)->state,
              VIR_DOMAIN_RUNNING);
}

TEST_F(DispatchTest, LoopThreadAnswersThatADomainIsNotThere) {
    const Uuid uuid = define("web");
    const std::string arguments = info_of(uuid);
    driver->undefine(uuid);
    const auto answer = program().answer_at_once(session, REMOTE_PROC_DOMAIN_GET_INFO, arguments);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->ok);
}

TEST_F(DispatchTest, WorkerDoesWhatMayWait) {
    const rpc::Program all = program();
    const std::string arguments = info_of(define("web"));
    EXPECT_FALSE(all.answer_at_once(session, REMOTE_PROC_DOMAIN_CREATE, arguments));
    EXPECT_FALSE(all.answer_at_once(session, REMOTE_PROC_CONNECT_GET_CAPABILITIES, {}));
}

TEST_F(DispatchTest, WorkerWaitsForPolkit) {
    EXPECT_FALSE(
        program(true).answer_at_once(session, REMOTE_PROC_DOMAIN_GET_INFO, info_of(define("web"))));
}

}  // namespace
}  // namespace mk::test
