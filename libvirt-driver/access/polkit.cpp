// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The D-Bus calls, all made by the loop thread (org.freedesktop.PolicyKit1.Authority).
#include "access/polkit.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <latch>
#include <span>

#include "util/event_source.h"
#include "util/log.h"

namespace mk::access {
namespace {

constexpr const char* service = "org.freedesktop.PolicyKit1";
constexpr const char* object = "/org/freedesktop/PolicyKit1/Authority";
constexpr const char* interface = "org.freedesktop.PolicyKit1.Authority";

// A user types a password; a program does not.
constexpr int interactive_ms = 300'000;
constexpr int automatic_ms = 25'000;

using Variant = std::unique_ptr<GVariant, decltype(&g_variant_unref)>;

GVariant* subject_of(const Subject& subject) {
    GVariantBuilder process;
    g_variant_builder_init(&process, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&process, "{sv}", "pid",
                          g_variant_new_uint32(static_cast<guint32>(subject.pid)));
    g_variant_builder_add(&process, "{sv}", "start-time", g_variant_new_uint64(subject.start_time));
    g_variant_builder_add(&process, "{sv}", "uid",
                          g_variant_new_int32(static_cast<gint32>(subject.uid)));
    return g_variant_new("(s@a{sv})", "unix-process", g_variant_builder_end(&process));
}

// Floating: the call takes it.
GVariant* arguments_of(const Question& question, const std::string& cancellation) {
    GVariantBuilder details;
    g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
    for (const auto& [name, value] : question.details)
        g_variant_builder_add(&details, "{ss}", name.c_str(), value.c_str());
    return g_variant_new("(@(sa{sv})s@a{ss}us)", subject_of(question.subject),
                         question.action.c_str(), g_variant_builder_end(&details),
                         question.interactive ? 1U : 0U, cancellation.c_str());
}

Verdict verdict_of(GVariant* reply, const std::string& action) {
    gboolean authorized = FALSE;
    gboolean challenge = FALSE;
    GVariant* details = nullptr;
    g_variant_get(reply, "((bb@a{ss}))", &authorized, &challenge, &details);
    const Variant owned(details, g_variant_unref);
    if (authorized != FALSE)
        return std::nullopt;
    const char* dismissed = nullptr;
    if (g_variant_lookup(details, "polkit.dismissed", "&s", &dismissed) != FALSE &&
        std::string_view(dismissed) == "true")
        return Error(VIR_ERR_AUTH_CANCELLED, "user cancelled authentication process");
    if (challenge != FALSE)
        return Error(VIR_ERR_AUTH_UNAVAILABLE,
                     fmt::format("no polkit agent available to authenticate action '{}'", action));
    return Error(VIR_ERR_AUTH_FAILED, "access denied by policy");
}

}  // namespace

// Loop thread only.
struct Polkit::Bus : std::enable_shared_from_this<Polkit::Bus> {
    struct Waiting {
        Question question;
        Answer answer;
        GObjectPtr<GCancellable> cancellable;
    };
    // A bus answers a connection that has more than 128 calls in flight with an error
    // (max_replies_per_connection in Debian's system.conf). Users who think about a password
    // leave places for the others.
    struct Lane {
        std::deque<Waiting> waiting = {};
        unsigned in_flight = 0;
    };
    static constexpr unsigned most_in_flight = 60;  // of each lane

    GObjectPtr<GDBusConnection> connection;
    bool connecting = false;
    Lane interactive;
    Lane automatic;
    std::uint64_t asked = 0;

    Lane& lane_of(const Waiting& waiting) {
        return waiting.question.interactive ? interactive : automatic;
    }

    void ask(Waiting next) {
        lane_of(next).waiting.push_back(std::move(next));
        go_on();
    }

    void go_on() {
        if (connecting)
            return;
        if (connection && g_dbus_connection_is_closed(connection.get()) == FALSE) {
            call_from(interactive);
            call_from(automatic);
        } else if (!interactive.waiting.empty() || !automatic.waiting.empty()) {
            connect();
        }
    }

    void connect() {
        connecting = true;
        connection.reset();
        g_bus_get(G_BUS_TYPE_SYSTEM, nullptr, async_result_callback,
                  async_result_data(
                      [self = shared_from_this()](GAsyncResult* result) { self->got(result); }));
    }

