/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int disk_create(const struct blob_disk *disk, int directory, const char *name)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static int disk_write(
        const struct blob_disk *disk, int fd, const void *data, size_t length, uint64_t place)
{
	const char *bytes = data;
	ssize_t done;

	while (length) {
		done = pwrite(fd, bytes, length, (off_t)place);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		place += (uint64_t)done;
		length -= (size_t)done;
	}
	return 0;
}

static int disk_sync(const struct blob_disk *disk, int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

static int disk_rename(
        const struct blob_disk *disk, int directory, const char *from, const char *to)
{
	return renameat(directory, from, directory, to) < 0 ? -errno : 0;
}

static int disk_remove(const struct blob_disk *disk, int directory, const char *name)
{
	return unlinkat(directory, name, 0) < 0 ? -errno : 0;
}

const struct blob_disk blob_disk_system = {
        .create = disk_create,
        .write = disk_write,
        .sync = disk_sync,
        .rename = disk_rename,
        .remove = disk_remove,
        .sync_directory = disk_sync,
};

int blob_disk_read(int fd, void *data, size_t length, uint64_t place)
{
	char *bytes = data;
	ssize_t done;

	while (length) {
		done = pread(fd, bytes, length, (off_t)place);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EBADMSG;
		bytes += done;
		place += (uint64_t)done;
		length -= (size_t)done;
	}
	return 0;
}
