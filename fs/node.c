/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "fs/behaviour.h"
#include "fs/fs.h"
#include "fs/row_ids.h"
#include "model/alias.h"
#include "model/package.h"
#include "model/trigger.h"
#include "model/version.h"

struct node node_of(const struct row *row, uint64_t object)
{
	uint64_t ino = (uint64_t)row->id << NODE_OBJECT_BITS | object;

	return (struct node){row, object, row->id == ROW_ROOT ? NODE_ROOT : ino};
}

int node_from_ino(const struct fs *fs, uint64_t ino, struct node *node)
{
	uint64_t id = ino == NODE_ROOT ? ROW_ROOT : ino >> NODE_OBJECT_BITS;
	const struct row *row = id < TREE_ROWS ? fs->tree.rows[id] : NULL;

	if (!row || !ino)
		return -ESTALE;
	*node = (struct node){row, ino == NODE_ROOT ? 0 : ino & NODE_OBJECT_MASK, ino};
	return 0;
}

static void begin_subject(const struct fs *fs, const struct node *node, const struct caller *caller,
        struct subject *subject)
{
	*subject = (struct subject){
	        .engine = fs->engine,
	        .row = node->row,
	        .object = node->object,
	        .uid = engine_owner(fs->engine),
	        .gid = fs->gid,
	        .time_us = fs->started_us,
	        .caller = *caller,
	};
}

int node_subject(const struct fs *fs, const struct node *node, const struct caller *caller,
        struct subject *subject)
{
	const struct row *scope = fs->tree.scopes[node->row->id];

	begin_subject(fs, node, caller, subject);
	return scope ? scope->each->get(subject) : 0;
}

/* For the attributes of an item itself less may do than for what is in it. */
static int look_at(const struct fs *fs, const struct node *node, const struct caller *caller,
        struct subject *subject)
{
	const struct each *each = node->row->each;

	if (!each || !each->look)
		return node_subject(fs, node, caller, subject);
	begin_subject(fs, node, caller, subject);
	return each->look(subject);
}

static void path_part(const struct fs *fs, const struct node *node, char name[EACH_NAME_SIZE])
{
	static const struct caller nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	struct subject subject;

	if (node->row->name)
		snprintf(name, EACH_NAME_SIZE, "%s", node->row->name);
	else if (node->row->each && node->row->each->name &&
	         node_subject(fs, node, &nobody, &subject) == 0)
		node->row->each->name(&subject, name);
	else
		snprintf(name, EACH_NAME_SIZE, "%" PRIu64, node->object);
}

/* The object of the directory that an item stands in. */
static uint64_t owner_of(const struct row *scope, const struct subject *item)
{
	switch (scope ? scope->id : 0) {
	case ROW_FUNCTION:
		return item->function ? item->function->id : 0;
	case ROW_VERSION:
		return item->version ? item->version->id : 0;
	case ROW_ALIAS:
		return item->alias ? item->alias->id : 0;
	case ROW_TRIGGER:
		return item->trigger ? item->trigger->id : 0;
	case ROW_PACKAGE:
		return item->package ? item->package->id : 0;
	default:
		return 0;
	}
}

void node_path(const struct fs *fs, const struct node *node, bool function, struct buf *out)
{
	static const struct caller nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	const struct row *parent = fs->tree.parents[node->row->id];
	struct subject subject;
	struct node above;
	char name[EACH_NAME_SIZE];

	if (!node->row->id)
		buf_puts(out, "code");
	if (!parent || (function && node->row->id == ROW_FUNCTION))
		return;
	/* Below an item row the object is the item; above it, what the item stands in. */
	above = node_of(parent, node->object);
	if (node->row->each) {
		bool there = node_subject(fs, node, &nobody, &subject) == 0;

		if (there && node->row->each->stands_in)
			parent = fs->tree.rows[node->row->each->stands_in(&subject)];
		above = node_of(
		        parent, there ? owner_of(fs->tree.scopes[parent->id], &subject) : 0);
	}
	node_path(fs, &above, function, out);
	path_part(fs, node, name);
	buf_printf(out, "%s%s", out->length ? "/" : "", name);
}

double node_attr_timeout(const struct fs *fs, const struct node *node)
{
	return node->row->flags & ROW_DYNAMIC ? 0 : node->row->behaviour->attr_timeout;
}

static double entry_timeout(const struct fs *fs, const struct node *node)
{
	const struct row *parent = fs->tree.parents[node->row->id];

	return parent && parent->flags & ROW_DYNAMIC ? 0 : node->row->behaviour->entry_timeout;
}

int64_t node_time_us(const struct timespec *time)
{
	int64_t most = INT64_MAX / 1000000 - 1;
	int64_t seconds = time->tv_sec > most ? most : time->tv_sec < -most ? -most : time->tv_sec;

	return seconds * 1000000 + time->tv_nsec % 1000000000 / 1000;
}

struct timespec node_timespec(int64_t time_us)
{
	int64_t rest = time_us % 1000000;

	rest += rest < 0 ? 1000000 : 0;
	return (struct timespec){.tv_sec = (time_us - rest) / 1000000, .tv_nsec = rest * 1000};
}

static void set_time(struct stat *attr, int64_t time_us)
{
	attr->st_mtim = attr->st_atim = attr->st_ctim = node_timespec(time_us);
}

/* Subdirectories and the two of its own; 1, "not counted", where only walking would tell. */
static nlink_t links(const struct row *row)
{
	const struct row *child;
	nlink_t count = 2;

	for (child = row->children; child && child->id; child++) {
		if (!S_ISDIR(child->mode) || child->flags & ROW_HIDDEN)
			continue;
		if (!child->name)
			return 1;
		count++;
	}
	return count;
}

static void apply_stored(const struct node_attributes *stored, struct stat *attr)
{
	if (stored->set & ATTRIBUTE_MODE)
		attr->st_mode = (attr->st_mode & S_IFMT) | (stored->mode & 07777);
	if (stored->set & ATTRIBUTE_UID)
		attr->st_uid = stored->uid;
	if (stored->set & ATTRIBUTE_GID)
		attr->st_gid = stored->gid;
	if (stored->set & ATTRIBUTE_MTIME)
		set_time(attr, stored->mtime_us);
}

int node_attr(struct request *request, const struct node *node, struct stat *attr)
{
	struct fs *fs = request->fs;
	const struct row *row = node->row;
	const struct node_attributes *stored;
	struct subject subject;
	int r = look_at(fs, node, &request->caller, &subject);

	if (r < 0)
		return r;
	*attr = (struct stat){
	        .st_ino = node->ino,
	        .st_mode = row->mode,
	        .st_nlink = S_ISDIR(row->mode) ? links(row) : 1,
	        .st_uid = subject.uid,
	        .st_gid = subject.gid,
	        .st_blksize = 4096,
	};
	set_time(attr, subject.time_us);
	stored = attributes_get(engine_attributes(fs->engine), node->ino);
	if (stored)
		apply_stored(stored, attr);
	r = row->behaviour->refine ? row->behaviour->refine(request, &subject, attr) : 0;
	attr->st_blocks = (attr->st_size + 511) / 512;
	return r;
}

int node_entry(struct request *request, const struct node *node, struct fuse_entry_param *entry)
{
	struct fs *fs = request->fs;

	*entry = (struct fuse_entry_param){
	        .ino = node->ino,
	        .generation = (uintptr_t)map_get(&fs->generations, node->ino),
	        .attr_timeout = node_attr_timeout(fs, node),
	        .entry_timeout = entry_timeout(fs, node),
	};
	return node_attr(request, node, &entry->attr);
}
