/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_changes.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/worktree_code.h"
#include "store/worktree_links.h"
#include "store/worktree_marks.h"
#include "store/worktree_slots.h"

/* From this size on a renamed file is renamed in the slots as well, not copied again. */
#define WORTH_RENAMING (1 << 20)

/*
 * --- telling ---
 * `changed` is called by whichever of a prepare and a check handle runs first after a change: once per
 * loop turn, never from inside a file operation, and never later than the next poll.
 */

static void tell(struct worktree *tree)
{
	uv_prepare_stop(&tree->prepare);
	uv_check_stop(&tree->check);
	if (!tree->changed_pending || tree->closed)
		return;
	tree->changed_pending = false;
	if (tree->changed)
		tree->changed(tree->changed_userdata);
}

static void on_prepare(uv_prepare_t *handle)
{
	tell(handle->data);
}

static void on_check(uv_check_t *handle)
{
	tell(handle->data);
}

static void note_change(struct worktree *tree)
{
	tree->generation++;
	if (tree->changed_pending || tree->closed)
		return;
	tree->changed_pending = true;
	uv_prepare_start(&tree->prepare, on_prepare);
	uv_check_start(&tree->check, on_check);
}

/* --- paths --- */

bool changes_is_code(const struct worktree_node *directory, const char *name)
{
	if (!worktree_name_is_code(name))
		return false;
	while (directory->names) {
		if (!worktree_name_is_code(directory->names->text))
			return false;
		directory = directory->names->directory;
	}
	return directory == directory->tree->root;
}

static void append_path(struct buf *path, const struct worktree_node *directory)
{
	if (!directory->names)
		return;
	append_path(path, directory->names->directory);
	buf_puts(path, directory->names->text);
	buf_puts(path, "/");
}

char *changes_path(const struct worktree_node *directory, const char *name)
{
	struct buf path = BUF_INIT;

	if (!changes_is_code(directory, name))
		return NULL;
	append_path(&path, directory);
	buf_puts(&path, name);
	if (path.failed) {
		buf_deinit(&path);
		return NULL;
	}
	return buf_take(&path);
}

/* The mark of a directory; only for directories on a path that is code. */
static struct mark *mark_of_directory(struct worktree *tree, struct worktree_node *directory)
{
	struct mark *parent;

	if (!directory->names)
		return tree->marks.root;
	parent = mark_of_directory(tree, directory->names->directory);
	return parent ? marks_make(&tree->marks, parent, directory->names->text, tree->tracked)
	              : NULL;
}

static struct mark *mark_of(
        struct worktree *tree, struct worktree_node *directory, const char *name)
{
	struct mark *parent = mark_of_directory(tree, directory);

	return parent ? marks_make(&tree->marks, parent, name, tree->tracked) : NULL;
}

/* The mark if there is one already. */
static struct mark *find_mark(
        struct worktree *tree, struct worktree_node *directory, const char *name)
{
	struct mark *parent = tree->marks.root;

	if (directory->names)
		parent = find_mark(tree, directory->names->directory, directory->names->text);
	return parent ? mark_child(parent, name) : NULL;
}

/* --- names --- */

static void mark_name(struct worktree_node *directory, const char *name, bool deep)
{
	struct worktree *tree = directory->tree;
	struct mark *mark;

	note_change(tree);
	if (!tree->tracked)
		return;
	mark = mark_of(tree, directory, name);
	if (mark && deep)
		mark_add_deep(mark, tree->tracked);
	else if (mark)
		mark_add_self(mark, tree->tracked);
}

/* The last snapshot is told of the times of a directory, too; slots need not have them right. */
static void mark_times(struct worktree_node *directory)
{
	const uint64_t snapshot = directory->tree->tracked & (UINT64_C(1) << SLOT_SNAPSHOT);
	struct mark *mark;

	if (!snapshot || (directory->names && !changes_is_code(directory->names->directory,
	                                              directory->names->text)))
		return;
	mark = mark_of_directory(directory->tree, directory);
	if (mark)
		mark_add_attributes(mark, snapshot);
}

void changes_name(struct worktree_node *directory, const char *name)
{
	if (changes_is_code(directory, name))
		mark_name(directory, name, false);
	else
		mark_times(directory);
}

void changes_linked(struct worktree_node *node)
{
	struct worktree *tree = node->tree;
	const uint64_t snapshot = tree->tracked & (UINT64_C(1) << SLOT_SNAPSHOT);
	const struct node_name *name;
	struct mark *mark;

	for (name = snapshot ? node->names : NULL; name; name = name->next) {
		if (!changes_is_code(name->directory, name->text))
			continue;
		mark = mark_of(tree, name->directory, name->text);
		if (mark)
			mark_add_attributes(mark, snapshot);
	}
}

/* The slots of which nothing is known below this directory. */
static uint64_t unknown_in(struct worktree *tree, struct worktree_node *directory)
{
	const struct mark *mark = tree->marks.root;

	if (directory->names)
		mark = find_mark(tree, directory->names->directory, directory->names->text);
	return (mark ? mark->self | mark->deep : 0) |
	       (directory->names ? unknown_in(tree, directory->names->directory) : 0);
}

