/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "store/blob_private.h"

void blob_id_format(char text[BLOB_TEXT_SIZE], const struct blob_id *id)
{
	static const char digits[16] = {"0123456789abcdef"};
	size_t i;

	for (i = 0; i < BLOB_ID_SIZE; i++) {
		text[2 * i] = digits[id->bytes[i] >> 4];
		text[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	text[BLOB_TEXT_SIZE - 1] = 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int blob_id_parse(struct blob_id *out, const char *text)
{
	int high, low;
	size_t i;

	if (strlen(text) != BLOB_TEXT_SIZE - 1)
		return -EINVAL;
	for (i = 0; i < BLOB_ID_SIZE; i++) {
		high = digit(text[2 * i]);
		low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		out->bytes[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

bool blob_id_equal(const struct blob_id *a, const struct blob_id *b)
{
	return memcmp(a->bytes, b->bytes, BLOB_ID_SIZE) == 0;
}

static struct pack_table *table_new(size_t count)
{
	struct pack_table *table = calloc(1, sizeof(*table) + count * sizeof(table->packs[0]));

	if (table)
		atomic_init(&table->references, 1);
	return table;
}

struct pack_table *table_unref(struct pack_table *table)
{
	size_t i;

	if (!table || atomic_fetch_sub(&table->references, 1) > 1)
		return NULL;
	for (i = 0; i < table->count; i++)
		pack_unref(table->packs[i]);
	free(table);
	return NULL;
}

struct pack_table *blobs_table(struct blobs *blobs)
{
	struct pack_table *table;

	pthread_mutex_lock(&blobs->lock);
	table = blobs->table;
	atomic_fetch_add(&table->references, 1);
	pthread_mutex_unlock(&blobs->lock);
	return table;
}

static bool is_among(const struct pack *pack, struct pack *const *packs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (packs[i] == pack)
			return true;
	return false;
}

/* Newest first: an added pack goes before those with smaller numbers. */
static void table_fill(struct pack_table *table, const struct pack_table *old, struct pack *added,
        struct pack *const *gone, size_t count)
{
	size_t i;

	for (i = 0; i < old->count; i++) {
		if (is_among(old->packs[i], gone, count))
			continue;
		if (added && added->number > old->packs[i]->number)
			table->packs[table->count++] = pack_ref(take(added));
		table->packs[table->count++] = pack_ref(old->packs[i]);
	}
	if (added)
		table->packs[table->count++] = pack_ref(added);
}

int blobs_replace(struct blobs *blobs, struct pack *added, struct pack *const *gone, size_t count)
{
	struct pack_table *table, *old;

	pthread_mutex_lock(&blobs->lock);
	old = blobs->table;
	table = table_new(old->count + 1);
	if (table) {
		table_fill(table, old, added, gone, count);
		blobs->table = table;
		blobs->swept += count > 0;
	}
	pthread_mutex_unlock(&blobs->lock);
	if (!table)
		return fail(-ENOMEM, "taking a pack in");
	table_unref(old);
	return 0;
}

uint64_t blobs_number(struct blobs *blobs)
{
	uint64_t number;

	pthread_mutex_lock(&blobs->lock);
	number = blobs->next_number++;
	pthread_mutex_unlock(&blobs->lock);
	return number;
}

int blobs_adopt(struct blobs *blobs, struct blob_writer *writer, struct blob_reader *reader,
        struct pack *const *gone, size_t count)
{
	uint64_t number = blobs_number(blobs);
	char name[PACK_NAME_SIZE];
	struct pack *pack = NULL;
	int fd, r = writer_finish(writer, number, &fd);

	if (r < 0)
		return r;
	r = pack_open(&pack, fd, number, reader);
	if (r == 0)
		r = blobs_replace(blobs, pack, gone, count);
	if (r < 0) {
		pack_name(name, number);
		blobs->disk->remove(blobs->disk, blobs->directory, name);
	}
	pack_unref(pack);
	return r;
}

struct blob_reader *blobs_reader(struct blobs *blobs)
{
	struct blob_reader *reader = NULL;

	pthread_mutex_lock(&blobs->lock);
	if (blobs->readers_count)
		reader = blobs->readers[--blobs->readers_count];
	pthread_mutex_unlock(&blobs->lock);
	if (!reader)
		reader = blob_reader_new();
	if (!reader)
		fail(-ENOMEM, "reading blobs");
	return reader;
}

void blobs_reader_done(struct blobs *blobs, struct blob_reader *reader)
{
	pthread_mutex_lock(&blobs->lock);
	if (reader && blobs->readers_count < READERS_KEPT)
		blobs->readers[blobs->readers_count++] = take(reader);
	pthread_mutex_unlock(&blobs->lock);
	blob_reader_free(reader);
}

struct pack *table_find(const struct pack_table *table, const struct blob_id *id)
{
	struct blob_entry entry;
	size_t i;

	for (i = 0; i < table->count; i++)
		if (pack_find(table->packs[i], id, &entry) > 0)
			return table->packs[i];
	return NULL;
}

int table_read(const struct pack_table *table, const struct blob_id *id, struct blob_reader *reader,
        struct blob_entry *entry, struct pack **damaged)
{
	size_t i;
	int r;

	*damaged = NULL;
	for (i = 0; i < table->count; i++) {
		r = pack_find(table->packs[i], id, entry);
		if (r == 0)
			continue;
		if (r > 0)
			r = pack_read(table->packs[i], entry, reader);
		if (r == 0 || r == -ENOMEM)
			return r;
		*damaged = table->packs[i];
	}
	return *damaged ? -EIO : -ENOENT;
}

void blobs_note_damage(struct blobs *blobs, const struct blob_id *id)
{
	pthread_mutex_lock(&blobs->lock);
	blob_set_add(&blobs->damaged, id); /* without memory it is noted the next time */
	pthread_mutex_unlock(&blobs->lock);
}

static int read_with(struct blobs *blobs, const struct pack_table *table, const struct blob_id *id,
        struct blob_reader *reader, struct buf *out)
{
	char text[BLOB_TEXT_SIZE];
	struct blob_entry entry;
	struct pack *damaged;
	int r = table_read(table, id, reader, &entry, &damaged);

	blob_id_format(text, id);
	if (r == -EIO) {
		blobs_note_damage(blobs, id);
		return fail(-EIO, "blob %s is damaged in pack %" PRIu64, text, damaged->number);
	}
	if (r < 0)
		return r;
	if (damaged)
		log_line(LOG_WARNING, "blob %s is damaged in pack %" PRIu64 ", whole in another",
		        text, damaged->number);
	if (!buf_reserve(out, reader->content.length))
		return fail(-ENOMEM, "reading blob %s", text);
	buf_append(out, reader->content.data, reader->content.length);
	return 0;
}

int blob_read(struct blobs *blobs, const struct blob_id *id, struct buf *out)
{
	struct blob_reader *reader = blobs_reader(blobs);
	struct pack_table *table;
	int r;

	if (!reader)
		return -ENOMEM;
	table = blobs_table(blobs);
	r = read_with(blobs, table, id, reader, out);
	table_unref(table);
	blobs_reader_done(blobs, reader);
	return r;
}

bool blob_exists(struct blobs *blobs, const struct blob_id *id)
{
	struct pack_table *table = blobs_table(blobs);
	bool found = table_find(table, id);

	table_unref(table);
	return found;
}
