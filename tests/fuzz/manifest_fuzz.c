/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of a manifest as anything may have made it. What is accepted must be what it would be
 * written as: then two different pages never say the same, and a name in it is a name.
 */
#include "store/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

static void check_entries(struct manifest_cursor *cursor, struct buf *again)
{
	char last[MANIFEST_NAME_MAX + 1] = "";
	struct manifest_entry entry;

	while (manifest_next_entry(cursor, &entry) > 0) {
		if (strcmp(last, entry.name) >= 0 || strchr(entry.name, '/'))
			abort();
		(void)manifest_mode(&entry);
		manifest_put_entry(again, last, &entry);
		strcpy(last, entry.name);
	}
}

static void check_references(struct manifest_cursor *cursor, struct buf *again)
{
	char last[MANIFEST_NAME_MAX + 1] = "";
	struct manifest_reference reference;

	while (manifest_next_reference(cursor, &reference) > 0) {
		manifest_put_reference(again, last, &reference);
		strcpy(last, reference.name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_deinit) struct buf again = BUF_INIT;
	struct manifest_cursor cursor;
	struct manifest_entry entry;

	if (manifest_read_root(data, size, &entry) == 0) {
		manifest_put_root(&again, &entry);
		if (again.length != size || memcmp(again.data, data, size) != 0)
			abort();
	}
	buf_clear(&again);
	if (manifest_begin(&cursor, data, size) < 0)
		return 0;
	manifest_page_begin(&again, cursor.level);
	if (cursor.level)
		check_references(&cursor, &again);
	else
		check_entries(&cursor, &again);
	if (again.length > size || memcmp(again.data, data, again.length) != 0)
		abort();
	return 0;
}

void fuzz_sample(struct buf *out)
{
	static const char *const names[] = {"README", "a", "a.b", "aa", "empty", "index.py"};
	char last[16] = "";
	size_t i;

	manifest_page_begin(out, 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct manifest_entry entry = {.name = names[i],
		        .kind = 1 + i % 4,
		        .mode = 0644,
		        .uid = 1000,
		        .mtime = {1700000000, 123456789},
		        .group = i % 3,
		        .size = 5,
		        .target = "there",
		        .files = 300,
		        .bytes = 1 << 30};
		manifest_put_entry(out, last, &entry);
		strcpy(last, names[i]);
	}
}
