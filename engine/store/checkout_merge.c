/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lowest source is linked first, then one after the other over what is there: so a file hides what lies
 * under it, also from a directory further up, exactly as an overlay has it. A worker makes it; whoever
 * waits is served by the loop.
 */
#include "store/checkout_merge.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/list.h"
#include "store/worktree_copy.h"
#include "store/worktree_slots.h"
#include "store/worktree_sync.h"

#define TRASH "trash"

struct merges {
	unsigned references; /* of the owner, of merged ones, of work */
	uv_loop_t *loop;
	int fd;
	char *path;
	uint64_t last;
	struct list all; /* struct merged, in the making or held */
	bool closed;
};

struct merge_request {
	struct list link; /* merged.requests */
	checkout_done_fn done;
	void *userdata;
};

struct merged {
	struct checkout checkout;
	struct merges *merges;
	struct list order; /* merges->all */
	struct list requests;
	uv_work_t work;
	int result; /* of the worker */
	int status;
	size_t count;
	struct checkout *sources[];
};

/* What is to be removed, by a worker. */
struct removal_work {
	uv_work_t work;
	struct merges *merges;
	char name[24];
};

/* --- merging, on a worker --- */

static int merge_tree(int from, int to);

static int merge_directory(int from, int to, const char *name)
{
	CLEANUP(close_p) int below_from = copy_open_directory(from, name);
	CLEANUP(close_p) int below_to = -1;
	struct timespec times[2];
	struct stat attr, there;
	int r = 0;

	if (below_from < 0 || fstat(below_from, &attr) < 0)
		return -EIO;
	if (fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(there.st_mode))
		r = copy_remove(to, name);
	if (r == 0 && mkdirat(to, name, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		below_to = r = copy_open_directory(to, name);
	if (r >= 0)
		r = merge_tree(below_from, below_to);
	times[0] = attr.st_atim;
	times[1] = attr.st_mtim;
	if (r == 0 && (fchmod(below_to, attr.st_mode & 07777) < 0 || futimens(below_to, times) < 0))
		r = -errno;
	return r;
}

static int merge_file(int from, int to, const char *name)
{
	int r = sync_link_file(from, to, name);

	if (r != -EEXIST)
		return r;
	r = copy_remove(to, name);
	return r < 0 ? r : sync_link_file(from, to, name);
}

static int merge_entry(int from, int to, const struct dirent *entry)
{
	bool directory = entry->d_type == DT_DIR;
	struct stat attr;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (entry->d_type == DT_UNKNOWN) {
		if (fstatat(from, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		directory = S_ISDIR(attr.st_mode);
	}
	return directory ? merge_directory(from, to, entry->d_name)
	                 : merge_file(from, to, entry->d_name);
}

static int merge_tree(int from, int to)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		close_fd(fd);
		return -EIO;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = merge_entry(from, to, entry);
	closedir(dir);
	return r;
}

static void merge(uv_work_t *work)
{
	struct merged *merged = work->data;
	struct checkout *checkout = &merged->checkout;
	int parent = merged->merges->fd;

	if (mkdirat(parent, checkout->name, 0755) < 0) {
		merged->result = fail(-errno, "making %s", checkout->path);
		return;
	}
	checkout->fd = copy_open_directory(parent, checkout->name);
	merged->result = checkout->fd < 0 ? checkout->fd : 0;
	for (size_t i = merged->count; i > 0 && merged->result == 0; i--)
		merged->result = merge_tree(merged->sources[i - 1]->fd, checkout->fd);
	if (merged->result < 0) {
		copy_remove(parent, checkout->name);
		fail(merged->result, "merging dependencies into %s", checkout->path);
	}
}

/* --- removing --- */

static void merges_unref(struct merges *merges)
{
	if (--merges->references > 0)
		return;
	assert(list_empty(&merges->all));
	close_fd(merges->fd);
	free(merges->path);
	free(merges);
}

static void remove_now(uv_work_t *work)
{
	struct removal_work *removal = work->data;

	copy_remove(removal->merges->fd, removal->name);
}

static void was_removed(uv_work_t *work, int status)
{
	struct removal_work *removal = work->data;

	merges_unref(removal->merges);
	free(removal);
}

/* What cannot be removed now is when the next daemon starts. */
static void remove_later(struct merges *merges, const char *name)
{
	struct removal_work *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return;
	removal->work.data = removal;
	removal->merges = merges;
	snprintf(removal->name, sizeof(removal->name), "%s", name);
	merges->references++;
	if (uv_queue_work(merges->loop, &removal->work, remove_now, was_removed) < 0)
		was_removed(&removal->work, 0);
}

/* --- one of them --- */

static void merged_free(struct merged *merged)
{
	struct merges *merges = merged->merges;

	list_unlink(&merged->order);
	for (size_t i = 0; i < merged->count; i++)
		checkout_unref(merged->sources[i]);
	close_fd(merged->checkout.fd);
	free(merged->checkout.path);
	free(merged);
	merges_unref(merges);
}

static void on_idle(struct checkout *checkout)
{
	struct merged *merged = container_of(checkout, struct merged, checkout);

	remove_later(merged->merges, checkout->name);
	merged_free(merged);
}

static void serve(struct merged *merged)
{
	struct merge_request *request;

	while ((request = list_first(&merged->requests, struct merge_request, link))) {
		list_unlink(&request->link);
		request->done(request->userdata, merged->status,
		        merged->status == 0 ? checkout_ref(&merged->checkout) : NULL);
		free(request);
	}
}

/* The reference of the work is let go of last: when nobody waits any more, it goes again. */
static void on_merged(uv_work_t *work, int unused)
{
	struct merged *merged = work->data;

	merged->work.data = NULL;
	merged->status = merged->result;
	serve(merged);
	if (merged->status < 0)
		merged_free(merged);
	else
		checkout_unref(&merged->checkout);
}

static struct merged *merged_new(
        struct merges *merges, struct checkout *const *sources, size_t count)
{
	struct merged *merged = calloc(1, sizeof(*merged) + count * sizeof(*sources));
	struct checkout *checkout;

	if (!merged)
		return NULL;
	checkout = &merged->checkout;
	snprintf(
	        checkout->name, sizeof(checkout->name), "%llu", (unsigned long long)++merges->last);
	if (asprintf(&checkout->path, "%s/%s", merges->path, checkout->name) < 0) {
		free(merged);
		return NULL;
	}
	checkout->references = 1;
	checkout->idle = on_idle;
	checkout->generation = sources[count - 1]->generation;
	checkout->fd = -1;
	list_init(&checkout->link);
	list_init(&checkout->renames);
	merged->merges = merges;
	merges->references++;
	list_append(&merges->all, &merged->order);
	list_init(&merged->requests);
	for (merged->count = 0; merged->count < count; merged->count++)
		merged->sources[merged->count] = checkout_ref(sources[merged->count]);
	return merged;
}

static struct merged *find(
        const struct merges *merges, struct checkout *const *sources, size_t count)
{
	struct merged *merged;

	list_each(merged, &merges->all, order)
		if (merged->count == count && merged->status == 0 &&
		        memcmp(merged->sources, sources, count * sizeof(*sources)) == 0)
			return merged;
	return NULL;
}

static struct merged *begin(struct merges *merges, struct checkout *const *sources, size_t count)
{
	struct merged *merged = merged_new(merges, sources, count);

	if (!merged)
		return NULL;
	merged->work.data = merged;
	if (uv_queue_work(merges->loop, &merged->work, merge, on_merged) == 0)
		return merged;
	merged_free(merged);
	return NULL;
}

struct merge_request *merges_checkout(struct merges *merges, struct checkout *const *sources,
        size_t count, checkout_done_fn done, void *userdata)
{
	struct merged *merged = find(merges, sources, count);
	struct merge_request *request = NULL;

	assert(count && !merges->closed);
	if (merged && !merged->work.data) {
		done(userdata, 0, checkout_ref(&merged->checkout));
		return NULL;
	}
	request = calloc(1, sizeof(*request));
	if (request && !merged)
		merged = begin(merges, sources, count);
	if (!request || !merged) {
		free(request);
		done(userdata, fail(-ENOMEM, "merging dependencies"), NULL);
		return NULL;
	}
	request->done = done;
	request->userdata = userdata;
	list_append(&merged->requests, &request->link);
	return request;
}

void merge_request_cancel(struct merge_request *request)
{
	list_unlink(&request->link);
	free(request);
}

/* --- life --- */

static int find_path(struct merges *merges)
{
	char link[64], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", merges->fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return -EIO;
	path[length] = 0;
	merges->path = strdup(path);
	return merges->path ? 0 : -ENOMEM;
}

/* Those of an earlier daemon go; the new ones are numbered from theirs on, out of their way. */
static int sweep(struct merges *merges)
{
	int fd = openat(merges->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close_fd(fd);
		return -EIO;
	}
	while ((entry = readdir(dir))) {
		uint64_t number = strtoull(entry->d_name, NULL, 10);

		if (number > merges->last)
			merges->last = number;
		if (number)
			remove_later(merges, entry->d_name);
	}
	closedir(dir);
	return 0;
}

int merges_open(struct merges **out, uv_loop_t *loop, int parent_fd, const char *name)
{
	struct merges *merges = calloc(1, sizeof(*merges));
	int r = 0;

	if (!merges)
		return fail(-ENOMEM, "opening %s", name);
	merges->references = 1;
	merges->loop = loop;
	list_init(&merges->all);
	if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
		r = -errno;
	merges->fd = r < 0 ? r : copy_open_directory(parent_fd, name);
	r = merges->fd < 0 ? merges->fd : find_path(merges);
	if (r == 0)
		r = sweep(merges);
	if (r < 0) {
		merges_close(merges);
		return fail(r, "opening %s", name);
	}
	*out = merges;
	return 0;
}

struct merges *merges_close(struct merges *merges)
{
	struct merged *merged;

	if (!merges)
		return NULL;
	list_each(merged, &merges->all, order)
		assert(list_empty(&merged->requests));
	merges->closed = true;
	merges_unref(merges);
	return NULL;
}
