/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second pass. libarchive puts the files on disk: it keeps what is read-only writable until
 * its time has come, and goes through no symbolic link that came with the tree.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bundle_private.h"
#include "command.h"

#define DISK_FLAGS \
	(ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SPARSE | \
	        ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | \
	        ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS)

struct unpacking {
	const struct bundle_unpacking *asked;
	struct bundle *bundle;
	struct archive *archive;
	struct archive *disk;
	const struct bundle_part *part; /* whose tree it is */
	int directory;                  /* where to; -1: it is passed over */
	mode_t mode;                    /* of the root, once all is in it */
	struct timespec times[2];
};

static int complain_disk(const struct unpacking *unpacking, const char *path)
{
	return complain(
	        COMMAND_UNABLE, "unpacking %s: %s", path, archive_error_string(unpacking->disk));
}

static int begin_tree(
        struct unpacking *unpacking, const struct bundle_place *place, struct archive_entry *head)
{
	const struct timespec modified = {
	        .tv_sec = archive_entry_mtime(head), .tv_nsec = archive_entry_mtime_nsec(head)};

	unpacking->part = bundle_part(unpacking->bundle, place->name);
	unpacking->directory =
	        unpacking->asked->prepare(unpacking->asked->userdata, unpacking->part);
	if (unpacking->directory < -1)
		return COMMAND_UNABLE; /* said */
	if (unpacking->directory < 0)
		return 0;
	unpacking->mode = archive_entry_mode(head) & 07777;
	unpacking->times[0] = unpacking->times[1] = modified;
	unpacking->disk = archive_write_disk_new();
	if (!unpacking->disk)
		return complain(COMMAND_UNABLE, "out of memory");
	archive_write_disk_set_options(unpacking->disk, DISK_FLAGS);
	return fchdir(unpacking->directory) < 0
	               ? complain(COMMAND_UNABLE, "unpacking: %s", strerror(errno))
	               : 0;
}

static int end_tree(struct unpacking *unpacking)
{
	struct archive *disk = unpacking->disk;
	int status = 0;

	if (!disk)
		return 0;
	if (archive_write_close(disk) != ARCHIVE_OK)
		status = complain_disk(unpacking, "the tree");
	archive_write_free(disk);
	unpacking->disk = NULL;
	if (!status && (fchmod(unpacking->directory, unpacking->mode) < 0 ||
	                       futimens(unpacking->directory, unpacking->times) < 0))
		status = complain(COMMAND_UNABLE, "unpacking: %s", strerror(errno));
	return status ? status
	              : unpacking->asked->unpacked(unpacking->asked->userdata, unpacking->part);
}

static int copy_content(struct unpacking *unpacking, const char *path)
{
	const void *piece;
	size_t length;
	la_int64_t offset;
	int answer;

	while ((answer = archive_read_data_block(unpacking->archive, &piece, &length, &offset)) ==
	        ARCHIVE_OK) {
		if (!unpacking->asked->go_on())
			return COMMAND_UNABLE;
		if (archive_write_data_block(unpacking->disk, piece, length, offset) < ARCHIVE_OK)
			return complain_disk(unpacking, path);
	}
	if (answer != ARCHIVE_EOF)
		return complain(COMMAND_UNABLE, "unpacking %s: %s", path,
		        archive_error_string(unpacking->archive));
	return archive_write_finish_entry(unpacking->disk) == ARCHIVE_OK
	               ? 0
	               : complain_disk(unpacking, path);
}

/* The entry is made one of the tree alone, and of whoever unpacks it. */
static int unpack_entry(
        struct unpacking *unpacking, struct archive_entry *head, const struct bundle_place *place)
{
	CLEANUP(free_p) char *path = strdup(place->rest);
	size_t prefix = strlen(archive_entry_pathname(head)) - strlen(place->rest);
	const char *same = archive_entry_hardlink(head);
	CLEANUP(free_p) char *first = same ? strdup(same + prefix) : NULL;

	if (!path || (same && !first))
		return complain(COMMAND_UNABLE, "out of memory");
	archive_entry_set_pathname(head, path);
	if (same)
		archive_entry_set_hardlink(head, first);
	archive_entry_set_uid(head, geteuid());
	archive_entry_set_gid(head, getegid());
	if (archive_write_header(unpacking->disk, head) != ARCHIVE_OK)
		return complain_disk(unpacking, path);
	return copy_content(unpacking, path);
}

static int take_entry(struct unpacking *unpacking, struct archive_entry *head)
{
	const char *path = archive_entry_pathname(head);
	size_t length = strlen(path);
	CLEANUP(free_p)
	char *plain = strndup(path, length && path[length - 1] == '/' ? length - 1 : length);
	struct bundle_place place;
	int status = 0;

	if (!plain)
		return complain(COMMAND_UNABLE, "out of memory");
	archive_entry_set_pathname(head, plain);
	bundle_place(plain, &place);
	if (!unpacking->asked->go_on())
		return COMMAND_UNABLE;
	if (place.kind != PLACE_CODE || !*place.rest)
		status = end_tree(unpacking);
	if (status || place.kind != PLACE_CODE)
		return status;
	if (!*place.rest)
		return begin_tree(unpacking, &place, head);
	return unpacking->disk ? unpack_entry(unpacking, head, &place) : 0;
}

int bundle_unpack(const struct bundle *bundle, const struct bundle_unpacking *asked)
{
	struct unpacking unpacking = {
	        .asked = asked, .bundle = (struct bundle *)bundle, .directory = -1};
	mode_t mask = umask(0);
	struct archive_entry *head;
	int status = 0, answer = ARCHIVE_EOF;

	unpacking.archive = bundle_open(bundle->fd);
	while (unpacking.archive && !status &&
	        (answer = archive_read_next_header(unpacking.archive, &head)) == ARCHIVE_OK)
		status = take_entry(&unpacking, head);
	if (!status && (!unpacking.archive || answer != ARCHIVE_EOF))
		status = COMMAND_UNABLE;
	if (unpacking.disk)
		archive_write_free(unpacking.disk);
	if (unpacking.archive)
		archive_read_free(unpacking.archive);
	umask(mask);
	return status;
}
