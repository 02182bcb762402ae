/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_slots.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_changes.h"
#include "store/worktree_copy.h"
#include "store/worktree_marks.h"
#include "store/worktree_sync.h"

#define FREE_MOST    2
#define RENAMES_MOST 32

static uint64_t bit(const struct checkout *slot)
{
	return slot->number < SLOTS_MOST ? UINT64_C(1) << slot->number : 0;
}

/* --- finding --- */

struct checkout *slots_current(const struct worktree *tree)
{
	struct checkout *slot;

	list_each(slot, &tree->slots, link)
		if (!slot->filling && slot->generation == tree->generation)
			return slot;
	return NULL;
}

struct checkout *slots_latest(const struct worktree *tree)
{
	struct checkout *slot;

	list_each(slot, &tree->slots, link)
		if (!slot->filling && slot->number != SLOT_UNTRACKED)
			return slot;
	return NULL;
}

struct checkout *slots_free(const struct worktree *tree)
{
	struct checkout *slot;

	list_each(slot, &tree->slots, link)
		if (!slot->filling && slot->number != SLOT_UNTRACKED && slot->references == 0)
			return slot;
	return NULL;
}

/* --- life --- */

void slot_free(struct checkout *slot)
{
	struct slot_rename *rename, *following;

	list_each_safe(rename, following, &slot->renames, link)
		slot_rename_free(rename);
	list_unlink(&slot->link);
	close_fd(slot->fd);
	free(slot->path);
	worktree_unref(slot->tree);
	free(slot);
}

static void untrack(struct checkout *slot)
{
	struct worktree *tree = slot->tree;

	if (slot->number == SLOT_UNTRACKED)
		return;
	marks_clear(&tree->marks, slot->number);
	tree->tracked &= ~bit(slot);
	tree->filling &= ~bit(slot);
	slot->number = SLOT_UNTRACKED;
}

void slot_discard(struct checkout *slot)
{
	struct worktree *tree = slot->tree;

	assert(slot->references == 0);
	untrack(slot);
	if (!tree->closed) {
		slots_move_to_trash(tree, slot->name);
		slots_remove_trash(tree);
	}
	slot_free(slot);
}

static int find_number(struct worktree *tree)
{
	const uint64_t all = (UINT64_C(1) << SLOTS_MOST) - 1;
	struct checkout *slot, *oldest = NULL;

	if (~tree->tracked & all)
		return __builtin_ctzll(~tree->tracked & all);
	list_each(slot, &tree->slots, link)
		if (!slot->filling && slot->number != SLOT_UNTRACKED)
			oldest = slot;
	assert(oldest);
	untrack(oldest);
	return __builtin_ctzll(~tree->tracked & all);
}

static void on_idle(struct checkout *slot)
{
	if (slot->tree->closed)
		slot_free(slot); /* the next daemon knows what to keep */
	else
		slots_trim(slot->tree);
}

struct checkout *slot_make(struct worktree *tree, uint64_t name)
{
	struct checkout *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->idle = on_idle;
	slot->number = SLOT_UNTRACKED;
	slot->fd = -1;
	slot->tree = worktree_ref(tree);
	list_init(&slot->link);
	list_init(&slot->renames);
	snprintf(slot->name, sizeof(slot->name), "%llu", (unsigned long long)name);
	if (asprintf(&slot->path, "%s/%s", tree->cache_path, slot->name) < 0) {
		slot->path = NULL;
		slot_free(slot);
		return NULL;
	}
	return slot;
}

void slot_track(struct checkout *slot)
{
	slot->number = (unsigned)find_number(slot->tree);
	slot->tree->tracked |= bit(slot);
	list_prepend(&slot->tree->slots, &slot->link);
}

int slot_new(struct checkout **out, struct worktree *tree)
{
	struct checkout *slot = slot_make(tree, ++tree->next_slot);
	int r;

	if (!slot)
		return fail(-ENOMEM, "making a checkout");
	if (mkdirat(tree->cache_fd, slot->name, 0755) < 0) {
		r = fail(-errno, "making a checkout in %s", tree->cache_path);
		slot_free(slot);
		return r;
	}
	slot->fd = copy_open_directory(tree->cache_fd, slot->name);
	if (slot->fd < 0) {
		r = fail(slot->fd, "opening a new checkout in %s", tree->cache_path);
		slot_discard(slot);
		return r;
	}
	slot_track(slot);
	mark_add_deep(tree->marks.root, bit(slot));
	*out = slot;
	return 0;
}

