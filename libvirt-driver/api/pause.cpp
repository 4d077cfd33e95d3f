// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What interrupts an app kernel: suspend and resume, NMIs, keys. A partition has no keyboard,
// but the kernel's own keys, SysRq, reach it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

void domain_suspend(Call& call, const remote_domain_suspend_args& args) {
    call.driver.suspend(find(call, args.dom).uuid);
}

void domain_resume(Call& call, const remote_domain_resume_args& args) {
    call.driver.resume(find(call, args.dom).uuid);
}

void domain_inject_nmi(Call& call, const remote_domain_inject_nmi_args& args) {
    call.driver.inject_nmi(find(call, args.dom).uuid);
}

// The codes of one set, as in libvirt's keymap (src/keycodemapdb). `keys` are in the order of
// `letters`.
struct Codes {
    virKeycodeSet set;
    unsigned left_alt;
    unsigned right_alt;
    std::array<unsigned, 2> sysrq;  // and Print, the same key without Alt
    std::array<unsigned, 37> keys;
};

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789 ";

// Linux took the numbers of these keys from the XT set.
constexpr std::array<unsigned, 37> xt_keys = {30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50,
                                              49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44,
                                              11, 2,  3,  4,  5,  6,  7,  8,  9,  10, 57};

constexpr std::array codes = std::to_array<Codes>({
    {VIR_KEYCODE_SET_LINUX, 56, 100, {99, 210}, xt_keys},
    {VIR_KEYCODE_SET_XT, 56, 0xe038, {0x54, 0xe037}, xt_keys},
    {VIR_KEYCODE_SET_ATSET1, 56, 0xe038, {0x54, 0xe037}, xt_keys},
    {VIR_KEYCODE_SET_XT_KBD, 56, 184, {0x54, 183}, xt_keys},
    {VIR_KEYCODE_SET_QNUM, 56, 184, {0x54, 183}, xt_keys},
    {VIR_KEYCODE_SET_USB, 226, 230, {70, 70}, {4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                               17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
                                               39, 30, 31, 32, 33, 34, 35, 36, 37, 38, 44}},
    {VIR_KEYCODE_SET_WIN32, 164, 165, {44, 44}, {65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77,
                                                 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90,
                                                 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 32}},
});

char sysrq_key(unsigned set, std::span<const unsigned> pressed) {
    const auto table = std::find_if(codes.begin(), codes.end(),
                                    [set](const Codes& one) { return unsigned{one.set} == set; });
    if (table == codes.end())
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    fmt::format("keys of codeset {} are not known here; use 'linux'", set));
    const auto is_sysrq = [&](unsigned key) {
        return std::find(table->sysrq.begin(), table->sysrq.end(), key) != table->sysrq.end();
    };
    if (pressed.size() == 3 && (pressed[0] == table->left_alt || pressed[0] == table->right_alt) &&
        is_sysrq(pressed[1])) {
        const auto key = std::find(table->keys.begin(), table->keys.end(), pressed[2]);
        if (key != table->keys.end())
            return letters[static_cast<std::size_t>(key - table->keys.begin())];
    }
    throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                "an app kernel has no keyboard; only SysRq reaches it: KEY_LEFTALT KEY_SYSRQ and "
                "one letter or digit. Type on its console instead");
}

void domain_send_key(Call& call, const remote_domain_send_key_args& args) {
    const Uuid uuid = find(call, args.dom).uuid;
    const char key =
        sysrq_key(args.codeset, {args.keycodes.keycodes_val, args.keycodes.keycodes_len});
    call.driver.send_sysrq(uuid, key);
}

const Row rows[] = {
    row<domain_suspend>(REMOTE_PROC_DOMAIN_SUSPEND),
    row<domain_resume>(REMOTE_PROC_DOMAIN_RESUME),
    row<domain_inject_nmi>(REMOTE_PROC_DOMAIN_INJECT_NMI),
    row<domain_send_key>(REMOTE_PROC_DOMAIN_SEND_KEY),
};

}  // namespace

std::span<const Row> pause_rows() {
    return rows;
}

}  // namespace mk::api
