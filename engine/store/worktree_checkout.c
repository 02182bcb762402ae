/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_checkout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_drafts.h"
#include "store/worktree_marks.h"
#include "store/worktree_slots.h"
#include "store/worktree_sync.h"

#define ENTRIES_AT_ONCE 64
#define BYTES_AT_ONCE   (2 << 20)
#define ROUNDS_MOST     5

struct checkout_request {
	struct list link; /* tree->requests */
	checkout_done_fn done;
	void *userdata;
	bool *served; /* while worktree_checkout() runs; else NULL */
};

/* What a worker does: everything it looks at is its own, or stays as it is meanwhile. */
struct job {
	uv_work_t work;
	struct worktree *tree;  /* counted */
	struct checkout *slot;  /* filling */
	struct checkout *other; /* to link from, counted; or NULL */
	bool link_all;          /* the slot is empty: links to all of `other` first */
	unsigned round;
	struct marks marks;
	struct list renames;
	struct sync sync;
	uint64_t *borrowed;
	int status;
	size_t entries;
};

static void begin(struct worktree *tree);

/* --- answering --- */

static void serve(struct worktree *tree, int status, struct checkout *slot)
{
	struct checkout_request *request;
	struct list ready;

	list_move_all(&tree->requests, &ready);
	while ((request = list_first(&ready, struct checkout_request, link))) {
		list_unlink(&request->link);
		if (request->served)
			*request->served = true;
		request->done(request->userdata, status, status == 0 ? checkout_ref(slot) : NULL);
		free(request);
	}
}

/* --- one round of work --- */

static struct checkout *other_slot(const struct checkout *slot)
{
	struct checkout *other;

	list_each(other, &slot->tree->slots, link)
		if (other != slot && !other->filling && other->number != SLOT_UNTRACKED &&
		        other->rename_count == 0)
			return other;
	return NULL;
}

static void fill_in(struct sync *sync, struct checkout *slot, const struct checkout *other)
{
	struct worktree *tree = slot->tree;

	*sync = (struct sync){
	        .root_fd = tree->root_fd,
	        .cache_fd = tree->cache_fd,
	        .slot_fd = slot->fd,
	        .slot = slot->number,
	        .link_fd = other && !other->rename_count ? other->fd : -1,
	        .link_slot = other ? other->number : slot->number,
	        .renames = &slot->renames,
	};
}

/* The files of slots that drafts read old content from; freed by the caller. */
static int find_borrowed(struct worktree *tree, struct sync *sync, uint64_t **list)
{
	const struct draft *draft;
	size_t count = 0;

	list_each(draft, &tree->drafts, link)
		count += draft->borrowed != 0;
	*list = count ? calloc(count, sizeof(**list)) : NULL;
	if (count && !*list)
		return -ENOMEM;
	sync->borrowed = *list;
	list_each(draft, &tree->drafts, link)
		if (draft->borrowed)
			(*list)[sync->borrowed_count++] = draft->borrowed;
	return 0;
}

static void finish(struct checkout *slot)
{
	struct worktree *tree = slot->tree;

	marks_clear(&tree->marks, slot->number);
	slot->generation = tree->generation;
	slot->rename_count = 0;
	list_unlink(&slot->link);
	list_prepend(&tree->slots, &slot->link);
}

/* All that is left, at once. */
static int sync_now(struct checkout *slot)
{
	CLEANUP(free_p) uint64_t *borrowed = NULL;
	struct worktree *tree = slot->tree;
	uint64_t trash = tree->next_trash;
	struct sync sync;
	int r;

	fill_in(&sync, slot, other_slot(slot));
	sync.tree = tree;
	sync.next_trash = &tree->next_trash;
	r = find_borrowed(tree, &sync, &borrowed);
	if (r == 0)
		r = sync_run(&sync, tree->marks.root);
	if (tree->next_trash != trash)
		slots_remove_trash(tree);
	if (r < 0)
		return fail(r, "bringing checkout %s up to date", slot->path);
	slot->entries += sync.entries;
	finish(slot);
	return 0;
}

/* --- by a worker --- */

static struct job *job_free(struct job *job)
{
	struct slot_rename *rename, *following;

	list_each_safe(rename, following, &job->renames, link)
		slot_rename_free(rename);
	marks_deinit(&job->marks);
	checkout_unref(job->other);
	free(job->borrowed);
	worktree_unref(job->tree);
	free(job);
	return NULL;
}

static void job_work(uv_work_t *work)
{
	struct job *job = work->data;

	if (job->link_all)
		job->status = sync_link_tree(job->other->fd, job->slot->fd, &job->entries);
	if (job->status == 0)
		job->status = sync_run(&job->sync, job->marks.root);
}

static void end_filling(struct checkout *slot)
{
	slot->filling = false;
	slot->tree->filling &= ~(UINT64_C(1) << slot->number);
}

static void fill(struct checkout *slot, struct checkout *other, bool link_all, unsigned round);

