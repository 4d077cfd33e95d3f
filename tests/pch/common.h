// SPDX-License-Identifier: LGPL-2.1-or-later
//
// As in libvirt-driver/pch, for the tests.
#include "../../libvirt-driver/pch/common.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
