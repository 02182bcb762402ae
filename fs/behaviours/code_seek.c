/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEEK_DATA and SEEK_HOLE. The disk knows nothing yet of what was stored through a shared mapping, and
 * the kernel does not write it back before it asks: whoever copies a file without its holes would lose
 * it. So where a mapping is possible the kernel is made to write first.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs/behaviours/code.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/request.h"
#include "fs/teller.h"

struct seek {
	struct telling telling;
	struct request *request;
	struct worktree_file *file; /* counted */
	struct fuse_session *fuse;
	uint64_t ino;
	off_t offset;
	int whence;
};

static int answer(struct request *request, struct worktree_file *file, off_t offset, int whence)
{
	off_t place = worktree_seek(file, offset, whence);

	return place < 0 ? (int)place : request_offset(request, place);
}

static void write_back(struct telling *telling)
{
	struct seek *seek = container_of(telling, struct seek, telling);

	fuse_lowlevel_notify_inval_inode(seek->fuse, seek->ino, 0, 0);
}

static void written_back(struct telling *telling)
{
	struct seek *seek = container_of(telling, struct seek, telling);
	int r = answer(seek->request, seek->file, seek->offset, seek->whence);

	if (r < 0)
		request_end(seek->request, r);
	worktree_file_unref(seek->file);
	free(seek);
}

int code_seek(struct request *request, struct handle *handle, off_t offset, int whence)
{
	struct fs *fs = request->fs;
	struct seek *seek;

	if (!fs->fuse || !worktree_file_may_be_mapped(handle->state))
		return answer(request, handle->state, offset, whence);
	seek = calloc(1, sizeof(*seek));
	if (!seek)
		return -ENOMEM;
	*seek = (struct seek){.telling = {.tell = write_back, .told = written_back},
	        .request = request,
	        .file = handle->state,
	        .fuse = fs->fuse,
	        .ino = request->node.ino,
	        .offset = offset,
	        .whence = whence};
	list_init(&seek->telling.link);
	if (teller_add(fs->teller, &seek->telling) < 0) {
		free(seek);
		return -ENOMEM;
	}
	worktree_file_ref(seek->file);
	return request_adopt(request, NULL, NULL);
}
