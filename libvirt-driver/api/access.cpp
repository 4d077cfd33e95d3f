// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Fine-grained access control: which questions a call puts to polkit
// (src/access/viraccessdriverpolkit.c).
#include "api/access.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "api/encode.h"
#include "api/permissions.h"
#include "util/log.h"

namespace mk::api {
namespace {

constexpr const char* driver_name = "multikernel";

bool is_root(const rpc::Session& session) {
    return session.identity().uid == 0;
}

bool is_checked(const Connection& connection, const rpc::Session& session) {
    return connection.access_control != nullptr && !is_root(session);
}

[[noreturn]] void deny() {
    throw Error(VIR_ERR_ACCESS_DENIED, std::string("'") + driver_name + "' denied access");
}

domain::DomainIdentity identity_of(const domain::DomainView& domain) {
    return {domain.name, domain.uuid, domain.id};
}

access::Question question(const rpc::Session& session, const Permission& permission,
                          const domain::DomainIdentity* domain) {
    const rpc::Identity caller = session.identity();
    access::Question made{
        .subject = {.uid = caller.uid, .pid = caller.pid, .start_time = caller.start_time},
        .action = "org.libvirt.api." + std::string(permission.object) + "." +
                  std::string(permission.name),
        .details = {{"connect_driver", driver_name}}};
    std::ranges::replace(made.action, '_', '-');
    if (domain != nullptr) {
        made.details.emplace_back("domain_name", domain->name);
        made.details.emplace_back("domain_uuid", domain->uuid.to_string());
    }
    return made;
}

void require_all(Call& call, const std::vector<access::Question>& questions) {
    if (questions.empty())
        return;
    for (const auto& verdict : call.connection.access_control->ask_all(questions)) {
        if (!verdict)
            continue;
        if (verdict->code() == VIR_ERR_DBUS_SERVICE)
            throw Error(*verdict);
        deny();
    }
}

// The events of one client that polkit has not answered for yet. What polkit says last may be
// the answer for the first.
class Filter : public std::enable_shared_from_this<Filter> {
  public:
    Filter(Call& call, std::function<void(const domain::Event&, int)> deliver)
        : connection_(call.connection), session_(call.session), deliver_(std::move(deliver)) {}

    void push(const domain::Event& event, int before) {
        const std::lock_guard lock(mutex_);
        if (closed_)
            return;
        if (waiting_.size() >= most_waiting) {
            log::warning("a client is disconnected: polkit has not answered for {} of its events",
                         waiting_.size());
            session_.close_after_reply();
            drop();
            return;
        }
        waiting_.push_back(std::make_shared<Waiting>(Waiting{.event = event, .before = before}));
        if (is_root(session_))  // by now: a proxy may have begun to speak for another
            waiting_.back()->allowed = true;
        go_on();
    }

    // Afterwards nothing is delivered.
    void close() {
        const std::lock_guard lock(mutex_);
        drop();
    }

  private:
    static constexpr std::size_t most_waiting = 10'000;

    struct Waiting {
        domain::Event event;
        int before = 0;
        std::optional<access::Asked> asked = std::nullopt;
        std::optional<bool> allowed = std::nullopt;
    };

    void drop() {
        closed_ = true;
        waiting_.clear();
    }

    void answered(Waiting& waiting, const access::Verdict& verdict) {
        if (verdict && verdict->code() == VIR_ERR_DBUS_SERVICE)
            log::warning("an event of domain '{}' is not sent: {}", waiting.event.domain.name,
                         verdict->what());
        const std::lock_guard lock(mutex_);
        waiting.allowed = !verdict;
        go_on();
    }

