/* SPDX-License-Identifier: Apache-2.0 */
#include "worktree_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/worktree_code.h"
#include "test.h"

struct model_directory *model_directory_new(mode_t mode)
{
	struct model_directory *directory = calloc(1, sizeof(*directory));

	directory->mode = mode;
	return directory;
}

static void drop(struct model_entry *entry)
{
	if (entry->directory)
		model_directory_free(entry->directory);
	if (entry->file) {
		entry->file->names--;
		model_file_drop(entry->file);
	}
}

struct model_directory *model_directory_free(struct model_directory *directory)
{
	size_t i;

	for (i = 0; i < directory->count; i++)
		drop(&directory->entries[i]);
	free(directory);
	return NULL;
}

struct model_entry *model_find(struct model_directory *directory, const char *name)
{
	size_t i;

	for (i = 0; i < directory->count; i++)
		if (strcmp(directory->entries[i].name, name) == 0)
			return &directory->entries[i];
	return NULL;
}

struct model_entry *model_add(struct model_directory *directory, const char *name)
{
	struct model_entry *entry = &directory->entries[directory->count++];

	REQUIRE(directory->count <= MODEL_ENTRIES);
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

void model_take(struct model_directory *directory, const char *name)
{
	struct model_entry *entry = model_find(directory, name);

	*entry = directory->entries[--directory->count];
}

void model_remove(struct model_directory *directory, const char *name)
{
	drop(model_find(directory, name));
	model_take(directory, name);
}

bool model_contains(const struct model_directory *directory, const struct model_directory *inner)
{
	size_t i;

	if (directory == inner)
		return true;
	for (i = 0; i < directory->count; i++)
		if (directory->entries[i].directory &&
		        model_contains(directory->entries[i].directory, inner))
			return true;
	return false;
}

/* --- files --- */

struct model_file *model_file_new(bool absent)
{
	struct model_file *file = calloc(1, sizeof(*file));

	file->absent = absent;
	file->names = 1;
	file->mode = 0644;
	return file;
}

void model_file_truncate(struct model_file *file, size_t size)
{
	if (size == file->now_size)
		return;
	file->now = realloc(file->now, size + 1);
	if (size > file->now_size)
		memset(file->now + file->now_size, 0, size - file->now_size);
	file->now_size = size;
	file->changed = true;
}

void model_file_write(struct model_file *file, const char *data, size_t size, size_t offset)
{
	if (offset + size > file->now_size)
		model_file_truncate(file, offset + size);
	memcpy(file->now + offset, data, size);
	file->changed = true;
}

void model_file_commit(struct model_file *file)
{
	if (!file->changed && !file->absent)
		return;
	file->commits++;
	file->absent = file->changed = false;
	file->committed = realloc(file->committed, file->now_size + 1);
	if (file->now_size)
		memcpy(file->committed, file->now, file->now_size);
	file->committed_size = file->now_size;
}

void model_file_drop(struct model_file *file)
{
	if (file->names || file->writers)
		return;
	free(file->now);
	free(file->committed);
	free(file);
}

/* --- comparing --- */

static bool differs(const char *path, const char *name, const char *what)
{
	fprintf(stderr, "%s/%s: %s\n", path, name, what);
	return false;
}

static bool file_equals(const struct model_file *file, int fd, const char *path, const char *name)
{
	int opened = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat attr;
	bool equal;
	char *bytes;

	if (opened < 0 || fstat(opened, &attr) < 0 || !S_ISREG(attr.st_mode)) {
		if (opened >= 0)
			close(opened);
		return differs(path, name, "is no file");
	}
	bytes = malloc((size_t)attr.st_size + 1);
	REQUIRE(pread(opened, bytes, (size_t)attr.st_size, 0) == attr.st_size);
	close(opened);
	equal = (size_t)attr.st_size == file->committed_size &&
	        memcmp(bytes, file->committed ? file->committed : "", (size_t)attr.st_size) == 0;
	free(bytes);
	if (!equal) {
		fprintf(stderr, "size %zu, not %zu\n", (size_t)attr.st_size, file->committed_size);
		return differs(path, name, "has other content");
	}
	if ((attr.st_mode & 07777) != ((file->mode & 0777) | 0444))
		return differs(path, name, "has another mode");
	return true;
}

static bool entry_equals(const struct model_entry *entry, int fd, const char *path)
{
	char target[64] = "", below[512];
	bool equal;
	int opened;

	if (entry->file)
		return file_equals(entry->file, fd, path, entry->name);
	if (!entry->directory) {
		if (readlinkat(fd, entry->name, target, sizeof(target) - 1) < 0 ||
		        strcmp(target, entry->target) != 0)
			return differs(path, entry->name, "is no such link");
		return true;
	}
	opened = openat(fd, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (opened < 0)
		return differs(path, entry->name, "is no directory");
	snprintf(below, sizeof(below), "%s/%s", path, entry->name);
	equal = model_equals(entry->directory, opened, below);
	close(opened);
	return equal;
}

static size_t count_entries(int fd)
{
	DIR *dir = fdopendir(dup(fd));
	size_t count = 0;

	rewinddir(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

bool model_equals(const struct model_directory *directory, int fd, const char *path)
{
	size_t i, expected = 0, there;
	struct stat attr;
	bool equal = true;

	for (i = 0; i < directory->count; i++) {
		const struct model_entry *entry = &directory->entries[i];
		if (!worktree_name_is_code(entry->name) || (entry->file && entry->file->absent))
			continue;
		expected++;
		equal = entry_equals(entry, fd, path) && equal;
	}
	there = count_entries(fd);
	if (there != expected) {
		fprintf(stderr, "%zu entries, not %zu\n", there, expected);
		return differs(path, "", "has other entries");
	}
	if (fstat(fd, &attr) < 0 || (attr.st_mode & 07777) != ((directory->mode & 0777) | 0755))
		return differs(path, "", "has another mode");
	return equal;
}

static unsigned long mix(unsigned long digest, const char *bytes, size_t size)
{
	while (size--)
		digest = (digest ^ (unsigned char)*bytes++) * 0x100000001b3UL;
	return digest;
}

static unsigned long digest_entry(int fd, const char *name)
{
	unsigned long digest = mix(0xcbf29ce484222325UL, name, strlen(name));
	struct stat attr;
	char bytes[65536];
	ssize_t got;
	int opened;

	if (fstatat(fd, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	digest = mix(digest, (const char *)&attr.st_mode, sizeof(attr.st_mode));
	if (S_ISLNK(attr.st_mode))
		return digest;
	opened = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (S_ISDIR(attr.st_mode))
		digest ^= model_digest(opened) * 31;
	else
		while ((got = read(opened, bytes, sizeof(bytes))) > 0)
			digest = mix(digest, bytes, (size_t)got);
	close(opened);
	return digest;
}

/* Entries are added up: their order is the disk's. */
unsigned long model_digest(int fd)
{
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned long digest = 1;
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			digest += digest_entry(fd, entry->d_name) * 7919;
	closedir(dir);
	return digest;
}
