/* SPDX-License-Identifier: Apache-2.0 */
#include "store/manifest.h"

#include <errno.h>
#include <string.h>

#define PAGE    'M'
#define ROOT    'R'
#define VERSION 1

#define RECORDS_LEAST 16 /* a page has at least so many, and then ends at every 16th name */
#define ENDS_MASK     15

mode_t manifest_mode(const struct manifest_entry *entry)
{
	static const mode_t types[] = {[MANIFEST_FILE] = S_IFREG,
	        [MANIFEST_DIRECTORY] = S_IFDIR,
	        [MANIFEST_SYMLINK] = S_IFLNK,
	        [MANIFEST_FIFO] = S_IFIFO};

	return types[entry->kind] | entry->mode;
}

static bool same_attributes(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->kind == b->kind && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->group == b->group;
}

bool manifest_equal(const struct manifest_entry *a, const struct manifest_entry *b)
{
	if (strcmp(a->name, b->name) != 0 || !same_attributes(a, b) || a->size != b->size)
		return false;
	if (a->kind == MANIFEST_SYMLINK)
		return memcmp(a->target, b->target, a->size) == 0;
	if (a->kind == MANIFEST_DIRECTORY || (a->kind == MANIFEST_FILE && a->size))
		return blob_id_equal(&a->id, &b->id);
	return true;
}

/* --- writing --- */

static void put_number(struct buf *page, uint64_t number)
{
	unsigned char bytes[10];
	size_t count = 0;

	do {
		bytes[count++] = (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
		number >>= 7;
	} while (number);
	buf_append(page, bytes, count);
}

static void put_signed(struct buf *page, int64_t number)
{
	put_number(page, ((uint64_t)number << 1) ^ (uint64_t)(number >> 63));
}

static void put_name(struct buf *page, const char *previous, const char *name)
{
	size_t shared = 0, length = strlen(name);

	while (previous[shared] && previous[shared] == name[shared])
		shared++;
	put_number(page, shared);
	put_number(page, length - shared);
	buf_append(page, name + shared, length - shared);
}

static void put_id(struct buf *page, const struct blob_id *id)
{
	buf_append(page, id->bytes, sizeof(id->bytes));
}

static void put_content(struct buf *page, const struct manifest_entry *entry)
{
	if (entry->kind == MANIFEST_DIRECTORY) {
		put_number(page, entry->files);
		put_number(page, entry->directories);
		put_number(page, entry->bytes);
		put_id(page, &entry->id);
	} else if (entry->kind != MANIFEST_FIFO) {
		put_number(page, entry->size);
	}
	if (entry->kind == MANIFEST_FILE && entry->size)
		put_id(page, &entry->id);
	if (entry->kind == MANIFEST_SYMLINK)
		buf_append(page, entry->target, entry->size);
}

static void put_attributes(struct buf *page, const struct manifest_entry *entry)
{
	put_number(page, entry->mode);
	put_number(page, entry->kind);
	put_number(page, entry->uid);
	put_number(page, entry->gid);
	put_signed(page, entry->mtime.tv_sec);
	put_number(page, (uint64_t)entry->mtime.tv_nsec);
	put_number(page, entry->group);
	put_content(page, entry);
}

void manifest_page_begin(struct buf *page, unsigned level)
{
	const char head[] = {PAGE, VERSION, (char)level};

	buf_append(page, head, sizeof(head));
}

void manifest_put_entry(struct buf *page, const char *previous, const struct manifest_entry *entry)
{
	put_name(page, previous, entry->name);
	put_attributes(page, entry);
}

void manifest_put_reference(
        struct buf *page, const char *previous, const struct manifest_reference *reference)
{
	put_name(page, previous, reference->name);
	put_number(page, reference->count);
	put_id(page, &reference->id);
}

void manifest_put_root(struct buf *page, const struct manifest_entry *entry)
{
	const char head[] = {ROOT, VERSION};

	buf_append(page, head, sizeof(head));
	put_attributes(page, entry);
}

bool manifest_page_ends(const char *name, unsigned level, unsigned records, size_t bytes)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + level;

	if (bytes >= MANIFEST_PAGE_MAX / 2)
		return true;
	if (records < RECORDS_LEAST)
		return false;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	hash ^= hash >> 29;
	return (hash * UINT64_C(0x9e3779b97f4a7c15) >> 40 & ENDS_MASK) == 0;
}

/* --- reading --- */

