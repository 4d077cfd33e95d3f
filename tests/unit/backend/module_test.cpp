// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/module.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "backend/module_error.h"
#include "support/driver_fixture.h"
#include "uapi/linux/multikernel.h"

namespace mk::backend {

struct Row {
    Call call;
    int error_number;
    virErrorNumber code;
};

struct ModuleErrorTest : testing::TestWithParam<Row> {};

TEST_P(ModuleErrorTest, HasLibvirtsCode) {
    const auto& [call, error_number, code] = GetParam();
    const Error error = module_error(call, "do it", error_number);
    EXPECT_EQ(error.code(), code);
    EXPECT_EQ(error.error_number(), error_number);
    EXPECT_EQ(std::string(error.what()).rfind("do it: ", 0), 0U) << error.what();
}

INSTANTIATE_TEST_SUITE_P(Table, ModuleErrorTest,
                         testing::Values(Row{Call::take, EINVAL, VIR_ERR_INVALID_ARG},
                                         Row{Call::take, EBUSY, VIR_ERR_RESOURCE_BUSY},
                                         Row{Call::act, EBUSY, VIR_ERR_OPERATION_INVALID},
                                         Row{Call::take, ENOSPC, VIR_ERR_RESOURCE_BUSY},
                                         Row{Call::act, EAGAIN, VIR_ERR_RESOURCE_BUSY},
                                         Row{Call::take, ECANCELED, VIR_ERR_OPERATION_ABORTED},
                                         Row{Call::take, EINTR, VIR_ERR_OPERATION_ABORTED},
                                         Row{Call::act, ENOENT, VIR_ERR_NO_DOMAIN},
                                         Row{Call::act, ENODEV, VIR_ERR_NO_DOMAIN},
                                         Row{Call::take, EPERM, VIR_ERR_OPERATION_FAILED},
                                         Row{Call::take, EEXIST, VIR_ERR_OPERATION_FAILED},
                                         Row{Call::take, ENOMEM, VIR_ERR_OPERATION_FAILED},
                                         Row{Call::act, ENOEXEC, VIR_ERR_OPERATION_FAILED},
                                         Row{Call::act, ETXTBSY, VIR_ERR_OPERATION_FAILED},
                                         Row{Call::act, EIO, VIR_ERR_OPERATION_FAILED},
                                         Row{Call::act, EMFILE, VIR_ERR_SYSTEM_ERROR},
                                         Row{Call::act, EFAULT, VIR_ERR_SYSTEM_ERROR}));

TEST(ModuleError, TheKernelsOwnSentenceWinsAndIsEscaped) {
    const Error error = module_error(Call::act, "load", EINVAL, "the word 'a\x1b[2J' is refused");
    EXPECT_STREQ(error.what(), "the word 'a\\x1b[2J' is refused");
}

TEST(ModuleError, EachBlockerHasASentence) {
    EXPECT_TRUE(blocker_sentences(0).empty());
    const auto all = blocker_sentences(MK_BLOCKER_IPI_BROADCAST | MK_BLOCKER_X2APIC | 1U << 31);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_NE(all[0].find("no_ipi_broadcast=1"), std::string::npos);
    EXPECT_NE(all[1].find("nox2apic"), std::string::npos);
    EXPECT_NE(all[2].find("does not know"), std::string::npos);
}

TEST(Module, WithoutTheDeviceItSaysWhatToLoad) {
    Module module("/nonexistent/multikernel");
    EXPECT_ERROR(module.limits(), VIR_ERR_SYSTEM_ERROR, "modprobe multikernel_host");
    EXPECT_ERROR(module.list(), VIR_ERR_SYSTEM_ERROR, "/nonexistent/multikernel");
}

TEST(Module, AnotherDeviceIsNotTakenForIt) {
    Module module("/dev/null");
    EXPECT_ERROR(module.limits(), VIR_ERR_SYSTEM_ERROR, "/dev/null");
    EXPECT_ERROR(module.create(Uuid::random(), "web"), VIR_ERR_SYSTEM_ERROR, "create a partition");
    EXPECT_ERROR(module.status(Uuid::random()), VIR_ERR_SYSTEM_ERROR, "find partition");
}

}  // namespace mk::backend
