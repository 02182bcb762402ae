/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sandbox_owner.h"

#include <stdbool.h>
#include <stdio.h>

/* Whether a user of this namespace has that id. */
static bool is_mapped(uid_t uid)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned long first, count;
	bool mapped = false;

	while (file && !mapped && fscanf(file, "%lu %*u %lu", &first, &count) == 2)
		mapped = uid >= first && uid - first < count;
	if (file)
		fclose(file);
	return mapped;
}

uid_t sandbox_owner(uid_t uid, uint64_t function_id)
{
	uid_t own = SANDBOX_OWNER_BASE + (uid_t)(function_id % SANDBOX_OWNER_COUNT);

	if (uid)
		return uid;
	return is_mapped(own) ? own : SANDBOX_NOBODY;
}

gid_t sandbox_owner_group(uid_t uid, gid_t gid, uint64_t function_id)
{
	if (!uid)
		return sandbox_owner(0, function_id);
	return gid ? gid : SANDBOX_NOBODY;
}
