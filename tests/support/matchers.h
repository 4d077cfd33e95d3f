// SPDX-License-Identifier: LGPL-2.1-or-later
//
// throws_error(code, text): a callable throws mk::Error with that code and a message that has
// `text` in it.
#pragma once

#include <gmock/gmock.h>

#include <string>

#include "util/error.h"

namespace mk::test {

MATCHER_P2(throws_error, code, text, "") {
    try {
        arg();
    } catch (const Error& error) {
        *result_listener << "it threw code " << error.code() << " \"" << error.what() << "\"";
        return error.code() == code && std::string(error.what()).find(text) != std::string::npos;
    }
    *result_listener << "it threw nothing";
    return false;
}

}  // namespace mk::test
