/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache directory on disk, from daemon to daemon. A slot is worth keeping when it was up to date at
 * worktree_close() and neither the tree nor the machine's memory was lost since: `clean` then holds
 * the boot's id and the slot's name, and is removed before anything can change.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/snapshot_index.h"
#include "store/worktree_copy.h"
#include "store/worktree_marks.h"
#include "store/worktree_slots.h"

#define CLEAN        "clean"
#define CLEAN_SIZE   128
#define TRASH        "trash-"
#define ENTRIES_MANY 1000 /* taken for granted of a slot that was taken over */

/* What is no slot and no trash: itself, its parent, and the index of snapshots. */
static bool is_kept(const char *name)
{
	if (strcmp(name, SNAPSHOT_INDEX) == 0)
		return true;
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* --- trash --- */

void slots_move_to_trash(struct worktree *tree, const char *name)
{
	char trash[40];
	int r;

	do {
		snprintf(
		        trash, sizeof(trash), TRASH "%llu", (unsigned long long)tree->next_trash++);
		r = renameat(tree->cache_fd, name, tree->cache_fd, trash);
	} while (r < 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR));
}

static DIR *open_cache(const struct worktree *tree)
{
	int fd = openat(tree->cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		close_fd(fd);
	return dir;
}

static void remove_trash(uv_work_t *work)
{
	struct worktree *tree = work->data;
	DIR *dir = open_cache(tree);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, TRASH, strlen(TRASH)) == 0)
			copy_remove(tree->cache_fd, entry->d_name);
	closedir(dir);
}

static void on_trash_removed(uv_work_t *work, int status)
{
	struct worktree *tree = work->data;
	bool again = tree->trash_again;

	free(work);
	tree->trash_work = NULL;
	tree->trash_again = false;
	if (again && !tree->closed)
		slots_remove_trash(tree);
	worktree_unref(tree);
}

void slots_remove_trash(struct worktree *tree)
{
	uv_work_t *work;

	tree->trash_again = tree->trash_work != NULL;
	if (tree->trash_work)
		return;
	work = calloc(1, sizeof(*work));
	if (!work)
		return; /* next time */
	work->data = worktree_ref(tree);
	if (uv_queue_work(tree->loop, work, remove_trash, on_trash_removed) < 0) {
		free(work);
		worktree_unref(tree);
		return;
	}
	tree->trash_work = work;
}

/* --- from daemon to daemon --- */

static bool read_boot(char boot[64])
{
	CLEANUP(close_p) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, boot, 63);

	if (got <= 0)
		return false;
	boot[got] = 0;
	boot[strcspn(boot, "\n")] = 0;
	return true;
}

/* The slot that is provably current, by what the last daemon left; 0: none. */
static uint64_t take_clean(const struct worktree *tree)
{
	CLEANUP(close_p) int fd = openat(tree->cache_fd, CLEAN, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[CLEAN_SIZE], boot[64];
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t length;

	if (fd >= 0 && unlinkat(tree->cache_fd, CLEAN, 0) < 0)
		return 0;
	if (got <= 0 || text[got - 1] != '\n' || !read_boot(boot))
		return 0;
	text[got - 1] = 0;
	length = strlen(boot);
	if (strncmp(text, boot, length) != 0 || text[length] != ' ')
		return 0;
	return strtoull(text + length + 1, NULL, 10);
}

static void leave_clean(struct worktree *tree, const struct checkout *slot)
{
	CLEANUP(close_p) int fd = -1;
	char text[CLEAN_SIZE], boot[64];
	int length;

	if (!read_boot(boot))
		return;
	fd = openat(tree->cache_fd, CLEAN ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	length = snprintf(text, sizeof(text), "%s %s\n", boot, slot->name);
	if (fd >= 0 && write(fd, text, (size_t)length) == length)
		renameat(tree->cache_fd, CLEAN ".new", tree->cache_fd, CLEAN);
}

/* All but the slot that is kept goes to the trash; learns which names are taken. */
static void sort_out(struct worktree *tree, const char *keep)
{
	DIR *dir = open_cache(tree);
	struct dirent *entry;
	bool trash = false;
	uint64_t number;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (is_kept(entry->d_name) || strcmp(entry->d_name, keep) == 0)
			continue;
		trash = true;
		if (strncmp(entry->d_name, TRASH, strlen(TRASH)) == 0) {
			number = strtoull(entry->d_name + strlen(TRASH), NULL, 10);
			if (number >= tree->next_trash)
				tree->next_trash = number + 1;
		}
	}
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (!is_kept(entry->d_name) && strcmp(entry->d_name, keep) != 0 &&
		        strncmp(entry->d_name, TRASH, strlen(TRASH)) != 0)
			slots_move_to_trash(tree, entry->d_name);
	closedir(dir);
	if (trash)
		slots_remove_trash(tree);
}

static void take_over(struct worktree *tree, uint64_t name)
{
	struct checkout *slot = slot_make(tree, name);

	if (!slot)
		return;
	slot->fd = copy_open_directory(tree->cache_fd, slot->name);
	if (slot->fd < 0) {
		slot_free(slot);
		return;
	}
	slot_track(slot);
	slot->generation = tree->generation;
	slot->entries = ENTRIES_MANY;
}

int slots_open(struct worktree *tree)
{
	uint64_t name;
	char keep[24];
	int r = marks_init(&tree->marks);

	if (r < 0)
		return fail(r, "opening a cache of checkouts");
	name = take_clean(tree);
	snprintf(keep, sizeof(keep), "%llu", (unsigned long long)name);
	sort_out(tree, name ? keep : "");
	tree->next_slot = name;
	if (name)
		take_over(tree, name);
	return 0;
}

void slots_close(struct worktree *tree)
{
	struct checkout *slot = slots_current(tree), *following;

	if (slot && list_empty(&tree->drafts))
		leave_clean(tree, slot);
	list_each_safe(slot, following, &tree->slots, link)
		if (slot->references == 0 && !slot->filling)
			slot_free(slot);
}
