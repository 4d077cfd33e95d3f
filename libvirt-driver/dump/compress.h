// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The compressed formats that crash reads, made of a core file by the program makedumpfile.
//
// Thread-safe: no state.
#pragma once

#include <string>

#include "dump/core.h"

namespace mk::dump {

enum class Compression { zlib, lzo, snappy };

// Throws Error(VIR_ERR_OPERATION_UNSUPPORTED) if the program is not there.
void require_compression();
// Writes `to` of the open core file `from`; overwrites. Throws Error: VIR_ERR_OPERATION_UNSUPPORTED
// as above, and if the program was built without this compression; VIR_ERR_OPERATION_ABORTED;
// VIR_ERR_OPERATION_FAILED with what the program says.
void compress(int from, const std::string& to, Compression how, const Progress& progress);

}  // namespace mk::dump
