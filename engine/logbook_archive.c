/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format, as facebook/zstd:contrib/seekable_format/zstd_seekable_compression_format.md has it, without
 * its optional checksums (frames carry their own), and with pieces of one size. Numbers are 32 bits, little-endian:
 *
 *	zstd frame ...                          one for each piece of the text
 *	0x184D2A5E, length of what follows      the skippable frame's header
 *	{compressed size, plain size} ...       one for each frame
 *	number of frames, u8 0, 0x8F92EAB1      the footer
 *
 * An index is believed when its sizes add up to the file's; a frame is, when it holds as many bytes as
 * the index says and its checksum is right.
 */
#include "engine/logbook_archive.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compression.h"
#include "base/fail.h"

#define SKIPPABLE_MAGIC 0x184D2A5Eu
#define SEEKABLE_MAGIC  0x8F92EAB1u
#define HEADER_SIZE     8
#define FOOTER_SIZE     9
#define ENTRY_SIZE      8

struct piece {
	int64_t place; /* in the file */
	uint32_t size, compressed;
};

struct archive {
	int fd;
	struct piece *pieces; /* the n-th begins at offset n * ARCHIVE_PIECE of the text */
	size_t count, capacity;
	size_t decoded; /* index of the piece in `text`, or SIZE_MAX */
	char *text;
	struct decompressor *decompressor;
};

static void compressor_free_p(struct compressor **compressor)
{
	compressor_free(*compressor);
}

static void archive_free_p(struct archive **archive)
{
	archive_free(*archive);
}

static uint32_t get_u32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static unsigned char *put_u32(unsigned char *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
	return bytes + sizeof(value);
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *bytes = data;
	ssize_t done;

	while (size) {
		done = write(fd, bytes, size);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		size -= (size_t)done;
	}
	return 0;
}