void slots_trim(struct worktree *tree)
{
	struct checkout *slot, *following;
	unsigned count = 0;

	list_each_safe(slot, following, &tree->slots, link) {
		if (slot->references || slot->filling)
			continue;
		if (slot->number == SLOT_UNTRACKED || ++count > FREE_MOST)
			slot_discard(slot);
	}
}

/* --- references --- */

struct checkout *checkout_ref(struct checkout *checkout)
{
	checkout->references++;
	return checkout;
}

struct checkout *checkout_unref(struct checkout *checkout)
{
	if (!checkout)
		return NULL;
	assert(checkout->references);
	if (--checkout->references == 0)
		checkout->idle(checkout);
	return NULL;
}

uint64_t checkout_generation(const struct checkout *checkout)
{
	return checkout->generation;
}

int checkout_fd(const struct checkout *checkout)
{
	return checkout->fd;
}

const char *checkout_path(const struct checkout *checkout)
{
	return checkout->path;
}

/* --- renames --- */

static bool add_rename(struct checkout *slot, const char *from, const char *to)
{
	struct slot_rename *rename;

	if (slot->number == SLOT_UNTRACKED || slot->filling || slot->rename_count >= RENAMES_MOST)
		return false;
	rename = calloc(1, sizeof(*rename));
	if (!rename)
		return false;
	list_append(&slot->renames, &rename->link);
	rename->from = strdup(from);
	rename->to = strdup(to);
	if (!rename->from || !rename->to) {
		slot_rename_free(rename);
		return false;
	}
	slot->rename_count++;
	return true;
}

uint64_t slots_rename(struct worktree *tree, const char *from, const char *to)
{
	struct checkout *slot;
	uint64_t slots = 0;

	list_each(slot, &tree->slots, link)
		if (add_rename(slot, from, to))
			slots |= bit(slot);
	return slots;
}

int slots_copy_marks(const struct checkout *other, struct checkout *slot)
{
	struct marks *marks = &slot->tree->marks;
	struct slot_rename *rename;

	list_each(rename, &other->renames, link)
		if (!add_rename(slot, rename->from, rename->to))
			return -ENOMEM;
	marks_clear(marks, slot->number);
	if (other->number != SLOT_UNTRACKED)
		marks_copy(marks, other->number, slot->number);
	return 0;
}

/* --- lending content --- */

/* Whether the slot has at this path what the tree has; `path` is cut into pieces and restored. */
static bool is_current(const struct checkout *slot, char *path)
{
	const struct mark *mark = slot->tree->marks.root;
	char *slash;

	for (;;) {
		if ((mark->self | mark->deep | mark->partly) & bit(slot))
			return false;
		if (!path)
			return true;
		slash = strchr(path, '/');
		if (slash)
			*slash = 0;
		mark = mark_child(mark, path);
		if (slash)
			*slash++ = '/';
		if (!mark)
			return true;
		path = slash;
	}
}

int slots_open_copy(
        struct worktree *tree, const struct worktree_node *node, off_t size, uint64_t *ino)
{
	CLEANUP(free_p) char *path = NULL;
	struct checkout *slot;
	struct stat attr;
	int fd;

	if (list_empty(&tree->slots) || !node->names)
		return -ENOENT;
	path = changes_path(node->names->directory, node->names->text);
	if (!path)
		return -ENOENT;
	list_each(slot, &tree->slots, link) {
		if (slot->filling || slot->number == SLOT_UNTRACKED || slot->rename_count ||
		        !is_current(slot, path))
			continue;
		fd = openat(slot->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &attr) == 0 && S_ISREG(attr.st_mode) &&
		        attr.st_size == size) {
			*ino = attr.st_ino;
			return fd;
		}
		close_fd(fd);
	}
	return -ENOENT;
}
