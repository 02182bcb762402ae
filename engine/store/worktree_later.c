/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may take long, in the thread pool. Bytes that such work changes are saved before it begins, on
 * the loop; should the content be committed before it ends, its end is one more commit, for nobody
 * can say what of it a checkout in between has seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_directories.h"
#include "store/worktree_drafts.h"
#include "store/worktree_files.h"
#include "store/worktree_set_id.h"

#define COPY_AT_ONCE (64 << 20) /* the answer of one copy; whoever asked for more asks again */

struct later {
	uv_work_t work;
	struct worktree *tree;      /* counted */
	struct worktree_file *file; /* counted; NULL for directories */
	struct worktree_file *from; /* of a copy, counted */
	void (*run)(struct later *later);
	int directory_fd; /* a duplicate, or -1 */
	bool data_only;
	int mode;
	void *data;
	off_t offset, from_offset;
	off_t length;
	uint64_t commits; /* of the node, when it began */
	ssize_t status;
	worktree_done_fn done;
	void *userdata;
};

static struct later *later_free(struct later *later)
{
	if (later->file)
		worktree_file_unref(later->file);
	if (later->from)
		worktree_file_unref(later->from);
	close_fd(later->directory_fd);
	worktree_unref(later->tree);
	free(later);
	return NULL;
}

static void later_work(uv_work_t *work)
{
	struct later *later = work->data;

	later->run(later);
}

/* It was at work on bytes that were committed meanwhile. */
static void account(struct later *later)
{
	if (later->mode >= 0 && later->file->node->commits != later->commits)
		draft_commit_range(later->file->node, later->offset, RANGE_END);
}

static void on_later_done(uv_work_t *work, int status)
{
	struct later *later = work->data;

	if (status < 0)
		later->status = status;
	if (later->file)
		account(later);
	later->done(later->userdata, later->status);
	later_free(later);
}

static struct later *later_new(
        struct worktree *tree, struct worktree_file *file, worktree_done_fn done, void *userdata)
{
	struct later *later = calloc(1, sizeof(*later));

	if (!later)
		return NULL;
	later->tree = worktree_ref(tree);
	later->file = file;
	if (file)
		worktree_file_ref(file);
	later->directory_fd = -1;
	later->mode = -1; /* changes nothing */
	later->done = done;
	later->userdata = userdata;
	later->work.data = later;
	return later;
}

static int later_start(struct later *later, void (*run)(struct later *later))
{
	int r;

	later->run = run;
	if (later->file)
		later->commits = later->file->node->commits;
	r = uv_queue_work(later->tree->loop, &later->work, later_work, on_later_done);
	if (r < 0)
		later_free(later);
	return r;
}

/* --- reading --- */

static void run_read(struct later *later)
{
	ssize_t got = pread(later->file->fd, later->data, (size_t)later->length, later->offset);

	later->status = got < 0 ? -errno : got;
}

int worktree_read_later(struct worktree_file *file, void *data, size_t size, off_t offset,
        worktree_done_fn done, void *userdata)
{
	int r = file_open(file);
	struct later *later = r < 0 ? NULL : later_new(file->node->tree, file, done, userdata);

	if (!later)
		return r < 0 ? r : -ENOMEM;
	later->data = data;
	later->length = (off_t)size;
	later->offset = offset;
	return later_start(later, run_read);
}

/* --- writing --- */

static void run_write(struct later *later)
{
	later->status =
	        file_put(later->file->fd, later->data, (size_t)later->length, later->offset);
}

int worktree_write_later(struct worktree_file *file, void *data, size_t size, off_t offset,
        const struct caller *caller, bool mapped, worktree_done_fn done, void *userdata)
{
	struct later *later = later_new(file->node->tree, file, done, userdata);
	int r;

	if (!later)
		return -ENOMEM;
	r = file_before_write(file, offset, offset + (off_t)size, caller, mapped);
	if (r < 0) {
		later_free(later);
		return r;
	}
	later->mode = 0;
	later->data = data;
	later->length = (off_t)size;
	later->offset = offset;
	return later_start(later, run_write);
}

/* --- syncing --- */

static void run_sync(struct later *later)
{
	int fd = later->file ? later->file->fd : later->directory_fd;
	int r = later->data_only ? fdatasync(fd) : fsync(fd);

	later->status = r < 0 ? -errno : 0;
}

int worktree_fsync(
        struct worktree_file *file, bool data_only, worktree_done_fn done, void *userdata)
{
	int r = file_open(file);
	struct later *later = r < 0 ? NULL : later_new(file->node->tree, file, done, userdata);

	if (!later)
		return r < 0 ? r : -ENOMEM;
	draft_commit(file->node);
	later->data_only = data_only;
	return later_start(later, run_sync);
}

int worktree_fsync_directory(
        struct worktree_directory *directory, worktree_done_fn done, void *userdata)
{
	struct later *later = later_new(directory->node->tree, NULL, done, userdata);

	if (!later)
		return -ENOMEM;
	later->directory_fd = fcntl(dirfd(directory->dir), F_DUPFD_CLOEXEC, 0);
	if (later->directory_fd < 0) {
		later_free(later);
		return -errno;
	}
	return later_start(later, run_sync);
}

/* --- allocating --- */

static void run_allocate(struct later *later)
{
	int r = fallocate(later->file->fd, later->mode, later->offset, later->length);

	later->status = r < 0 ? -errno : 0;
}

int worktree_allocate(struct worktree_file *file, int mode, off_t offset, off_t length,
        const struct caller *caller, worktree_done_fn done, void *userdata)
{
	struct later *later = later_new(file->node->tree, file, done, userdata);
	off_t end = offset > RANGE_END - length ? RANGE_END : offset + length;
	int r;

	if (!later)
		return -ENOMEM;
	r = file_before_change(file, offset, end);
	if (r == 0)
		r = set_id_drop(file->node, file->fd, caller);
	if (r < 0) {
		later_free(later);
		return r;
	}
	file_set_wrote(file);
	later->mode = mode;
	later->offset = offset;
	later->length = length;
	return later_start(later, run_allocate);
}

/* --- copying --- */

static void run_copy(struct later *later)
{
	off_t in = later->from_offset, out = later->offset;
	ssize_t done = 0, total = 0;

	while (total < later->length) {
		done = copy_file_range(later->from->fd, &in, later->file->fd, &out,
		        (size_t)(later->length - total), 0);
		if (done <= 0)
			break;
		total += done;
	}
	later->status = total || done == 0 ? total : -errno;
}

int worktree_copy(struct worktree_file *from, off_t from_offset, struct worktree_file *to,
        off_t to_offset, size_t length, const struct caller *caller, worktree_done_fn done,
        void *userdata)
{
	int r = file_open(from);
	struct later *later = r < 0 ? NULL : later_new(to->node->tree, to, done, userdata);

	if (!later)
		return r < 0 ? r : -ENOMEM;
	later->from = from;
	worktree_file_ref(from);
	later->from_offset = from_offset;
	later->offset = to_offset;
	later->length = length > COPY_AT_ONCE ? COPY_AT_ONCE : (off_t)length;
	r = file_before_change(to, to_offset, to_offset + later->length);
	if (r == 0)
		r = set_id_drop(to->node, to->fd, caller);
	if (r < 0) {
		later_free(later);
		return r;
	}
	file_set_wrote(to);
	later->mode = 0;
	return later_start(later, run_copy);
}
