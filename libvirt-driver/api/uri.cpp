// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Connection URIs, read with GLib's parser.
#include "api/uri.h"

#include <fmt/format.h>
#include <glib.h>

#include <memory>
#include <string_view>

#include "util/error.h"

namespace mk::api {
namespace {

using Uri = std::unique_ptr<GUri, decltype(&g_uri_unref)>;
using Parameters = std::unique_ptr<GHashTable, decltype(&g_hash_table_unref)>;

Uri parse(const std::string& text) {
    Uri uri(g_uri_parse(text.c_str(), G_URI_FLAGS_NONE, nullptr), g_uri_unref);
    if (!uri)
        throw Error(VIR_ERR_NO_CONNECT, text);
    return uri;
}

std::string_view or_empty(const char* text) {
    return text == nullptr ? std::string_view() : text;
}

void check_parameters(const char* query) {
    if (query == nullptr)
        return;
    const Parameters parameters(g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, nullptr),
                                g_hash_table_unref);
    if (parameters && g_hash_table_contains(parameters.get(), "compat"))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "compat= is not offered: this connection can only be multikernel:///system");
}

}  // namespace

void check_uri(const std::string& text) {
    const Uri uri = parse(text);
    std::string_view scheme = or_empty(g_uri_get_scheme(uri.get()));
    scheme = scheme.substr(0, scheme.find('+'));  // a transport that a proxy left in
    if (scheme != "multikernel" || !or_empty(g_uri_get_host(uri.get())).empty())
        throw Error(VIR_ERR_NO_CONNECT, text);
    const std::string_view path = or_empty(g_uri_get_path(uri.get()));
    if (path == "/session" || path == "/embed")
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("multikernel://{}: partitions belong to the whole machine, "
                                "use multikernel:///system",
                                path));
    if (path != "/system")
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("unexpected URI path '{}', try multikernel:///system", path));
    check_parameters(g_uri_get_query(uri.get()));
}

}  // namespace mk::api
