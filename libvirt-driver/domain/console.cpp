// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One console: the loop thread reads its source and writes log, pty and input; viewers read the
// ring from any thread.
#include "domain/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <mutex>
#include <utility>

#include "domain/console_log.h"
#include "domain/console_ring.h"
#include "domain/pty.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

constexpr std::size_t chunk_bytes = 16U << 10;
constexpr unsigned chunks_per_turn = 4;  // then the loop's other sources have theirs

constexpr auto in = G_IO_IN;
constexpr auto in_out = static_cast<GIOCondition>(G_IO_IN | G_IO_OUT);
constexpr auto out = G_IO_OUT;
constexpr auto nothing = static_cast<GIOCondition>(0);

bool would_block() {
    return errno == EAGAIN || errno == EINTR;
}

struct Viewer {
    Fd event;                    // readable while there is something to read
    std::uint64_t position = 0;  // Core's mutex
    bool forced_out = false;     // Core's mutex

    void signal() const noexcept { (void)::eventfd_write(event.get(), 1); }
    void clear() const noexcept {
        eventfd_t count = 0;
        (void)::eventfd_read(event.get(), &count);
    }
};

}  // namespace

class ConsoleHub::Core : public std::enable_shared_from_this<Core> {
  public:
    Core(Loop& loop, const ConsoleOptions& options);

    // Any thread.
    std::shared_ptr<Viewer> add_viewer(bool force);
    void remove_viewer(const std::shared_ptr<Viewer>& viewer);
    std::optional<std::string> read(Viewer& viewer, std::size_t limit);
    std::size_t write(std::string_view bytes);
    [[nodiscard]] const std::string& tty() const { return pty_.path(); }

    // Loop thread only.
    void watch_pty();
    void attach(backend::Backend::Console& console, const ConsoleRecord& record, Reopen reopen);
    void detach();
    void close(bool forget);
    void note(std::string_view text, std::string_view shown);

  private:
    bool read_source();
    void catch_up();
    void on_source(GIOCondition events);
    void drop_source();
    void deliver(std::string_view bytes);
    void save_record() noexcept;
    void send_input();
    void receive_from_pty();
    void send_to_pty();
    void update_pty_events();
    bool input_has_room();

    Loop& loop_;
    const std::string name_;
    const std::string record_path_;

    std::mutex mutex_;
    ConsoleRing ring_{ring_bytes};    // mutex_
    std::uint64_t seen_ = 0;          // mutex_: how far any viewer has read
    std::shared_ptr<Viewer> viewer_;  // mutex_
    std::string input_;               // mutex_: on its way to the app kernel
    bool ended_ = false;              // mutex_

    // Loop thread only.
    std::vector<ConsoleLog> logs_;
    Fd record_file_;
    ConsoleRecord record_;
    Reopen reopen_;
    Fd source_;
    std::unique_ptr<FdWatch> source_watch_;
    Pty pty_;
    std::unique_ptr<FdWatch> pty_watch_;
    std::uint64_t pty_position_ = 0;
    std::string pty_pending_;
    bool pty_full_ = false;
};

ConsoleHub::Core::Core(Loop& loop, const ConsoleOptions& options)
    : loop_(loop), name_(options.domain_name), record_path_(options.record_path) {
    for (const ConsoleLogFile& file : options.logs)
        logs_.emplace_back(file.path, file.append);
    record_file_ = open_file(record_path_, O_WRONLY | O_CREAT, 0600);
    record_ = options.record;
    save_record();
}

std::shared_ptr<Viewer> ConsoleHub::Core::add_viewer(bool force) {
    auto viewer = std::make_shared<Viewer>();
    viewer->event = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!viewer->event)
        throw Error::from_errno("eventfd");
    const std::scoped_lock lock(mutex_);
    if (viewer_ && !force)
        throw Error(VIR_ERR_OPERATION_FAILED, "Active console session exists for this domain");
    if (viewer_) {
        viewer_->forced_out = true;
        viewer_->signal();
    }
    viewer->position = std::max(seen_, ring_.begin());
    viewer->signal();
    viewer_ = viewer;
    return viewer;
}

void ConsoleHub::Core::remove_viewer(const std::shared_ptr<Viewer>& viewer) {
    const std::scoped_lock lock(mutex_);
    if (viewer_ == viewer)
        viewer_.reset();
}

std::optional<std::string> ConsoleHub::Core::read(Viewer& viewer, std::size_t limit) {
    const std::scoped_lock lock(mutex_);
    if (viewer.forced_out)
        return std::nullopt;
    std::string text = ring_.read(viewer.position, limit);
    seen_ = std::max(seen_, viewer.position);
    if (!text.empty())
        return text;
    if (ended_)
        return std::nullopt;
    viewer.clear();
    return text;
}

