/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_TRUNC and ftruncate of large files: what they cut off still counts until the file is closed, and has
 * to be kept first. That is a copy for a worker; the request waits for it and is then done over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/behaviours/code.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/ops.h"
#include "fs/request.h"

struct cut {
	struct list link; /* code->cuts */
	struct request *request;
	struct handle *handle;
	struct worktree_node *node;
	struct fuse_file_info info; /* of an open */
	struct stat wanted;         /* of a setattr */
	int to_set;
};

static struct cut *cut_new(
        struct request *request, struct handle *handle, struct worktree_node *node)
{
	struct cut *cut = calloc(1, sizeof(*cut));

	if (!cut)
		return NULL;
	*cut = (struct cut){.request = request, .handle = handle, .node = node};
	list_append(&request->fs->code->cuts, &cut->link);
	return cut;
}

static void cut_free(struct cut *cut)
{
	list_unlink(&cut->link);
	free(cut);
}

/* At the end files are closed that are not even open yet. */
void code_keep_released(struct handle *handle)
{
	struct cut *cut;

	list_each(cut, &handle->fs->code->cuts, link)
		if (cut->handle == handle)
			cut->handle = NULL;
}

static int status_of(const struct cut *cut, ssize_t status)
{
	return status < 0 ? (int)status : cut->handle ? 0 : -ESTALE;
}

/* --- open --- */

static void open_kept(void *userdata, ssize_t status)
{
	struct cut *cut = userdata;
	int r = status_of(cut, status);

	if (r == 0)
		r = worktree_keep(cut->node, 0, open_kept, cut);
	if (r > 0)
		return;
	if (r == 0)
		r = code_open_now(cut->request, cut->handle, cut->node, &cut->info);
	if (r < 0) {
		if (cut->handle)
			handle_free(cut->handle);
		request_end(cut->request, r);
	} else if (request_open(cut->request, &cut->info) < 0) {
		ops_drop_handle(cut->handle); /* whoever opened it was killed meanwhile */
	}
	cut_free(cut);
}

int code_open_cutting(struct request *request, struct handle *handle, struct worktree_node *node,
        struct fuse_file_info *info)
{
	struct cut *cut = cut_new(request, handle, node);
	int r;

	if (!cut)
		return -ENOMEM;
	cut->info = *info;
	r = worktree_keep(node, 0, open_kept, cut);
	if (r > 0)
		return request_adopt(request, NULL, NULL);
	cut_free(cut);
	return r < 0 ? r : code_open_now(request, handle, node, info);
}

/* --- ftruncate --- */

static void size_kept(void *userdata, ssize_t status)
{
	struct cut *cut = userdata;
	int r = status_of(cut, status);

	if (r == 0)
		r = worktree_keep(cut->node, cut->wanted.st_size, size_kept, cut);
	if (r > 0)
		return;
	if (r == 0)
		r = code_setattr_now(
		        cut->request, cut->handle, cut->node, &cut->wanted, cut->to_set);
	if (r < 0)
		request_end(cut->request, r);
	cut_free(cut);
}

int code_setattr_cutting(struct request *request, struct handle *handle, struct worktree_node *node,
        const struct stat *wanted, int to_set)
{
	struct cut *cut = cut_new(request, handle, node);
	int r;

	if (!cut)
		return -ENOMEM;
	cut->wanted = *wanted;
	cut->to_set = to_set;
	r = worktree_keep(node, wanted->st_size, size_kept, cut);
	if (r > 0)
		return request_adopt(request, NULL, NULL);
	cut_free(cut);
	return r < 0 ? r : code_setattr_now(request, handle, node, wanted, to_set);
}
