/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"
#include "call.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_BYTES (1 << 20)

static unsigned content_of_link(int directory, const char *name)
{
	char target[PATH_MAX + 1];
	ssize_t length = readlinkat(directory, name, target, sizeof(target));

	return length < 0 ? (unsigned)errno : digest(target, length);
}

/* Of a file of any size its beginning and its end. */
static unsigned content_of_file(int directory, const char *name, long long size)
{
	static char data[CONTENT_BYTES];
	int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned value = 0;
	ssize_t length;

	if (file < 0)
		return errno;
	length = pread(file, data, sizeof(data), 0);
	value = length < 0 ? (unsigned)errno : digest(data, length);
	if (size > CONTENT_BYTES) {
		length = pread(file, data, 65536, size - 65536);
		value ^= length < 0 ? (unsigned)errno : digest(data, length);
	}
	close(file);
	return value;
}

static void fill(struct entry *entry, int directory, const char *name, const struct dirent *said)
{
	struct stat status;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		entry->error = errno;
		return;
	}
	entry->mode = status.st_mode;
	entry->links = status.st_nlink;
	entry->user = status.st_uid;
	entry->group = status.st_gid;
	entry->size = S_ISDIR(status.st_mode) ? 0 : status.st_size;
	entry->inode = status.st_ino;
	entry->modified = status.st_mtim;
	entry->changed = status.st_ctim;
	entry->odd =
	        said &&
	        (said->d_ino != status.st_ino ||
	                (said->d_type != DT_UNKNOWN && said->d_type != IFTODT(status.st_mode)));
	if (S_ISREG(status.st_mode))
		entry->content = content_of_file(directory, name, status.st_size);
	else if (S_ISLNK(status.st_mode))
		entry->content = content_of_link(directory, name);
}

static struct entry *add(struct listing *listing, const char *parent, const char *name)
{
	struct entry *entry;
	char path[2 * LISTING_PATH];
	int length;

	if (listing->count == LISTING_ENTRIES) {
		listing->cut = true;
		return NULL;
	}
	entry = &listing->entries[listing->count++];
	memset(entry, 0, sizeof(*entry));
	length = snprintf(path, sizeof(path), "%s%s%s", parent, *parent ? "/" : "", name);
	if (length >= LISTING_PATH)
		memmove(path, path + length - LISTING_PATH + 1, LISTING_PATH);
	memcpy(entry->path, path, strlen(path) + 1);
	return entry;
}