/* 0, or -EIO when the file ends before. */
static int read_all(int fd, void *data, size_t size, int64_t offset)
{
	char *bytes = data;
	ssize_t done;

	while (size) {
		done = pread(fd, bytes, size, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		offset += done;
		size -= (size_t)done;
	}
	return 0;
}

static int write_index(int to, unsigned char *index, size_t count)
{
	unsigned char *p = put_u32(index, SKIPPABLE_MAGIC);

	put_u32(p, (uint32_t)(count * ENTRY_SIZE + FOOTER_SIZE));
	p = put_u32(index + HEADER_SIZE + count * ENTRY_SIZE, (uint32_t)count);
	*p++ = 0;
	p = put_u32(p, SEEKABLE_MAGIC);
	return write_all(to, index, (size_t)(p - index));
}

/* The index is laid out as it will be written; entries are filled in while pieces go out. */
static int write_pieces(
        int from, int64_t size, int to, unsigned char *index, const atomic_bool *canceled)
{
	CLEANUP(compressor_free_p) struct compressor *compressor = compressor_new(true);
	size_t bound = frame_bound(ARCHIVE_PIECE), length;
	CLEANUP(free_p) char *plain = malloc(ARCHIVE_PIECE), *packed = malloc(bound);
	unsigned char *entry = index + HEADER_SIZE;
	ssize_t compressed;
	int64_t at;
	int r;

	if (!compressor || !plain || !packed)
		return -ENOMEM;
	for (at = 0; at < size; at += (int64_t)length) {
		if (atomic_load(canceled))
			return -ECANCELED;
		length = size - at < ARCHIVE_PIECE ? (size_t)(size - at) : ARCHIVE_PIECE;
		r = read_all(from, plain, length, at);
		if (r < 0)
			return r;
		compressed = frame_compress(compressor, packed, bound, plain, length);
		if (compressed < 0)
			return (int)compressed;
		r = write_all(to, packed, (size_t)compressed);
		if (r < 0)
			return r;
		entry = put_u32(put_u32(entry, (uint32_t)compressed), (uint32_t)length);
	}
	return 0;
}

int archive_write(int from, int64_t size, int to, const atomic_bool *canceled)
{
	size_t count = (size_t)((size + ARCHIVE_PIECE - 1) / ARCHIVE_PIECE);
	CLEANUP(free_p) unsigned char *index = NULL;
	int r;

	if (count > UINT32_MAX / ENTRY_SIZE - 2)
		return fail(-EFBIG, "compressing a log segment of %lld bytes", (long long)size);
	index = malloc(HEADER_SIZE + count * ENTRY_SIZE + FOOTER_SIZE);
	if (!index)
		return fail(-ENOMEM, "compressing a log segment");
	r = write_pieces(from, size, to, index, canceled);
	if (r == 0)
		r = write_index(to, index, count);
	if (r == 0 || r == -ECANCELED)
		return r;
	return fail(r, "compressing a log segment");
}

static struct piece *last_piece(const struct archive *archive)
{
	return archive->count ? &archive->pieces[archive->count - 1] : NULL;
}

/* Where the frames end according to the index so far. */
static int64_t frames_end(const struct archive *archive)
{
	const struct piece *last = last_piece(archive);

	return last ? last->place + last->compressed : 0;
}

static int grow_pieces(struct archive *archive)
{
	size_t capacity = archive->capacity ? archive->capacity * 2 : 64;
	void *grown = realloc(archive->pieces, capacity * sizeof(*archive->pieces));

	if (!grown)
		return fail(-ENOMEM, "reading the index of a log segment");
	archive->pieces = grown;
	archive->capacity = capacity;
	return 0;
}

/* -EBADMSG when these cannot be the sizes of a piece of ours, or it follows a short one. */
static int add_piece(struct archive *archive, uint64_t compressed, uint64_t size)
{
	const struct piece *last = last_piece(archive);
	struct piece piece = {frames_end(archive), (uint32_t)size, (uint32_t)compressed};
	int r;

	if (!size || size > ARCHIVE_PIECE || !compressed ||
	        compressed > frame_bound(ARCHIVE_PIECE) || (last && last->size != ARCHIVE_PIECE))
		return -EBADMSG;
	if (archive->count == archive->capacity) {
		r = grow_pieces(archive);
		if (r < 0)
			return r;
	}
	archive->pieces[archive->count++] = piece;
	return 0;
}

/* 0, or -EBADMSG when there is no index that fits the file. */
static int read_index(struct archive *archive, int64_t file_size)
{
	unsigned char footer[FOOTER_SIZE];
	CLEANUP(free_p) unsigned char *index = NULL;
	int64_t index_size;
	uint32_t count, i;
	int r;

	if (file_size < HEADER_SIZE + FOOTER_SIZE ||
	        read_all(archive->fd, footer, FOOTER_SIZE, file_size - FOOTER_SIZE) < 0 ||
	        get_u32(footer + 5) != SEEKABLE_MAGIC || footer[4] != 0)
		return -EBADMSG;
	count = get_u32(footer);
	index_size = HEADER_SIZE + (int64_t)count * ENTRY_SIZE + FOOTER_SIZE;
	if (index_size > file_size)
		return -EBADMSG;
	index = malloc((size_t)index_size);
	if (!index)
		return fail(-ENOMEM, "reading the index of a log segment");
	if (read_all(archive->fd, index, (size_t)index_size, file_size - index_size) < 0 ||
	        get_u32(index) != SKIPPABLE_MAGIC ||
	        get_u32(index + 4) != (uint32_t)(index_size - HEADER_SIZE))
		return -EBADMSG;
	for (i = 0; i < count; i++) {
		const unsigned char *entry = index + HEADER_SIZE + (size_t)i * ENTRY_SIZE;
		r = add_piece(archive, get_u32(entry), get_u32(entry + 4));
		if (r < 0)
			return r;
	}
	return frames_end(archive) == file_size - index_size ? 0 : -EBADMSG;
}

/* Without an index: frame after frame, as far as they can be told apart. */
static int scan_frames(struct archive *archive, int64_t file_size)
{
	size_t window = frame_bound(ARCHIVE_PIECE), length, compressed, size;
	CLEANUP(free_p) char *bytes = malloc(window);
	int64_t at = 0;
	int r;

	if (!bytes)
		return fail(-ENOMEM, "reading a log segment");
	while (at < file_size) {
		length = file_size - at < (int64_t)window ? (size_t)(file_size - at) : window;
		if (read_all(archive->fd, bytes, length, at) < 0)
			break;
		if (frame_measure(bytes, length, &compressed, &size) < 0)
			break;
		r = add_piece(archive, compressed, size);
		if (r == -EBADMSG)
			break;
		if (r < 0)
			return r;
		at = frames_end(archive);
	}
	return 0;
}

static bool has_magic(int fd)
{
	unsigned char magic[4];

	return read_all(fd, magic, sizeof(magic), 0) == 0 && frame_begins(magic);
}

int archive_open(struct archive **out, int fd)
{
	CLEANUP(archive_free_p) struct archive *archive = NULL;
	struct stat st;
	int r;

	if (!has_magic(fd))
		return -EBADMSG;
	if (fstat(fd, &st) < 0)
		return fail(-errno, "reading a log segment");
	archive = calloc(1, sizeof(*archive));
	if (!archive)
		return fail(-ENOMEM, "reading a log segment");
	archive->fd = fd;
	archive->decoded = SIZE_MAX;
	r = read_index(archive, st.st_size);
	if (r == -EBADMSG) {
		archive->count = 0;
		r = scan_frames(archive, st.st_size);
	}
	if (r < 0)
		return r;
	*out = take(archive);
	return 0;
}

struct archive *archive_free(struct archive *archive)
{
	if (!archive)
		return NULL;
	decompressor_free(archive->decompressor);
	free(archive->text);
	free(archive->pieces);
	free(archive);
	return NULL;
}

int64_t archive_size(const struct archive *archive)
{
	const struct piece *last = last_piece(archive);

	return last ? (int64_t)(archive->count - 1) * ARCHIVE_PIECE + last->size : 0;
}

static int prepare_decoding(struct archive *archive)
{
	if (!archive->decompressor)
		archive->decompressor = decompressor_new();
	if (!archive->text)
		archive->text = malloc(ARCHIVE_PIECE);
	return archive->decompressor && archive->text ? 0 : fail(-ENOMEM, "reading a log segment");
}

static int decode_piece(struct archive *archive, size_t index)
{
	const struct piece *piece = &archive->pieces[index];
	CLEANUP(free_p) char *packed = NULL;
	ssize_t size;
	int r;

	if (archive->decoded == index)
		return 0;
	r = prepare_decoding(archive);
	if (r < 0)
		return r;
	packed = malloc(piece->compressed);
	if (!packed)
		return fail(-ENOMEM, "reading a log segment");
	archive->decoded = SIZE_MAX;
	r = read_all(archive->fd, packed, piece->compressed, piece->place);
	if (r < 0)
		return fail(r, "reading a log segment at %lld", (long long)piece->place);
	size = frame_decompress(
	        archive->decompressor, archive->text, ARCHIVE_PIECE, packed, piece->compressed);
	if (size != (ssize_t)piece->size)
		return fail(-EIO, "a log segment is damaged at %lld", (long long)piece->place);
	archive->decoded = index;
	return 0;
}

ssize_t archive_read(struct archive *archive, void *data, size_t size, int64_t offset)
{
	size_t done = 0, index, within, step;
	int r;

	if (offset < 0)
		return -EINVAL;
	while (done < size && offset < archive_size(archive)) {
		index = (size_t)(offset / ARCHIVE_PIECE);
		within = (size_t)(offset % ARCHIVE_PIECE);
		r = decode_piece(archive, index);
		if (r < 0)
			return done ? (ssize_t)done : r;
		step = archive->pieces[index].size - within;
		if (step > size - done)
			step = size - done;
		memcpy((char *)data + done, archive->text + within, step);
		done += step;
		offset += (int64_t)step;
	}
	return (ssize_t)done;
}
