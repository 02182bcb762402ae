/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a snapshot goes in rounds. Each begins at a *moment* on the loop at which a checkout of
 * the tree is handed over: there the marks of the snapshot are cloned and cleared, and what they
 * name is looked at, if it is little. The rest is a worker's. Was it not little, the worker looks
 * at the tree while changes go on; when there were some, one more round takes them in, with the
 * result so far as its base. After some rounds everything is looked at on the loop, however much
 * it is.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/snapshot.h"
#include "store/snapshot_taking.h"
#include "store/worktree_drafts.h"
#include "store/worktree_slots.h"
#include "store/worktree_tree.h"

#define LOOKS_AT_ONCE 256
#define ROUNDS_MOST   5

static const uint64_t snapshot_bit = UINT64_C(1) << SLOT_SNAPSHOT;

static void begin(struct snapshot_taking *taking);
static void on_worked(uv_work_t *work, int status);

/* --- the base --- */

bool snapshot_base(const struct worktree *tree, struct blob_id *root)
{
	if (tree->base_known)
		*root = tree->base;
	return tree->base_known;
}

static void forget_base(struct worktree *tree)
{
	tree->base_known = false;
	tree->tracked &= ~snapshot_bit;
	if (tree->marks.root)
		marks_clear(&tree->marks, SLOT_SNAPSHOT);
}

int snapshot_base_forget(struct worktree *tree)
{
	if (!list_empty(&tree->takings))
		return -EBUSY;
	forget_base(tree);
	return 0;
}

/* --- life --- */

static void round_end(struct snapshot_taking *taking)
{
	snapshot_writer_deinit(&taking->writer);
	marks_deinit(&taking->marks);
	free(taking->drafts);
	taking->drafts = NULL;
	taking->checkout = checkout_unref(taking->checkout);
}

static void taking_free(struct snapshot_taking *taking)
{
	round_end(taking);
	snapshot_pins_release(taking->pins);
	close_fd(taking->directory);
	if (taking->tree)
		worktree_unref(taking->tree);
	free(taking);
}

static struct snapshot_taking *taking_new(
        uv_loop_t *loop, struct blobs *blobs, snapshot_done_fn done, void *userdata)
{
	struct snapshot_taking *taking = calloc(1, sizeof(*taking));

	if (!taking)
		return NULL;
	taking->pins = calloc(1, sizeof(*taking->pins));
	if (!taking->pins) {
		free(taking);
		return NULL;
	}
	list_init(&taking->link);
	taking->loop = loop;
	taking->blobs = blobs;
	taking->done = done;
	taking->userdata = userdata;
	taking->directory = -1;
	taking->work.data = taking;
	return taking;
}

static const char *sentence(const struct snapshot_taking *taking)
{
	if (taking->writer.why.length && !taking->writer.why.failed)
		return taking->writer.why.data;
	switch (taking->status) {
	case -ECANCELED:
		return "publishing was stopped";
	case -ENOSPC:
	case -EDQUOT:
		return "the disk is full";
	case -ENOMEM:
		return "memory is short";
	default:
		return strerror(-taking->status);
	}
}

static void finish(struct snapshot_taking *taking)
{
	struct worktree *tree = taking->tree;
	struct snapshot_taking *next = NULL;

	if (tree) {
		list_unlink(&taking->link);
		next = list_first(&tree->takings, struct snapshot_taking, link);
		if (taking->status < 0)
			forget_base(tree);
	}
	if (taking->status < 0)
		taking->done(taking->userdata, taking->status, NULL, NULL, sentence(taking));
	else
		taking->done(taking->userdata, 0, &taking->summary, take(taking->pins), NULL);
	if (next)
		begin(next);
	taking_free(taking);
}

/* Even what has failed already is told on a turn of its own. */
static void start_work(struct snapshot_taking *taking)
{
	int r = uv_queue_work(taking->loop, &taking->work, taking_work, on_worked);

	assert(r == 0); /* libuv knows no other answer when there is a work function */
	(void)r;
}

/* --- the moment --- */

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static int find_drafts(struct snapshot_taking *taking)
{
	struct worktree *tree = taking->tree;
	const struct draft *draft;
	size_t count = 0;

	list_each(draft, &tree->drafts, link)
		count++;
	taking->drafts = count ? calloc(count, sizeof(*taking->drafts)) : NULL;
	if (count && !taking->drafts)
		return -ENOMEM;
	count = 0;
	list_each(draft, &tree->drafts, link)
		taking->drafts[count++] = draft->node->ino;
	if (count)
		qsort(taking->drafts, count, sizeof(*taking->drafts), compare);
	taking->writer.drafts = taking->drafts;
	taking->writer.draft_count = count;
	return 0;
}

static bool is_whole(const struct worktree *tree)
{
	const struct mark *root = tree->marks.root;

	return !tree->base_known || (root->self | root->deep) & snapshot_bit;
}

static int clone_marks(struct snapshot_taking *taking)
{
	struct worktree *tree = taking->tree;
	struct snapshot_writer *writer = &taking->writer;
	int r;

	writer->whole = is_whole(tree);
	writer->base = tree->base;
	writer->slots = snapshot_bit;
	r = writer->whole ? marks_init(&taking->marks)
	                  : marks_clone(&tree->marks, snapshot_bit, &taking->marks);
	if (r < 0)
		return r;
	writer->marks = taking->marks.root;
	marks_clear(&tree->marks, SLOT_SNAPSHOT);
	tree->tracked |= snapshot_bit;
	return 0;
}

