/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that calls libarchive, and only to read: where its bytes go is our own (tree.h). What is
 * damaged or cut short is refused as a whole, so the reader of zip archives is the one that begins with
 * their directory at the end, and a tar archive must have its end. Half a package is none.
 */
#include "fetch/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/entry_name.h"
#include "fetch/tree.h"

enum { BLOCK = 128 * 1024, TAR_END = 512 };

struct unpacking {
	struct archive *archive;
	int fd;
	struct tree tree;
	struct report *report;
};

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
	const char *words = archive ? archive_error_string(archive) : NULL;

	if (fd >= 0 && begins_as_zip(fd))
		return report_refuse(report, -EBADMSG,
		        "the zip archive is damaged or cut short: its directory is missing");
	if (archive && archive_errno(archive) == ENOMEM)
		return report_refuse(report, -ENOMEM, "the archive needs too much memory");
	return report_refuse(report, -EBADMSG, "the archive is damaged, or none: %s",
	        words ? words : "it cannot be read");
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

static struct timespec mtime_of(struct archive_entry *entry)
{
	if (!archive_entry_mtime_is_set(entry))
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return (struct timespec){
	        .tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)};
}

static int take_block(struct unpacking *unpacking, int fd, const void *data, size_t length,
        int64_t at, int64_t *end)
{
	int error = 0;

	/* Holes count too: whoever stores the file later reads them. */
	if (at < *end || at > INT64_MAX - (int64_t)length)
		return report_refuse(unpacking->report, -EBADMSG, "the archive is damaged");
	error = tree_take_bytes(&unpacking->tree, at + (int64_t)length - *end);
	if (!error)
		error = tree_write(&unpacking->tree, fd, data, length, at);
	*end = at + (int64_t)length;
	return error;
}

static int take_data(struct unpacking *unpacking, int fd, int64_t *end)
{
	const void *data;
	size_t length;
	la_int64_t at;
	int error = 0, answer;

	while (!error && (answer = archive_read_data_block(
	                          unpacking->archive, &data, &length, &at)) != ARCHIVE_EOF) {
		if (answer != ARCHIVE_OK)
			return refuse_archive(unpacking->report, unpacking->archive, -1);
		error = take_block(unpacking, fd, data, length, at, end);
	}
	return error;
}

static int take_file(struct unpacking *unpacking, struct archive_entry *entry, const char *name)
{
	CLEANUP(close_p) int fd = -1;
	int64_t end = 0, size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	int error = tree_file(&unpacking->tree, name, archive_entry_perm(entry) & 0111, &fd);

	/* What it says of itself may be a lie; that it is too much is believed. */
	if (!error && size > unpacking->tree.bounds->bytes)
		error = tree_take_bytes(&unpacking->tree, size);
	if (!error)
		error = take_data(unpacking, fd, &end);
	if (!error && size > end) {
		error = tree_take_bytes(&unpacking->tree, size - end); /* a hole at the end */
		end = size;
	}
	if (!error)
		error = tree_file_end(&unpacking->tree, fd, end, mtime_of(entry));
	return error;
}

static int take_symlink(struct unpacking *unpacking, struct archive_entry *entry, const char *name)
{
	const char *target = archive_entry_symlink(entry);

	if (!target)
		return report_refuse(
		        unpacking->report, -EILSEQ, "%s is a link to a name in no script", name);
	return tree_symlink(&unpacking->tree, name, target);
}

static int take_kind(struct unpacking *unpacking, struct archive_entry *entry, const char *name)
{
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return take_file(unpacking, entry, name);
	case AE_IFDIR:
		return tree_directory(&unpacking->tree, name, mtime_of(entry));
	case AE_IFLNK:
		return take_symlink(unpacking, entry, name);
	case AE_IFCHR:
	case AE_IFBLK:
		return report_refuse(
		        unpacking->report, -EPERM, "%s is a device; a package has none", name);
	default:
		return report_refuse(unpacking->report, -EPERM,
		        "%s is no file, directory or link; a package has nothing else", name);
	}
}

static int clean_name(struct unpacking *unpacking, char out[PATH_MAX], const char *name)
{
	enum entry_name_fault fault = entry_name_clean(out, name, unpacking->tree.bounds->depth);

	if (fault == NAME_FINE)
		return 0;
	return report_refuse(unpacking->report, fault == NAME_LONG ? -ENAMETOOLONG : -EPERM,
	        "a name in the archive %s: %.200s", entry_name_fault_text(fault), name);
}

static int take_hard_link(struct unpacking *unpacking, const char *name, const char *target)
{
	char clean[PATH_MAX];
	int error = clean_name(unpacking, clean, target);

	return error ? error : tree_hard_link(&unpacking->tree, name, clean);
}

static int take_entry(struct unpacking *unpacking, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	char clean[PATH_MAX];
	int error;

	if (!name)
		return report_refuse(
		        unpacking->report, -EILSEQ, "a name in the archive is in no script");
	error = clean_name(unpacking, clean, name);
	if (error)
		return error;
	if (archive_entry_is_encrypted(entry))
		return report_refuse(
		        unpacking->report, -ENOKEY, "%.200s is encrypted in the archive", name);
	if (!*clean && (link || archive_entry_filetype(entry) != AE_IFDIR))
		return report_refuse(
		        unpacking->report, -EPERM, "the archive wants to replace its own place");
	return link ? take_hard_link(unpacking, clean, link) : take_kind(unpacking, entry, clean);
}

/* Where its last header would begin there must be something still: the zeros that say it is the end. */
static bool is_whole(struct archive *archive)
{
	return (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_TAR ||
	       archive_filter_bytes(archive, 0) - archive_read_header_position(archive) >= TAR_END;
}

static int take_entries(struct unpacking *unpacking)
{
	struct archive *archive = unpacking->archive;
	struct archive_entry *entry;
	int answer, error = 0;

	while (!error && (answer = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (answer != ARCHIVE_OK && answer != ARCHIVE_WARN)
			return refuse_archive(unpacking->report, archive,
			        unpacking->tree.files ? -1 : unpacking->fd);
		error = take_entry(unpacking, entry);
	}
	if (!error && !is_whole(archive))
		error = report_refuse(unpacking->report, -EBADMSG, "the tar archive is cut short");
	if (!error && !unpacking->tree.files)
		error = report_refuse(
		        unpacking->report, -EBADMSG, "there is nothing in the archive");
	return error ? error : tree_finish(&unpacking->tree);
}

int unpack(int archive, int directory, const struct bounds *bounds, struct report *report,
        struct unpacked *out)
{
	struct unpacking unpacking = {.fd = archive, .report = report};
	struct stat st;
	int error;

	if (fstat(archive, &st) < 0)
		return report_refuse(report, -errno, "the archive cannot be read");
	error = open_archive(&unpacking.archive, archive, report);
	if (error)
		return error;
	tree_init(&unpacking.tree, directory, bounds, st.st_size, report);
	error = take_entries(&unpacking);
	*out = (struct unpacked){unpacking.tree.files, unpacking.tree.bytes};
	if (!error)
		report_unpacking(report, out->files, out->bytes, true);
	tree_deinit(&unpacking.tree);
	archive_read_free(unpacking.archive);
	return error;
}