    void got(GAsyncResult* result) {
        GError* error = nullptr;
        connecting = false;
        connection.reset(g_bus_get_finish(result, &error));
        const GErrorPtr owned(error);
        if (connection) {  // a bus that restarts does not end us
            g_dbus_connection_set_exit_on_close(connection.get(), FALSE);
            go_on();
            return;
        }
        for (Lane* lane : {&interactive, &automatic}) {
            for (const auto& each : std::exchange(lane->waiting, {}))
                each.answer(Error(VIR_ERR_DBUS_SERVICE, error->message));
        }
    }

    void call_from(Lane& lane) {
        while (!lane.waiting.empty() && lane.in_flight < most_in_flight) {
            Waiting next = std::move(lane.waiting.front());
            lane.waiting.pop_front();
            ++lane.in_flight;
            call(std::move(next));
        }
    }

    void call(Waiting next) {
        const std::string cancellation = fmt::format("virtmultikerneld-{}", asked++);
        GVariant* arguments = arguments_of(next.question, cancellation);
        const int timeout_ms = next.question.interactive ? interactive_ms : automatic_ms;
        GCancellable* cancellable = next.cancellable.get();
        const std::shared_ptr<GDBusConnection> on(G_DBUS_CONNECTION(g_object_ref(connection.get())),
                                                  g_object_unref);
        g_dbus_connection_call(
            connection.get(), service, object, interface, "CheckAuthorization", arguments,
            G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE, timeout_ms, cancellable,
            async_result_callback,
            async_result_data([self = shared_from_this(), cancellation,
                               asked_for = std::make_shared<Waiting>(std::move(next)),
                               on](GAsyncResult* result) {
                --self->lane_of(*asked_for).in_flight;
                answered(on.get(), *asked_for, cancellation, result);
                self->go_on();
            }));
    }

    static void answered(GDBusConnection* on, const Waiting& asked_for,
                         const std::string& cancellation, GAsyncResult* result) {
        GError* error = nullptr;
        const Variant reply(g_dbus_connection_call_finish(on, result, &error), g_variant_unref);
        const GErrorPtr owned(error);
        if (reply) {
            asked_for.answer(verdict_of(reply.get(), asked_for.question.action));
            return;
        }
        // Whoever gave up, or waited too long, leaves no dialogue behind.
        g_dbus_connection_call(on, service, object, interface, "CancelCheckAuthorization",
                               g_variant_new("(s)", cancellation.c_str()), nullptr,
                               G_DBUS_CALL_FLAGS_NO_AUTO_START, automatic_ms, nullptr, nullptr,
                               nullptr);
        asked_for.answer(Error(VIR_ERR_DBUS_SERVICE, error->message));
    }
};

Asked& Asked::operator=(Asked&& other) noexcept {
    std::swap(cancellable_, other.cancellable_);
    return *this;
}

Asked::~Asked() {
    if (cancellable_)
        g_cancellable_cancel(cancellable_.get());
}

Polkit::Polkit() : bus_(std::make_shared<Bus>()) {}

Polkit::~Polkit() = default;

Asked Polkit::ask(const Question& question, Answer answer) {
    GObjectPtr<GCancellable> cancellable(g_cancellable_new());
    auto waiting = std::make_shared<Bus::Waiting>(Bus::Waiting{
        .question = question,
        .answer = std::move(answer),
        .cancellable = GObjectPtr<GCancellable>(G_CANCELLABLE(g_object_ref(cancellable.get())))});
    post([bus = bus_, waiting] {
        if (waiting->question.subject.start_time == 0)
            waiting->answer(Error(VIR_ERR_AUTH_FAILED, "it is not known which process asks"));
        else
            bus->ask(std::move(*waiting));
    });
    return Asked(std::move(cancellable));
}

std::vector<Verdict> Polkit::ask_all(const std::vector<Question>& questions) {
    struct Answers {
        explicit Answers(std::size_t count)
            : verdicts(count), missing(static_cast<std::ptrdiff_t>(count)) {}
        std::vector<Verdict> verdicts;
        std::latch missing;
    };
    std::vector<Verdict> verdicts;
    verdicts.reserve(questions.size());
    while (verdicts.size() < questions.size()) {
        const auto rest = std::span(questions).subspan(verdicts.size());
        const auto part = rest.first(std::min<std::size_t>(rest.size(), at_once));
        const auto answers = std::make_shared<Answers>(part.size());
        std::vector<Asked> asked;
        asked.reserve(part.size());
        for (std::size_t index = 0; index < part.size(); ++index)
            asked.push_back(ask(part[index], [answers, index](const Verdict& verdict) {
                answers->verdicts[index] = verdict;
                answers->missing.count_down();
            }));
        answers->missing.wait();
        std::ranges::move(answers->verdicts, std::back_inserter(verdicts));
    }
    return verdicts;
}

}  // namespace mk::access
