// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: all domains of this host and everything that can be done to them. This is what
// the api layer calls; each function is one libvirt call in our own types. It holds the domain
// list, the pool, the backend, the store and the event queue together and decides nothing
// about bytes on a wire.
//
// Thread-safe. Calls may block (start, destroy); none holds a lock meanwhile: a call that
// changes a domain holds its job, and a second one fails with VIR_ERR_OPERATION_TIMEOUT after
// Paths::job_patience ("cannot acquire state change lock"), as in libvirt's qemu driver.
#pragma once

#include <libvirt/libvirt.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "domain/definition.h"
#include "domain/event.h"
#include "host/samepage.h"
#include "host/usage.h"
#include "util/audit.h"
#include "util/cpu_set.h"
#include "util/fd.h"
#include "util/uuid.h"

namespace mk::domain {

// A consistent copy of what a domain is at one moment. Plain data, no lock.
struct DomainView {
    Uuid uuid;
    std::string name;
    int id = -1;  // -1: not active
    virDomainState state = VIR_DOMAIN_SHUTOFF;
    int reason = 0;  // virDomain<State>Reason
    bool persistent = false;
    bool autostart = false;
    bool autostart_once = false;             // at the next boot of the host
    bool updated = false;                    // the persistent definition differs from the live one
    std::shared_ptr<const Definition> live;  // null: not active
    std::shared_ptr<const Definition> persistent_definition;  // null: transient
    LiveDetails details;                                      // meaningful while active
    // The live definition if active, else the persistent one. Never null.
    [[nodiscard]] const Definition& current() const {
        return live ? *live : *persistent_definition;
    }
    [[nodiscard]] bool active() const { return id >= 0; }
};

struct DumpRequest;  // dump.h
struct JobStats;

struct StartOptions {
    bool paused = false;       // it holds what it needs, and boots when it is resumed
    bool autodestroy = false;  // the caller destroys it when its connection ends
};

// Which of the two definitions a change affects; "current" was already resolved by nobody:
// the driver does it, as libvirt's virDomainObjUpdateModificationImpact.
struct Affect {
    bool live = false;
    bool config = false;  // both false: current
};

// One viewer of a console. It begins with what is kept and no viewer has read yet, so the first
// one sees the boot from its first byte.
class ConsoleSession {
  public:
    ConsoleSession() = default;
    ConsoleSession(const ConsoleSession&) = delete;
    ConsoleSession& operator=(const ConsoleSession&) = delete;
    virtual ~ConsoleSession() = default;

