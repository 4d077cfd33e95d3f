// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/driver.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <future>

#include "support/driver_fixture.h"

namespace mk::domain {

using testing::ElementsAre;

struct DriverTest : test::DriverFixture {
    [[nodiscard]] std::string xml_of(const std::string& name, const Uuid& uuid,
                                     unsigned vcpus = 1) const {
        return sandbox.xml(name, vcpus, "<uuid>" + uuid.to_string() + "</uuid>");
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& domain : driver->list())
            names.push_back(domain.name);
        return names;
    }
};

TEST_F(DriverTest, LookUpsFailInLibvirtsWords) {
    EXPECT_ERROR(driver->lookup_by_name("web"), VIR_ERR_NO_DOMAIN,
                 "no domain with matching name 'web'");
    EXPECT_ERROR(driver->lookup_by_id(7), VIR_ERR_NO_DOMAIN, "no domain with matching id 7");
    EXPECT_ERROR(driver->lookup_by_id(-1), VIR_ERR_NO_DOMAIN, "no domain with matching id -1");
    EXPECT_ERROR(driver->lookup(Uuid::random()), VIR_ERR_NO_DOMAIN, "no domain with matching uuid");
}

TEST_F(DriverTest, TheListIsSortedByName) {
    define("web");
    define("db");
    EXPECT_THAT(names(), ElementsAre("db", "web"));
}

TEST_F(DriverTest, ADefinitionOutlivesTheDaemon) {
    const Uuid web = define("web", 2);
    driver->set_autostart(web, true);
    stop_daemon();
    start_daemon();
    EXPECT_TRUE(view(web).persistent);
    EXPECT_TRUE(view(web).autostart);
    EXPECT_EQ(view(web).current().vcpus, 2U);
}

TEST_F(DriverTest, NamesAndUuidsClashInLibvirtsWords) {
    const Uuid web = define("web");
    EXPECT_ERROR(define("web"), VIR_ERR_OPERATION_FAILED,
                 "domain 'web' already exists with uuid " + web.to_string());
    EXPECT_ERROR(driver->define(xml_of("other", web), false), VIR_ERR_OPERATION_FAILED,
                 "domain 'web' is already defined with uuid " + web.to_string());
    EXPECT_ERROR(driver->create_xml(sandbox.xml("web"), false, {}), VIR_ERR_OPERATION_FAILED,
                 "already exists");
    EXPECT_THAT(names(), ElementsAre("web"));
}

TEST_F(DriverTest, ADefineThatFailsLeavesNothing) {
    EXPECT_ERROR(driver->define("<domain type='multikernel'><name>x</name></domain>", false),
                 VIR_ERR_XML_ERROR, "");
    sandbox.write("etc/web.xml/in-the-way", "");
    EXPECT_ERROR(define("web"), VIR_ERR_SYSTEM_ERROR, "web.xml");
    EXPECT_THAT(names(), ElementsAre());
}

TEST_F(DriverTest, ASecondDefineUpdates) {
    const Uuid web = define("web");
    EXPECT_EQ(driver->define(xml_of("web", web, 3), false).current().vcpus, 3U);
    driver->events().drain();
    EXPECT_THAT(events.all(), ElementsAre("web defined added", "web defined updated"));
}

TEST_F(DriverTest, ADefineOverARunningDomainChangesOnlyTheNextStart) {
    const Uuid web = define_and_start("web");
    EXPECT_FALSE(view(web).updated);
    driver->define(xml_of("web", web, 3), false);
    EXPECT_TRUE(view(web).updated);
    EXPECT_EQ(view(web).current().vcpus, 1U);
    driver->destroy(web);
    EXPECT_EQ(view(web).current().vcpus, 3U);
    EXPECT_FALSE(view(web).updated);
}

TEST_F(DriverTest, ARunningTransientDomainBecomesPersistentByDefine) {
    const auto xml = sandbox.xml("web");
    const auto once = driver->create_xml(xml, false, {});
    EXPECT_FALSE(once.persistent);
    const auto kept = driver->define(xml_of("web", once.uuid), false);
    EXPECT_TRUE(kept.persistent);
    EXPECT_TRUE(kept.active());
    driver->destroy(once.uuid);
    EXPECT_THAT(names(), ElementsAre("web"));
    driver->events().drain();
    EXPECT_THAT(events.all(),
                ElementsAre("web started booted", "web defined added", "web stopped destroyed"));
}

