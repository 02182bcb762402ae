/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { CHUNK = 256 * 1024 };

/* Where the file system makes no files without a name, one loses it at once. */
static int open_unnamed(int directory)
{
	static const char name[] = ".fnfs-fetch";
	int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	fd = openat(directory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	unlinkat(directory, name, 0);
	return fd;
}

static int start_hash(struct spool *spool)
{
	spool->hash = sha256_new();
	if (!spool->hash)
		return report_refuse(spool->report, -ENOMEM, "out of memory");
	sha256_begin(spool->hash);
	return 0;
}

int spool_open(
        struct spool *spool, int directory, const struct bounds *bounds, struct report *report)
{
	*spool = (struct spool){.fd = -1, .bounds = bounds, .report = report};
	spool->fd = open_unnamed(directory);
	if (spool->fd < 0)
		return report_refuse(report, spool->fd, "making a file for the archive: %s",
		        strerror(-spool->fd));
	return start_hash(spool);
}

void spool_close(struct spool *spool)
{
	spool->fd = close_fd(spool->fd);
	spool->hash = sha256_free(spool->hash);
}

static int check_size(struct spool *spool, int64_t bytes)
{
	if (bytes <= spool->bounds->archive_bytes)
		return 0;
	return report_refuse(spool->report, -EFBIG,
	        "the archive is larger than the %" PRId64 " bytes that are allowed",
	        spool->bounds->archive_bytes);
}

static int write_all(struct spool *spool, const char *data, size_t length)
{
	ssize_t n;

	for (; length; data += n, length -= (size_t)n) {
		n = write(spool->fd, data, length);
		if (n < 0)
			return report_refuse(
			        spool->report, -errno, "storing the archive: %s", strerror(errno));
	}
	return 0;
}

int spool_write(struct spool *spool, const void *data, size_t length)
{
	int error = check_size(spool, spool->bytes + (int64_t)length);

	if (!error)
		error = write_all(spool, data, length);
	if (error) {
		spool->error = error;
		return error;
	}
	sha256_add(spool->hash, data, length);
	spool->bytes += (int64_t)length;
	return 0;
}

static int64_t size_of(int file)
{
	struct stat st;

	return fstat(file, &st) < 0 ? 0 : st.st_size;
}

int spool_copy(struct spool *spool, int file)
{
	CLEANUP(free_p) char *chunk = malloc(CHUNK);
	int64_t total = size_of(file);
	ssize_t n = 0;
	int error = chunk ? check_size(spool, total) : -ENOMEM;

	while (!error && (n = read(file, chunk, CHUNK)) > 0) {
		error = spool_write(spool, chunk, (size_t)n);
		report_progress(spool->report, spool->bytes, total, 0, false);
	}
	if (!error && n < 0)
		error = report_refuse(
		        spool->report, -errno, "reading the archive: %s", strerror(errno));
	if (!error)
		report_progress(spool->report, spool->bytes, spool->bytes, 0, true);
	return error;
}

static int hash_file(struct spool *spool, int64_t size)
{
	CLEANUP(free_p) char *chunk = malloc(CHUNK);
	ssize_t n;

	if (!chunk)
		return report_refuse(spool->report, -ENOMEM, "out of memory");
	while (spool->bytes < size && (n = pread(spool->fd, chunk, CHUNK, spool->bytes)) > 0) {
		sha256_add(spool->hash, chunk, (size_t)n);
		spool->bytes += n;
		report_progress(spool->report, spool->bytes, size, 0, false);
	}
	if (spool->bytes < size)
		return report_refuse(spool->report, -EIO, "the archive cannot be read");
	report_progress(spool->report, size, size, 0, true);
	return 0;
}

int spool_adopt(struct spool *spool, int file, const struct bounds *bounds, struct report *report)
{
	struct stat st;
	int error;

	*spool = (struct spool){.fd = -1, .bounds = bounds, .report = report};
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return report_refuse(report, -EINVAL, "the archive is no regular file");
	spool->fd = fcntl(file, F_DUPFD_CLOEXEC, 3);
	if (spool->fd < 0)
		return report_refuse(report, -errno, "the archive cannot be read");
	error = check_size(spool, st.st_size);
	if (!error)
		error = start_hash(spool);
	return error ? error : hash_file(spool, st.st_size);
}

int spool_judge(struct spool *spool, const char *wanted, char sha256[SHA256_TEXT])
{
	unsigned char bytes[SHA256_SIZE];

	sha256_end(spool->hash, bytes);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		snprintf(sha256 + 2 * (size_t)i, 3, "%02x", bytes[i]);
	if (*wanted && strcmp(wanted, sha256) != 0)
		return report_refuse(spool->report, -EBADMSG, "the archive's sha256 is %s, not %s",
		        sha256, wanted);
	return 0;
}
