/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who on the host instances of a function are: its owner, or for root's functions a user of the function's own,
 * from SANDBOX_OWNER_BASE on; where that is not mapped (inside a container), nobody. Never root.
 */
#include <stdint.h>
#include <sys/types.h>

#define SANDBOX_OWNER_BASE  1900000000u
#define SANDBOX_OWNER_COUNT 100000000u
#define SANDBOX_NOBODY      65534

uid_t sandbox_owner(uid_t uid, uint64_t function_id);
gid_t sandbox_owner_group(uid_t uid, gid_t gid, uint64_t function_id);
