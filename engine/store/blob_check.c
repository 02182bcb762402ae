/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/blob_private.h"

struct check {
	struct blobs *blobs;
	struct pack_table *table;
	struct blob_reader *reader;
	blobs_bad_fn bad;
	void *userdata;
	struct blob_check_result *counts;
};

static void say(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct check *check, const char *format, ...)
{
	char sentence[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	check->counts->problems++;
	if (check->bad)
		check->bad(check->userdata, sentence);
}

static int report_damage(struct check *check, const struct pack *pack, const struct blob_id *id)
{
	char text[BLOB_TEXT_SIZE];
	struct blob_entry entry;
	struct pack *damaged;
	int r = table_read(check->table, id, check->reader, &entry, &damaged);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		blobs_note_damage(check->blobs, id);
	blob_id_format(text, id);
	say(check, "blob %s is damaged in pack %" PRIu64 "%s", text, pack->number,
	        r == 0 ? ", but whole in another" : "");
	return 0;
}

static int check_record(
        struct check *check, const struct pack *pack, const struct blob_entry *entry)
{
	int r = pack_read(pack, entry, check->reader);

	check->counts->records++;
	if (r == -EBADMSG)
		return report_damage(check, pack, &entry->id);
	if (r == 0)
		check->counts->content += entry->size;
	return r;
}

static int check_index(struct check *check, const struct pack *pack)
{
	int r = pack_verify_index(pack, check->reader);

	if (r == -EBADMSG && !pack->rebuilt)
		say(check, "pack %" PRIu64 ": its index has been damaged since it was opened",
		        pack->number);
	else if (r == -EBADMSG)
		say(check, "pack %" PRIu64 ": its index is damaged; made anew from %zu records%s",
		        pack->number, pack->count,
		        pack->gaps ? "; some of its bytes are no records, blobs may be missing"
		                   : "");
	return r == -EBADMSG ? 0 : r;
}

static int check_pack(struct check *check, const struct pack *pack)
{
	CLEANUP(free_p) struct blob_entry *entries = NULL;
	size_t i;
	int r = check_index(check, pack);

	check->counts->packs++;
	check->counts->bytes += pack->size;
	if (r == 0)
		r = pack_entries(pack, &entries);
	if (r == -EIO) {
		say(check, "pack %" PRIu64 ": its index cannot be read", pack->number);
		return 0;
	}
	for (i = 0; r == 0 && i < pack->count; i++)
		r = blobs_check_stopped(check->blobs) ? -ECANCELED
		                                      : check_record(check, pack, &entries[i]);
	return r;
}

void blobs_check_stop(struct blobs *blobs, bool stop)
{
	atomic_store(&blobs->check_stop, stop);
}

bool blobs_check_stopped(struct blobs *blobs)
{
	return atomic_load(&blobs->check_stop);
}

int blobs_check(
        struct blobs *blobs, blobs_bad_fn bad, void *userdata, struct blob_check_result *counts)
{
	struct check check = {.blobs = blobs,
	        .reader = blobs_reader(blobs),
	        .bad = bad,
	        .userdata = userdata,
	        .counts = counts};
	size_t i;
	int r = 0;

	*counts = (struct blob_check_result){0};
	if (!check.reader)
		return -ENOMEM;
	check.table = blobs_table(blobs);
	for (i = check.table->count; r == 0 && i-- > 0;)
		r = check_pack(&check, check.table->packs[i]);
	table_unref(check.table);
	blobs_reader_done(blobs, check.reader);
	return r;
}
