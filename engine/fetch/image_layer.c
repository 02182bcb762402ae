/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two readers of libarchive in a row: the first takes off what the layer is compressed with, the second
 * reads the tar archive, and what goes from one to the other is hashed.
 */
#include "fetch/image_layer.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

enum { BLOCK = 128 * 1024 };

#define WHITEOUT ".wh."
#define OPAQUE   ".wh..wh..opq"

struct layer_reader {
	struct image_stream stream;
	struct archive *plain; /* takes the compression off */
	struct archive *tar;
	struct sha256 *hash;
	struct report *report;
	char packed[BLOCK], block[BLOCK];
};

static la_ssize_t read_packed(struct archive *archive, void *userdata, const void **data)
{
	struct layer_reader *reader = userdata;

	*data = reader->packed;
	return image_stream_read(&reader->stream, reader->packed, BLOCK);
}

static la_ssize_t read_plain(struct archive *archive, void *userdata, const void **data)
{
	struct layer_reader *reader = userdata;
	la_ssize_t n = archive_read_data(reader->plain, reader->block, BLOCK);

	*data = reader->block;
	if (n < 0) {
		archive_set_error(archive, EBADMSG, "%s", archive_error_string(reader->plain));
		unpack_refuse(reader->report, reader->plain);
	} else if (n > 0) {
		sha256_add(reader->hash, reader->block, (size_t)n);
	}
	return n;
}

static int open_plain(struct layer_reader *reader)
{
	struct archive *archive = reader->plain = archive_read_new();
	struct archive_entry *entry;

	if (!archive || archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
	        archive_read_support_filter_bzip2(archive) != ARCHIVE_OK ||
	        archive_read_support_format_raw(archive) != ARCHIVE_OK ||
	        archive_read_support_format_empty(archive) != ARCHIVE_OK)
		return report_refuse(reader->report, -ENOSYS, "libarchive lacks what is needed");
	if (archive_read_open(archive, reader, NULL, read_packed, NULL) != ARCHIVE_OK ||
	        archive_read_next_header(archive, &entry) < ARCHIVE_WARN)
		return unpack_refuse(reader->report, archive);
	return 0;
}

static int open_tar(struct layer_reader *reader)
{
	struct archive *archive = reader->tar = archive_read_new();

	if (!archive || archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	        archive_read_support_format_empty(archive) != ARCHIVE_OK)
		return report_refuse(reader->report, -ENOSYS, "libarchive lacks what is needed");
	if (archive_read_open(archive, reader, NULL, read_plain, NULL) != ARCHIVE_OK)
		return unpack_refuse(reader->report, archive);
	return 0;
}

static void reader_close(struct layer_reader *reader)
{
	if (reader->tar)
		archive_read_free(take(reader->tar));
	if (reader->plain)
		archive_read_free(take(reader->plain));
	image_stream_close(&reader->stream);
}

static int reader_open(struct layer_reader *reader, struct image_source *source, const char *file)
{
	int error = image_stream_open(&reader->stream, source, file);

	if (error == -ENOENT)
		return report_refuse(reader->report, -EBADMSG,
		        "the image is damaged: it has no file %.200s", file);
	sha256_begin(reader->hash);
	if (!error)
		error = open_plain(reader);
	return error ? error : open_tar(reader);
}

/* The name's last step, when it is one that takes away; NULL: it is not. */
static const char *whiteout_of(const char *name)
{
	const char *slash = strrchr(name, '/'), *leaf = slash ? slash + 1 : name;

	return strncmp(leaf, WHITEOUT, strlen(WHITEOUT)) == 0 ? leaf : NULL;
}

static int take_away(struct unpacking *unpacking, char *name, const char *leaf)
{
	size_t at = (size_t)(leaf - name);

	if (strcmp(leaf, OPAQUE) == 0) {
		name[at ? at - 1 : 0] = 0;
		return tree_empty(&unpacking->tree, name);
	}
	if (strncmp(leaf + strlen(WHITEOUT), WHITEOUT, strlen(WHITEOUT)) == 0 ||
	        !leaf[strlen(WHITEOUT)])
		return 0; /* other notes of union file systems */
	memmove(name + at, leaf + strlen(WHITEOUT), strlen(leaf) - strlen(WHITEOUT) + 1);
	if (strcmp(name + at, ".") == 0 || strcmp(name + at, "..") == 0)
		return report_refuse(unpacking->report, -EPERM,
		        "a layer wants to take away what is not below it");
	return tree_remove(&unpacking->tree, name);
}

static int take_entry(struct unpacking *unpacking, struct archive_entry *entry, bool away)
{
	const char *path = archive_entry_pathname(entry), *leaf;
	char name[PATH_MAX];
	int error;

	if (!path)
		return report_refuse(
		        unpacking->report, -EILSEQ, "a name in the image is in no script");
	error = unpack_clean_name(unpacking, name, path);
	if (error)
		return error;
	leaf = whiteout_of(name);
	if (away)
		return leaf ? take_away(unpacking, name, leaf) : 0;
	return leaf ? 0 : unpack_entry(unpacking, entry);
}

static int take_entries(struct layer_reader *reader, struct unpacking *unpacking, bool away)
{
	struct archive_entry *entry;
	int answer, error = 0;

	while (!error && (answer = archive_read_next_header(reader->tar, &entry)) != ARCHIVE_EOF) {
		if (answer != ARCHIVE_OK && answer != ARCHIVE_WARN)
			return unpack_refuse(reader->report, reader->tar);
		error = take_entry(unpacking, entry, away);
	}
	return error;
}

/* What comes behind the end of the archive counts in its hash. */
static int read_rest(struct layer_reader *reader)
{
	const void *data;
	la_ssize_t n;

	do {
		n = read_plain(reader->tar, reader, &data);
	} while (n > 0);
	return n < 0 ? unpack_refuse(reader->report, reader->plain) : 0;
}

static int compare(struct layer_reader *reader, const struct image_layer *layer)
{
	unsigned char hash[SHA256_SIZE];
	int error = read_rest(reader);

	if (error)
		return error;
	sha256_end(reader->hash, hash);
	if (memcmp(hash, layer->hash, sizeof(hash)) == 0)
		return 0;
	return report_refuse(reader->report, -EBADMSG,
	        "the image is damaged: what is in %.200s is not what its configuration says",
	        layer->file);
}

static int pass(struct layer_reader *reader, struct image_source *source,
        const struct image_layer *layer, struct unpacking *unpacking, bool away)
{
	int error = reader_open(reader, source, layer->file);

	unpacking->archive = reader->tar;
	if (!error && !away)
		unpacking->tree.archive_bytes += reader->stream.size;
	if (!error)
		error = take_entries(reader, unpacking, away);
	if (!error && !away)
		error = compare(reader, layer);
	reader_close(reader);
	return error;
}

int image_layer_unpack(struct image_source *source, const struct image_layer *layer, bool lowest,
        struct unpacking *unpacking)
{
	struct layer_reader *reader = calloc(1, sizeof(*reader));
	int error = 0;

	if (!reader || !(reader->hash = sha256_new())) {
		free(reader);
		return report_refuse(unpacking->report, -ENOMEM, "out of memory");
	}
	reader->report = unpacking->report;
	if (!lowest)
		error = pass(reader, source, layer, unpacking, true);
	if (!error)
		error = pass(reader, source, layer, unpacking, false);
	sha256_free(reader->hash);
	free(reader);
	return error;
}
