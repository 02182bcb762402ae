/* SPDX-License-Identifier: Apache-2.0 */
/* A pack of blobs as a broken disk may give it back, or somebody who wrote it by hand. */
#include "store/blob_pack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "store/blob_writer.h"

/* Whatever is found was asked for, and whatever is read is what its id says. */
static void read_all(struct pack *pack, struct blob_reader *reader)
{
	CLEANUP(free_p) struct blob_entry *entries = NULL;
	struct blob_entry found;
	unsigned char digest[SHA256_SIZE];
	size_t i;

	if (pack_entries(pack, &entries) < 0)
		abort(); /* a memfd can be read */
	for (i = 0; i < pack->count; i++) {
		if (pack_find(pack, &entries[i].id, &found) > 0 &&
		        !blob_id_equal(&found.id, &entries[i].id))
			abort();
		if (pack_read(pack, &entries[i], reader) < 0)
			continue;
		sha256_of(reader->sha256, reader->content.data, reader->content.length, digest);
		if (memcmp(digest, entries[i].id.bytes, sizeof(digest)) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("pack", MFD_CLOEXEC);
	struct blob_reader *reader = blob_reader_new();
	struct pack *pack = NULL;

	if (fd < 0 || !reader || write(fd, data, size) != (ssize_t)size)
		abort();
	if (pack_open(&pack, fd, 1, reader) == 0)
		read_all(pack, reader);
	pack_unref(pack);
	blob_reader_free(reader);
	return 0;
}

static int into_memory(const struct blob_disk *disk, int directory, const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

static int keep_name(const struct blob_disk *disk, int directory, const char *from, const char *to)
{
	return 0;
}

static int need_no_sync(const struct blob_disk *disk, int fd)
{
	return 0;
}

/* Blobs of all kinds; they hold what looks like the beginning of a record. */
static void add_blobs(struct blob_writer *writer, struct sha256 *sha256)
{
	static char content[9000];
	struct blob_id id;
	size_t i;

	for (i = 0; i < sizeof(content); i++)
		content[i] = (char)(i < 200 ? i * 37 : i / 100);
	for (i = 0; i < 12; i++) {
		sha256_of(sha256, content, i * i * 60, id.bytes);
		if (writer_add(writer, &id, content, i * i * 60) < 0)
			abort();
		memcpy(content, writer->waiting.data + PACK_HEADER_SIZE, PACK_RECORD_SIZE);
		content[170] = (char)i;
	}
}

void fuzz_sample(struct buf *out)
{
	struct blob_disk disk = blob_disk_system;
	struct sha256 *sha256 = sha256_new();
	struct blob_writer writer;
	int fd;

	disk.create = into_memory;
	disk.rename = keep_name;
	disk.sync = disk.sync_directory = need_no_sync;
	writer_init(&writer, &disk, -1, 1, sha256);
	add_blobs(&writer, sha256);
	if (writer_finish(&writer, 1, &fd) < 0)
		abort();
	buf_reserve(out, writer.place);
	if (blob_disk_read(fd, out->data, writer.place, 0) < 0)
		abort();
	buf_added(out, writer.place);
	close(fd);
	writer_deinit(&writer);
	sha256_free(sha256);
}
