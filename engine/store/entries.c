/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop and the thread share two lists under one lock: what was handed in, and what is done. A batch
 * is bounded, so that a large one does not keep those behind it waiting for long; what is read is handed
 * back before the batch waits for the disk.
 */
#include "store/entries.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/entries_private.h"

#define BATCH_COMMITS 2000
#define BATCH_BYTES   (32u << 20)

struct entries {
	struct entry_file *file;
	uv_thread_t thread;
	bool running;
	uv_async_t *wake; /* freed by its own close */
	size_t open;      /* handed in, and nobody was told yet */

	uv_mutex_t lock;
	uv_cond_t work;
	struct list commits, reads;           /* handed in */
	struct list done_commits, done_reads; /* to be told */
	bool ending;
};

/* --- the thread ------------------------------------------------------------------------------- */

static void take_batch(struct entries *entries, struct list *batch)
{
	struct entry_commit *commit;
	size_t count = 0, bytes = 0;

	while ((commit = list_first(&entries->commits, struct entry_commit, link)) &&
	        count < BATCH_COMMITS && (!count || bytes + commit->bytes <= BATCH_BYTES)) {
		list_unlink(&commit->link);
		list_append(batch, &commit->link);
		count += commit->count ? commit->count : 1;
		bytes += commit->bytes;
	}
}

static void append_all(struct list *to, struct list *from)
{
	while (!list_empty(from)) {
		struct list *link = from->next;

		list_unlink(link);
		list_append(to, link);
	}
}

static void hand_back(struct entries *entries, struct list *done, struct list *from)
{
	if (list_empty(from))
		return;
	uv_mutex_lock(&entries->lock);
	append_all(done, from);
	uv_mutex_unlock(&entries->lock);
	uv_async_send(entries->wake);
}

/* False at the end. */
static bool wait_for_work(struct entries *entries, struct list *batch, struct list *reads)
{
	list_init(batch);
	uv_mutex_lock(&entries->lock);
	while (list_empty(&entries->commits) && list_empty(&entries->reads) && !entries->ending)
		uv_cond_wait(&entries->work, &entries->lock);
	take_batch(entries, batch);
	list_move_all(&entries->reads, reads);
	uv_mutex_unlock(&entries->lock);
	return !list_empty(batch) || !list_empty(reads);
}

static void work(void *userdata)
{
	struct entries *entries = userdata;
	struct list batch, reads;
	struct entry_read *read;

	while (wait_for_work(entries, &batch, &reads)) {
		list_each(read, &reads, link)
			entry_file_read(entries->file, read);
		hand_back(entries, &entries->done_reads, &reads);
		entry_file_commit(entries->file, &batch);
		hand_back(entries, &entries->done_commits, &batch);
	}
}

/* --- the loop --------------------------------------------------------------------------------- */

static void closed(struct entries *entries)
{
	if (!--entries->open)
		uv_unref((uv_handle_t *)entries->wake);
}

static void tell(uv_async_t *wake)
{
	struct entries *entries = wake->data;
	struct entry_commit *commit;
	struct entry_read *read;
	struct list commits, reads;

	uv_mutex_lock(&entries->lock);
	list_move_all(&entries->done_commits, &commits);
	list_move_all(&entries->done_reads, &reads);
	uv_mutex_unlock(&entries->lock);
	while ((read = list_first(&reads, struct entry_read, link))) {
		list_unlink(&read->link);
		closed(entries);
		read->done(read);
	}
	while ((commit = list_first(&commits, struct entry_commit, link))) {
		list_unlink(&commit->link);
		closed(entries);
		if (commit->done)
			commit->done(commit->userdata, commit->status);
		entry_commit_free(commit);
	}
}

/* While somebody waits to be told the loop has something to wait for. */
static void opened(struct entries *entries)
{
	if (!entries->open++)
		uv_ref((uv_handle_t *)entries->wake);
}

void entries_commit(struct entries *entries, struct entry_commit *commit)
{
	opened(entries);
	uv_mutex_lock(&entries->lock);
	if (commit->failed) {
		commit->status = -ENOMEM;
		list_append(&entries->done_commits, &commit->link);
		uv_async_send(entries->wake);
	} else {
		list_append(&entries->commits, &commit->link);
		uv_cond_signal(&entries->work);
	}
	uv_mutex_unlock(&entries->lock);
}

void entries_read(struct entries *entries, struct entry_read *read)
{
	opened(entries);
	uv_mutex_lock(&entries->lock);
	list_append(&entries->reads, &read->link);
	uv_cond_signal(&entries->work);
	uv_mutex_unlock(&entries->lock);
}

bool entries_idle(const struct entries *entries)
{
	return !entries->open;
}

int entries_each(struct entries *entries, int (*each)(void *userdata, const struct entry_row *row),
        void *userdata, uint64_t *last)
{
	assert(!entries->open);
	return entry_file_each(entries->file, each, userdata, last);
}

/* --- life ------------------------------------------------------------------------------------- */

static void wake_closed(uv_handle_t *handle)
{
	free(handle);
}

/* That the database is there at all has to survive, too: its name stands in the directory. */
static int sync_directory(const char *path)
{
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return fail(-errno, "bringing the directory %s to the disk", path);
	return 0;
}

static void entries_close_p(struct entries **entries)
{
	entries_close(*entries);
}

int entries_open(struct entries **out, uv_loop_t *loop, const char *state_dir)
{
	CLEANUP(entries_close_p) struct entries *entries = calloc(1, sizeof(*entries));
	uv_async_t *wake;
	int r;

	if (!entries)
		return fail(-ENOMEM, "opening the queues");
	list_init(&entries->commits);
	list_init(&entries->reads);
	list_init(&entries->done_commits);
	list_init(&entries->done_reads);
	uv_mutex_init(&entries->lock);
	uv_cond_init(&entries->work);
	r = entry_file_open(&entries->file, state_dir);
	if (r == 0)
		r = sync_directory(state_dir);
	if (r < 0)
		return r;
	wake = malloc(sizeof(*wake));
	if (!wake)
		return fail(-ENOMEM, "opening the queues");
	r = uv_async_init(loop, wake, tell);
	if (r < 0) {
		free(wake);
		return fail(r, "opening the queues");
	}
	entries->wake = wake;
	wake->data = entries;
	uv_unref((uv_handle_t *)wake);
	r = uv_thread_create(&entries->thread, work, entries);
	if (r < 0)
		return fail(r, "starting the thread of the queues");
	entries->running = true;
	*out = take(entries);
	return 0;
}

static void free_reads(struct list *reads)
{
	struct entry_read *read, *following;

	list_each_safe(read, following, reads, link) {
		buf_deinit(&read->data);
		free(read);
	}
}

static void free_commits(struct list *commits)
{
	struct entry_commit *commit, *following;

	list_each_safe(commit, following, commits, link)
		entry_commit_free(commit);
}

struct entries *entries_close(struct entries *entries)
{
	if (!entries)
		return NULL;
	if (entries->running) {
		uv_mutex_lock(&entries->lock);
		entries->ending = true;
		uv_cond_signal(&entries->work);
		uv_mutex_unlock(&entries->lock);
		uv_thread_join(&entries->thread);
	}
	if (entries->wake)
		uv_close((uv_handle_t *)entries->wake, wake_closed);
	free_commits(&entries->commits);
	free_commits(&entries->done_commits);
	free_reads(&entries->reads);
	free_reads(&entries->done_reads);
	entry_file_close(entries->file);
	uv_cond_destroy(&entries->work);
	uv_mutex_destroy(&entries->lock);
	free(entries);
	return NULL;
}
