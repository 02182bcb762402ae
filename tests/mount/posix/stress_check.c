/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree after a stress: each file whole, each inode with as many names as its link count says, each
 * directory with as many links as it has directories, the log and the counter complete, and each name
 * that was raced for made once.
 */
#include "stress.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_INODES 65536

struct inode {
	ino_t number;
	nlink_t links, found;
	mode_t kind;
};

struct check {
	struct stress_shared *shared;
	struct inode *inodes;
	size_t count;
	unsigned files, directories;
};

static void count_link(struct check *check, const char *path, const struct stat *status)
{
	struct inode *inode = check->inodes, *end = inode + check->count;

	while (inode < end && inode->number != status->st_ino)
		inode++;
	if (inode == end && check->count < MOST_INODES) {
		check->count++;
		*inode = (struct inode){.number = status->st_ino,
		        .links = status->st_nlink,
		        .kind = status->st_mode & S_IFMT};
	}
	inode->found++;
	if (inode->links != status->st_nlink || inode->kind != (status->st_mode & S_IFMT))
		stress_complain(
		        check->shared, "%s: one inode looks different by another name", path);
}

static void check_content(struct check *check, const char *path, off_t size)
{
	static char data[80000];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, data, sizeof(data) - 1);

	close(file);
	data[length > 0 ? length : 0] = '\0';
	if (length < 0 || length != size || !stress_content_is_whole(data, length))
		stress_complain(check->shared, "%s: not whole, %zd bytes (stat: %lld): %.30s", path,
		        length, (long long)size, data);
}

static bool is_common(const char *name)
{
	return name[0] == 'f' && strlen(name) == 2;
}

static void check_tree(struct check *check, const char *path);

/* Returns whether it is a directory. */
static bool check_entry(struct check *check, const char *parent, const struct dirent *entry)
{
	char path[4096];
	struct stat status;

	snprintf(path, sizeof(path), "%.3800s/%s", parent, entry->d_name);
	if (lstat(path, &status) < 0) {
		stress_complain(check->shared, "%s is listed: %s", path, strerror(errno));
		return false;
	}
	if (entry->d_ino != status.st_ino || entry->d_type != IFTODT(status.st_mode))
		stress_complain(check->shared, "%s: readdir says inode %lu type %d, stat %lu %o",
		        path, (unsigned long)entry->d_ino, entry->d_type,
		        (unsigned long)status.st_ino, status.st_mode);
	if (S_ISDIR(status.st_mode)) {
		check->directories++;
		check_tree(check, path);
		return true;
	}
	check->files++;
	count_link(check, path, &status);
	if (S_ISREG(status.st_mode) && is_common(entry->d_name))
		check_content(check, path, status.st_size);
	return false;
}

static void check_tree(struct check *check, const char *path)
{
	struct stat status;
	struct dirent *entry;
	nlink_t links = 2;
	DIR *stream = opendir(path);

	if (!stream || fstat(dirfd(stream), &status) < 0) {
		stress_complain(check->shared, "%s: %s", path, strerror(errno));
		return;
	}
	while ((entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			links += check_entry(check, path, entry);
	closedir(stream);
	if (status.st_nlink != links && status.st_nlink != 1)
		stress_complain(check->shared, "%s has %lu links, but %lu directories", path,
		        (unsigned long)status.st_nlink, (unsigned long)links - 2);
}

static void check_links(struct check *check)
{
	size_t i;

	for (i = 0; i < check->count; i++)
		if (check->inodes[i].links != check->inodes[i].found)
			stress_complain(check->shared, "inode %lu has %lu links and %lu names",
			        (unsigned long)check->inodes[i].number,
			        (unsigned long)check->inodes[i].links,
			        (unsigned long)check->inodes[i].found);
}

/* Each race that was begun must have exactly one winner, but the last may have none. */
static void check_races(struct stress_shared *shared)
{
	unsigned i, last = atomic_load(&shared->token);

	for (i = 0; i <= last && i < STRESS_TOKENS; i++)
		if (shared->winners[i] != 1 && !(i == last && shared->winners[i] == 0))
			stress_complain(shared, "token %u was won %u times", i, shared->winners[i]);
}

static void check_log(const struct stress *stress)
{
	char path[4096], record[RECORD_BYTES], expected[RECORD_BYTES + 1];
	unsigned found = 0;
	int file;

	snprintf(path, sizeof(path), "%s/log", stress->directory);
	snprintf(expected, sizeof(expected), "%-*s\n", RECORD_BYTES - 1, "a record of the log");
	file = open(path, O_RDONLY | O_CLOEXEC);
	for (; file >= 0 && read(file, record, RECORD_BYTES) == RECORD_BYTES; found++)
		if (memcmp(record, expected, RECORD_BYTES) != 0)
			stress_complain(stress->shared, "record %u of the log is torn", found);
	close(file);
	if (found != atomic_load(&stress->shared->appended))
		stress_complain(stress->shared, "%u records were appended, %u are there",
		        stress->shared->appended, found);
}

static void check_counter(const struct stress *stress)
{
	char path[4096], text[32] = "";
	int file;

	snprintf(path, sizeof(path), "%s/counter", stress->directory);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file >= 0 && read(file, text, sizeof(text) - 1) < 0)
		stress_complain(stress->shared, "%s: %s", path, strerror(errno));
	close(file);
	if (strtoul(text, NULL, 10) != atomic_load(&stress->shared->counted))
		stress_complain(
		        stress->shared, "counted %u times to %s", stress->shared->counted, text);
}

unsigned stress_check(const struct stress *stress)
{
	struct check check = {.shared = stress->shared};

	check.inodes = calloc(MOST_INODES + 1, sizeof(*check.inodes));
	check_tree(&check, stress->directory);
	check_links(&check);
	check_races(stress->shared);
	check_log(stress);
	check_counter(stress);
	printf("%u names, %u directories, %u races, %u records, %u counted\n", check.files,
	        check.directories, atomic_load(&stress->shared->token), stress->shared->appended,
	        stress->shared->counted);
	free(check.inodes);
	return (unsigned)atomic_load(&stress->shared->errors);
}