TEST_F(DriverTest, ATransientDomainIsForgottenWhenItStops) {
    const auto once = driver->create_xml(sandbox.xml("once"), false, {});
    EXPECT_ERROR(driver->undefine(once.uuid), VIR_ERR_OPERATION_INVALID,
                 "cannot undefine transient domain");
    EXPECT_ERROR(driver->set_autostart(once.uuid, true), VIR_ERR_OPERATION_INVALID,
                 "cannot set autostart for transient domain");
    driver->destroy(once.uuid);
    EXPECT_THAT(names(), ElementsAre());
}

TEST_F(DriverTest, ACreateThatFailsLeavesNothing) {
    machine->fail_next("load", Error(VIR_ERR_INVALID_ARG, "not this word"));
    EXPECT_ERROR(driver->create_xml(sandbox.xml("once"), false, {}), VIR_ERR_INVALID_ARG,
                 "not this word");
    EXPECT_THAT(names(), ElementsAre());
    expect_nothing_held();
}

TEST_F(DriverTest, ACreateOfADefinedDomainRunsTheGivenDefinitionOnce) {
    const Uuid web = define("web");
    const auto live = driver->create_xml(xml_of("web", web, 2), false, {});
    EXPECT_EQ(live.live->vcpus, 2U);
    EXPECT_TRUE(live.updated);
    EXPECT_ERROR(driver->create_xml(xml_of("web", web), false, {}), VIR_ERR_OPERATION_INVALID,
                 "domain 'web' is already active");
    driver->destroy(web);
    EXPECT_EQ(view(web).current().vcpus, 1U);
}

TEST_F(DriverTest, AnUndefinedDomainThatRunsBecomesTransient) {
    const Uuid web = define_and_start("web");
    driver->set_autostart(web, true);
    driver->undefine(web);
    EXPECT_FALSE(view(web).persistent);
    EXPECT_TRUE(view(web).active());
    stop_daemon();
    start_daemon();
    EXPECT_FALSE(view(web).persistent);
    driver->destroy(web);
    EXPECT_THAT(names(), ElementsAre());
    EXPECT_TRUE(events.wait_for("web undefined removed"));
}

TEST_F(DriverTest, UndefineRemovesDefinitionAndLink) {
    const Uuid web = define("web");
    driver->set_autostart(web, true);
    driver->undefine(web);
    EXPECT_FALSE(sandbox.exists("etc/web.xml"));
    EXPECT_FALSE(sandbox.exists("etc/autostart/web.xml"));
    EXPECT_ERROR(driver->lookup(web), VIR_ERR_NO_DOMAIN, "");
    define("web");  // the name is free
}

TEST_F(DriverTest, ARenameTellsBothNames) {
    const Uuid web = define("web");
    define("db");
    driver->set_autostart(web, true);
    EXPECT_ERROR(driver->rename(web, "db"), VIR_ERR_OPERATION_INVALID,
                 "domain with name 'db' already exists");
    EXPECT_ERROR(driver->rename(web, "web"), VIR_ERR_OPERATION_INVALID, "itself");
    EXPECT_ERROR(driver->rename(web, "a/b"), VIR_ERR_XML_ERROR, "contain '/'");
    driver->rename(web, "www");
    EXPECT_EQ(driver->lookup_by_name("www").uuid, web);
    EXPECT_EQ(view(web).current().name, "www");
    driver->events().drain();
    EXPECT_THAT(events.all(), ElementsAre("web defined added", "db defined added",
                                          "web undefined renamed", "www defined renamed"));
    stop_daemon();
    start_daemon();
    EXPECT_TRUE(driver->lookup_by_name("www").autostart);
    driver->start(web, {});
    EXPECT_ERROR(driver->rename(web, "x"), VIR_ERR_OPERATION_INVALID,
                 "cannot rename active domain");
}