static void mark_if_any(struct worktree_node *directory, const char *name, uint64_t slots)
{
	struct mark *mark = slots ? mark_of(directory->tree, directory, name) : NULL;

	if (mark)
		mark_add_deep(mark, slots);
}

/*
 * Moves what is marked below the old name to the new one; the slots in `slots` do the rename itself.
 * What an unknown directory held is unknown at its new place, too.
 */
static void move_marks(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name, uint64_t slots)
{
	struct worktree *tree = directory->tree;
	struct mark *parent = mark_of_directory(tree, to_directory); /* may drop all others */
	struct mark *mark = find_mark(tree, directory, name), *there;
	uint64_t unknown = unknown_in(tree, directory);

	if (parent && mark)
		marks_move(&tree->marks, mark, parent, to_name, tree->tracked);
	else if (parent && (there = mark_child(parent, to_name)))
		marks_remove(&tree->marks, there);
	mark_if_any(directory, name, tree->tracked & ~slots);
	mark_if_any(to_directory, to_name, (tree->tracked & ~slots) | unknown);
}

static void rename_in_slots(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name)
{
	CLEANUP(free_p) char *from = changes_path(directory, name);
	CLEANUP(free_p) char *to = changes_path(to_directory, to_name);
	struct worktree *tree = directory->tree;
	uint64_t slots = from && to ? slots_rename(tree, from, to) : 0;

	move_marks(directory, name, to_directory, to_name, slots);
	note_change(tree);
}

void changes_renamed(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name, const struct stat *attr)
{
	bool was_code = changes_is_code(directory, name);
	bool is_code = changes_is_code(to_directory, to_name);
	bool large = S_ISDIR(attr->st_mode) ||
	             (S_ISREG(attr->st_mode) && attr->st_size >= WORTH_RENAMING);

	if (was_code && is_code && large && directory->tree->tracked) {
		rename_in_slots(directory, name, to_directory, to_name);
		return;
	}
	if (was_code)
		mark_name(directory, name, false);
	else
		mark_times(directory);
	if (is_code)
		mark_name(to_directory, to_name, S_ISDIR(attr->st_mode));
	else
		mark_times(to_directory);
}

void changes_exchanged(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name)
{
	if (changes_is_code(directory, name))
		mark_name(directory, name, true);
	else
		mark_times(directory);
	if (changes_is_code(to_directory, to_name))
		mark_name(to_directory, to_name, true);
	else
		mark_times(to_directory);
}

void changes_everything(struct worktree *tree)
{
	note_change(tree);
	mark_add_deep(tree->marks.root, tree->tracked);
}

/* --- nodes, by all their names --- */

enum change { CHANGE_CREATED, CHANGE_CONTENT, CHANGE_MODE, CHANGE_TIMES };

static void mark_node_name(struct worktree *tree, const struct node_name *name, enum change change,
        const struct ranges *ranges, uint64_t slots)
{
	struct mark *mark = mark_of(tree, name->directory, name->text);

	if (!mark)
		return;
	if (change == CHANGE_CREATED)
		mark_add_self(mark, slots);
	else if (change == CHANGE_CONTENT)
		mark_add_ranges(mark, slots, ranges);
	else
		mark_add_attributes(mark, slots);
}

static void mark_node(struct worktree_node *node, enum change change, const struct ranges *ranges)
{
	struct worktree *tree = node->tree;
	const struct node_name *name;
	bool code = false;

	if (node == tree->root) {
		mark_add_attributes(tree->marks.root, tree->tracked);
		code = true;
	} else if (tree->tracked && links_learn(node) < 0) {
		mark_add_deep(tree->marks.root, tree->tracked);
		code = true;
	}
	for (name = node->names; name; name = name->next) {
		if (!changes_is_code(name->directory, name->text))
			continue;
		code = true;
		if (tree->tracked)
			mark_node_name(tree, name, change, ranges, tree->tracked);
	}
	if (code && change != CHANGE_TIMES)
		note_change(tree);
}

void changes_mode(struct worktree_node *node)
{
	mark_node(node, CHANGE_MODE, NULL);
}

void changes_times(struct worktree_node *node)
{
	if (node->tree->tracked)
		mark_node(node, CHANGE_TIMES, NULL);
}

void changes_created(struct worktree_node *node)
{
	mark_node(node, CHANGE_CREATED, NULL);
}

void changes_content(struct worktree_node *node, const struct ranges *ranges)
{
	mark_node(node, CHANGE_CONTENT, ranges);
}

void changes_uncommitted(struct worktree_node *node, const struct ranges *ranges)
{
	struct worktree *tree = node->tree;
	uint64_t slots = tree->tracked & tree->filling;
	enum change change = ranges ? CHANGE_CONTENT : CHANGE_CREATED;
	const struct node_name *name;

	if (!slots)
		return;
	if (links_learn(node) < 0)
		mark_add_deep(tree->marks.root, slots);
	for (name = node->names; name; name = name->next)
		if (changes_is_code(name->directory, name->text))
			mark_node_name(tree, name, change, ranges, slots);
}
