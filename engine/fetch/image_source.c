/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive is opened anew for each file, and what comes before it is skipped: with a file on disk that is
 * a seek, and an image has a few dozen of them.
 */
#include "fetch/image_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/entry_name.h"
#include "fetch/tree_private.h"
#include "fetch/unpack_entry.h"

enum { BLOCK = 128 * 1024, DEEPEST = 16, LINKS_MOST = 4, ENTRIES_MOST = 100000 };

int image_source_init(struct image_source *source, int fd, struct report *report)
{
	struct stat st;

	*source = (struct image_source){.fd = fd, .report = report};
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return report_refuse(report, -EBADF, "the image is neither a file nor a directory");
	source->is_directory = S_ISDIR(st.st_mode);
	return 0;
}

/* --- of a directory --------------------------------------------------------------------------- */

static int open_file(struct image_stream *stream, const char *name)
{
	struct stat st;

	stream->fd = tree_open_below(stream->source->fd, name, O_RDONLY | O_NONBLOCK, 0,
	        RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (stream->fd == -ENOENT)
		return -ENOENT;
	if (stream->fd < 0)
		return report_refuse(stream->source->report, stream->fd, "%.200s: %s", name,
		        strerror(-stream->fd));
	if (fstat(stream->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return report_refuse(stream->source->report, -EBADMSG,
		        "the image is damaged: %.200s is no file", name);
	stream->size = st.st_size;
	return 0;
}

/* --- of an archive ---------------------------------------------------------------------------- */

static int open_archive(struct image_stream *stream)
{
	struct image_source *source = stream->source;
	struct archive *archive = stream->archive = archive_read_new();

	if (!archive || archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
	        archive_read_support_format_tar(archive) != ARCHIVE_OK)
		return report_refuse(source->report, -ENOSYS, "libarchive lacks what is needed");
	if (lseek(source->fd, 0, SEEK_SET) < 0 ||
	        archive_read_open_fd(archive, source->fd, BLOCK) != ARCHIVE_OK)
		return unpack_refuse(source->report, archive);
	return 0;
}

static bool is_named(struct archive_entry *entry, const char *name)
{
	const char *path = archive_entry_pathname(entry);
	char clean[PATH_MAX];

	return path && entry_name_clean(clean, path, DEEPEST) == NAME_FINE &&
	       strcmp(clean, name) == 0;
}

/* `docker save` of old has a layer that is there twice as ID/layer.tar -> ../OTHER/layer.tar. */
static bool follow_link(char name[PATH_MAX], struct archive_entry *entry)
{
	const char *hard = archive_entry_hardlink(entry), *soft = archive_entry_symlink(entry);

	if (hard)
		return entry_name_clean(name, hard, DEEPEST) == NAME_FINE;
	return soft && strncmp(soft, "../", 3) == 0 && strchr(name, '/') == strrchr(name, '/') &&
	       entry_name_clean(name, soft + 3, DEEPEST) == NAME_FINE;
}

/* 1: the file is found; 0: there is none; or refused. A link changes the name: -EAGAIN. */
static int find_entry(struct image_stream *stream, char name[PATH_MAX])
{
	struct archive_entry *entry;
	int answer = ARCHIVE_OK;

	for (int i = 0; i < ENTRIES_MOST; i++) {
		answer = archive_read_next_header(stream->archive, &entry);
		if (answer == ARCHIVE_EOF)
			return 0;
		if (answer != ARCHIVE_OK && answer != ARCHIVE_WARN)
			return unpack_refuse(stream->source->report, stream->archive);
		if (!is_named(entry, name))
			continue;
		if (archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry)) {
			stream->size = archive_entry_size(entry);
			return 1;
		}
		return follow_link(name, entry) ? -EAGAIN : 0;
	}
	return report_refuse(
	        stream->source->report, -EBADMSG, "there are too many files in the image");
}

static int find_in_archive(struct image_stream *stream, const char *wanted)
{
	char name[PATH_MAX];
	int found = -EAGAIN;

	strcpy(name, wanted);
	for (int links = 0; found == -EAGAIN && links < LINKS_MOST; links++) {
		int error;

		if (stream->archive)
			archive_read_free(take(stream->archive));
		error = open_archive(stream);
		if (error)
			return error;
		found = find_entry(stream, name);
	}
	if (found == 1)
		return 0;
	return found && found != -EAGAIN ? found : -ENOENT;
}

/* --- both --------------------------------------------------------------------------------------- */

int image_stream_open(struct image_stream *stream, struct image_source *source, const char *name)
{
	char clean[PATH_MAX];
	int error;

	*stream = (struct image_stream){.source = source, .fd = -1};
	if (entry_name_clean(clean, name, DEEPEST) != NAME_FINE || !*clean)
		return report_refuse(source->report, -EPERM,
		        "the image names a file outside of itself: %.200s", name);
	error = source->is_directory ? open_file(stream, clean) : find_in_archive(stream, clean);
	if (error)
		image_stream_close(stream);
	return error;
}

void image_stream_close(struct image_stream *stream)
{
	if (stream->archive)
		archive_read_free(take(stream->archive));
	stream->fd = close_fd(stream->fd);
}

ssize_t image_stream_read(struct image_stream *stream, void *data, size_t room)
{
	ssize_t n = stream->archive ? archive_read_data(stream->archive, data, room)
	                            : read(stream->fd, data, room);

	if (n >= 0)
		return n;
	if (stream->archive)
		return unpack_refuse(stream->source->report, stream->archive);
	return report_refuse(
	        stream->source->report, -errno, "reading the image: %s", strerror(errno));
}

int image_source_read(struct image_source *source, const char *name, size_t most, struct buf *out)
{
	struct image_stream stream;
	ssize_t n = 1;
	int error = image_stream_open(&stream, source, name);

	if (error)
		return error;
	if (stream.size < 0 || (uint64_t)stream.size > most)
		n = report_refuse(source->report, -EFBIG,
		        "the image is damaged: %.200s has more than %zu bytes", name, most);
	while (n > 0) {
		char *place = buf_reserve(out, 16384);

		n = place ? image_stream_read(&stream, place, 16384)
		          : report_refuse(source->report, -ENOMEM, "out of memory");
		if (n > 0)
			buf_added(out, (size_t)n);
		if (n > 0 && out->length > most)
			n = report_refuse(source->report, -EBADMSG, "the image is damaged");
	}
	image_stream_close(&stream);
	return (int)n;
}
