/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fact: rendered when it is opened, fixed until it is closed, with an exact size (fs/texts.h). It is
 * read past the page cache, for that belongs to the inode and two readers may see two texts.
 */
#include "fs/behaviours/text.h"

#include <errno.h>
#include <unistd.h>

#include "fs/fs.h"

static void show_time(struct stat *attr, int64_t time_us)
{
	attr->st_mtim = node_timespec(time_us);
	attr->st_ctim = attr->st_mtim;
}

int text_refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	struct fs *fs = request->fs;
	uint64_t ino = (uint64_t)attr->st_ino;
	const struct node_attributes *stored = attributes_get(engine_attributes(fs->engine), ino);
	struct text *text;
	int r = texts_look(fs->texts, ino, subject, &text);

	if (r < 0)
		return r;
	attr->st_size = (off_t)text->data.length;
	/* What it was before this daemon started is not known: not older than the start, then. */
	if (text->changed_us)
		show_time(attr, text->changed_us);
	else if (!(stored && stored->set & ATTRIBUTE_MTIME) && subject->time_us < fs->started_us)
		show_time(attr, fs->started_us);
	return 0;
}

int text_answer(struct request *request, const struct text *text, size_t size, off_t offset)
{
	size_t length = text->data.length;

	if (offset < 0 || (size_t)offset >= length)
		return request_data(request, NULL, 0);
	length -= (size_t)offset;
	return request_data(request, text->data.data + offset, length < size ? length : size);
}

int text_seek(struct request *request, off_t length, off_t offset, int whence)
{
	if (offset < 0 || offset >= length)
		return -ENXIO;
	return request_offset(request, whence == SEEK_HOLE ? length : offset);
}

static int text_open(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct fs *fs = request->fs;
	struct subject subject;
	struct text *text;
	int r;

	if ((handle->flags & O_ACCMODE) != O_RDONLY) {
		buf_puts(&request->why, "a fact, it can only be read");
		return -EACCES;
	}
	r = node_subject(fs, &handle->node, &request->caller, &subject);
	if (r == 0)
		r = texts_open(fs->texts, handle->node.ino, &subject, &text);
	if (r < 0)
		return r;
	handle->state = text;
	info->direct_io = 1;
	info->noflush = 1;
	return 0;
}

static int text_read(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	return text_answer(request, handle->state, size, offset);
}

static int seek(struct request *request, struct handle *handle, off_t offset, int whence)
{
	const struct text *text = handle->state;

	return text_seek(request, (off_t)text->data.length, offset, whence);
}

static void text_release(struct handle *handle)
{
	texts_close(handle->fs->texts, handle->state);
}

const struct behaviour text_behaviour = {
        .name = "text",
        .refine = text_refine,
        .open = text_open,
        .read = text_read,
        .seek = seek,
        .release = text_release,
};