TEST_F(DriverTest, AutostartStartsWhatIsMarkedOnceAfterABoot) {
    const Uuid web = define("web");
    const Uuid bad = define("bad");
    const Uuid off = define("off");
    driver->set_autostart(web, true);
    driver->set_autostart(bad, true);
    machine->fail_next("create", Error(VIR_ERR_OPERATION_FAILED, "no"));  // the first one's
    driver->autostart(driver->take_autostart());
    EXPECT_EQ(view(web).active() + view(bad).active(), 1);
    EXPECT_FALSE(view(off).active());
    stop_daemon();
    start_daemon();
    // What was stopped, or did not start, stays as it is.
    driver->autostart(driver->take_autostart());
    EXPECT_EQ(view(web).active() + view(bad).active(), 1);
}

TEST_F(DriverTest, AutostartOnceIsUsedUpByABoot) {
    const Uuid web = define("web");
    driver->set_autostart_once(web, true);
    stop_daemon();
    start_daemon();
    EXPECT_TRUE(view(web).autostart_once);
    EXPECT_FALSE(view(web).autostart);
    machine->fail_next("create", Error(VIR_ERR_OPERATION_FAILED, "no"));
    driver->autostart(driver->take_autostart());
    EXPECT_FALSE(view(web).autostart_once) << "a start that failed is not tried at each boot";
    EXPECT_FALSE(sandbox.exists("etc/autostart/web.xml.once"));
    driver->set_autostart_once(web, true);
    stop_daemon();
    std::filesystem::remove_all(sandbox.paths().state_dir);  // as at the next boot
    start_daemon();
    driver->autostart(driver->take_autostart());
    EXPECT_TRUE(view(web).active());
    EXPECT_FALSE(view(web).autostart_once);
}

TEST_F(DriverTest, AutostartThatCannotBeNotedStartsNothingAndEndsNoDaemon) {
    const Uuid web = define("web");
    driver->set_autostart(web, true);
    std::filesystem::remove_all(sandbox.paths().state_dir);
    driver->autostart(driver->take_autostart());
    EXPECT_FALSE(view(web).active());
    EXPECT_TRUE(view(web).autostart);
}

TEST_F(DriverTest, AutostartIsForWhatWasMarkedBeforeClientsCame) {
    const Uuid web = define("web");
    const Uuid db = define("db");
    const Uuid gone = define("gone");
    driver->set_autostart(db, true);
    driver->set_autostart(gone, true);
    stop_daemon();
    std::filesystem::remove_all(sandbox.paths().state_dir);  // as at the next boot
    start_daemon();
    const auto marked = driver->take_autostart();
    driver->set_autostart_once(web, true);
    driver->set_autostart(db, false);
    driver->undefine(gone);
    driver->autostart(marked);
    EXPECT_FALSE(view(web).active());
    EXPECT_TRUE(view(web).autostart_once) << "it is for the next boot";
    EXPECT_FALSE(view(db).active());
}

TEST_F(DriverTest, MetadataThatMakesADefinitionTooLargeToSendIsRefused) {
    const Uuid web = define("web");
    const std::string large = "<k>" + std::string(2U << 20, 'x') + "</k>";
    const auto set = [&](const std::string& uri) {
        driver->set_metadata(web, {VIR_DOMAIN_METADATA_ELEMENT, large, "k", uri, {}});
    };
    set("urn:a");
    EXPECT_ERROR(set("urn:b"), VIR_ERR_CONFIG_UNSUPPORTED, "is the limit");
    stop_daemon();
    start_daemon();
    EXPECT_EQ(view(web).persistent_definition->metadata.size(), 1U);
}

TEST_F(DriverTest, DestroyRemovesTheLogIfAsked) {
    const Uuid web = define_and_start("web");
    driver->destroy(web);
    EXPECT_TRUE(sandbox.exists("log/web.log"));
    driver->start(web, {});
    driver->destroy(web, true);
    EXPECT_FALSE(sandbox.exists("log/web.log"));
}

