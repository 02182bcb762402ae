/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/metrics_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "engine/metrics.h"

#define FILE_MAX (4 << 20)

void metrics_file_load(struct metrics *metrics, int directory, const char *name)
{
	CLEANUP(close_p) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_deinit) struct buf data = BUF_INIT;
	char *place = fd >= 0 ? buf_reserve(&data, FILE_MAX) : NULL;
	ssize_t n = place ? read(fd, place, FILE_MAX) : -1;

	if (n > 0 && metrics_load(metrics, place, (size_t)n) < 0)
		log_line(LOG_WARNING, "%s cannot be read: those numbers begin anew", name);
}

void metrics_file_save(
        const struct metrics *metrics, int directory, const char *name, uint64_t *saved)
{
	CLEANUP(buf_deinit) struct buf data = BUF_INIT;
	CLEANUP(close_p) int fd = -1;
	char fresh[METRICS_FILE_NAME_SIZE + 8];

	if (*saved == metrics_changes(metrics))
		return;
	metrics_save(metrics, &data);
	if (data.failed)
		return;
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, data.data, data.length) == (ssize_t)data.length &&
	        renameat(directory, fresh, directory, name) == 0)
		*saved = metrics_changes(metrics);
}

void metrics_file_remove(int directory, const char *name)
{
	unlinkat(directory, name, 0);
}
