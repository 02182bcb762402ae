/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive is called here, in unpack_entry.c and in image_*.c, and only to read: where its bytes go is our own (tree.h). What is
 * damaged or cut short is refused as a whole, so the reader of zip archives is the one that begins with
 * their directory at the end, and a tar archive must have its end. Half a package is none.
 */
#include "fetch/unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/unpack_entry.h"

enum { BLOCK = 128 * 1024 };

static void archive_free_p(struct archive **archive)
{
	if (*archive)
		archive_read_free(*archive);
}

static bool begins_as_zip(int fd)
{
	char head[4];

	return pread(fd, head, 4, 0) == 4 && memcmp(head, "PK\3\4", 4) == 0;
}

static int refuse_archive(struct report *report, struct archive *archive, int fd)
{
	if (fd >= 0 && begins_as_zip(fd))
		return report_refuse(report, -EBADMSG,
		        "the zip archive is damaged or cut short: its directory is missing");
	return unpack_refuse(report, archive);
}

static int open_archive(struct archive **out, int fd, struct report *report)
{
	CLEANUP(archive_free_p) struct archive *archive = archive_read_new();

	if (!archive || archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
	        archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	        archive_read_support_format_zip_seekable(archive) != ARCHIVE_OK)
		return report_refuse(report, -ENOSYS, "libarchive lacks what is needed");
	if (lseek(fd, 0, SEEK_SET) < 0 || archive_read_open_fd(archive, fd, BLOCK) != ARCHIVE_OK)
		return refuse_archive(report, archive, fd);
	*out = take(archive);
	return 0;
}

static int take_entries(struct unpacking *unpacking, int fd)
{
	struct archive *archive = unpacking->archive;
	struct archive_entry *entry;
	int answer, error = 0;

	while (!error && (answer = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (answer != ARCHIVE_OK && answer != ARCHIVE_WARN)
			return refuse_archive(
			        unpacking->report, archive, unpacking->tree.files ? -1 : fd);
		error = unpack_entry(unpacking, entry);
	}
	if (!error && !unpack_is_whole(archive))
		error = report_refuse(unpacking->report, -EBADMSG, "the tar archive is cut short");
	if (!error && !unpacking->tree.files)
		error = report_refuse(
		        unpacking->report, -EBADMSG, "there is nothing in the archive");
	return error ? error : tree_finish(&unpacking->tree);
}

int unpack(int archive, int directory, const struct bounds *bounds, struct report *report,
        struct unpacked *out)
{
	struct unpacking unpacking = {.report = report};
	struct stat st;
	int error;

	if (fstat(archive, &st) < 0)
		return report_refuse(report, -errno, "the archive cannot be read");
	error = open_archive(&unpacking.archive, archive, report);
	if (error)
		return error;
	tree_init(&unpacking.tree, directory, bounds, st.st_size, report);
	error = take_entries(&unpacking, archive);
	*out = (struct unpacked){unpacking.tree.files, unpacking.tree.bytes};
	if (!error)
		report_unpacking(report, out->files, out->bytes, true);
	tree_deinit(&unpacking.tree);
	archive_read_free(unpacking.archive);
	return error;
}