TEST_F(DriverTest, MetadataIsSetWhereItIsAsked) {
    const Uuid web = define_and_start("web");
    driver->set_metadata(web, {VIR_DOMAIN_METADATA_TITLE, "live", "", "", {.live = true}});
    driver->set_metadata(web, {VIR_DOMAIN_METADATA_TITLE, "config", "", "", {.config = true}});
    EXPECT_EQ(driver->metadata(web, VIR_DOMAIN_METADATA_TITLE, "", {}), "live");
    EXPECT_EQ(driver->metadata(web, VIR_DOMAIN_METADATA_TITLE, "", {.config = true}), "config");
    EXPECT_TRUE(events.wait_for("web metadata 1 "));
    stop_daemon();
    start_daemon();
    EXPECT_EQ(driver->metadata(web, VIR_DOMAIN_METADATA_TITLE, "", {}), "live");
    driver->destroy(web);
    EXPECT_EQ(driver->metadata(web, VIR_DOMAIN_METADATA_TITLE, "", {}), "config");
    EXPECT_ERROR(driver->metadata(web, VIR_DOMAIN_METADATA_TITLE, "", {.live = true}),
                 VIR_ERR_OPERATION_INVALID, "domain is not running");
    EXPECT_ERROR(driver->metadata(web, VIR_DOMAIN_METADATA_DESCRIPTION, "", {}),
                 VIR_ERR_NO_DOMAIN_METADATA, "");
}

TEST_F(DriverTest, ATransientDomainHasNoConfigToSet) {
    const auto once = driver->create_xml(sandbox.xml("once"), false, {});
    EXPECT_ERROR(
        driver->set_metadata(once.uuid, {VIR_DOMAIN_METADATA_TITLE, "x", "", "", {.config = true}}),
        VIR_ERR_OPERATION_INVALID, "transient domains do not have any persistent config");
}

TEST_F(DriverTest, TheMachineLooksTheSameWhilePartitionsOwnCpus) {
    const auto info = driver->node_info();
    const auto map = driver->cpu_map();
    const auto capabilities = driver->capabilities();
    EXPECT_EQ(info.cpus, 8U);
    EXPECT_EQ(map.online, CpuSet::parse("0-7"));
    define_and_start("web", 3);
    // What the kernel shows once the CPUs are taken.
    sandbox.write("sys/devices/system/cpu/online", "0,4-7\n");
    for (const bool later_daemon : {false, true}) {
        if (later_daemon) {
            stop_daemon();
            start_daemon();
        }
        const auto held = driver->lookup_by_name("web").details.cpus;
        ASSERT_EQ(held.size(), 3U);
        std::string online;
        for (unsigned cpu = 0; cpu < 8; ++cpu) {
            if (std::find(held.begin(), held.end(), cpu) == held.end())
                online += (online.empty() ? "" : ",") + std::to_string(cpu);
        }
        sandbox.write("sys/devices/system/cpu/online", online + "\n");
        EXPECT_EQ(driver->node_info().cpus, 8U);
        EXPECT_EQ(driver->node_info().cores, info.cores);
        EXPECT_EQ(driver->cpu_map().online, CpuSet::parse("0-7"));
        EXPECT_EQ(driver->cpu_map().count, 8U);
        EXPECT_EQ(driver->capabilities(), capabilities);
    }
}

TEST_F(DriverTest, FreeMemoryIsWhatAPartitionCouldGet) {
    EXPECT_GT(driver->free_memory_kib(), 1U << 20);
    EXPECT_EQ(driver->cells_free_kib(0, 5).size(), 1U);
    EXPECT_EQ(driver->cells_free_kib(0, 5)[0], driver->free_memory_kib());
    EXPECT_ERROR(driver->cells_free_kib(1, 1), VIR_ERR_INTERNAL_ERROR, "out of range");
}

TEST(PassesFilter, AndsTheGroupsAndOrsTheirBits) {
    DomainView view;
    view.persistent = true;
    view.id = 3;
    view.state = VIR_DOMAIN_RUNNING;
    EXPECT_TRUE(passes_filter(view, 0));
    EXPECT_TRUE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_ACTIVE));
    EXPECT_FALSE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_INACTIVE));
    EXPECT_TRUE(
        passes_filter(view, VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE));
    EXPECT_FALSE(
        passes_filter(view, VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_TRANSIENT));
    EXPECT_FALSE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_AUTOSTART));
    EXPECT_TRUE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT |
                                        VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE |
                                        VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT));
    EXPECT_FALSE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT));
    view.state = VIR_DOMAIN_CRASHED;
    EXPECT_TRUE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_OTHER));
    EXPECT_FALSE(passes_filter(view, VIR_CONNECT_LIST_DOMAINS_SHUTOFF));
}

}  // namespace mk::domain