    // A descriptor that polls readable when read() would return something or the end.
    [[nodiscard]] virtual int poll_fd() const = 0;
    // Up to `limit` bytes; empty: nothing now. nullopt: end (stopped, or forced out by another).
    [[nodiscard]] virtual std::optional<std::string> read(std::size_t limit) = 0;
    // Input for the app kernel; returns how many bytes were taken (its ring may be full).
    virtual std::size_t write(std::string_view bytes) = 0;
};

// Paths, so that tests can run beside a real daemon.
struct Paths {
    std::string config_dir = "/etc/libvirt/multikernel";
    std::string state_dir = "/run/libvirt/multikernel";
    std::string log_dir = "/var/log/libvirt/multikernel";
    std::string dump_dir = "/var/lib/libvirt/multikernel/dump";  // of <on_crash>coredump-…
    std::string image_dir = "/usr/libexec/multikernel";          // the loader, "init"
    // Where app modules are, "{}" stands for the kernel version; empty: image::Places' list.
    std::vector<std::string> app_modules = {};
    std::string sysfs = "/sys";
    std::string procfs = "/proc";
    std::string machine_id = "/etc/machine-id";
    // How long an app kernel may work on a change of its CPUs or memory: less, with what follows,
    // than others wait for the domain's job.
    std::chrono::milliseconds app_patience{20'000};
    std::chrono::milliseconds job_patience{30'000};  // for a job that another call holds
    std::string schema = {};  // what VALIDATE flags check against; empty: ParseOptions' file
};

// What the configuration decides for the driver's whole life.
struct Settings {
    AuditSettings audit = {};
    std::optional<Uuid> host_uuid = {};  // nullopt: capabilities.h's host_uuid()
};

class Driver {
  public:
    // Loads the definitions, finds running partitions again. A damaged definition is named in
    // the log and left alone. Throws Error if a directory cannot be made; as Audit.
    Driver(const Paths& paths, std::unique_ptr<backend::Backend> backend, const Settings& settings);
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;
    ~Driver();  // leaves partitions running

    // The domains that are marked autostart and not active; none if a daemon has asked since the
    // host booted. To be asked before clients are: what they mark is for the next boot. Errors go
    // to the log: a daemon that can start nothing by itself still answers.
    [[nodiscard]] std::vector<Uuid> take_autostart() noexcept;
    // Starts those of them that are still so; errors go to the log.
    void autostart(const std::vector<Uuid>& marked);
    // From now on autostart() starts nothing more. Thread-safe; does not wait.
    void end_autostart() noexcept;

    [[nodiscard]] EventQueue& events();

    // Look-ups throw Error(VIR_ERR_NO_DOMAIN) in libvirt's words:
    // "no domain with matching uuid '…' (name)", "no domain with matching name 'x'", "… id 7".
    [[nodiscard]] DomainView lookup(const Uuid& uuid) const;
    [[nodiscard]] DomainView lookup_by_name(const std::string& name) const;
    [[nodiscard]] DomainView lookup_by_id(int id) const;
    // All, sorted by name. Filtering by virConnectListAllDomains flags is filter_domains().
    [[nodiscard]] std::vector<DomainView> list() const;

    DomainView define(const std::string& xml, bool validate);
    void undefine(const Uuid& uuid);
    // virDomainCreateXML: a transient domain, or a running one from a definition with that name
    // and uuid.
    DomainView create_xml(const std::string& xml, bool validate, const StartOptions& options);
    void start(const Uuid& uuid, const StartOptions& options);
    // Ask the app kernel; return at once.
    void shutdown(const Uuid& uuid);
    void reboot(const Uuid& uuid);
    // Hold all its CPUs where they are; let them go on.
    void suspend(const Uuid& uuid);
    void resume(const Uuid& uuid);
    // Returns when the file is complete. Throws Error: VIR_ERR_OPERATION_ABORTED by abort_job()
    // and destroy(). Nothing is left of a file then, nor after any other failure.
    void core_dump(const Uuid& uuid, const DumpRequest& request);
    // virDomainMemoryPeek: `bytes` from an address on, of the partition's memory or as its
    // kernel sees it. Throws Error: VIR_ERR_OPERATION_INVALID not active; VIR_ERR_INVALID_ARG
    // not all of them are there; VIR_ERR_OPERATION_FAILED its page tables are not found.
    [[nodiscard]] std::string memory_peek(const Uuid& uuid, std::uint64_t address,
                                          std::size_t bytes, bool physical) const;
    // The job that clients may watch and abort; there is one kind, dumps.
    [[nodiscard]] JobStats job_stats(const Uuid& uuid) const;
    // The last one that ended; told once unless `keep`.
    [[nodiscard]] JobStats completed_job_stats(const Uuid& uuid, bool keep);
    void abort_job(const Uuid& uuid);
    // Makes each of its CPUs print where it is.
    void inject_nmi(const Uuid& uuid);
    // virDomainSendKey. Only SysRq has a meaning: the app kernel gets `key` ('h'). Does not wait.
    void send_sysrq(const Uuid& uuid, char key);
    // Force.
    void reset(const Uuid& uuid);
    // `remove_log`: also removes the console log that every domain has (not one of <log file>).
    void destroy(const Uuid& uuid, bool remove_log = false);
    void rename(const Uuid& uuid, const std::string& new_name);
    void set_autostart(const Uuid& uuid, bool on);
    void set_autostart_once(const Uuid& uuid, bool on);

    // virDomainSetLifecycleAction
    void set_lifecycle_action(const Uuid& uuid, virDomainLifecycle event, Action action,
                              const Affect& affect);

    // virDomainSetMetadata; nullopt removes. `key` is the prefix for VIR_DOMAIN_METADATA_ELEMENT.
    struct MetadataChange {
        virDomainMetadataType type = VIR_DOMAIN_METADATA_DESCRIPTION;
        std::optional<std::string> value;
        std::string key;
        std::string uri;
        Affect affect;
    };
    void set_metadata(const Uuid& uuid, const MetadataChange& change);
    // Throws Error(VIR_ERR_NO_DOMAIN_METADATA) if there is none.
    [[nodiscard]] std::string metadata(const Uuid& uuid, virDomainMetadataType type,
                                       const std::string& uri, const Affect& affect) const;

    // virDomainSetVcpusFlags. Errors and their words are the qemu driver's; what a running app
    // kernel makes of it is live.h's.
    struct VcpuCount {
        unsigned vcpus = 0;
        bool maximum = false;
        bool guest = false;  // as the app kernel counts them
        Affect affect;
    };
    void set_vcpus(const Uuid& uuid, const VcpuCount& count);
    // virDomainSetVcpu
    void set_vcpu(const Uuid& uuid, const CpuSet& vcpus, bool enable, const Affect& affect);
    // virDomainPinVcpuFlags
    void pin_vcpu(const Uuid& uuid, unsigned vcpu, const CpuSet& cpus, const Affect& affect);
    // By the app kernel's own numbers. Throws Error(VIR_ERR_AGENT_UNRESPONSIVE) if it has said
    // nothing yet.
    struct GuestVcpus {
        CpuSet vcpus;
        CpuSet online;
        CpuSet offlinable;
    };
    [[nodiscard]] GuestVcpus guest_vcpus(const Uuid& uuid);
    void set_guest_vcpus(const Uuid& uuid, const CpuSet& vcpus, bool online);
    // virDomainSetMemoryFlags; `maximum`: what it may have, of an inactive domain.
    void set_memory(const Uuid& uuid, std::uint64_t size_kib, bool maximum, const Affect& affect);
    // Memory devices, as <memory>.
    enum class DeviceAction { attach, detach, update };
    void change_device(const Uuid& uuid, const std::string& xml, DeviceAction action,
                       const Affect& affect);
    void detach_alias(const Uuid& uuid, const std::string& alias, const Affect& affect);

    // Throws VIR_ERR_OPERATION_INVALID if not active. The backend's numbers of this moment.
    [[nodiscard]] backend::Status status(const Uuid& uuid);
    // How long the heartbeat of an app kernel may stand still (10 s unless set); then an event
    // tells, and the action of <watchdog> follows on another thread.
    void set_watchdog_timeout(std::chrono::seconds timeout);
    // Looks at all of them; `now` is what the timeout is measured by.
    void check_heartbeats(std::chrono::steady_clock::time_point now);
    // The same on a worker. Does not wait; to be called about once a second.
    void look_at_heartbeats();
    // As status(); nullopt: its app kernel has said nothing yet.
    [[nodiscard]] std::optional<backend::AppStats> stats(const Uuid& uuid);

    // `force`: end the other viewer; else VIR_ERR_OPERATION_FAILED "Active console session exists
    // for this domain". `device`: empty, "serial0" or "console0", else VIR_ERR_INVALID_ARG.
    [[nodiscard]] std::unique_ptr<ConsoleSession> open_console(const Uuid& uuid,
                                                               const std::string& device,
                                                               bool force);

    // The machine: NUMA nodes, cores, caches; counts CPUs that partitions own as online.
    [[nodiscard]] virNodeInfo node_info() const;
    struct CpuMap {
        CpuSet present;
        CpuSet online;
        unsigned count = 0;  // width of the maps
    };
    [[nodiscard]] CpuMap cpu_map() const;
    [[nodiscard]] std::string capabilities() const;
    // Null arguments: empty. Throws VIR_ERR_INVALID_ARG in libvirt's words for what we are not.
    struct DomainCapabilitiesQuery {
        std::string emulator, arch, machine, virt_type;
    };
    [[nodiscard]] std::string domain_capabilities(const DomainCapabilitiesQuery& query) const;
    // What a new partition could still get, KiB; by node.
    [[nodiscard]] std::uint64_t free_memory_kib() const;
    [[nodiscard]] std::vector<std::uint64_t> cells_free_kib(int first, int count) const;
    // The same in pages: for each node, for each of these sizes. Huge pages are the host's own.
    [[nodiscard]] std::vector<std::uint64_t> free_pages(const std::vector<unsigned>& sizes_kib,
                                                        int first, unsigned count) const;
    // virNodeAllocPages: huge pages of the host, of which partitions use none. How many counts
    // were set. `add`: more of them, else so many.
    struct PageCount {
        unsigned size_kib = 0;
        std::uint64_t count = 0;
    };
    unsigned allocate_pages(const std::vector<PageCount>& wanted, int first, unsigned count,
                            bool add);
    // Of a CPU, all of them for nullopt; nullopt: there is no such CPU. What a partition does
    // on its CPUs is what it has reported.
    [[nodiscard]] std::optional<host::CpuTimes> cpu_times(std::optional<unsigned> cpu) const;
    // Samepage merging; see host/samepage.h.
    [[nodiscard]] std::vector<host::SamepageValue> samepage_values() const;
    void set_samepage_values(const std::vector<host::SamepageValue>& values);
    // <sysinfo type='smbios'>. Throws Error(VIR_ERR_CONFIG_UNSUPPORTED): no SMBIOS.
    [[nodiscard]] std::string sysinfo() const;
    [[nodiscard]] unsigned max_vcpus() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// True if `domain` passes virConnectListAllDomains' `flags` (groups of filters are and-ed, the
// bits of a group or-ed; src/libvirt-domain.c).
[[nodiscard]] bool passes_filter(const DomainView& domain, unsigned flags);

}  // namespace mk::domain
