// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A daemon's start: what the disk says (definitions, live records), what the kernel says
// (partitions) and what the pool says are made one. The kernel is the truth about what runs,
// the disk about what is defined. A running workload is never ended for being unknown.
//
// REQUIRES: nobody else uses the driver yet.
#pragma once

#include "domain/context.h"
#include "domain/lifecycle.h"

namespace mk::domain {

// Damaged files and partitions that cannot be adopted go to the log and are left alone. Throws
// Error if a folder cannot be read.
void reconcile(const Context& context, Lifecycle& lifecycle);

}  // namespace mk::domain
