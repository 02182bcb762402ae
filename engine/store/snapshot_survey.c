/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot_survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_code.h"

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

void survey_sight_free(struct survey_sight *sight)
{
	free(sight->target);
	sight->target = NULL;
	survey_entries_free(&sight->entries);
}

void survey_entries_free(struct survey_entries *entries)
{
	size_t i;

	for (i = 0; i < entries->count; i++) {
		free(entries->items[i].name);
		if (entries->items[i].sight)
			survey_sight_free(entries->items[i].sight);
		free(entries->items[i].sight);
	}
	free(entries->items);
	*entries = (struct survey_entries){0};
}

static int grow(struct survey_entries *entries)
{
	size_t capacity = entries->capacity ? entries->capacity * 2 : 16;
	void *items;

	if (entries->count < entries->capacity)
		return 0;
	items = realloc(entries->items, capacity * sizeof(*entries->items));
	if (!items)
		return -ENOMEM;
	entries->items = items;
	entries->capacity = capacity;
	return 0;
}

static int add(
        struct survey_entries *entries, const char *name, const struct mark *mark, bool whole)
{
	char *copy = grow(entries) == 0 ? strdup(name) : NULL;

	if (!copy)
		return -ENOMEM;
	entries->items[entries->count++] =
	        (struct survey_entry){.name = copy, .mark = mark, .whole = whole};
	return 0;
}

static int list_all(int fd, size_t most, struct survey_entries *entries)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		close_fd(again);
		return -EIO;
	}
	while (r == 0 && (entry = readdir(dir)))
		if (!is_dot(entry->d_name) && worktree_name_is_code(entry->d_name))
			r = entries->count < most ? add(entries, entry->d_name, NULL, true)
			                          : -E2BIG;
	closedir(dir);
	return r;
}

static int list_marked(
        const struct mark *mark, uint64_t slots, size_t most, struct survey_entries *entries)
{
	struct mark *child;
	size_t cursor = 0;
	int r = 0;

	if (!mark || !(mark->below & slots))
		return 0;
	while (r == 0 && (child = names_next(&mark->children, &cursor)))
		if (mark_any(child) & slots)
			r = entries->count < most ? add(entries, child->name, child,
			                                    (child->self | child->deep) & slots)
			                          : -E2BIG;
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(
	        ((const struct survey_entry *)a)->name, ((const struct survey_entry *)b)->name);
}

int survey_list(int fd, const struct mark *mark, uint64_t slots, bool whole, size_t most,
        struct survey_entries *entries)
{
	int r = whole ? list_all(fd, most, entries) : list_marked(mark, slots, most, entries);

	if (entries->count)
		qsort(entries->items, entries->count, sizeof(*entries->items), compare);
	return r;
}

static int read_target(int fd, const char *name, struct survey_sight *sight)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(fd, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = 0;
	sight->target = strdup(target);
	return sight->target ? 0 : -ENOMEM;
}

/* What its owner has shut off is not to be seen by anybody. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -EINVAL;
}

int survey_look(int fd, const char *name, struct survey_sight *sight)
{
	int r = fstatat(fd, name, &sight->attr, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;

	if (r == 0 && S_ISLNK(sight->attr.st_mode))
		r = read_target(fd, name, sight);
	if (!is_gone(r))
		return r;
	sight->attr.st_mode = 0;
	return 0;
}

int survey_open(int fd, const char *name)
{
	int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return below < 0 ? -errno : below;
}

static int collect_below(int fd, struct survey_entry *entry, uint64_t slots, size_t *most)
{
	CLEANUP(close_p) int below = survey_open(fd, entry->name);

	if (below < 0)
		return below == -EACCES ? 0 : below;
	return survey_collect(
	        below, entry->mark, slots, entry->whole, most, &entry->sight->entries);
}

static int collect_entry(int fd, struct survey_entry *entry, uint64_t slots, size_t *most)
{
	int r;

	if (!*most)
		return -E2BIG;
	--*most;
	entry->sight = calloc(1, sizeof(*entry->sight));
	if (!entry->sight)
		return -ENOMEM;
	r = survey_look(fd, entry->name, entry->sight);
	if (r == 0 && S_ISDIR(entry->sight->attr.st_mode))
		r = collect_below(fd, entry, slots, most);
	return r;
}

int survey_collect(int fd, const struct mark *mark, uint64_t slots, bool whole, size_t *most,
        struct survey_entries *entries)
{
	int r = survey_list(fd, mark, slots, whole, *most, entries);
	size_t i;

	for (i = 0; r == 0 && i < entries->count; i++)
		r = collect_entry(fd, &entries->items[i], slots, most);
	return r;
}
