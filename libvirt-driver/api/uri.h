// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The URI that a client names when it opens its connection: is it one of ours? Not for
// transports and their parameters: libvirt's client library removes those.
#pragma once

#include <string>

namespace mk::api {

// Throws Error: VIR_ERR_NO_CONNECT not ours (another scheme, a host name);
// VIR_ERR_CONFIG_UNSUPPORTED ours, but not offered (/session, /embed, compat=);
// VIR_ERR_INVALID_ARG a path that means nothing. Other parameters are ignored, as in libvirt.
void check_uri(const std::string& uri);

}  // namespace mk::api
