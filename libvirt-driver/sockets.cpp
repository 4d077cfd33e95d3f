// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sockets and pid file.
#include "sockets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "util/error.h"

namespace mk {
namespace {

constexpr const char* socket_name = "virtmultikerneld-sock";
constexpr const char* read_only_name = "virtmultikerneld-sock-ro";
constexpr const char* admin_name = "virtmultikerneld-admin-sock";

// What it is for, by its name.
ListeningSocket kind_of(Fd fd, std::string_view path) {
    return {.fd = std::move(fd),
            .read_only = path.ends_with(read_only_name),
            .admin = path.ends_with(admin_name)};
}

std::string path_of(int fd) {
    sockaddr_un address{};
    socklen_t size = sizeof(address);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw Error::from_errno("cannot tell the name of a socket");
    return {address.sun_path, strnlen(address.sun_path, sizeof(address.sun_path))};
}

// A daemon that ends takes its file away, perhaps between our open and our lock.
bool is_still_there(const Fd& file, const std::string& path) {
    struct stat ours {};
    struct stat theirs {};
    return fstat(file.get(), &ours) == 0 && stat(path.c_str(), &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

void lock_file(const Fd& file, const std::string& path) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(file.get(), F_SETLK, &lock) == 0)
        return;
    if (errno == EAGAIN || errno == EACCES)
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("another virtmultikerneld runs: it holds {}", path));
    throw Error::from_errno(fmt::format("lock {}", path));
}

gid_t group_of(const std::string& name) {
    std::array<char, 65536> space{};
    group entry{};
    group* found = nullptr;
    const int error = getgrnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
    if (error != 0)
        throw Error::from_errno(fmt::format("look up the group {}", name), error);
    if (found == nullptr)
        throw Error(VIR_ERR_CONF_SYNTAX, fmt::format("unix_sock_group: no group '{}'", name));
    return found->gr_gid;
}

// Whom the file of a socket lets connect.
void open_to(const std::string& path, const std::string& group, unsigned mode) {
    if (!group.empty() && chown(path.c_str(), static_cast<uid_t>(-1), group_of(group)) != 0)
        throw Error::from_errno(fmt::format("give {} to the group {}", path, group));
    if (chmod(path.c_str(), mode) != 0)
        throw Error::from_errno(fmt::format("set the mode of {}", path));
}

}  // namespace

// As virPidFileAcquirePath: the lock says that the process lives, the file who it is.
PidFile::PidFile(std::string path) : path_(std::move(path)) {
    do {
        file_ = open_file(path_, O_RDWR | O_CREAT, 0644);
        lock_file(file_, path_);
    } while (!is_still_there(file_, path_));
    const std::string text = fmt::format("{}\n", getpid());
    if (ftruncate(file_.get(), 0) != 0)
        throw Error::from_errno(fmt::format("write {}", path_));
    write_all(file_.get(), std::as_bytes(std::span(text)));
}

PidFile::~PidFile() {
    unlink(path_.c_str());
}

Sockets::Sockets(const SocketSettings& settings) {
    if (take_over(settings))
        return;
    const std::string& folder = settings.folder;
    if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)
        throw Error::from_errno(fmt::format("make {}", folder));
    for (const auto* const name : {socket_name, read_only_name, admin_name})
        make(folder + "/" + name, settings);
}

Sockets::~Sockets() {
    for (const auto& path : made_)
        unlink(path.c_str());
}

bool Sockets::take_over(const SocketSettings& settings) {
    const int count = sd_listen_fds(1);
    if (count < 0)
        throw Error::from_errno("take over systemd's sockets", -count);
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
        Fd owned(fd);
        if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0) {
            sockets_.push_back({.fd = std::move(owned), .tcp = true});
            continue;
        }
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, nullptr, 0) <= 0)
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        "systemd passed something that is no listening stream socket");
        listen(kind_of(std::move(owned), path_of(fd)), settings);
    }
    return count > 0;
}

// Also what systemd has passed: how many may wait is the configuration's to say.
void Sockets::listen(ListeningSocket socket, const SocketSettings& settings) {
    const unsigned queue = socket.admin ? settings.admin_queue : settings.queue;
    if (::listen(socket.fd.get(), static_cast<int>(queue)) != 0)
        throw Error::from_errno("listen on a socket");
    sockets_.push_back(std::move(socket));
}

void Sockets::make(const std::string& path, const SocketSettings& settings) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("{}: longer than {} bytes, the name of a socket cannot be", path,
                                sizeof(address.sun_path) - 1));
    path.copy(address.sun_path, path.size());
    Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        throw Error::from_errno("make a socket");
    if (unlink(path.c_str()) != 0 && errno != ENOENT)
        throw Error::from_errno(fmt::format("remove {}", path));
    const mode_t before = umask(0177);  // never open to others, not for a moment
    const int bound = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    const int reason = errno;
    umask(before);
    if (bound != 0)
        throw Error::from_errno(fmt::format("make {}", path), reason);
    made_.push_back(path);
    ListeningSocket made = kind_of(std::move(fd), path);
    open_to(path, settings.group,
            made.admin       ? settings.admin_mode
            : made.read_only ? settings.read_only_mode
                             : settings.mode);
    listen(std::move(made), settings);
}

}  // namespace mk
