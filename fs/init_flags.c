/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/init_flags.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

void init_flags_add(struct fs *fs, unsigned want)
{
	if (!INIT_FLAGS_ADDED)
		return;
	fs->init_flags = (want & FUSE_CAP_PARALLEL_DIROPS ? FUSE_PARALLEL_DIROPS : 0) |
	                 (want & FUSE_CAP_HANDLE_KILLPRIV ? FUSE_HANDLE_KILLPRIV : 0);
}

void init_flags_put(struct fs *fs, const struct iovec *pieces, int count)
{
	const size_t at = offsetof(struct fuse_init_out, flags);
	uint32_t flags;

	if (count == 2 && pieces[1].iov_len >= at + sizeof(flags)) {
		memcpy(&flags, (char *)pieces[1].iov_base + at, sizeof(flags));
		flags |= fs->init_flags;
		memcpy((char *)pieces[1].iov_base + at, &flags, sizeof(flags));
	}
	fs->init_flags = 0;
}

static ssize_t answer(int fd, struct iovec *pieces, int count, void *userdata)
{
	struct fs *fs = userdata;

	if (fs->init_flags)
		init_flags_put(fs, pieces, count);
	return writev(fd, pieces, count);
}

static ssize_t receive(int fd, void *data, size_t size, void *userdata)
{
	return read(fd, data, size);
}

int init_flags_listen(struct fuse_session *fuse)
{
	static const struct fuse_custom_io io = {.writev = answer, .read = receive};

	if (!INIT_FLAGS_ADDED)
		return 0;
	return fuse_session_custom_io(fuse, &io, fuse_session_fd(fuse)) == 0 ? 0 : -ENOMEM;
}