    // With mutex_ held.
    void go_on() {
        for (; !waiting_.empty() && waiting_.front()->allowed; waiting_.pop_front()) {
            if (*waiting_.front()->allowed)
                deliver_(waiting_.front()->event, waiting_.front()->before);
        }
        const std::size_t count = std::min(waiting_.size(), access::Polkit::at_once);
        for (std::size_t index = 0; index < count; ++index) {
            if (!waiting_[index]->allowed && !waiting_[index]->asked)
                ask(waiting_[index]);
        }
    }

    void ask(const std::shared_ptr<Waiting>& waiting) {
        static constexpr Permission getattr{"domain", "getattr"};
        waiting->asked = connection_.access_control->ask(
            question(session_, getattr, &waiting->event.domain),
            [self = shared_from_this(), waiting](const access::Verdict& verdict) {
                self->answered(*waiting, verdict);
            });
    }

    Connection& connection_;
    rpc::Session& session_;
    const std::function<void(const domain::Event&, int)> deliver_;
    std::mutex mutex_;
    std::deque<std::shared_ptr<Waiting>> waiting_;  // mutex_
    bool closed_ = false;                           // mutex_
};

}  // namespace

void check_access(Call& call, const Checks::Arguments& arguments) {
    if (!is_checked(call.connection, call.session))
        return;
    std::vector<access::Question> questions;
    std::optional<domain::DomainIdentity> domain;
    for (const auto& permission : rule_of(call.row.procedure).needed) {
        if (!permission.applies(arguments.flags, arguments.source))
            continue;
        if (permission.object == "domain" && call.row.finds_domain)
            continue;
        // Without a domain the question has no name in it: only who may do it to all of them may.
        if (arguments.domain != nullptr && !domain)
            domain = identity_of(find(call, *arguments.domain));
        questions.push_back(question(call.session, permission, domain ? &*domain : nullptr));
    }
    require_all(call, questions);
}

bool is_known(const Connection& connection, const rpc::Session& session) {
    return !is_checked(connection, session) || session.identity().start_time != 0;
}

void require_known(const Connection& connection, const rpc::Session& session) {
    if (!is_known(connection, session))
        deny();
}

void require_access(Call& call, const domain::DomainIdentity& domain) {
    if (!is_checked(call.connection, call.session))
        return;
    std::vector<access::Question> questions;
    for (const auto& permission : rule_of(call.row.procedure).needed)
        questions.push_back(question(call.session, permission, &domain));
    require_all(call, questions);
}

void require_access(Call& call, const domain::DomainView& domain) {
    require_access(call, identity_of(domain));
}

void require_access_to_xml(Call& call, std::string_view definition) {
    if (!is_checked(call.connection, call.session))
        return;
    const auto parsed = domain::parse(definition);
    require_access(call, domain::DomainIdentity{parsed.name, parsed.uuid});
}

void keep_allowed(Call& call, std::vector<domain::DomainView>& domains) {
    const Permission* filter = rule_of(call.row.procedure).filter;
    if (filter == nullptr || domains.empty() || !is_checked(call.connection, call.session))
        return;
    std::vector<access::Question> questions;
    questions.reserve(domains.size());
    for (const auto& each : domains) {
        const auto identity = identity_of(each);
        questions.push_back(question(call.session, *filter, &identity));
    }
    const auto verdicts = call.connection.access_control->ask_all(questions);
    for (const auto& verdict : verdicts) {  // a list with holes would look like a whole one
        if (verdict && verdict->code() == VIR_ERR_DBUS_SERVICE)
            throw Error(*verdict);
    }
    std::size_t index = 0;
    std::erase_if(domains, [&](const auto&) { return verdicts[index++].has_value(); });
}

std::function<void(const domain::Event&, int)> filter_events(
    Call& call, std::function<void(const domain::Event&, int)> deliver) {
    if (call.connection.access_control == nullptr)
        return deliver;
    const auto filter = std::make_shared<Filter>(call, std::move(deliver));
    call.session.on_close([filter] { filter->close(); });
    return [filter](const domain::Event& event, int before) { filter->push(event, before); };
}

}  // namespace mk::api
