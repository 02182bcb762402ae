/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/engine_state.h"

#define AT_ONCE  128
#define PAUSE_US 1000

static int nothing(void *userdata, const struct store_function_row *row)
{
	return 0;
}

/* What was removed lately stays until the last of its instances has ended. A failure to look says nothing. */
static bool is_wanted(struct engine *engine, uint64_t id)
{
	const struct function_state *state;

	if (functions_look(engine->functions, id, nothing, NULL) != -ENOENT)
		return true;
	list_each(state, &engine->states, link)
		if (state->id == id)
			return true;
	return false;
}

static void look(struct alarm *alarm)
{
	struct sweep *sweep = container_of(alarm, struct sweep, alarm);
	struct engine *engine = sweep->engine;
	struct dirent *entry = NULL;

	for (int i = 0; i < AT_ONCE && (entry = readdir(sweep->directory)); i++) {
		uint64_t id = strtoull(entry->d_name, NULL, 10);

		if (id && !is_wanted(engine, id))
			removal_begin(&engine->removal, "functions", id);
	}
	if (!entry || alarm_set(&engine->host.alarms, &sweep->alarm, PAUSE_US, look) < 0)
		sweep_stop(sweep);
}

void sweep_start(struct sweep *sweep, struct engine *engine)
{
	int fd = openat(engine->state_fd, "functions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	sweep->engine = engine;
	sweep->directory = fd < 0 ? NULL : fdopendir(fd);
	if (sweep->directory) {
		look(&sweep->alarm);
		return;
	}
	log_line(LOG_WARNING, "what removed functions left stays behind");
	close_fd(fd);
}

void sweep_stop(struct sweep *sweep)
{
	if (!sweep->directory)
		return;
	alarm_clear(&sweep->engine->host.alarms, &sweep->alarm);
	closedir(sweep->directory);
	sweep->directory = NULL;
}
