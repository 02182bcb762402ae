/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/keep_alive_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/function_state.h"
#include "engine/small_file.h"
#include "engine/target.h"
#include "run/keep_alive.h"

#define FILE_MAX (16 << 10)

static void file_name(char name[SMALL_FILE_NAME_SIZE], uint64_t version)
{
	if (version)
		snprintf(name, SMALL_FILE_NAME_SIZE, "keep-alive-%" PRIu64, version);
	else
		snprintf(name, SMALL_FILE_NAME_SIZE, "keep-alive");
}

void keep_alive_file_load(struct target *target, uint64_t version)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	CLEANUP(free_p) struct keep_alive *loaded = NULL;
	char name[SMALL_FILE_NAME_SIZE];

	file_name(name, version);
	if (small_file_read(target->state->directory, name, FILE_MAX, &text) < 0 || !text.length)
		return;
	loaded = calloc(1, sizeof(*loaded));
	if (!loaded)
		return;
	if (keep_alive_load(loaded, text.data) < 0)
		log_line(LOG_WARNING, "%s cannot be read: that history begins anew", name);
	else
		target->pool.keep_alive = take(loaded);
}

void keep_alive_file_save(struct target *target, uint64_t version)
{
	const struct keep_alive *keep_alive = target->pool.keep_alive;
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	char name[SMALL_FILE_NAME_SIZE];

	if (!keep_alive || target->keep_alive_saved == keep_alive->changes)
		return;
	file_name(name, version);
	keep_alive_save(keep_alive, &text);
	if (small_file_replace(target->state->directory, name, &text) == 0)
		target->keep_alive_saved = keep_alive->changes;
}

void keep_alive_file_remove(const struct target *target, uint64_t version)
{
	char name[SMALL_FILE_NAME_SIZE];

	file_name(name, version);
	unlinkat(target->state->directory, name, 0);
}