std::size_t ConsoleHub::Core::write(std::string_view bytes) {
    const std::scoped_lock lock(mutex_);
    if (ended_)
        return bytes.size();
    const std::size_t taken = std::min(bytes.size(), input_bytes - input_.size());
    input_.append(bytes.substr(0, taken));
    // Under the lock: close() sets ended_ before the loop may go.
    loop_.post([self = shared_from_this()] { self->send_input(); });
    return taken;
}

void ConsoleHub::Core::watch_pty() {
    pty_watch_ = std::make_unique<FdWatch>(pty_.fd(), in, [this](GIOCondition events) {
        if ((events & G_IO_IN) != 0)
            receive_from_pty();
        if ((events & G_IO_OUT) != 0)
            send_to_pty();
    });
}

void ConsoleHub::Core::attach(backend::Backend::Console& console, const ConsoleRecord& record,
                              Reopen reopen) {
    drop_source();
    reopen_ = std::move(reopen);
    if (record.boots != record_.boots) {
        const std::scoped_lock lock(mutex_);
        input_.clear();  // it was typed at another kernel
    }
    record_ = record;
    if (console.position > record_.position)
        deliver(lost_mark(console.position - record_.position));
    record_.position = console.position;
    save_record();
    source_ = std::move(console.fd);
    source_watch_ = std::make_unique<FdWatch>(source_.get(), in,
                                              [this](GIOCondition events) { on_source(events); });
}

void ConsoleHub::Core::detach() {
    // Bounded: an app kernel that was not stopped may go on writing for ever.
    for (unsigned chunk = 0; chunk < 2 * ring_bytes / chunk_bytes && read_source(); ++chunk) {
    }
    drop_source();
}

void ConsoleHub::Core::close(bool forget) {
    detach();
    pty_watch_.reset();
    logs_.clear();
    if (forget)
        (void)std::remove(record_path_.c_str());
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    if (viewer_)
        viewer_->signal();
}

void ConsoleHub::Core::note(std::string_view text, std::string_view shown) {
    for (unsigned chunk = 0; chunk < 2 * ring_bytes / chunk_bytes && read_source(); ++chunk) {
    }
    {
        const std::scoped_lock lock(mutex_);
        std::uint64_t position = ring_.begin();
        if (!shown.empty() && ring_.read(position, ring_bytes).find(shown) != std::string::npos)
            return;
    }
    for (ConsoleLog& log : logs_)
        log.write(text);
}

// False if there is nothing more now, or ever.
bool ConsoleHub::Core::read_source() {
    if (!source_)
        return false;
    std::array<char, chunk_bytes> buffer;
    const ssize_t got = ::read(source_.get(), buffer.data(), buffer.size());
    if (got > 0) {
        record_.position += static_cast<std::size_t>(got);
        deliver({buffer.data(), static_cast<std::size_t>(got)});
        return true;
    }
    if (got < 0 && would_block())
        return false;
    if (got < 0 && errno == EPIPE && reopen_) {
        catch_up();
        return true;
    }
    if (got < 0)
        log::warning("the console of domain '{}' cannot be read: {}", name_,
                     Error::from_errno("read").what());
    drop_source();
    return false;
}

// We were too slow and output is gone: a mark takes its place. The source itself goes on behind
// the gap, which is all there is once its partition was destroyed.
void ConsoleHub::Core::catch_up() {
    try {
        auto console = reopen_(record_.position);
        attach(console, ConsoleRecord(record_), reopen_);
    } catch (const Error& error) {
        log::debug("console of domain '{}': {}", name_, error.what());
        deliver("\r\n[console output was lost here]\r\n");
    }
}

void ConsoleHub::Core::on_source(GIOCondition events) {
    bool more = true;
    for (unsigned turn = 0; turn < chunks_per_turn && more; ++turn)
        more = read_source();
    if (!more && (events & (G_IO_HUP | G_IO_ERR)) != 0)
        drop_source();  // a hang-up stays readable for ever
    else if ((events & G_IO_OUT) != 0)
        send_input();
}

void ConsoleHub::Core::drop_source() {
    source_watch_.reset();
    source_.reset();
}

void ConsoleHub::Core::deliver(std::string_view bytes) {
    for (ConsoleLog& log : logs_)
        log.write(bytes);
    save_record();
    {
        const std::scoped_lock lock(mutex_);
        ring_.append(bytes);
        if (viewer_)
            viewer_->signal();
    }
    if (!pty_full_)
        send_to_pty();
}

void ConsoleHub::Core::save_record() noexcept {
    // Fixed width, so that a shorter record never leaves digits of a longer one behind.
    const std::string text = fmt::format("{:010} {:020}\n", record_.boots, record_.position);
    if (::pwrite(record_file_.get(), text.data(), text.size(), 0) < 0)
        log::debug("{}: {}", record_path_, Error::from_errno("write").what());
}

