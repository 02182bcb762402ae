/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename in a directory of rows. Within a kind it renames. Editors that save by "write a temporary
 * file, rename it over" set the value that way; those that first rename the value away as a backup get
 * a copy under the backup's name while the value stays what it was. Everything else is EXDEV, so that
 * mv copies.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/behaviours/dir.h"
#include "fs/behaviours/knob.h"
#include "fs/fs.h"
#include "fs/row_ids.h"
#include "fs/scratch.h"

static bool is_value(const struct node *node)
{
	return node->row->set;
}

static bool is_scratch(const struct node *node)
{
	return node->row->id == ROW_SCRATCH;
}

/* An editor that was refused puts its backup back: nothing changed, and the sentence stays. */
static void look_for_change(struct request *request, const struct node *value, struct buf *before)
{
	CLEANUP(buf_deinit) struct buf now = BUF_INIT;

	if (knob_get(request, value, &now) == 0 && now.length == before->length &&
	        memcmp(now.data, before->data, now.length) == 0)
		request->change = false;
}

static int scratch_to_value(
        struct request *request, struct scratch_file *file, const struct node *value)
{
	CLEANUP(buf_deinit) struct buf before = BUF_INIT;
	int r;

	if (S_ISLNK(file->mode))
		return -EXDEV;
	r = knob_get(request, value, &before);
	if (r == 0)
		r = knob_set(
		        request, value, file->data.data ? file->data.data : "", file->data.length);
	if (r < 0)
		return r;
	look_for_change(request, value, &before);
	scratch_unlink(request->fs->scratch, file);
	return 0;
}

static int scratch_to_link(struct request *request, struct scratch_file *file,
        const struct row *maker, const char *to_name)
{
	struct node child;
	int r = dir_make_link(
	        request, maker, to_name, file->data.data ? file->data.data : "", &child);

	if (r == 0)
		scratch_unlink(request->fs->scratch, file);
	return r;
}

static int scratch_to_new(struct request *request, struct scratch_file *file, const char *to_name)
{
	const struct row *maker = dir_maker(request->node.row, file->mode & S_IFMT, to_name);
	struct node child;
	int r;

	request->change = maker;
	if (maker && S_ISLNK(file->mode))
		return scratch_to_link(request, file, maker, to_name);
	if (!maker)
		return scratch_rename(request->fs->scratch, file, to_name);
	r = dir_make(request, maker, to_name, file->mode, &child);
	if (r < 0)
		return r;
	r = scratch_to_value(request, file, &child);
	if (r < 0) {
		dir_remove(request, &child);
	}
	return r;
}

static int rename_scratch(struct request *request, struct scratch_file *file,
        const struct node *target, const char *to_name)
{
	struct fs *fs = request->fs;

	if (!target)
		return scratch_to_new(request, file, to_name);
	if (is_value(target))
		return scratch_to_value(request, file, target);
	if (target->row->each && target->row->each->link && S_ISLNK(file->mode))
		return scratch_to_link(request, file, target->row, to_name);
	if (!is_scratch(target))
		return -EXDEV;
	request->change = false;
	scratch_unlink(fs->scratch, scratch_get(fs->scratch, target->object));
	return scratch_rename(fs->scratch, file, to_name);
}

/* The value stays where it is; its text is also found under the name of the backup. */
static int back_up(struct request *request, const struct node *value, const struct node *target,
        const char *to_name)
{
	struct fs *fs = request->fs;
	struct scratch_file *file;
	struct stat attr;
	int r = node_attr(request, value, &attr);

	request->change = false;
	if (r == 0)
		r = scratch_make(fs->scratch, request->node.ino, to_name, attr.st_mode,
		        &request->caller, &file);
	if (r < 0)
		return r;
	if (target)
		scratch_unlink(fs->scratch, scratch_get(fs->scratch, target->object));
	r = knob_get(request, value, &file->data);
	if (r < 0)
		scratch_unlink(fs->scratch, file);
	return r;
}

static int rename_over(struct request *request, const struct node *value, const struct node *target)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	int r = knob_get(request, value, &text);

	if (r == 0)
		r = knob_set(request, target, text.data, text.length);
	return r < 0 ? r : dir_remove(request, value);
}

static int rename_object(struct request *request, const struct node *source, const char *to_name)
{
	struct subject subject;
	int r = node_subject(request->fs, source, &request->caller, &subject);

	if (r < 0)
		return r;
	r = source->row->each->rename(&subject, to_name, &request->why);
	if (r == 0)
		dir_note_change(request);
	return r;
}

static int rename_item(struct request *request, const struct node *source,
        const struct node *target, const char *to_name)
{
	const struct each *each = source->row->each;

	if (!each->rename)
		return -EXDEV;
	if (!target)
		return !each->claims || each->claims(to_name)
		               ? rename_object(request, source, to_name)
		               : back_up(request, source, NULL, to_name);
	if (is_value(source) && is_scratch(target))
		return back_up(request, source, target, to_name);
	if (target->row != source->row)
		return -EXDEV;
	if (each->replaces)
		return rename_object(request, source, to_name);
	return is_value(source) ? rename_over(request, source, target) : -EEXIST;
}

int dir_rename(struct request *request, const char *name, const struct node *to_directory,
        const char *to_name, unsigned flags)
{
	struct node source, found, *target = NULL;
	int r;

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	r = dir_find(request, name, &source);
	if (r < 0)
		return r;
	if (source.row->each && source.row->each->move)
		return dir_move(request, &source, to_directory, to_name);
	if (to_directory->ino != request->node.ino)
		return -EXDEV;
	r = dir_find(request, to_name, &found);
	if (r == 0)
		target = &found;
	else if (r != -ENOENT)
		return r;
	if (target && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (target && target->ino == source.ino)
		return 0;
	if (is_scratch(&source))
		return rename_scratch(
		        request, scratch_get(request->fs->scratch, source.object), target, to_name);
	if (source.row->each)
		return rename_item(request, &source, target, to_name);
	if (is_value(&source) && (!target || is_scratch(target)))
		return back_up(request, &source, target, to_name);
	return -EXDEV;
}
