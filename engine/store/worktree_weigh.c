/* SPDX-License-Identifier: Apache-2.0 */
/* How much work the marks of a slot stand for: the same walk as worktree_sync.c, without doing it. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_code.h"
#include "store/worktree_copy.h"
#include "store/worktree_sync.h"

static bool has(uint64_t slots, unsigned slot)
{
	return slots >> slot & 1;
}

static bool fits(const struct sync_weight *weight)
{
	return weight->entries <= weight->most_entries && weight->bytes <= weight->most_bytes;
}

static void weigh_entry(const struct sync *sync, int directory, const char *name,
        const struct mark *mark, bool deep, struct sync_weight *weight);

static void weigh_all(const struct sync *sync, int directory, struct sync_weight *weight)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close_fd(fd);
		return;
	}
	while (fits(weight) && (entry = readdir(dir)))
		if (worktree_name_is_code(entry->d_name))
			weigh_entry(sync, directory, entry->d_name, NULL, true, weight);
	closedir(dir);
}

static void weigh_marked(
        const struct sync *sync, int directory, const struct mark *mark, struct sync_weight *weight)
{
	struct mark *child;
	size_t cursor = 0;

	while (fits(weight) && (child = names_next(&mark->children, &cursor)))
		if (has(mark_any(child), sync->slot))
			weigh_entry(sync, directory, child->name, child, false, weight);
}

static void weigh_directory(const struct sync *sync, int directory, const char *name,
        const struct mark *mark, bool deep, struct sync_weight *weight)
{
	CLEANUP(close_p) int fd = copy_open_directory(directory, name);

	if (fd < 0)
		return;
	if (deep || (mark && has(mark->self | mark->deep, sync->slot)))
		weigh_all(sync, fd, weight); /* perhaps new in the slot */
	else if (mark)
		weigh_marked(sync, fd, mark, weight);
}

static int64_t bytes_of(const struct sync *sync, const struct mark *mark, const struct stat *attr)
{
	const struct ranges *ranges = mark ? mark_ranges(mark, sync->slot) : NULL;
	int64_t bytes = 0;
	size_t i;

	if (!ranges || has(mark->self, sync->slot))
		return attr->st_size;
	for (i = 0; i < ranges->count && ranges->items[i].start < attr->st_size; i++)
		bytes += (ranges->items[i].end < attr->st_size ? ranges->items[i].end
		                                               : attr->st_size) -
		         ranges->items[i].start;
	return bytes;
}

static void weigh_entry(const struct sync *sync, int directory, const char *name,
        const struct mark *mark, bool deep, struct sync_weight *weight)
{
	struct stat attr;

	if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		return;
	weight->entries++;
	if (fstatat(directory, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(attr.st_mode))
		weigh_directory(sync, directory, name, mark, deep, weight);
	else if (S_ISREG(attr.st_mode))
		weight->bytes += bytes_of(sync, mark, &attr);
}

bool sync_light(const struct sync *sync, const struct mark *root, struct sync_weight *weight)
{
	if (has(root->deep, sync->slot))
		weigh_all(sync, sync->root_fd, weight);
	else
		weigh_marked(sync, sync->root_fd, root, weight);
	return fits(weight);
}
