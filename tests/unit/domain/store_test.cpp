// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The store on a real file system. A crash is what it leaves behind: a child process is killed
// at each system call of an operation in turn, and the next Store has to make sense of the rest.
// A full disk is a file size limit, which fails a write half way as a full disk does.
#include "domain/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/crash.h"
#include "util/error.h"
#include "util/fd.h"

namespace mk::domain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

struct StoreTest : testing::Test {
    fs::path root = fs::path(testing::TempDir()) / ("store-" + Uuid::random().to_string());
    fs::path config = root / "etc";
    fs::path state = root / "run";

    ~StoreTest() override { fs::remove_all(root); }

    [[nodiscard]] Store store() const { return {config.string(), state.string()}; }
    [[nodiscard]] LoadedDomains load() const { return store().load(); }

    static Definition domain(const std::string& name) {
        Definition definition = parse(read_file(MK_TEST_DATA "/domain/full.xml"));
        definition.name = name;
        definition.uuid = Uuid::random();
        return definition;
    }
    static LiveRecord record(const std::string& name) {
        return {.definition = domain(name),
                .details = {.id = 4,
                            .cpus = {3, 1},
                            .known_cpus = {1, 3, 5},
                            .tty = "/dev/pts/'9",
                            .numa_nodeset = "0-1"},
                .state = 1,
                .reason = 5,
                .persistent = true,
                .autodestroy = true,
                .asked_while_paused = mk::backend::Request::reboot};
    }
    void write(const fs::path& path, const std::string& text) const { std::ofstream(path) << text; }
    // What a user sees of the whole store.
    [[nodiscard]] std::vector<std::string> names(const LoadedDomains& loaded) const {
        std::vector<std::string> out;
        for (const StoredDomain& domain : loaded.domains) {
            out.push_back(domain.definition.name + (domain.autostart ? " autostart" : "") +
                          (domain.autostart_once ? " once" : ""));
        }
        return out;
    }
    [[nodiscard]] std::vector<std::string> files() const {
        std::vector<std::string> out;
        for (const auto& entry : fs::recursive_directory_iterator(config)) {
            out.push_back(entry.path().lexically_relative(config).string());  // follows no link
        }
        std::sort(out.begin(), out.end());
        return out;
    }
};

TEST_F(StoreTest, GivesBackWhatWasSaved) {
    const Definition web = domain("web");
    store().save(web);
    const LoadedDomains loaded = load();
    ASSERT_THAT(loaded.domains, SizeIs(1));
    EXPECT_EQ(loaded.domains[0].definition, web);
    EXPECT_FALSE(loaded.domains[0].autostart);
    EXPECT_THAT(loaded.problems, IsEmpty());
}

TEST_F(StoreTest, SaysInTheFileHowToChangeIt) {
    store().save(domain("web"));
    EXPECT_THAT(read_file(config / "web.xml"), HasSubstr("system edit web\n"));
}

TEST_F(StoreTest, PutsNoNameIntoTheCommentThatAShellOrXmlMisreads) {
    for (const char* name : {"a--b", "a; rm -rf x", "-->", "-f"}) {
        const Definition odd = domain(name);
        store().save(odd);
        EXPECT_THAT(read_file(config / (file_name(name) + ".xml")),
                    HasSubstr("system edit " + odd.uuid.to_string()));
    }
    EXPECT_THAT(load().problems, IsEmpty());
    EXPECT_THAT(load().domains, SizeIs(4));
}

