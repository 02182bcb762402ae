/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/metrics_file.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/metrics.h"
#include "engine/small_file.h"

#define FILE_MAX (4 << 20)

void metrics_file_load(struct metrics *metrics, int directory, const char *name)
{
	CLEANUP(buf_deinit) struct buf data = BUF_INIT;

	if (small_file_read(directory, name, FILE_MAX, &data) == 0 && data.length &&
	        metrics_load(metrics, data.data, data.length) < 0)
		log_line(LOG_WARNING, "%s cannot be read: those numbers begin anew", name);
}

void metrics_file_save(
        const struct metrics *metrics, int directory, const char *name, uint64_t *saved)
{
	CLEANUP(buf_deinit) struct buf data = BUF_INIT;

	if (*saved == metrics_changes(metrics))
		return;
	metrics_save(metrics, &data);
	if (small_file_replace(directory, name, &data) == 0)
		*saved = metrics_changes(metrics);
}

void metrics_file_remove(int directory, const char *name)
{
	unlinkat(directory, name, 0);
}
