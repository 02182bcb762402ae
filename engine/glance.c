/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/glance.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/code_change.h"
#include "engine/engine_state.h"
#include "engine/gathering.h"
#include "engine/metrics.h"
#include "engine/metrics_file.h"
#include "engine/verdict.h"
#include "store/worktree.h"

static int open_directory(const struct engine *engine, const struct function *function)
{
	char name[32];

	snprintf(name, sizeof(name), "%" PRIu64, function->id);
	return openat(engine->functions_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_empty(struct engine *engine, const struct function *function, int directory)
{
	return worktree_empty_at(directory, "code") &&
	       !gathering_wanted(engine, &function->settings) &&
	       !image_is_named(&function->settings);
}

const char *glance_state(struct engine *engine, const struct function *function, struct buf *error)
{
	CLEANUP(close_p) int directory = open_directory(engine, function);

	if (directory < 0 || code_change_is_left(directory))
		return NULL;
	if (is_empty(engine, function, directory))
		return function->settings.config.max_instances ? "empty" : "disabled";
	if (!verdict_load(directory, error))
		return NULL;
	if (!function->settings.config.max_instances)
		return "disabled";
	return error->length ? "broken" : "ready";
}

struct metrics *glance_metrics(struct engine *engine, const struct function *function)
{
	struct glance *glance = &engine->glance;
	CLEANUP(close_p) int directory = -1;

	if (glance->function == function->id)
		return glance->metrics;
	glance_deinit(glance);
	glance->metrics = metrics_new(engine->clock);
	if (!glance->metrics)
		return NULL;
	glance->function = function->id;
	directory = open_directory(engine, function);
	if (directory >= 0)
		metrics_file_load(glance->metrics, directory, FUNCTION_METRICS_FILE);
	return glance->metrics;
}

void glance_forget(struct glance *glance, uint64_t function)
{
	if (glance->function == function)
		glance_deinit(glance);
}

void glance_deinit(struct glance *glance)
{
	metrics_free(glance->metrics);
	*glance = (struct glance){};
}
