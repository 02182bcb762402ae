/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the marks of one slot. Three things can be found at a marked path: nothing (then it goes
 * from the slot as well), a directory (made, and entered where there are marks below, or walked as a
 * whole when the mark is deep or the directory is new), or a file.
 */
#include "store/worktree_sync.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_code.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"

static int sync_entry(struct sync *sync, const struct sync_place *place, const struct mark *mark,
        const char *name, bool deep);

static bool has(uint64_t slots, unsigned slot)
{
	return slots >> slot & 1;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static DIR *open_listing(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		close_fd(fd);
	return dir;
}

/* --- a whole directory --- */

/* What the slot has and the tree has not. */
static int remove_surplus(struct sync *sync, const struct sync_place *place)
{
	DIR *dir = open_listing(place->to);
	struct dirent *entry;
	struct stat attr;
	int r = 0;

	if (!dir)
		return -EIO;
	while (r == 0 && (entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		if (fstatat(place->from, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW) < 0 ||
		        !worktree_name_is_code(entry->d_name))
			r = sync_remove(sync, place->to, entry->d_name);
	}
	closedir(dir);
	return r;
}

static int sync_all(struct sync *sync, const struct sync_place *place, const struct mark *mark)
{
	DIR *dir = open_listing(place->from);
	struct dirent *entry;
	int r;

	if (!dir)
		return -EIO;
	r = remove_surplus(sync, place);
	while (r == 0 && (entry = readdir(dir))) {
		if (is_dot(entry->d_name) || !worktree_name_is_code(entry->d_name))
			continue;
		r = sync_entry(sync, place, mark ? mark_child(mark, entry->d_name) : NULL,
		        entry->d_name, true);
	}
	closedir(dir);
	return r;
}

static int sync_marked(struct sync *sync, const struct sync_place *place, const struct mark *mark)
{
	struct mark *child;
	size_t cursor = 0;
	int r = 0;

	if (!has(mark->below, sync->slot))
		return 0;
	while (r == 0 && (child = names_next(&mark->children, &cursor)))
		if (has(mark_any(child), sync->slot))
			r = sync_entry(sync, place, child, child->name, false);
	return r;
}

/* --- one entry --- */

/* Whether what the linkable slot has under this mark is as the tree has it. */
static bool linkable(const struct sync *sync, const struct mark *mark)
{
	return !mark ||
	       !has(mark->self | mark->deep | mark->partly | mark->attributes, sync->link_slot);
}

static int open_below(int directory, const char *name)
{
	return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Makes the directory in the slot unless it stands; says whether it is new. */
static int make_directory(struct sync *sync, int to, const char *name, bool *made)
{
	int r;

	*made = true;
	if (mkdirat(to, name, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	*made = false;
	r = open_below(to, name);
	if (r >= 0) {
		close(r);
		return 0;
	}
	r = sync_remove(sync, to, name); /* a file or a link is in the way */
	if (r < 0)
		return r;
	*made = true;
	return mkdirat(to, name, 0755) < 0 ? -errno : 0;
}

static int sync_directory(struct sync *sync, const struct sync_place *place,
        const struct mark *mark, const char *name, const struct stat *attr, bool deep)
{
	CLEANUP(close_p) int from = -1;
	CLEANUP(close_p) int to = -1;
	CLEANUP(close_p) int link = -1;
	bool made;
	int r = make_directory(sync, place->to, name, &made);

	if (r < 0)
		return r;
	/* One that was made anew under an old name has nothing in common with what the slot has. */
	deep = deep || made || (mark && has(mark->self | mark->deep, sync->slot));
	from = copy_open_directory(place->from, name);
	if (from < 0)
		return from == -EACCES ? 0 : from; /* closed to its owner: nothing to be seen */
	to = open_below(place->to, name);
	if (to < 0)
		return -errno;
	if (place->link >= 0 && (!mark || !has(mark->self | mark->deep, sync->link_slot)))
		link = open_below(place->link, name);
	if (deep)
		r = sync_all(sync, &(struct sync_place){from, to, link}, mark);
	else if (mark)
		r = sync_marked(sync, &(struct sync_place){from, to, link}, mark);
	if (r == 0 && (deep || (mark && has(mark->attributes, sync->slot))))
		r = sync_attributes(sync, place->to, name, attr);
	return r;
}

static int sync_file_entry(struct sync *sync, const struct sync_place *place,
        const struct mark *mark, const char *name, const struct stat *attr, bool deep)
{
	struct sync_place here = *place;
	bool whole = deep || !mark || has(mark->self, sync->slot);
	int r;

	if (!linkable(sync, mark))
		here.link = -1;
	if (whole || has(mark->partly, sync->slot))
		return sync_file(sync, &here, mark, name, attr, whole);
	r = sync_attributes(sync, place->to, name, attr);
	return r == -EMLINK ? sync_file(sync, &here, mark, name, attr, true) : r;
}

static int sync_typed(struct sync *sync, const struct sync_place *place, const struct mark *mark,
        const char *name, bool deep)
{
	struct stat attr;

	/* What its owner has shut off is not to be seen by anybody. */
	if (fstatat(place->from, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
		               ? sync_remove(sync, place->to, name)
		               : -errno;
	if (S_ISDIR(attr.st_mode))
		return sync_directory(sync, place, mark, name, &attr, deep);
	if (S_ISREG(attr.st_mode))
		return sync_file_entry(sync, place, mark, name, &attr, deep);
	if (S_ISLNK(attr.st_mode))
		return sync_symlink(sync, place, name);
	return sync_remove(sync, place->to, name);
}

/* A worker may see an entry become something else under its hands: then it is marked again. */
static bool changed_meanwhile(const struct sync *sync, int error)
{
	return !sync->tree && (error == -ENOENT || error == -ENOTDIR || error == -ELOOP ||
	                              error == -EISDIR || error == -ENXIO);
}

static int sync_entry(struct sync *sync, const struct sync_place *place, const struct mark *mark,
        const char *name, bool deep)
{
	int r = sync_typed(sync, place, mark, name, deep);

	sync->entries++;
	return changed_meanwhile(sync, r) ? 0 : r;
}

/* --- renames --- */

void slot_rename_free(struct slot_rename *rename)
{
	list_unlink(&rename->link);
	free(rename->from);
	free(rename->to);
	free(rename);
}

/*
 * The directory a path of the slot lies in, opened; *name is what follows. What stands in the way is
 * not what the tree had there then: it is marked, so it can go, when `make`; else there is no such path.
 */
static int open_parent(struct sync *sync, char *path, bool make, char **name)
{
	int at = dup(sync->slot_fd), next, r = 0;
	bool made;
	char *slash;

	for (*name = path; at >= 0 && (slash = strchr(*name, '/')); *name = slash + 1) {
		*slash = 0;
		if (make)
			r = make_directory(sync, at, *name, &made);
		next = r < 0 ? r : copy_open_directory(at, *name);
		*slash = '/';
		close(at);
		at = next;
	}
	return at;
}

static int rename_one(struct sync *sync, struct slot_rename *rename)
{
	CLEANUP(close_p) int from = -1;
	CLEANUP(close_p) int to = -1;
	char *name, *to_name;
	struct stat attr;
	int r;

	to = open_parent(sync, rename->to, true, &to_name);
	r = to < 0 ? to : sync_remove(sync, to, to_name);
	if (r < 0)
		return r;
	from = open_parent(sync, rename->from, false, &name);
	if (from < 0 || fstatat(from, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* not there: marked at its new name */
	return renameat(from, name, to, to_name) < 0 ? -errno : 0;
}

static int make_renames(struct sync *sync)
{
	struct slot_rename *rename, *following;
	int r = 0;

	list_each_safe(rename, following, sync->renames, link) {
		if (r == 0)
			r = rename_one(sync, rename);
		slot_rename_free(rename);
	}
	return r;
}

/* --- all --- */

int sync_run(struct sync *sync, const struct mark *root)
{
	struct sync_place place = {sync->root_fd, sync->slot_fd, sync->link_fd};
	struct stat attr;
	int r = make_renames(sync);

	if (r < 0)
		return r;
	if (has(root->self | root->deep, sync->link_slot))
		place.link = -1;
	if (has(root->deep, sync->slot))
		r = sync_all(sync, &place, root);
	else
		r = sync_marked(sync, &place, root);
	if (r == 0 && has(mark_own(root), sync->slot)) {
		if (fstat(sync->root_fd, &attr) < 0 ||
		        fchmod(sync->slot_fd, copy_checkout_mode(attr.st_mode)) < 0)
			return -errno;
	}
	return r;
}
