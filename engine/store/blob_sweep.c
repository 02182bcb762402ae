/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage and small packs go by the same way: what is to stay of some packs is copied into a new one,
 * verified on the way; when that is durable it replaces them, in one step for who looks, and their files are
 * removed. A crash leaves the old ones, or both; what is then there twice goes with a later sweep.
 *
 * A second copy is left out only of the new pack, never of an old one because another old one has it, too: that
 * other was not verified.
 *
 * blob_private.h tells how a sweep and the batches of other threads agree.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/blob_plan.h"
#include "store/blob_private.h"

struct sweep {
	struct blobs *blobs;
	struct pack_table *table; /* that of the beginning */
	struct plan_pack *plan;   /* one for each pack in it */
	struct blob_set emitted;  /* what is in new packs */
	struct pack **copied;     /* packs that the one being written stands for */
	size_t copied_count;
	bool writing;
	struct blob_writer writer;
	struct blob_reader *reader;
	struct sha256 *sha256;
	struct blob_sweep_result result;
};

bool sweep_keeps(const struct blobs *blobs, const struct blob_id *id)
{
	return !blobs->live || blob_set_has(blobs->live, id) || blob_set_has(&blobs->pinned, id);
}

int blobs_sweep_begin(struct blobs *blobs)
{
	bool busy;

	pthread_mutex_lock(&blobs->lock);
	busy = blobs->sweep_begun;
	if (!busy) {
		blobs->sweep_begun = true;
		atomic_store(&blobs->stop, false);
	}
	pthread_mutex_unlock(&blobs->lock);
	return busy ? -EBUSY : 0;
}

void blobs_sweep_abandon(struct blobs *blobs)
{
	struct list retained;

	pthread_mutex_lock(&blobs->lock);
	assert(blobs->sweep_begun);
	list_move_all(&blobs->retained, &retained);
	blobs->sweep_begun = false;
	blobs->judging = false;
	blobs->live = NULL;
	blob_set_deinit(&blobs->pinned);
	pthread_mutex_unlock(&blobs->lock);
	batches_end_retention(&retained);
}

void blobs_sweep_stop(struct blobs *blobs)
{
	atomic_store(&blobs->stop, true);
}

static int copy_pins(struct blobs *blobs, const struct list *batches)
{
	const struct blob_batch *batch;

	list_each(batch, batches, link)
		if (blob_set_add_all(&blobs->pinned, &batch->pins) < 0)
			return -ENOMEM;
	return 0;
}

/* The one moment from which on the sweep's judgement holds. */
static int begin_judging(struct sweep *sweep, const struct blob_set *live)
{
	struct blobs *blobs = sweep->blobs;
	int r;

	pthread_mutex_lock(&blobs->lock);
	assert(blobs->sweep_begun && !blobs->judging);
	r = copy_pins(blobs, &blobs->batches);
	if (r == 0)
		r = copy_pins(blobs, &blobs->retained);
	if (r == 0) {
		blobs->live = live;
		blobs->boundary = blobs->next_number;
		blobs->judging = true;
		sweep->table = blobs->table;
		atomic_fetch_add(&sweep->table->references, 1);
	}
	pthread_mutex_unlock(&blobs->lock);
	return r < 0 ? fail(r, "sweeping") : 0;
}

/* Adds up what of a pack stays; the overhead counts as live, when anything is. */
static int weigh(const struct sweep *sweep, const struct pack *pack, struct plan_pack *plan)
{
	struct blob_entry entry;
	pack_block bytes;
	size_t i;
	int r;

	for (i = 0; i < pack->count; i++) {
		if (i % PACK_BLOCK == 0) {
			if (atomic_load(&sweep->blobs->stop))
				return -ECANCELED;
			r = pack_read_block(pack, i / PACK_BLOCK, bytes);
			if (r < 0) {
				plan->untouchable = true;
				return 0;
			}
		}
		entry_get(&entry, bytes + i % PACK_BLOCK * PACK_ENTRY_SIZE);
		if (sweep_keeps(sweep->blobs, &entry.id))
			plan->live += record_cost(entry.stored);
	}
	plan->live += plan->live ? PACK_OVERHEAD : 0;
	return 0;
}

