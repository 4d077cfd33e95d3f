// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the parts of the driver share. A list of references and nothing else: driver_impl.h owns
// the things, in the order in which they may be destroyed.
#pragma once

#include <string>

#include "backend/backend.h"
#include "domain/domain_list.h"
#include "domain/driver.h"
#include "domain/event.h"
#include "domain/loop.h"
#include "domain/store.h"
#include "domain/workers.h"
#include "host/pool.h"
#include "image/initramfs.h"
#include "util/audit.h"

namespace mk::domain {

struct Context {
    const Paths& paths;
    const image::Places& places;
    backend::Backend& backend;
    host::Pool& pool;
    Store& store;
    EventQueue& events;
    DomainList& domains;
    Loop& loop;
    Workers& workers;
    Workers& idle_workers;  // for what nobody waits for
    Audit& audit;
};

}  // namespace mk::domain
