/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/unpack_entry.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fetch/entry_name.h"

enum { TAR_END = 512 };

int unpack_refuse(struct report *report, struct archive *archive)
{
	const char *words = archive ? archive_error_string(archive) : NULL;

	if (archive && archive_errno(archive) == ENOMEM)
		return report_refuse(report, -ENOMEM, "the archive needs too much memory");
	return report_refuse(report, -EBADMSG, "the archive is damaged, or none: %s",
	        words ? words : "it cannot be read");
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
			return unpack_refuse(unpacking->report, unpacking->archive);
		error = take_block(unpacking, fd, data, length, at, end);
	}
	return error;
}

/* Of an image its owner may read and write everything; set-user-id is nobody's. */
static mode_t mode_of(const struct unpacking *unpacking, struct archive_entry *entry)
{
	mode_t mode = archive_entry_perm(entry);

	if (unpacking->tree.is_root)
		return (mode & 0777) | 0600;
	return mode & 0111 ? 0755 : 0644;
}

static int take_file(struct unpacking *unpacking, struct archive_entry *entry, const char *name)
{
	CLEANUP(close_p) int fd = -1;
	int64_t end = 0, size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	int error = tree_file(&unpacking->tree, name, mode_of(unpacking, entry), &fd);

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
		if (unpacking->tree.is_root)
			return 0; /* /dev is the sandbox's own */
		return report_refuse(
		        unpacking->report, -EPERM, "%s is a device; a package has none", name);
	default:
		if (unpacking->tree.is_root)
			return 0;
		return report_refuse(unpacking->report, -EPERM,
		        "%s is no file, directory or link; a package has nothing else", name);
	}
}

int unpack_clean_name(struct unpacking *unpacking, char out[PATH_MAX], const char *name)
{
	enum entry_name_fault fault;

	/* Layers are unpacked at `/` by definition. */
	while (unpacking->tree.is_root && *name == '/')
		name++;
	*out = 0;
	fault = *name || !unpacking->tree.is_root
	                ? entry_name_clean(out, name, unpacking->tree.bounds->depth)
	                : NAME_FINE;
	if (fault == NAME_FINE)
		return 0;
	return report_refuse(unpacking->report, fault == NAME_LONG ? -ENAMETOOLONG : -EPERM,
	        "a name in the archive %s: %.200s", entry_name_fault_text(fault), name);
}

static int take_hard_link(struct unpacking *unpacking, const char *name, const char *target)
{
	char clean[PATH_MAX];
	int error = unpack_clean_name(unpacking, clean, target);

	return error ? error : tree_hard_link(&unpacking->tree, name, clean);
}

int unpack_entry(struct unpacking *unpacking, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	char clean[PATH_MAX];
	int error;

	if (!name)
		return report_refuse(
		        unpacking->report, -EILSEQ, "a name in the archive is in no script");
	error = unpack_clean_name(unpacking, clean, name);
	if (error)
		return error;
	if (archive_entry_is_encrypted(entry))
		return report_refuse(
		        unpacking->report, -ENOKEY, "%.200s is encrypted in the archive", name);
	if (!*clean && unpacking->tree.is_root)
		return 0;
	if (!*clean && (link || archive_entry_filetype(entry) != AE_IFDIR))
		return report_refuse(
		        unpacking->report, -EPERM, "the archive wants to replace its own place");
	return link ? take_hard_link(unpacking, clean, link) : take_kind(unpacking, entry, clean);
}

/* Where its last header would begin there must be something still: the zeros that say it is the end. */
bool unpack_is_whole(struct archive *archive)
{
	return (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_TAR ||
	       archive_filter_bytes(archive, 0) - archive_read_header_position(archive) >= TAR_END;
}