void ConsoleHub::Core::send_input() {
    bool blocked = !source_;
    while (!blocked) {
        std::string piece;
        {
            const std::scoped_lock lock(mutex_);
            piece = input_.substr(0, 4096);
        }
        if (piece.empty())
            break;
        const ssize_t put = ::write(source_.get(), piece.data(), piece.size());
        blocked = put <= 0;
        if (put < 0 && !would_block()) {
            log::debug("input for domain '{}' is dropped: {}", name_,
                       Error::from_errno("write").what());
            const std::scoped_lock lock(mutex_);
            input_.clear();
            blocked = false;
        } else if (put > 0) {
            const std::scoped_lock lock(mutex_);
            input_.erase(0, static_cast<std::size_t>(put));
        }
    }
    if (source_watch_)
        source_watch_->set_events(blocked ? in_out : in);
    update_pty_events();
}

void ConsoleHub::Core::receive_from_pty() {
    std::array<char, 4096> buffer;
    if (input_has_room()) {
        const ssize_t got = ::read(pty_.fd(), buffer.data(), buffer.size());
        if (got > 0)
            (void)write({buffer.data(), static_cast<std::size_t>(got)});
    }
    update_pty_events();
}

void ConsoleHub::Core::send_to_pty() {
    for (;;) {
        if (pty_pending_.empty()) {
            const std::scoped_lock lock(mutex_);
            pty_pending_ = ring_.read(pty_position_, 4096);
        }
        pty_full_ = false;
        if (pty_pending_.empty())
            break;
        const ssize_t put = ::write(pty_.fd(), pty_pending_.data(), pty_pending_.size());
        if (put <= 0) {
            pty_full_ = true;
            break;
        }
        pty_pending_.erase(0, static_cast<std::size_t>(put));
    }
    update_pty_events();
}

void ConsoleHub::Core::update_pty_events() {
    if (!pty_watch_)
        return;
    const GIOCondition reading = input_has_room() ? in : nothing;
    const GIOCondition writing = pty_full_ ? out : nothing;
    pty_watch_->set_events(static_cast<GIOCondition>(reading | writing));
}

bool ConsoleHub::Core::input_has_room() {
    const std::scoped_lock lock(mutex_);
    return input_.size() + 4096 <= input_bytes;
}

class ConsoleHub::Session final : public ConsoleSession {
  public:
    Session(std::shared_ptr<Core> core, bool force)
        : core_(std::move(core)), viewer_(core_->add_viewer(force)) {}
    ~Session() override { core_->remove_viewer(viewer_); }

    [[nodiscard]] int poll_fd() const override { return viewer_->event.get(); }
    [[nodiscard]] std::optional<std::string> read(std::size_t limit) override {
        return core_->read(*viewer_, limit);
    }
    std::size_t write(std::string_view bytes) override { return core_->write(bytes); }

  private:
    std::shared_ptr<Core> core_;
    std::shared_ptr<Viewer> viewer_;
};

std::optional<ConsoleRecord> read_console_record(const std::string& path) {
    const auto text = read_file_if_exists(path, 4096);
    unsigned boots = 0;
    unsigned long long position = 0;
    if (!text || std::sscanf(text->c_str(), "%u %llu", &boots, &position) != 2)
        return std::nullopt;
    return ConsoleRecord{boots, position};
}

ConsoleHub::ConsoleHub(Loop& loop, const ConsoleOptions& options)
    : loop_(loop), core_(std::make_shared<Core>(loop, options)) {
    loop_.call([this] { core_->watch_pty(); });
}

ConsoleHub::~ConsoleHub() {
    loop_.call([this] { core_->close(false); });
}

const std::string& ConsoleHub::tty() const {
    return core_->tty();
}

void ConsoleHub::attach(backend::Backend::Console console, const ConsoleRecord& record,
                        Reopen reopen) {
    // Not waited for: beside an app kernel that boots the loop may come late. It keeps the order.
    const auto given = std::make_shared<backend::Backend::Console>(std::move(console));
    loop_.post([core = core_, given, record, reopen = std::move(reopen)] {
        core->attach(*given, record, reopen);
    });
}

void ConsoleHub::detach() {
    loop_.call([this] { core_->detach(); });
}

void ConsoleHub::note(const std::string& text, const std::string& shown) {
    loop_.call([&] { core_->note(text, shown); });
}

void ConsoleHub::end() {
    loop_.call([this] { core_->close(true); });
}

std::unique_ptr<ConsoleSession> ConsoleHub::open(bool force) {
    return std::make_unique<Session>(core_, force);
}

}  // namespace mk::domain
