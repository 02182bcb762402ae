/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing; everything that is written goes into the fingerprint, too, which stands in the last
 * entry.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bundle.h"
#include "bundle_private.h"
#include "command.h"

struct bundle_writer {
	struct archive *archive;
	struct archive_entry *entry;
	struct tree_fingerprint *fingerprint;
	const char *prefix; /* of the tree that is written */
};

static int complain_archive(struct bundle_writer *writer)
{
	return complain(
	        COMMAND_UNABLE, "writing the archive: %s", archive_error_string(writer->archive));
}

static int open_archive(struct bundle_writer *writer, int fd)
{
	/* Not padded: it is no tape. */
	if (archive_write_set_format_pax(writer->archive) != ARCHIVE_OK ||
	        archive_write_add_filter_zstd(writer->archive) != ARCHIVE_OK ||
	        archive_write_set_bytes_in_last_block(writer->archive, 1) != ARCHIVE_OK ||
	        archive_write_open_fd(writer->archive, fd) != ARCHIVE_OK)
		return complain_archive(writer);
	return 0;
}

int bundle_writer_new(struct bundle_writer **out, int fd, const char *name)
{
	struct bundle_writer *writer = calloc(1, sizeof(*writer));
	CLEANUP(free_p) char *head = NULL;
	int status;

	if (writer) {
		writer->archive = archive_write_new();
		writer->entry = archive_entry_new();
		writer->fingerprint = tree_fingerprint_new();
	}
	*out = writer;
	if (!writer || !writer->archive || !writer->entry || !writer->fingerprint ||
	        asprintf(&head, BUNDLE_FORMAT "name %s\n", name) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	status = open_archive(writer, fd);
	return status ? status : bundle_write_text(writer, BUNDLE_HEAD, head);
}

struct bundle_writer *bundle_writer_free(struct bundle_writer *writer)
{
	if (!writer)
		return NULL;
	archive_entry_free(writer->entry);
	if (writer->archive)
		archive_write_free(writer->archive);
	tree_fingerprint_free(writer->fingerprint);
	free(writer);
	return NULL;
}

static int write_head(struct bundle_writer *writer, const struct tree_entry *entry)
{
	struct archive_entry *head = archive_entry_clear(writer->entry);

	tree_fingerprint_entry(writer->fingerprint, entry);
	archive_entry_set_pathname(head, entry->path);
	archive_entry_set_mode(head, entry->same ? S_IFREG | 0644 : entry->mode);
	archive_entry_set_mtime(head, entry->modified.tv_sec, entry->modified.tv_nsec);
	archive_entry_set_size(head, (int64_t)entry->size);
	if (entry->target)
		archive_entry_set_symlink(head, entry->target);
	if (entry->same)
		archive_entry_set_hardlink(head, entry->same);
	/* It warns of a name that is no UTF-8, and writes it as it is. */
	return archive_write_header(writer->archive, head) < ARCHIVE_WARN ? complain_archive(writer)
	                                                                  : 0;
}

static int write_data(struct bundle_writer *writer, const void *data, size_t length)
{
	tree_fingerprint_content(writer->fingerprint, data, length);
	if (length && archive_write_data(writer->archive, data, length) != (la_ssize_t)length)
		return complain_archive(writer);
	return 0;
}

static int write_small(
        struct bundle_writer *writer, const char *path, const char *text, mode_t mode)
{
	const struct tree_entry entry = {
	        .path = path, .mode = S_IFREG | mode, .size = strlen(text)};
	int status = write_head(writer, &entry);

	return status ? status : write_data(writer, text, strlen(text));
}

int bundle_write_text(struct bundle_writer *writer, const char *path, const char *text)
{
	return write_small(writer, path, text, 0644);
}

int bundle_write_secret(struct bundle_writer *writer, const char *path, const char *text)
{
	return write_small(writer, path, text, 0600);
}

int bundle_write_link(struct bundle_writer *writer, const char *path, const char *target)
{
	const struct tree_entry entry = {.path = path, .mode = S_IFLNK | 0777, .target = target};

	return write_head(writer, &entry);
}

/* --- trees ------------------------------------------------------------------------------------ */

/* A file that grows or shrinks meanwhile is not what was announced. */
static int copy_content(struct bundle_writer *writer, const struct tree_entry *entry, int fd)
{
	static char piece[1 << 16];
	uint64_t left = entry->size;
	int status = 0;

	while (!status && left) {
		ssize_t got = read(fd, piece, left < sizeof(piece) ? (size_t)left : sizeof(piece));

		if (got < 0)
			return -errno;
		if (got == 0)
			return -ESTALE;
		status = write_data(writer, piece, (size_t)got);
		left -= (uint64_t)got;
	}
	return status ? status : read(fd, piece, 1) == 1 ? -ESTALE : 0;
}

static int write_entry(void *userdata, const struct tree_entry *entry, int fd)
{
	struct bundle_writer *writer = userdata;
	const char *slash = *entry->path ? "/" : "";
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *same = NULL;
	struct tree_entry placed = *entry;
	int status;

	if (asprintf(&path, "%s%s%s", writer->prefix, slash, entry->path) < 0 ||
	        (entry->same && asprintf(&same, "%s/%s", writer->prefix, entry->same) < 0))
		return -ENOMEM;
	placed.path = path;
	placed.same = same;
	status = write_head(writer, &placed);
	return status || fd < 0 ? status : copy_content(writer, entry, fd);
}

int bundle_write_tree(struct bundle_writer *writer, const char *path, int directory)
{
	CLEANUP(buf_deinit) struct buf where = BUF_INIT;
	int status;

	writer->prefix = path;
	status = tree_walk(directory, write_entry, writer, &where);
	if (status == -ESTALE || status == -ENOENT)
		return complain(COMMAND_FAILED,
		        "%s/%s was changed while it was read: do it again when nobody works there",
		        path, where.data ? where.data : "");
	if (status < 0)
		return complain(COMMAND_UNABLE, "%s/%s: %s", path, where.data ? where.data : "",
		        strerror(-status));
	return status;
}

int bundle_write_end(struct bundle_writer *writer)
{
	unsigned char fingerprint[TREE_FINGERPRINT_SIZE];
	char text[BUNDLE_END_SIZE];
	int status;

	tree_fingerprint_end(writer->fingerprint, fingerprint);
	bundle_format_end(text, fingerprint);
	status = bundle_write_text(writer, BUNDLE_END, text);
	if (!status && archive_write_close(writer->archive) != ARCHIVE_OK)
		status = complain_archive(writer);
	return status;
}