static int get_number(struct manifest_cursor *cursor, uint64_t *number, uint64_t most)
{
	unsigned shift = 0;
	unsigned char byte;

	*number = 0;
	do {
		if (cursor->at == cursor->end || shift > 63)
			return -EBADMSG;
		byte = *cursor->at++;
		if (shift == 63 && byte > 1)
			return -EBADMSG;
		*number |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if ((byte == 0 && shift > 7) || *number > most)
		return -EBADMSG;
	return 0;
}

static int get_signed(struct manifest_cursor *cursor, int64_t *number)
{
	uint64_t zigzag;
	int r = get_number(cursor, &zigzag, UINT64_MAX);

	*number = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
	return r;
}

static int get_bytes(struct manifest_cursor *cursor, const void **bytes, size_t length)
{
	if ((size_t)(cursor->end - cursor->at) < length)
		return -EBADMSG;
	*bytes = cursor->at;
	cursor->at += length;
	return 0;
}

static int get_id(struct manifest_cursor *cursor, struct blob_id *id)
{
	const void *bytes = NULL;
	int r = get_bytes(cursor, &bytes, sizeof(id->bytes));

	if (r == 0)
		memcpy(id->bytes, bytes, sizeof(id->bytes));
	return r;
}

static bool is_name(const char *name, size_t length)
{
	if (length == 0 || memchr(name, '/', length) || memchr(name, 0, length))
		return false;
	return !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

/* Greater than the one before, and sharing with it no more and no less than it says. */
static int get_name(struct manifest_cursor *cursor)
{
	uint64_t shared, more;
	const void *bytes = NULL;
	int r = get_number(cursor, &shared, cursor->name_length);

	if (r == 0)
		r = get_number(cursor, &more, MANIFEST_NAME_MAX - shared);
	if (r == 0)
		r = get_bytes(cursor, &bytes, more);
	if (r < 0)
		return r;
	if (more == 0 || (shared < cursor->name_length && (unsigned char)cursor->name[shared] >=
	                                                          *(const unsigned char *)bytes))
		return -EBADMSG;
	memcpy(cursor->name + shared, bytes, more);
	cursor->name_length = shared + more;
	cursor->name[cursor->name_length] = 0;
	return is_name(cursor->name, cursor->name_length) ? 0 : -EBADMSG;
}

static int get_owner(struct manifest_cursor *cursor, struct manifest_entry *entry)
{
	uint64_t mode, kind, uid, gid;
	int r = get_number(cursor, &mode, 07777);

	if (r == 0)
		r = get_number(cursor, &kind, MANIFEST_FIFO);
	if (r == 0)
		r = get_number(cursor, &uid, UINT32_MAX);
	if (r == 0)
		r = get_number(cursor, &gid, UINT32_MAX);
	if (r < 0 || kind < MANIFEST_FILE)
		return -EBADMSG;
	entry->mode = (mode_t)mode;
	entry->kind = (enum manifest_kind)kind;
	entry->uid = (uid_t)uid;
	entry->gid = (gid_t)gid;
	return 0;
}

static int get_times(struct manifest_cursor *cursor, struct manifest_entry *entry)
{
	int64_t seconds;
	uint64_t nanoseconds;
	int r = get_signed(cursor, &seconds);

	if (r == 0)
		r = get_number(cursor, &nanoseconds, 999999999);
	if (r == 0)
		r = get_number(cursor, &entry->group, UINT64_MAX);
	if (r == 0)
		entry->mtime = (struct timespec){seconds, (long)nanoseconds};
	return r;
}

static int get_directory(struct manifest_cursor *cursor, struct manifest_entry *entry)
{
	int r = get_number(cursor, &entry->files, UINT64_MAX);

	if (r == 0)
		r = get_number(cursor, &entry->directories, UINT64_MAX);
	if (r == 0)
		r = get_number(cursor, &entry->bytes, UINT64_MAX);
	if (r == 0)
		r = get_id(cursor, &entry->id);
	return r;
}

static int get_content(struct manifest_cursor *cursor, struct manifest_entry *entry)
{
	const void *target = NULL;
	int r;

	if (entry->kind == MANIFEST_FIFO)
		return 0;
	if (entry->kind == MANIFEST_DIRECTORY)
		return get_directory(cursor, entry);
	r = get_number(cursor, &entry->size,
	        entry->kind == MANIFEST_FILE ? INT64_MAX : MANIFEST_TARGET_MAX);
	if (r < 0)
		return r;
	if (entry->kind == MANIFEST_FILE)
		return entry->size ? get_id(cursor, &entry->id) : 0;
	r = get_bytes(cursor, &target, entry->size);
	if (r < 0 || entry->size == 0 || memchr(target, 0, entry->size))
		return -EBADMSG;
	entry->target = target;
	return 0;
}

static int get_attributes(struct manifest_cursor *cursor, struct manifest_entry *entry)
{
	int r;

	memset(entry, 0, sizeof(*entry));
	entry->name = cursor->name;
	r = get_owner(cursor, entry);
	if (r == 0)
		r = get_times(cursor, entry);
	return r < 0 ? r : get_content(cursor, entry);
}

int manifest_begin(struct manifest_cursor *cursor, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	if (length < 3 || bytes[0] != PAGE || bytes[1] != VERSION ||
	        bytes[2] >= MANIFEST_LEVELS_MAX)
		return -EBADMSG;
	cursor->at = bytes + 3;
	cursor->end = bytes + length;
	cursor->level = bytes[2];
	cursor->name_length = 0;
	cursor->name[0] = 0;
	/* Only an empty directory has an empty page. */
	return cursor->level && cursor->at == cursor->end ? -EBADMSG : 0;
}

int manifest_next_entry(struct manifest_cursor *cursor, struct manifest_entry *entry)
{
	int r;

	if (cursor->level)
		return -EBADMSG;
	if (cursor->at == cursor->end)
		return 0;
	r = get_name(cursor);
	if (r == 0)
		r = get_attributes(cursor, entry);
	return r < 0 ? r : 1;
}

int manifest_next_reference(struct manifest_cursor *cursor, struct manifest_reference *reference)
{
	int r;

	if (!cursor->level)
		return -EBADMSG;
	if (cursor->at == cursor->end)
		return 0;
	r = get_name(cursor);
	if (r == 0)
		r = get_number(cursor, &reference->count, INT64_MAX);
	if (r == 0)
		r = get_id(cursor, &reference->id);
	reference->name = cursor->name;
	return r < 0 ? r : reference->count ? 1 : -EBADMSG;
}

int manifest_read_root(const void *data, size_t length, struct manifest_entry *entry)
{
	const unsigned char *bytes = data;
	struct manifest_cursor cursor = {.at = bytes + 2, .end = bytes + length};
	int r;

	if (length < 2 || bytes[0] != ROOT || bytes[1] != VERSION)
		return -EBADMSG;
	r = get_attributes(&cursor, entry);
	entry->name = "";
	if (r < 0 || cursor.at != cursor.end || entry->kind != MANIFEST_DIRECTORY)
		return -EBADMSG;
	return 0;
}
