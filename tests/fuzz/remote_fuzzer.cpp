// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls of the remote program, over a made-up machine. After each input all is as before: domain
// "web" runs, "off" does not, nothing else is there.
#include <filesystem>
#include <optional>
#include <thread>

#include "api/connection.h"
#include "api/dispatch.h"
#include "fuzzer.h"
#include "protocol/frame.h"
#include "protocol/remote.h"
#include "support/fake_backend.h"
#include "support/sandbox.h"

namespace {

namespace fs = std::filesystem;
using mk::domain::DomainView;

// The definitions that tests/fuzz/record's clients work with.
constexpr const char* web_uuid = "11111111-2222-4333-8444-555555555555";
constexpr const char* off_uuid = "11111111-2222-4333-8444-555555555556";

std::string definition(const char* name, const char* uuid) {
    return std::string("<domain type='multikernel'><name>") + name + "</name><uuid>" + uuid +
           "</uuid><memory unit='MiB'>128</memory><maxMemory slots='4' unit='MiB'>1024</maxMemory>"
           "<vcpu current='1'>2</vcpu>"
           "<os><type arch='x86_64'>hvm</type><kernel>/proc/self/cwd/vmlinuz</kernel>"
           "<initrd>/proc/self/cwd/initrd.img</initrd></os><devices><console type='pty'/>"
           "</devices></domain>";
}

mk::domain::Paths paths_of(const mk::test::Sandbox& sandbox) {
    mk::domain::Paths paths = sandbox.paths();
    paths.app_patience = std::chrono::milliseconds(200);
    paths.schema = MK_SCHEMA;
    return paths;
}

class Target {
  public:
    Target()
        : machine_(std::make_shared<mk::test::FakeMachine>()),
          driver_(paths_of(sandbox_), std::make_unique<mk::test::FakeBackend>(machine_),
                  {.audit = {.level = mk::AuditSettings::Level::off}}) {
        fs::current_path(sandbox_.root());
        loop_.emplace();
        reset();
    }

    void client(std::string_view bytes) {
        mk::rpc::Session session({.uid = 0, .gid = 0, .pid = 1}, false,
                                 {.send = [](const std::string&) {},
                                  .start_keepalive = [] {},
                                  .close_after_reply = [] {}});
        session.attach(std::make_shared<mk::api::Connection>());
        const auto calls = mk::fuzz::calls(bytes);
        // What is not begun with an open is taken for the middle of a session.
        static_cast<mk::api::Connection*>(session.state())->opened =
            !calls.empty() && calls.front().procedure != REMOTE_PROC_CONNECT_OPEN;
        for (const mk::fuzz::Call& each : calls)
            call(session, each.procedure, each.arguments);
        session.closed();
        reset();
    }

  private:
    void call(mk::rpc::Session& session, int procedure, std::string_view arguments) {
        // Each would write a file of the size of a domain.
        if (procedure == REMOTE_PROC_DOMAIN_CORE_DUMP ||
            procedure == REMOTE_PROC_DOMAIN_CORE_DUMP_WITH_FORMAT)
            return;
        const mk::rpc::Answer answer = mk::api::dispatch(driver_, session, procedure, arguments);
        for (const auto& function : answer.after_reply)
            function();
    }

    // True if it is as reset() leaves it.
    bool untouched(const DomainView& view) const {
        const auto config = view.persistent_definition;
        if (view.autostart || config == nullptr)
            return false;
        if (view.name == "web")
            return config == web_ && view.live != nullptr && *view.live == *web_ &&
                   view.state == VIR_DOMAIN_RUNNING;
        return config == off_ && !view.active();
    }

    void reset() {
        for (const DomainView& view : driver_.list()) {
            if (untouched(view))
                continue;
            ignore_errors([&] { driver_.destroy(view.uuid, true); });
            ignore_errors([&] { driver_.undefine(view.uuid); });
        }
        if (driver_.list().size() != 2) {
            ignore_errors([&] { web_ = define("web", web_uuid); });
            ignore_errors([&] { off_ = define("off", off_uuid); });
            ignore_errors([&] { driver_.start(*mk::Uuid::parse(web_uuid), {}); });
            while (!driver_.status(*mk::Uuid::parse(web_uuid)).app)
                std::this_thread::yield();
        }
        if (++resets_ % 256 == 0)
            remove_logs();
    }

    std::shared_ptr<const mk::domain::Definition> define(const char* name, const char* uuid) {
        return driver_.define(definition(name, uuid), false).persistent_definition;
    }

    void remove_logs() const {
        for (const auto& file : fs::directory_iterator(sandbox_.paths().log_dir))
            if (file.path().filename() != "web.log")
                fs::remove(file.path());
    }

    template <typename Function>
    static void ignore_errors(const Function& function) {
        try {
            function();
        } catch (const mk::Error&) {  // it has ended by itself, or was only transient
        }
    }

    mk::test::Sandbox sandbox_;
    std::shared_ptr<mk::test::FakeMachine> machine_;
    mk::domain::Driver driver_;
    std::optional<mk::test::LoopThread> loop_;
    std::shared_ptr<const mk::domain::Definition> web_;
    std::shared_ptr<const mk::domain::Definition> off_;
    unsigned resets_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Target target;
    target.client(mk::fuzz::as_text(data, size));
    return 0;
}