static void walk(struct listing *listing, int directory, const char *path)
{
	char own[LISTING_PATH];
	DIR *stream = fdopendir(directory);
	struct dirent *said;
	struct entry *entry;
	int below;

	while (stream && (said = readdir(stream))) {
		if (strcmp(said->d_name, ".") == 0 || strcmp(said->d_name, "..") == 0)
			continue;
		entry = add(listing, path, said->d_name);
		if (!entry)
			break;
		fill(entry, directory, said->d_name, said);
		if (!S_ISDIR(entry->mode))
			continue;
		below = openat(
		        directory, said->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		entry->content = below < 0 ? (unsigned)errno : 0;
		memcpy(own, entry->path, sizeof(own));
		if (below >= 0)
			walk(listing, below, own);
	}
	if (stream)
		closedir(stream);
	else
		close(directory);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

void listing_take(struct listing *listing, int directory)
{
	struct entry *top;

	listing->count = 0;
	listing->cut = false;
	top = add(listing, "", ".");
	fill(top, directory, ".", NULL);
	walk(listing, openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
	qsort(listing->entries, listing->count, sizeof(listing->entries[0]), compare_entries);
}

const struct entry *listing_find(const struct listing *listing, unsigned long long inode)
{
	size_t i;

	for (i = 0; i < listing->count; i++)
		if (listing->entries[i].inode == inode && !listing->entries[i].error)
			return &listing->entries[i];
	return NULL;
}

struct report {
	const struct patience *patience;
	char *out;
	size_t size, used, count;
};

static void differ(struct report *report, const char *path, const char *what, const char *mount,
        const char *disk)
{
	int length;

	report->count++;
	if (report->used >= report->size)
		return;
	length = snprintf(report->out + report->used, report->size - report->used,
	        "    %s: %s is %s on the mount, %s on the disk\n", path, what, mount, disk);
	report->used += length > 0 ? (size_t)length : 0;
}

static void differ_number(struct report *report, const char *path, const char *what,
        const char *format, unsigned long long mount, unsigned long long disk)
{
	char texts[2][32];

	if (mount == disk)
		return;
	if (strcmp(format, "octal") == 0) {
		snprintf(texts[0], sizeof(texts[0]), "0%llo", mount);
		snprintf(texts[1], sizeof(texts[1]), "0%llo", disk);
	} else {
		snprintf(texts[0], sizeof(texts[0]), "%lld", mount);
		snprintf(texts[1], sizeof(texts[1]), "%lld", disk);
	}
	differ(report, path, what, texts[0], texts[1]);
}

/* A time in words that two runs on two disks have in common. */
static void time_in_words(
        char *out, size_t size, const struct view *view, const struct entry *entry, bool changed)
{
	const struct timespec *value = changed ? &entry->changed : &entry->modified, *old;
	const struct entry *before = view->before ? listing_find(view->before, entry->inode) : NULL;
	time_t distance = time(NULL) - value->tv_sec;

	if (distance < -86400 || distance > 86400) {
		snprintf(out, size, "%lld.%09ld", (long long)value->tv_sec, value->tv_nsec);
		return;
	}
	old = before ? changed ? &before->changed : &before->modified : NULL;
	if (!view->before)
		snprintf(out, size, "of this run");
	else if (!old)
		snprintf(out, size, "new");
	else if (old->tv_sec == value->tv_sec && old->tv_nsec == value->tv_nsec)
		snprintf(out, size, "unchanged");
	else
		snprintf(out, size, "changed");
}

static void compare_times(struct report *report, const struct view *mount, const struct view *disk,
        const struct entry *a, const struct entry *b)
{
	static const char *const names[] = {"mtime", "ctime"};
	char texts[2][64];
	const struct patience *patience = report->patience;
	int i;

	if (patience->all || (patience->fifos && S_ISFIFO(a->mode)))
		return;
	for (i = 0; i < 2; i++) {
		time_in_words(texts[0], sizeof(texts[0]), mount, a, i);
		time_in_words(texts[1], sizeof(texts[1]), disk, b, i);
		if (patience->refused && strcmp(texts[0], "unchanged") == 0)
			continue;
		if (strcmp(texts[0], texts[1]) != 0)
			differ(report, a->path, names[i], texts[0], texts[1]);
	}
}

/* The first path that has the same inode: equal in both trees if links link the same. */
static const char *first_name(const struct listing *listing, const struct entry *entry)
{
	const struct entry *first = listing_find(listing, entry->inode);

	return first ? first->path : entry->path;
}

static void compare_entry(struct report *report, const struct view *mount, const struct view *disk,
        const struct entry *a, const struct entry *b)
{
	if (a->error || b->error) {
		if (a->error != b->error)
			differ(report, a->path, "its stat", errno_name(a->error),
			        errno_name(b->error));
		return;
	}
	differ_number(report, a->path, "mode", "octal", a->mode, b->mode);
	differ_number(report, a->path, "link count", "", a->links, b->links);
	differ_number(report, a->path, "owner", "", a->user, b->user);
	differ_number(report, a->path, "group", "", a->group, b->group);
	differ_number(report, a->path, "size", "", a->size, b->size);
	differ_number(report, a->path, "digest of the content", "", a->content, b->content);
	if (strcmp(first_name(mount->now, a), first_name(disk->now, b)) != 0)
		differ(report, a->path, "one file with", first_name(mount->now, a),
		        first_name(disk->now, b));
	if (a->odd)
		differ(report, a->path, "type or inode in readdir", "not that of stat", "equal");
	compare_times(report, mount, disk, a, b);
}

size_t listing_compare(const struct view *mount, const struct view *disk,
        const struct patience *patience, char *out, size_t size)
{
	struct report report = {.patience = patience, .out = out, .size = size};
	size_t i = 0, j = 0;
	const struct entry *a, *b;
	int order;

	out[0] = '\0';
	while (i < mount->now->count || j < disk->now->count) {
		a = i < mount->now->count ? &mount->now->entries[i] : NULL;
		b = j < disk->now->count ? &disk->now->entries[j] : NULL;
		order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
		if (order < 0)
			differ(&report, a->path, "the name", "listed", "absent");
		else if (order > 0)
			differ(&report, b->path, "the name", "absent", "listed");
		else
			compare_entry(&report, mount, disk, a, b);
		i += order <= 0;
		j += order >= 0;
	}
	return report.count;
}