static int survey(struct snapshot_taking *taking)
{
	size_t most = taking->round >= ROUNDS_MOST ? SIZE_MAX : LOOKS_AT_ONCE;
	struct snapshot_writer *writer = &taking->writer;
	int r;

	if (fstat(writer->tree, &writer->root.attr) < 0)
		return fail(-errno, "looking at a tree to publish");
	r = survey_collect(writer->tree, writer->marks, writer->slots, writer->whole, &most,
	        &writer->root.entries);
	writer->exact = r == 0;
	if (r == 0)
		return 0;
	survey_entries_free(&writer->root.entries);
	return r == -E2BIG ? 0 : r;
}

static int round_begin(struct snapshot_taking *taking, struct checkout *checkout)
{
	struct snapshot_writer *writer = &taking->writer;
	int r;

	taking->checkout = checkout;
	*writer = (struct snapshot_writer){.tree = taking->tree->root_fd,
	        .content = checkout_fd(checkout),
	        .counts = &taking->counts,
	        .canceled = &taking->canceled};
	clock_gettime(CLOCK_REALTIME_COARSE, &writer->moment);
	r = find_drafts(taking);
	if (r == 0)
		r = clone_marks(taking);
	return r < 0 ? r : survey(taking);
}

static void on_checkout(void *userdata, int status, struct checkout *checkout)
{
	struct snapshot_taking *taking = userdata;

	taking->request = NULL;
	taking->status = status;
	if (status == 0)
		taking->status = round_begin(taking, checkout);
	start_work(taking);
}

static bool is_unchanged(const struct worktree *tree)
{
	return tree->base_known && !(mark_any(tree->marks.root) & snapshot_bit);
}

/* The first round, or one more. */
static void begin(struct snapshot_taking *taking)
{
	struct worktree *tree = taking->tree;
	struct checkout_request *request;

	taking->round++;
	if (taking->canceled || tree->closed) {
		taking->status = -ECANCELED;
		start_work(taking);
	} else if (is_unchanged(tree)) {
		taking->unchanged = true;
		taking->summary.root = tree->base;
		start_work(taking);
	} else {
		request = worktree_checkout(tree, on_checkout, taking);
		if (request)
			taking->request = request;
	}
}

/* --- behind the work --- */

/* Once more: the base was gone, or a worker looked while the tree changed. */
static bool wants_round(struct snapshot_taking *taking, bool exact)
{
	struct worktree *tree = taking->tree;

	if (!tree || taking->canceled || tree->closed)
		return false;
	if (taking->status == -ESTALE && taking->round <= ROUNDS_MOST) {
		forget_base(tree);
		taking->status = 0;
		taking->unchanged = false;
		return true;
	}
	return taking->status == 0 && !exact && !is_unchanged(tree);
}

static void on_worked(uv_work_t *work, int status)
{
	struct snapshot_taking *taking = work->data;
	bool exact = taking->writer.exact || taking->unchanged;

	if (taking->tree && taking->status == 0) {
		taking->tree->base = taking->summary.root;
		taking->tree->base_known = true;
	}
	if (taking->canceled && taking->status == 0 && !exact)
		taking->status = -ECANCELED;
	if (taking->tree && taking->tree->closed && taking->status == 0 && !exact)
		taking->status = -ECANCELED;
	if (!wants_round(taking, exact)) {
		finish(taking);
		return;
	}
	round_end(taking);
	begin(taking);
}

/* --- from outside --- */

struct snapshot_taking *snapshot_take(
        struct worktree *tree, struct blobs *blobs, snapshot_done_fn done, void *userdata)
{
	struct snapshot_taking *taking = taking_new(tree->loop, blobs, done, userdata);
	bool first = list_empty(&tree->takings);

	if (!taking)
		return NULL;
	taking->tree = worktree_ref(tree);
	list_append(&tree->takings, &taking->link);
	if (first)
		begin(taking);
	return taking;
}

struct snapshot_taking *snapshot_take_directory(
        uv_loop_t *loop, int fd, struct blobs *blobs, snapshot_done_fn done, void *userdata)
{
	struct snapshot_taking *taking = taking_new(loop, blobs, done, userdata);
	struct snapshot_writer *writer;

	if (!taking)
		return NULL;
	taking->directory = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (taking->directory < 0)
		taking->status = -errno;
	writer = &taking->writer;
	writer->tree = writer->content = taking->directory;
	writer->whole = true;
	writer->counts = &taking->counts;
	writer->canceled = &taking->canceled;
	clock_gettime(CLOCK_REALTIME_COARSE, &writer->moment);
	start_work(taking);
	return taking;
}

void snapshot_taking_progress(
        const struct snapshot_taking *taking, struct snapshot_progress *progress)
{
	*progress = (struct snapshot_progress){.files = taking->counts.files,
	        .bytes = taking->counts.bytes,
	        .files_all = taking->counts.files_all,
	        .bytes_all = taking->counts.bytes_all};
}

void snapshot_taking_cancel(struct snapshot_taking *taking)
{
	taking->canceled = true;
	if (taking->request) {
		checkout_request_cancel(taking->request);
		taking->request = NULL;
		taking->status = -ECANCELED;
		start_work(taking);
	}
}
