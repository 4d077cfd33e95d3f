// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Single files: replace, remove, link, each synced together with its folder.
#include "domain/store_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <span>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/uuid.h"

namespace mk::domain::store_files {
namespace {

constexpr std::string_view temporary_prefix = ".tmp-";
constexpr std::size_t max_bytes = 4U << 20;

std::string folder_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

void sync_folder(const std::string& path) {
    const Fd folder = open_file(path, O_RDONLY | O_DIRECTORY);
    if (::fsync(folder.get()) != 0) {
        throw Error::from_errno("sync " + path);
    }
}

// A name in the same folder, so in the same file system, that entries() does not show.
std::string temporary_beside(const std::string& path) {
    return folder_of(path) + "/" + std::string(temporary_prefix) + Uuid::random().to_string();
}

// Removes a temporary file unless it got its final name.
class Temporary {
  public:
    explicit Temporary(std::string path) : path_(std::move(path)) {}
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() {
        if (!path_.empty()) {
            ::unlink(path_.c_str());
        }
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    void move_to(const std::string& path) {
        if (::rename(path_.c_str(), path.c_str()) != 0) {
            throw Error::from_errno("write " + path);
        }
        path_.clear();
    }

  private:
    std::string path_;
};

}  // namespace

void make_folder(const std::string& path) {
    for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        struct stat status {};
        const mode_t mode = slash == std::string::npos ? 0700 : 0755;
        const int why = ::mkdir(part.c_str(), mode) == 0 ? 0 : errno;
        if (why != 0 && (::stat(part.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))) {
            throw Error::from_errno("make folder " + part, why);
        }
        if (why == 0) {  // or a power cut takes it away with all that is in it
            sync_folder(folder_of(part).empty() ? "/" : folder_of(part));
        }
        if (slash == std::string::npos) {
            return;
        }
    }
}

std::vector<std::string> entries(const std::string& folder, std::string_view prefix,
                                 std::string_view suffix) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator at(folder, error);
    for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
        std::string name = at->path().filename().string();
        const bool hidden = prefix.empty() && name.starts_with('.');
        if (!hidden && name.starts_with(prefix) && name.ends_with(suffix)) {
            names.push_back(std::move(name));
        }
    }
    if (error) {
        throw Error::from_errno("read folder " + folder, error.value());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string read(const std::string& path) {
    const Fd fd = open_file(path, O_RDONLY | O_NONBLOCK);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        throw Error::from_errno("read " + path);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error(VIR_ERR_OPERATION_FAILED, "it is not a regular file");
    }
    return read_all(fd.get(), max_bytes);
}

void replace(const std::string& path, const std::string& text) {
    Temporary temporary(temporary_beside(path));
    try {
        const Fd fd = open_file(temporary.path(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        write_all(fd.get(), std::as_bytes(std::span(text)));
        if (::fsync(fd.get()) != 0) {
            throw Error::from_errno("sync");
        }
    } catch (const Error& error) {
        throw Error::from_errno("write " + path, error.error_number());
    }
    temporary.move_to(path);
    sync_folder(folder_of(path));
}

void move(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        throw Error::from_errno("move " + from);
    }
    sync_folder(folder_of(to));
}

void remove_leftovers(const std::string& folder) {
    for (const std::string& name : entries(folder, temporary_prefix, "")) {
        try_remove(folder + "/" + name);
    }
}

void remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0) {
        if (errno == ENOENT) {
            return;
        }
        throw Error::from_errno("remove " + path);
    }
    sync_folder(folder_of(path));
}

void try_remove(const std::string& path) noexcept {
    try {
        remove(path);
    } catch (const std::exception& error) {
        log::warning("{}", error.what());
    }
}

void link(const std::string& target, const std::string& path) {
    Temporary temporary(temporary_beside(path));
    if (::symlink(target.c_str(), temporary.path().c_str()) != 0) {
        throw Error::from_errno("link " + path);
    }
    temporary.move_to(path);
    sync_folder(folder_of(path));
}

bool exists(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        return true;
    }
    if (errno == ENOENT) {
        return false;
    }
    throw Error::from_errno("look at " + path);
}

bool same_file(const std::string& a, const std::string& b) noexcept {
    struct stat first {};
    struct stat second {};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace mk::domain::store_files