static bool is_untouchable(struct pack *pack)
{
	return pack->gaps || atomic_load(&pack->unhealthy);
}

static int make_plan(struct sweep *sweep)
{
	size_t i;
	int r;

	sweep->plan = calloc(sweep->table->count + 1, sizeof(*sweep->plan));
	sweep->copied = calloc(sweep->table->count + 1, sizeof(*sweep->copied));
	if (!sweep->plan || !sweep->copied)
		return fail(-ENOMEM, "sweeping");
	for (i = 0; i < sweep->table->count; i++) {
		struct pack *pack = sweep->table->packs[i];
		struct plan_pack *plan = &sweep->plan[i];
		plan->size = pack->size;
		plan->repair = pack->rebuilt;
		plan->untouchable = is_untouchable(pack);
		r = weigh(sweep, pack, plan);
		if (r < 0)
			return r;
	}
	plan_packs(sweep->plan, sweep->table->count);
	return 0;
}

static void remove_files(struct sweep *sweep, struct pack *const *packs, size_t count)
{
	const struct blob_disk *disk = sweep->blobs->disk;
	char name[PACK_NAME_SIZE];
	size_t i;
	int r;

	for (i = 0; i < count; i++) {
		pack_name(name, packs[i]->number);
		r = disk->remove(disk, sweep->blobs->directory, name);
		if (r < 0)
			fail(r, "removing %s", name); /* comes back with the next start */
	}
}

/* These need no room, so they go first. */
static int remove_dead(struct sweep *sweep)
{
	size_t count = 0, i;
	int r;

	for (i = 0; i < sweep->table->count; i++) {
		if (sweep->plan[i].action == PLAN_REMOVE) {
			sweep->copied[count++] = sweep->table->packs[i];
			sweep->result.blobs_dropped += sweep->table->packs[i]->count;
		}
	}
	if (!count)
		return 0;
	r = blobs_replace(sweep->blobs, NULL, sweep->copied, count);
	if (r == 0)
		remove_files(sweep, sweep->copied, count);
	return r;
}

static void begin_writing(struct sweep *sweep)
{
	struct blobs *blobs = sweep->blobs;

	if (!sweep->writing)
		writer_init(&sweep->writer, blobs->disk, blobs->directory, blobs_number(blobs),
		        sweep->sha256);
	sweep->writing = true;
}

/* The new pack takes the place of those copied. */
static int end_writing(struct sweep *sweep)
{
	int r = 0;

	if (!sweep->writing)
		return 0;
	if (sweep->writer.count)
		r = blobs_adopt(sweep->blobs, &sweep->writer, sweep->reader, sweep->copied,
		        sweep->copied_count);
	else if (sweep->copied_count) /* all that stays of them is in new packs already */
		r = blobs_replace(sweep->blobs, NULL, sweep->copied, sweep->copied_count);
	writer_deinit(&sweep->writer);
	sweep->writing = false;
	if (r == 0)
		remove_files(sweep, sweep->copied, sweep->copied_count);
	sweep->copied_count = 0;
	return r;
}

/* Any whole copy will do. -EIO: there is none. */
static int read_any(struct sweep *sweep, const struct pack *pack, const struct blob_entry *from,
        struct blob_entry *entry)
{
	struct pack *damaged;
	int r = pack_read(pack, from, sweep->reader);

	*entry = *from;
	if (r == 0 || r == -ENOMEM)
		return r;
	return table_read(sweep->table, &from->id, sweep->reader, entry, &damaged);
}

static int copy_blob(struct sweep *sweep, const struct pack *pack, const struct blob_entry *from)
{
	struct blob_entry entry;
	int r;

	if (atomic_load(&sweep->blobs->stop))
		return -ECANCELED;
	if (!sweep_keeps(sweep->blobs, &from->id) || blob_set_has(&sweep->emitted, &from->id)) {
		sweep->result.blobs_dropped++;
		return 0;
	}
	r = read_any(sweep, pack, from, &entry);
	if (r < 0)
		return r;
	r = blob_set_add(&sweep->emitted, &entry.id);
	if (r < 0)
		return fail(r, "sweeping");
	return writer_copy(&sweep->writer, &entry, sweep->reader->record.data);
}

