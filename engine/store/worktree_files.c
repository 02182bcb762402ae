/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_changes.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"
#include "store/worktree_entries.h"
#include "store/worktree_set_id.h"

/* What the kernel sees to itself, or would have us wait, is not for our descriptor. */
#define FLAGS_KEPT (O_NOATIME)

static struct worktree_file *file_new(struct worktree_node *node, int fd, int flags)
{
	struct worktree_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->node = node;
	file->references = 1;
	file->fd = fd;
	file->flags = flags & FLAGS_KEPT;
	file->writes = (flags & O_ACCMODE) != O_RDONLY;
	node->files++;
	if (fd < 0)
		list_append(&node->opened, &file->link);
	else
		list_prepend(&node->opened, &file->link);
	node->writers += file->writes;
	file->maps = (flags & O_ACCMODE) == O_RDWR;
	node->mappers += file->maps;
	return file;
}

void worktree_file_ref(struct worktree_file *file)
{
	file->references++;
}

void worktree_file_unref(struct worktree_file *file)
{
	struct worktree_node *node = file->node;

	if (--file->references > 0)
		return;
	close_fd(file->fd);
	list_unlink(&file->link);
	node->files--;
	free(file);
	node_free_if_unused(node);
}

void file_set_wrote(struct worktree_file *file)
{
	file->wrote = file->node->commits + 1;
}

bool file_wrote(const struct worktree_file *file)
{
	return file->wrote == file->node->commits + 1;
}

/* --- opening --- */

/*
 * Old content is read before it is overwritten, so what is open for writing is readable: at once where
 * the mode allows it, else when it comes to that. What is granted for a moment moves ctime.
 */
static int open_to_write(struct worktree_node *node, int flags, bool *blind)
{
	int kept = flags & FLAGS_KEPT;
	int fd = node_try_open(node, O_RDWR | kept);

	if (fd == -EACCES && (flags & O_ACCMODE) == O_WRONLY) {
		fd = node_try_open(node, O_WRONLY | kept);
		*blind = fd >= 0;
	}
	return fd == -EACCES ? node_open(node, O_RDWR | kept) : fd;
}