static void on_job_done(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct worktree *tree = worktree_ref(job->tree);
	struct checkout *slot = job->slot;
	unsigned round = job->round;

	if (job->status < 0)
		fail(job->status, "filling checkout %s", slot->path);
	status = job->status;
	slot->entries += job->entries;
	slot->entries += job->sync.entries;
	tree->job = NULL;
	job_free(job); /* before the slot can be taken for superfluous */
	end_filling(slot);
	if (tree->closed) {
		slot_free(slot);
	} else if (status < 0) {
		slot_discard(slot);
		serve(tree, status, NULL);
	} else {
		fill(slot, NULL, false, round + 1);
	}
	worktree_unref(tree);
}

static int job_prepare(struct job *job, uint64_t slots)
{
	struct worktree *tree = job->tree;
	int r = marks_clone(&tree->marks, slots, &job->marks);

	if (r < 0)
		return r;
	r = find_borrowed(tree, &job->sync, &job->borrowed);
	if (r < 0)
		return r;
	marks_clear(&tree->marks, job->slot->number);
	list_move_all(&job->slot->renames, &job->renames);
	job->slot->rename_count = 0;
	job->sync.renames = &job->renames;
	return 0;
}

static int job_start(struct checkout *slot, struct checkout *other, bool link_all, unsigned round)
{
	struct worktree *tree = slot->tree;
	struct job *job = calloc(1, sizeof(*job));
	uint64_t slots = UINT64_C(1) << slot->number;
	int r;

	if (!job)
		return -ENOMEM;
	list_init(&job->renames);
	job->tree = worktree_ref(tree);
	job->slot = slot;
	job->link_all = link_all;
	job->round = round;
	job->work.data = job;
	if (!other)
		other = other_slot(slot);
	if (other) {
		job->other = checkout_ref(other);
		slots |= UINT64_C(1) << other->number;
	}
	slot->filling = true;
	fill_in(&job->sync, slot, other);
	r = job_prepare(job, slots);
	if (r == 0)
		r = uv_queue_work(tree->loop, &job->work, job_work, on_job_done);
	if (r < 0) {
		job_free(job);
		slot->filling = false;
		return r;
	}
	tree->job = job;
	tree->filling |= UINT64_C(1) << slot->number;
	drafts_mark_filling(tree);
	return 0;
}

/* --- deciding --- */

static bool is_light(struct checkout *slot, struct sync_weight *weight)
{
	struct sync sync;

	fill_in(&sync, slot, NULL);
	return sync_light(&sync, slot->tree->marks.root, weight);
}

/* With nobody waiting but all slots held, one more is made ready for the next change. */
static void provide(struct worktree *tree)
{
	struct checkout *latest = slots_latest(tree);

	if (!tree->closed && !tree->job && latest && latest->entries > ENTRIES_AT_ONCE &&
	        !slots_free(tree))
		begin(tree);
}

static void fill(struct checkout *slot, struct checkout *other, bool link_all, unsigned round)
{
	struct sync_weight weight = {.most_entries = ENTRIES_AT_ONCE, .most_bytes = BYTES_AT_ONCE};
	struct worktree *tree = slot->tree;
	bool now = !link_all && (is_light(slot, &weight) || round >= ROUNDS_MOST);
	int r = now ? sync_now(slot) : job_start(slot, other, link_all, round);

	if (r < 0) {
		slot_discard(slot);
		serve(tree, r, NULL);
	} else if (now) {
		serve(tree, 0, slot);
		slots_trim(tree);
		provide(tree);
	}
}

/* A new slot as a copy of another one: links now if they are few. */
static void fill_from(struct checkout *slot, struct checkout *other)
{
	struct worktree *tree = slot->tree;
	bool few = other->entries <= ENTRIES_AT_ONCE;
	int r = slots_copy_marks(other, slot);

	if (r == 0 && few)
		r = sync_link_tree(other->fd, slot->fd, &slot->entries);
	if (r < 0) {
		slot_discard(slot);
		serve(tree, r, NULL);
		return;
	}
	fill(slot, other, !few, 0);
}

static void begin(struct worktree *tree)
{
	struct checkout *slot = slots_free(tree), *latest = slots_latest(tree);
	int r;

	if (slot) {
		fill(slot, NULL, false, 0);
		return;
	}
	r = slot_new(&slot, tree);
	if (r < 0)
		serve(tree, r, NULL);
	else if (latest)
		fill_from(slot, latest);
	else
		fill(slot, NULL, false, 0);
}

/* --- requests --- */

struct checkout_request *worktree_checkout(
        struct worktree *tree, checkout_done_fn done, void *userdata)
{
	struct checkout *current = slots_current(tree);
	struct checkout_request *request;
	bool served = false;

	if (current) {
		done(userdata, 0, checkout_ref(current));
		return NULL;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		done(userdata, fail(-ENOMEM, "asking for a checkout"), NULL);
		return NULL;
	}
	request->done = done;
	request->userdata = userdata;
	request->served = &served;
	list_append(&tree->requests, &request->link);
	worktree_ref(tree);
	if (!tree->job)
		begin(tree);
	if (!served)
		request->served = NULL;
	worktree_unref(tree);
	return served ? NULL : request;
}

void checkout_request_cancel(struct checkout_request *request)
{
	list_unlink(&request->link);
	free(request);
}

void checkouts_close(struct worktree *tree)
{
	serve(tree, -ECANCELED, NULL);
	slots_close(tree);
}