TEST_F(StoreTest, KeepsFilesAndFoldersToRoot) {
    store().save(domain("web"));
    EXPECT_EQ(fs::status(config / "web.xml").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(fs::status(config).permissions(), fs::perms::owner_all);
}

TEST_F(StoreTest, KeepsOddNamesApartAndInsideItsFolder) {
    const std::vector<std::string> odd{"%2E", ".", "..", ".tmp-x", "a b", "autostart", "é\"<"};
    for (const std::string& name : odd) {
        store().save(domain(name));
        store().set_autostart(name, true);
    }
    std::vector<std::string> expected;
    expected.reserve(odd.size());
    for (const std::string& name : odd) {
        expected.push_back(name + " autostart");
    }
    EXPECT_EQ(names(load()), expected);
    EXPECT_EQ(file_name("../a/b"), "%2E.%2Fa%2Fb");
}

TEST_F(StoreTest, RemovesADefinitionAndItsAutostartLink) {
    store().save(domain("web"));
    store().set_autostart("web", true);
    store().set_autostart("web", true, Autostart::once);
    store().remove("web");
    EXPECT_THAT(files(), ElementsAre("autostart"));
    EXPECT_NO_THROW(store().remove("web"));
}

TEST_F(StoreTest, AutostartIsALinkThatGoesAgain) {
    store().save(domain("web"));
    store().set_autostart("web", true);
    store().set_autostart("web", true);
    EXPECT_EQ(fs::read_symlink(config / "autostart" / "web.xml"), config / "web.xml");
    EXPECT_THAT(names(load()), ElementsAre("web autostart"));
    store().set_autostart("web", false);
    EXPECT_THAT(names(load()), ElementsAre("web"));
}

TEST_F(StoreTest, AutostartOnceIsALinkOfItsOwn) {
    store().save(domain("web"));
    store().set_autostart("web", true, Autostart::once);
    EXPECT_EQ(fs::read_symlink(config / "autostart" / "web.xml.once"), config / "web.xml");
    EXPECT_THAT(names(load()), ElementsAre("web once"));
    store().set_autostart("web", false, Autostart::once);
    EXPECT_THAT(names(load()), ElementsAre("web"));
    fs::create_symlink(config / "gone.xml", config / "autostart" / "gone.xml.once");
    const LoadedDomains loaded = load();
    ASSERT_THAT(loaded.problems, SizeIs(1));
    EXPECT_THAT(loaded.problems[0].path, HasSubstr("autostart/gone.xml.once"));
}

TEST_F(StoreTest, AutostartIsOnceForEachStateFolder) {
    EXPECT_TRUE(store().should_autostart());
    EXPECT_FALSE(store().should_autostart());
    EXPECT_THAT(store().load_live().problems, IsEmpty());
    fs::remove_all(state);  // as /run is at the next boot
    EXPECT_TRUE(store().should_autostart());
}

TEST_F(StoreTest, RenameTakesTheAutostartLinkAlong) {
    Definition web = domain("web");
    store().save(web);
    store().set_autostart("web", true);
    web.name = "shop";
    store().rename("web", web);
    EXPECT_THAT(files(), ElementsAre("autostart", "autostart/shop.xml", "shop.xml"));
    EXPECT_THAT(names(load()), ElementsAre("shop autostart"));
}

TEST_F(StoreTest, RenameNeverReplacesAnother) {
    Definition web = domain("web");
    store().save(web);
    store().save(domain("shop"));
    web.name = "shop";
    EXPECT_THROW(store().rename("web", web), Error);
    EXPECT_THAT(names(load()), ElementsAre("shop", "web"));
}

TEST_F(StoreTest, AnInterruptedRenameDoesNotTakeAStrangersFile) {
    Definition shop = domain("shop");
    store().save(shop);
    store().save(domain("web"));  // has the old name by now
    write(config / (".rename-" + shop.uuid.to_string()), "web\nshop\n");
    EXPECT_THAT(names(load()), ElementsAre("shop", "web"));
}

TEST_F(StoreTest, NamesADamagedFileAndLeavesIt) {
    store().save(domain("good"));
    const std::string half = read_file(config / "good.xml").substr(0, 700);
    write(config / "half.xml", half);
    write(config / "zero.xml", "");
    fs::create_directory(config / "folder.xml");
    ASSERT_EQ(::mkfifo((config / "fifo.xml").c_str(), 0600), 0);
    const LoadedDomains loaded = load();
    EXPECT_THAT(names(loaded), ElementsAre("good"));
    ASSERT_THAT(loaded.problems, SizeIs(4));
    EXPECT_THAT(loaded.problems[0].path, HasSubstr("fifo.xml"));
    EXPECT_THAT(loaded.problems[0].what, HasSubstr("not a regular file"));
    EXPECT_THAT(loaded.problems[2].path, HasSubstr("half.xml"));
    EXPECT_EQ(read_file(config / "half.xml"), half);
    EXPECT_TRUE(fs::exists(config / "zero.xml"));
}

TEST_F(StoreTest, ReportsWhatAHandEditBroke) {
    const Definition web = domain("web");
    store().save(web);
    const std::string text = read_file(config / "web.xml");
    write(config / "copy.xml", text);  // still says it is web
    Definition twin = web;
    twin.name = "twin";
    store().save(twin);  // same UUID
    std::string anonymous = text;
    const auto uuid = anonymous.find("  <uuid>");
    anonymous.erase(uuid, anonymous.find('\n', uuid) - uuid + 1);
    anonymous.replace(anonymous.find("<name>web"), 9, "<name>who");
    write(config / "who.xml", anonymous);
    fs::create_directory(config / "autostart");
    fs::create_symlink(config / "gone.xml", config / "autostart" / "gone.xml");
    const LoadedDomains loaded = load();
    EXPECT_THAT(names(loaded), ElementsAre("twin"));
    ASSERT_THAT(loaded.problems, SizeIs(4));
    EXPECT_THAT(loaded.problems[0].what, HasSubstr("it holds domain 'web'"));
    EXPECT_THAT(loaded.problems[1].what, HasSubstr("already that of domain 'twin'"));
    EXPECT_THAT(loaded.problems[2].what, HasSubstr("has no <uuid>"));
    EXPECT_THAT(loaded.problems[3].path, HasSubstr("autostart/gone.xml"));
    EXPECT_EQ(read_file(config / "copy.xml"), text);
    EXPECT_TRUE(fs::exists(config / "web.xml"));
}

// What somebody may still want to mend is not theirs any more once it was written over.
TEST_F(StoreTest, NeverReplacesADamagedFile) {
    Store store(config.string(), state.string());
    write(config / "half.xml", "<domain");
    EXPECT_THAT(store.load().problems, SizeIs(1));
    const Definition half = domain("half");
    try {
        store.save(half);
        ADD_FAILURE() << "was saved";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_OPERATION_FAILED);
        EXPECT_THAT(error.what(), HasSubstr((config / "half.xml").string()));
    }
    EXPECT_EQ(read_file(config / "half.xml"), "<domain");
    fs::remove(config / "half.xml");  // as the message says
    store.save(half);
    store.save(half);
    EXPECT_THAT(names(load()), ElementsAre("half"));
}

