/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

int small_file_read(int directory, const char *name, size_t most, struct buf *out)
{
	CLEANUP(close_p) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	char *place = fd >= 0 ? buf_reserve(out, most) : NULL;
	ssize_t n;

	if (!place)
		return fd < 0 ? -errno : -ENOMEM;
	n = read(fd, place, most);
	if (n < 0)
		return -errno;
	buf_added(out, (size_t)n);
	return 0;
}

int small_file_replace(int directory, const char *name, const struct buf *data)
{
	CLEANUP(close_p) int fd = -1;
	char fresh[SMALL_FILE_NAME_SIZE + 8];
	ssize_t n;

	if (data->failed)
		return -ENOMEM;
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	n = fd < 0 ? -1 : write(fd, data->data, data->length);
	if (n >= 0 && n != (ssize_t)data->length)
		return -ENOSPC;
	return n < 0 || renameat(directory, fresh, directory, name) < 0 ? -errno : 0;
}