static int open_any(struct worktree_node *node, int flags, bool *blind)
{
	if ((flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY)
		return node_open(node, O_RDONLY | (flags & FLAGS_KEPT));
	return open_to_write(node, flags, blind);
}

static int file_reader(struct worktree_file *file)
{
	int fd;

	if (!file->blind)
		return file->fd;
	fd = node_open(file->node, O_RDWR);
	if (fd < 0)
		return fd;
	close(file->fd);
	file->fd = fd;
	file->blind = false;
	return fd;
}

int file_before_change(struct worktree_file *file, off_t start, off_t end)
{
	int fd = file_reader(file);

	return fd < 0 ? fd : draft_before_change(file->node, fd, start, end);
}

/* Who may write but opens for reading truncates all the same; nobody will close that, so it counts. */
static int truncate_unwritten(struct worktree_file *file)
{
	if (ftruncate(file->fd, 0) < 0)
		return -errno;
	draft_commit_range(file->node, 0, RANGE_END);
	return 0;
}

static int truncate_opened(struct worktree_file *file, int flags, const struct caller *caller)
{
	int r;

	if (!(flags & O_TRUNC))
		return 0;
	r = file->writes ? file_truncate(file, 0) : truncate_unwritten(file);
	file->wrote = 0; /* a file that was only emptied is about to be written */
	return r < 0 ? r : set_id_drop(file->node, file->fd, caller);
}

int file_open(struct worktree_file *file)
{
	int fd;

	if (file->fd >= 0)
		return 0;
	fd = node_open(file->node, O_RDONLY | file->flags);
	if (fd == -EPERM && file->flags & O_NOATIME)
		fd = node_open(file->node, O_RDONLY);
	if (fd < 0)
		return fd;
	file->fd = fd;
	list_unlink(&file->link);
	list_prepend(&file->node->opened, &file->link);
	return 0;
}

void files_open_all(struct worktree *tree)
{
	struct worktree_file *file, *following;
	struct worktree_node *node;

	map_each(node, &tree->nodes, cursor)
		list_each_safe(file, following, &node->opened, link)
			(void)!file_open(file);
}

/* Root gets there later, too; from an ordinary user the way can be shut meanwhile. */
static bool may_be_opened_later(const struct worktree_node *node, int flags)
{
	return node->tree->is_root && !node->tree->closed && S_ISREG(node->type) &&
	       (flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY;
}

int worktree_open_file(struct worktree_node *node, int flags, const struct caller *caller,
        struct worktree_file **out)
{
	struct worktree_file *file;
	bool blind = false;
	int fd, r;

	if (may_be_opened_later(node, flags)) {
		*out = file_new(node, -1, flags);
		return *out ? 0 : -ENOMEM;
	}
	fd = open_any(node, flags, &blind);
	if (fd == -EPERM && flags & O_NOATIME)
		fd = open_any(node, flags & ~O_NOATIME, &blind);
	if (fd < 0)
		return fd;
	file = file_new(node, fd, flags);
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	file->blind = blind;
	r = truncate_opened(file, flags, caller);
	if (r < 0) {
		worktree_release(file);
		return r;
	}
	*out = file;
	return 0;
}

/* It is there already, and that is no error. */
static int open_existing(struct worktree_node *directory, const char *name, int flags,
        const struct caller *caller, struct worktree_entry *entry, struct worktree_file **file)
{
	int r = entry_at(directory, name, entry);

	if (r < 0)
		return r;
	r = S_ISREG(entry->attr.st_mode) ? worktree_open_file(entry->node, flags, caller, file)
	                                 : -EEXIST;
	if (r == 0)
		r = worktree_getattr(entry->node, *file, &entry->attr);
	if (r < 0)
		worktree_forget(entry->node, 1);
	return r;
}

/* Takes the descriptor over, and the entry's lookup when it fails. */
static int open_made(struct worktree_entry *entry, int fd, int flags, struct worktree_file **file)
{
	int r;

	*file = file_new(entry->node, fd, flags);
	if (!*file) {
		close(fd);
		worktree_forget(entry->node, 1);
		return -ENOMEM;
	}
	r = draft_begin_absent(entry->node);
	if (r < 0) {
		worktree_release(*file);
		worktree_forget(entry->node, 1);
	}
	return r;
}

int worktree_create(struct worktree_node *directory, const char *name, mode_t mode, int flags,
        const struct caller *caller, struct worktree_entry *entry, struct worktree_file **file)
{
	int parent = node_directory_fd(directory), fd, r;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777);
	if (fd < 0 && errno == EEXIST && !(flags & O_EXCL))
		return open_existing(directory, name, flags, caller, entry, file);
	if (fd < 0)
		return -errno;
	r = entry_give(directory, fd, "", mode, caller, &entry->attr);
	if (r == 0)
		r = entry_known(directory, name, entry);
	if (r < 0)
		close(fd);
	else
		r = open_made(entry, fd, flags, file);
	if (r < 0)
		unlinkat(parent, name, 0); /* nobody knows of it yet */
	else if (!changes_is_code(directory, name))
		changes_name(directory, name);
	return r;
}

int worktree_tmpfile(struct worktree_node *directory, mode_t mode, int flags,
        const struct caller *caller, struct worktree_entry *entry, struct worktree_file **file)
{
	int parent = node_directory_fd(directory), fd, r;

	if (parent < 0)
		return parent;
	fd = openat(parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | (flags & O_EXCL), mode & 0777);
	if (fd < 0)
		return -errno;
	r = entry_give(directory, fd, "", mode, caller, &entry->attr);
	if (r == 0)
		r = node_get_nameless(&entry->node, directory->tree, fd, &entry->attr);
	if (r < 0) {
		close(fd);
		return r;
	}
	entry->node->lookups++;
	return open_made(entry, fd, flags, file);
}

/* --- reading and writing --- */

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

ssize_t worktree_read(struct worktree_file *file, void *data, size_t size, off_t offset, bool wait)
{
	struct iovec piece = {data, size};
	int r = file_open(file);
	ssize_t got;

	if (r < 0)
		return r;
	got = wait ? -1 : preadv2(file->fd, &piece, 1, offset, RWF_NOWAIT);
	/* A short answer may mean that the rest is not in memory, or the end of the file. */
	if (!wait && got == (ssize_t)size)
		return got;
	if (!wait && got < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (!wait && got >= 0) {
		struct stat attr;
		if (fstat(file->fd, &attr) < 0)
			return -errno;
		return offset + got >= attr.st_size ? got : -EAGAIN;
	}
	got = pread(file->fd, data, size, offset);
	return got < 0 ? -errno : got;
}

bool worktree_access_shows(const struct worktree_file *file)
{
	struct stat attr;
	time_t day = time(NULL) - 24 * 60 * 60;

	if (file->node->tree->noatime || worktree_getattr(file->node, file, &attr) < 0)
		return false;
	return !is_later(&attr.st_atim, &attr.st_mtim) || !is_later(&attr.st_atim, &attr.st_ctim) ||
	       attr.st_atim.tv_sec < day;
}

int file_before_write(struct worktree_file *file, off_t start, off_t end,
        const struct caller *caller, bool mapped)
{
	int r = file_before_change(file, start, end);

	if (r == 0 && !mapped && start < end)
		r = set_id_drop(file->node, file->fd, caller);
	if (r < 0)
		return r;
	file->node->written = true;
	if (!mapped)
		file_set_wrote(file);
	else if (file->node->draft)
		file->node->draft->mapped = true;
	return 0;
}

ssize_t file_put(int fd, const char *data, size_t size, off_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = pwrite(fd, data + done, size - done, offset + (off_t)done);

		if (put < 0)
			return done ? (ssize_t)done : -errno;
		done += (size_t)put;
	}
	return (ssize_t)done;
}

ssize_t worktree_write(struct worktree_file *file, const void *data, size_t size, off_t offset,
        const struct caller *caller, bool mapped)
{
	int r = file_before_write(file, offset, offset + (off_t)size, caller, mapped);

	return r < 0 ? r : file_put(file->fd, data, size, offset);
}

int file_truncate(struct worktree_file *file, off_t size)
{
	struct stat attr;
	off_t start;
	int r;

	if (fstat(file->fd, &attr) < 0)
		return -errno;
	start = size < attr.st_size ? size : attr.st_size;
	if (size != attr.st_size) {
		r = file_before_change(file, start, RANGE_END);
		if (r == -ENOSPC || r == -EDQUOT)
			draft_lose(file->node);
		else if (r < 0)
			return r;
		file_set_wrote(file);
	}
	return ftruncate(file->fd, size) < 0 ? -errno : 0;
}

bool worktree_file_may_be_mapped(const struct worktree_file *file)
{
	return file->node->mappers;
}

off_t worktree_seek(struct worktree_file *file, off_t offset, int whence)
{
	int r = file_open(file);
	off_t found = r < 0 ? r : lseek(file->fd, offset, whence);

	return found < 0 && r == 0 ? -errno : found;
}

/* --- commits --- */

bool worktree_file_writes(const struct worktree_file *file)
{
	return file->writes;
}

void worktree_flush(struct worktree_file *file)
{
	struct worktree_node *node = file->node;

	if (!file->writes || !node->draft || !(file_wrote(file) || node->draft->mapped))
		return;
	draft_commit(node);
}

void worktree_release(struct worktree_file *file)
{
	struct worktree_node *node = file->node;

	node->writers -= file->writes;
	node->mappers -= file->maps;
	if (node->draft && (file_wrote(file) || node->writers == 0))
		draft_commit(node);
	worktree_file_unref(file);
}