TEST_F(StoreTest, NeverReplacesADuplicate) {
    Definition twin = domain("web");
    store().save(twin);
    const std::string text = read_file(config / "web.xml");
    twin.name = "twin";
    store().save(twin);
    Store store(config.string(), state.string());
    EXPECT_THAT(names(store.load()), ElementsAre("twin"));
    EXPECT_THROW(store.save(domain("web")), Error);
    EXPECT_EQ(read_file(config / "web.xml"), text);
}

TEST_F(StoreTest, AFullDiskLeavesTheOldFile) {
    Definition web = domain("web");
    store().save(web);
    const Definition before = web;
    web.description = std::string(100000, 'x');
    std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit old {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit small { .rlim_cur = 5000, .rlim_max = old.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    try {
        store().save(web);
        ADD_FAILURE() << "was saved";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_SYSTEM_ERROR);
        EXPECT_EQ(error.error_number(), EFBIG);
        EXPECT_THAT(error.what(), HasSubstr((config / "web.xml").string()));
    }
    Definition renamed = web;
    renamed.name = "shop";
    EXPECT_THROW(store().rename("web", renamed), Error);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_THAT(files(), ElementsAre("web.xml"));
    EXPECT_EQ(load().domains.at(0).definition, before);
}

TEST_F(StoreTest, SaysThatAFolderCannotBeMade) {
    fs::create_directories(root);
    write(config, "a file");
    EXPECT_THROW(static_cast<void>(store()), Error);
}

TEST_F(StoreTest, GivesBackALiveRecord) {
    const LiveRecord web = record("web");
    store().save_live(web);
    LoadedRecords loaded = store().load_live();
    ASSERT_THAT(loaded.records, SizeIs(1));
    EXPECT_EQ(loaded.records[0], web);
    store().remove_live("web");
    EXPECT_THAT(store().load_live().records, IsEmpty());
}

TEST_F(StoreTest, NamesADamagedLiveRecordAndLeavesIt) {
    store().save_live(record("web"));
    const std::string text = read_file(state / "web.xml");
    write(state / "copy.xml", text);
    write(state / "half.xml", text.substr(0, 300));
    std::string changed = text;
    changed.replace(changed.find(" id='4'"), 7, " id='x'");
    write(state / "number.xml", changed);
    const LoadedRecords loaded = store().load_live();
    EXPECT_THAT(loaded.records, SizeIs(1));
    ASSERT_THAT(loaded.problems, SizeIs(3));
    EXPECT_THAT(loaded.problems[2].what, HasSubstr("id='x' is not a number"));
    EXPECT_TRUE(fs::exists(state / "half.xml"));
}

TEST_F(StoreTest, KeepsADamagedLiveRecordBesideTheNewOne) {
    Store store(config.string(), state.string());
    write(state / "web.xml", "half a record");
    EXPECT_THAT(store.load_live().problems, SizeIs(1));
    store.remove_live("web");
    EXPECT_EQ(read_file(state / "web.xml"), "half a record");
    const LiveRecord web = record("web");
    store.save_live(web);
    store.save_live(web);
    EXPECT_EQ(read_file(state / "web.xml.damaged"), "half a record");
    const LoadedRecords loaded = store.load_live();
    EXPECT_THAT(loaded.records, ElementsAre(web));
    EXPECT_THAT(loaded.problems, IsEmpty());
    store.remove_live("web");
    EXPECT_FALSE(fs::exists(state / "web.xml"));
}

TEST_F(StoreTest, NamesALiveRecordWithTheUuidOfAnother) {
    LiveRecord web = record("web");
    store().save_live(web);
    web.definition.name = "twin";
    store().save_live(web);
    const LoadedRecords loaded = store().load_live();
    EXPECT_THAT(loaded.records, ElementsAre(web));
    ASSERT_THAT(loaded.problems, SizeIs(1));
    EXPECT_THAT(loaded.problems[0].path, HasSubstr("web.xml"));
    EXPECT_THAT(loaded.problems[0].what, HasSubstr("already that of domain 'twin'"));
}

// tests/data/store/first-light: written by the daemon of commit f2a94c1.
TEST_F(StoreTest, ReadsWhatThePreviousVersionWrote) {
    fs::create_directories(root);
    fs::copy(MK_TEST_DATA "/store/first-light/etc", config);
    fs::copy(MK_TEST_DATA "/store/first-light/run", state);
    fs::create_directory(config / "autostart");
    fs::create_symlink(config / "web.xml", config / "autostart" / "web.xml");
    const LoadedDomains loaded = load();
    EXPECT_THAT(loaded.problems, IsEmpty());
    ASSERT_THAT(names(loaded), ElementsAre("web autostart"));
    const LoadedRecords live = store().load_live();
    EXPECT_THAT(live.problems, IsEmpty());
    ASSERT_THAT(live.records, SizeIs(1));
    EXPECT_EQ(live.records[0].definition, loaded.domains[0].definition);
    EXPECT_EQ(live.records[0].details.id, 7);
    EXPECT_EQ(live.records[0].details.cpus, (std::vector<unsigned>{1, 4}));
    EXPECT_TRUE(live.records[0].details.known_cpus.empty());
    EXPECT_EQ(live.records[0].state, VIR_DOMAIN_RUNNING);
    EXPECT_TRUE(live.records[0].persistent);
    EXPECT_FALSE(store().should_autostart());
}

// Runs `operation` in children that die before their 1st, 2nd … change of the file system,
// until one comes through; `check` sees what each left.
void at_each_crash(const std::function<void()>& prepare, const std::function<void()>& operation,
                   const std::function<void()>& check) {
    for (unsigned step = 1;; step++) {
        prepare();
        const bool finished = test::crash_before_change(step, operation);
        SCOPED_TRACE(testing::Message() << "killed before change " << step);
        check();
        if (finished) {
            EXPECT_GT(step, 3U);  // a temporary file, its name, and what else it takes
            return;
        }
        ASSERT_LT(step, 100U);
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

struct StoreCrash : StoreTest {
    Definition web = domain("web");
    Definition changed = web;

    void prepare() {
        fs::remove_all(root);
        store().save(web);
        store().save(domain("other"));
        store().set_autostart("web", true);
        store().set_autostart("web", true, Autostart::once);
    }
};

TEST_F(StoreCrash, ASaveLeavesTheOldOrTheNew) {
    changed.description = "changed";
    at_each_crash([this] { prepare(); }, [this] { store().save(changed); },
                  [this] {
                      const LoadedDomains loaded = load();
                      EXPECT_THAT(loaded.problems, IsEmpty());
                      ASSERT_THAT(names(loaded), ElementsAre("other", "web autostart once"));
                      EXPECT_THAT(loaded.domains[1].definition, testing::AnyOf(web, changed));
                      EXPECT_THAT(files(), SizeIs(5));
                  });
    EXPECT_EQ(load().domains.at(1).definition, changed);
}

TEST_F(StoreCrash, ARenameLeavesTheOldOrTheNewName) {
    changed.name = "shop";
    at_each_crash([this] { prepare(); }, [this] { store().rename("web", changed); },
                  [this] {
                      const LoadedDomains loaded = load();
                      EXPECT_THAT(loaded.problems, IsEmpty());
                      EXPECT_THAT(names(loaded),
                                  testing::AnyOf(ElementsAre("other", "web autostart once"),
                                                 ElementsAre("other", "shop autostart once")));
                      EXPECT_THAT(files(), SizeIs(5));
                      EXPECT_EQ(names(load()), names(loaded));
                  });
    EXPECT_THAT(names(load()), ElementsAre("other", "shop autostart once"));
}

TEST_F(StoreCrash, ARemovalLeavesAllOrNothingOfTheDefinition) {
    at_each_crash([this] { prepare(); },
                  [this] {
                      store().save_live(record("web"));  // as a stop does beside it
                      store().remove("web");
                      store().remove_live("web");
                  },
                  [this] {
                      const LoadedDomains loaded = load();
                      EXPECT_THAT(loaded.problems, IsEmpty());
                      EXPECT_THAT(
                          names(loaded),
                          testing::AnyOf(ElementsAre("other", "web autostart once"),
                                         ElementsAre("other", "web once"),
                                         ElementsAre("other", "web"), ElementsAre("other")));
                      EXPECT_THAT(store().load_live().problems, IsEmpty());
                  });
    EXPECT_THAT(names(load()), ElementsAre("other"));
}

}  // namespace
}  // namespace mk::domain