/* 1 when it cannot be read whole, and stays therefore. */
static int copy_entries(struct sweep *sweep, struct pack *pack, const struct blob_entry *entries)
{
	char text[BLOB_TEXT_SIZE];
	size_t i;
	int r;

	for (i = 0; i < pack->count; i++) {
		r = copy_blob(sweep, pack, &entries[i]);
		if (r == -EIO && !sweep->writer.error) {
			blob_id_format(text, &entries[i].id);
			fail(r, "blob %s is damaged in pack %" PRIu64 ", which is therefore kept",
			        text, pack->number);
			blobs_note_damage(sweep->blobs, &entries[i].id);
			atomic_store(&pack->unhealthy, true);
			return 1;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_pack(struct sweep *sweep, struct pack *pack)
{
	CLEANUP(free_p) struct blob_entry *entries = NULL;
	int r = pack_entries(pack, &entries);

	if (r == -EIO) {
		atomic_store(&pack->unhealthy, true);
		return 0;
	}
	if (r < 0)
		return r;
	begin_writing(sweep);
	r = copy_entries(sweep, pack, entries);
	if (r < 0)
		return r;
	if (r == 0)
		sweep->copied[sweep->copied_count++] = pack;
	return writer_size(&sweep->writer) >= PLAN_FULL ? end_writing(sweep) : 0;
}

/* Oldest first. */
static int copy_packs(struct sweep *sweep)
{
	size_t i;
	int r;

	for (i = sweep->table->count; i-- > 0;) {
		if (sweep->plan[i].action != PLAN_REWRITE)
			continue;
		r = copy_pack(sweep, sweep->table->packs[i]);
		if (r < 0)
			return r;
	}
	return end_writing(sweep);
}

static int carry_out(struct sweep *sweep, const struct blob_set *live)
{
	int r = begin_judging(sweep, live);

	if (r < 0)
		return r;
	sweep->reader = blobs_reader(sweep->blobs);
	sweep->sha256 = sha256_new();
	if (!sweep->reader || !sweep->sha256)
		return fail(-ENOMEM, "sweeping");
	r = make_plan(sweep);
	if (r == 0)
		r = remove_dead(sweep);
	if (r == 0)
		r = copy_packs(sweep);
	return r;
}

static void count_packs(struct blobs *blobs, uint64_t *packs, uint64_t *bytes, uint64_t *damaged)
{
	struct pack_table *table = blobs_table(blobs);
	size_t i;

	*packs = table->count;
	*bytes = *damaged = 0;
	for (i = 0; i < table->count; i++) {
		*bytes += table->packs[i]->size;
		*damaged += is_untouchable(table->packs[i]);
	}
	table_unref(table);
}

static void sweep_deinit(struct sweep *sweep)
{
	if (sweep->writing)
		writer_deinit(&sweep->writer);
	blobs_reader_done(sweep->blobs, sweep->reader);
	sha256_free(sweep->sha256);
	blob_set_deinit(&sweep->emitted);
	free(sweep->copied);
	free(sweep->plan);
	table_unref(sweep->table);
}

int blobs_sweep(struct blobs *blobs, const struct blob_set *live, struct blob_sweep_result *out)
{
	struct sweep sweep = {.blobs = blobs};
	struct blob_sweep_result *result = &sweep.result;
	int r;

	count_packs(blobs, &result->packs_before, &result->bytes_before, &result->packs_damaged);
	r = carry_out(&sweep, live);
	count_packs(blobs, &result->packs_after, &result->bytes_after, &result->packs_damaged);
	sweep_deinit(&sweep);
	blobs_sweep_abandon(blobs);
	if (out)
		*out = *result;
	return r;
}

bool blobs_want_sweep(struct blobs *blobs)
{
	struct pack_table *table = blobs_table(blobs);
	CLEANUP(free_p)
	struct plan_pack *plan = calloc(table->count + 1, sizeof(*plan));
	bool due;
	size_t i;

	for (i = 0; plan && i < table->count; i++) {
		struct pack *pack = table->packs[i];
		plan[i] = (struct plan_pack){.size = pack->size,
		        .repair = pack->rebuilt,
		        .untouchable = is_untouchable(pack)};
	}
	due = plan && plan_is_due(plan, table->count);
	table_unref(table);
	return due;
}
