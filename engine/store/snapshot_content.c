/* SPDX-License-Identifier: Apache-2.0 */
/* Files as chunks and lists: reading. */
#include "store/snapshot_content.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"

unsigned content_depth(uint64_t size)
{
	uint64_t chunks = size / BLOB_MAX + (size % BLOB_MAX != 0);
	unsigned depth = 0;

	for (; chunks > 1; depth++)
		chunks = chunks / CONTENT_LIST_MAX + (chunks % CONTENT_LIST_MAX != 0);
	return depth;
}

bool content_is_hole(const struct blob_id *id)
{
	static const struct blob_id hole;

	return blob_id_equal(id, &hole);
}

/* How many chunks stand below one id of a list of this depth (1: the last list). */
static uint64_t chunks_below(unsigned depth)
{
	uint64_t count = 1;

	while (--depth)
		count *= CONTENT_LIST_MAX;
	return count;
}

static int broken(const struct blob_id *id)
{
	char text[BLOB_TEXT_SIZE];

	blob_id_format(text, id);
	return fail(-EIO, "reading content %s: it has not the size it should have", text);
}

static int get(struct snapshot_recent *recent, const struct blob_id *id, bool wait,
        struct recent_blob **blob)
{
	if (wait)
		return recent_get(recent, id, blob);
	*blob = recent_peek(recent, id);
	return *blob ? 0 : -EAGAIN;
}

static int pick(struct snapshot_recent *recent, struct blob_id *id, uint64_t place, bool wait)
{
	struct recent_blob *list;
	int r = get(recent, id, wait, &list);

	if (r < 0)
		return r;
	if (list->length / BLOB_ID_SIZE <= place)
		r = broken(id);
	else
		memcpy(id->bytes, list->data + place * BLOB_ID_SIZE, BLOB_ID_SIZE);
	recent_put(recent, list);
	return r;
}

int content_find_chunk(struct snapshot_recent *recent, const struct blob_id *id, uint64_t size,
        uint64_t number, bool wait, struct blob_id *chunk)
{
	unsigned depth = content_depth(size);
	int r = 0;

	*chunk = *id;
	for (; r == 0 && depth && !content_is_hole(chunk); depth--) {
		r = pick(recent, chunk, number / chunks_below(depth), wait);
		number %= chunks_below(depth);
	}
	return r;
}

/* Bytes of one chunk, of which `length` are asked for and there. */
static int read_piece(struct snapshot_recent *recent, const struct blob_id *chunk, char *data,
        size_t length, size_t offset, bool wait)
{
	struct recent_blob *blob;
	int r;

	if (content_is_hole(chunk)) {
		memset(data, 0, length);
		return 0;
	}
	r = get(recent, chunk, wait, &blob);
	if (r < 0)
		return r;
	if (blob->length < offset + length)
		r = broken(chunk);
	else
		memcpy(data, blob->data + offset, length);
	recent_put(recent, blob);
	return r;
}

ssize_t content_read(struct snapshot_recent *recent, const struct blob_id *id, uint64_t size,
        void *data, size_t length, uint64_t offset, bool wait)
{
	struct blob_id chunk;
	size_t done = 0;
	int r;

	if (offset >= size)
		return 0;
	if (length > size - offset)
		length = size - offset;
	while (done < length) {
		size_t inside = (offset + done) % BLOB_MAX, piece = BLOB_MAX - inside;
		if (piece > length - done)
			piece = length - done;
		r = content_find_chunk(recent, id, size, (offset + done) / BLOB_MAX, wait, &chunk);
		if (r == 0)
			r = read_piece(recent, &chunk, (char *)data + done, piece, inside, wait);
		if (r < 0)
			return r;
		done += piece;
	}
	return (ssize_t)done;
}

struct visiting {
	struct snapshot_recent *recent;
	content_visit_fn visit;
	void *userdata;
};

static int visit_list(struct visiting *visiting, const struct blob_id *id, unsigned depth)
{
	struct recent_blob *list;
	struct blob_id below;
	size_t at;
	int r;

	if (content_is_hole(id))
		return 0;
	r = visiting->visit(visiting->userdata, id, depth);
	if (r != 0 || depth == 0)
		return r;
	r = recent_get(visiting->recent, id, &list);
	if (r < 0)
		return r;
	for (at = 0; r == 0 && at + BLOB_ID_SIZE <= list->length; at += BLOB_ID_SIZE) {
		memcpy(below.bytes, list->data + at, BLOB_ID_SIZE);
		r = visit_list(visiting, &below, depth - 1);
	}
	recent_put(visiting->recent, list);
	return r;
}

int content_visit(struct snapshot_recent *recent, const struct blob_id *id, uint64_t size,
        content_visit_fn visit, void *userdata)
{
	struct visiting visiting = {recent, visit, userdata};

	return size ? visit_list(&visiting, id, content_depth(size)) : 0;
}
