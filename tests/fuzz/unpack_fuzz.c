/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives of strangers. Whatever they hold, the unpacker ends, and with it nothing outside of its directory
 * has changed: a canary lies beside it, and no link in it leads out.
 */
#include "fuzz.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/unpack.h"
#include "test.h"

enum { MUCH = 1 << 20, MANY = 64, TAR_BLOCK = 512 };

static char *make_place(void)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *place = NULL;

	if (asprintf(&place, "%s/fnfs-unpack-XXXXXX", parent) < 0 || !mkdtemp(place))
		abort();
	return place;
}

static int make_directory(const char *place)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/tree", place);
	if (mkdir(path, 0755) < 0)
		abort();
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_archive(const uint8_t *data, size_t size)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

/* Beside the tree there is nothing. */
static void look_around(const char *place)
{
	struct stat st;

	if (stat(place, &st) < 0 || st.st_nlink != 3)
		abort();
}

static void unpack_one(const uint8_t *data, size_t size)
{
	const struct bounds bounds = {.archive_bytes = MUCH,
	        .bytes = MUCH,
	        .files = MANY,
	        .ratio = 200,
	        .ratio_free_bytes = MUCH,
	        .depth = 20};
	struct unpacked unpacked = {0};
	struct report report;
	char *place = make_place();
	int directory = make_directory(place), archive = make_archive(data, size);
	int error;

	setlocale(LC_ALL, "C.UTF-8");
	report_init(&report, -1);
	error = unpack(archive, directory, &bounds, &report, &unpacked);
	if (error > 0 || (error && !report.sentence[0]) || (!error && unpacked.bytes > MUCH))
		abort();
	look_around(place);
	close(archive);
	close(directory);
	test_directory_remove(place);
}

static void sum_header(uint8_t *head)
{
	unsigned sum = 0;

	memset(head + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += head[i];
	snprintf((char *)head + 148, 7, "%06o", sum);
}

/* As it came; and when it is like a tar archive, with right sums, without which nobody reads on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) uint8_t *copy = malloc(size + !size);
	bool is_tar = false;

	memcpy(copy, data, size);
	for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
		if (memcmp(copy + at + 257, "ustar", 5) != 0)
			continue;
		sum_header(copy + at);
		is_tar = true;
	}
	unpack_one(data, size);
	if (is_tar)
		unpack_one(copy, size);
	return 0;
}

#ifndef SAMPLE_ZIP
static void add_member(
        struct buf *out, const char *name, char kind, const char *link, const char *data)
{
	char head[TAR_BLOCK] = "", body[TAR_BLOCK] = "";
	unsigned sum = 0;

	snprintf(head, 100, "%s", name);
	memcpy(head + 100, "0000755", 7);
	memcpy(head + 108, "0000000", 7);
	memcpy(head + 116, "0000000", 7);
	snprintf(head + 124, 12, "%011o", (unsigned)strlen(data));
	memcpy(head + 136, "07346545000", 11);
	memset(head + 148, ' ', 8);
	head[156] = kind;
	snprintf(head + 157, 100, "%s", link);
	memcpy(head + 257,
	        "ustar\0"
	        "00",
	        8);
	for (size_t i = 0; i < sizeof(head); i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 7, "%06o", sum);
	buf_append(out, head, sizeof(head));
	strcpy(body, data);
	if (*data)
		buf_append(out, body, sizeof(body));
}

void fuzz_sample(struct buf *out)
{
	static const char end[2 * TAR_BLOCK];

	add_member(out, "d/", '5', "", "");
	add_member(out, "d/file", '0', "", "hello");
	add_member(out, "d/link", '2', "../d/file", "");
	add_member(out, "hard", '1', "d/file", "");
	add_member(out, "pax", 'x', "", "17 path=d/e/name\n");
	add_member(out, "short", '0', "", "more");
	buf_append(out, end, sizeof(end));
}
#else
static void add_zip_member(
        struct archive *archive, const char *name, unsigned kind, const char *data)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, kind);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, 1000000000, 0);
	if (kind == AE_IFLNK)
		archive_entry_set_symlink(entry, data);
	else
		archive_entry_set_size(entry, (la_int64_t)strlen(data));
	archive_write_header(archive, entry);
	if (kind == AE_IFREG)
		archive_write_data(archive, data, strlen(data));
	archive_entry_free(entry);
}

void fuzz_sample(struct buf *out)
{
	struct archive *archive = archive_write_new();
	char *place = buf_reserve(out, 65536);
	size_t used = 0;

	archive_write_set_format_zip(archive);
	archive_write_set_bytes_in_last_block(archive, 1);
	archive_write_open_memory(archive, place, 65536, &used);
	add_zip_member(archive, "d/", AE_IFDIR, "");
	add_zip_member(archive, "d/file", AE_IFREG, "hello hello hello hello hello");
	add_zip_member(archive, "d/link", AE_IFLNK, "../d/file");
	add_zip_member(archive, "e/name", AE_IFREG, "more");
	archive_write_close(archive);
	archive_write_free(archive);
	buf_added(out, used);
}
#endif
