/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one process of a stress does. Any name may be gone or taken by the time it is used: only errnos
 * that cannot come of that are wrong.
 */
#include "stress.h"
#include "choose.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

static bool is_of_a_race(int error)
{
	static const int races[] = {
	        ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, ELOOP, ENAMETOOLONG};
	size_t i;

	for (i = 0; i < sizeof(races) / sizeof(races[0]); i++)
		if (races[i] == error)
			return true;
	return false;
}

static void judge(struct stress *stress, const char *call, const char *path, int returned)
{
	if (returned < 0 && !is_of_a_race(errno))
		stress_complain(stress->shared, "%s %s: %s", call, path, strerror(errno));
}

/* A directory, one to three levels deep. */
static void choose_directory(struct stress *stress, char *out)
{
	int depth = (int)choose_below(&stress->random, 3), length;

	length = snprintf(
	        out, PATH_BYTES, "%s/d%ld", stress->directory, choose_below(&stress->random, 4));
	for (; depth > 0; depth--)
		length += snprintf(out + length, PATH_BYTES - length, "/e%ld",
		        choose_below(&stress->random, 3));
}

static void choose_file(struct stress *stress, char *out)
{
	int length;

	choose_directory(stress, out);
	length = (int)strlen(out);
	snprintf(out + length, PATH_BYTES - length, "/f%ld", choose_below(&stress->random, 8));
}

/* Writes a file under a name of the process's own. */
static bool make_own(struct stress *stress, char *path)
{
	static char data[80000];
	unsigned number = atomic_fetch_add(&stress->shared->next_file, 1);
	size_t length = stress_content(number, data), half = length / 2;
	int file;

	snprintf(path, PATH_BYTES, "%s/own%d", stress->directory, stress->number);
	file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (file < 0 || write(file, data, half) != (ssize_t)half ||
	        pwrite(file, data + half, length - half, half) != (ssize_t)(length - half)) {
		stress_complain(stress->shared, "writing %s: %s", path, strerror(errno));
		close(file);
		return false;
	}
	if (number % 64 == 0)
		fsync(file);
	if (close(file) < 0)
		stress_complain(stress->shared, "closing %s: %s", path, strerror(errno));
	return true;
}

static void work_make(struct stress *stress)
{
	char own[PATH_BYTES], path[PATH_BYTES];

	if (!make_own(stress, own))
		return;
	choose_file(stress, path);
	if (choose_percent(&stress->random, 50))
		judge(stress, "rename", path, rename(own, path));
	else
		judge(stress, "link", path, link(own, path));
	unlink(own);
}

static void work_read(struct stress *stress)
{
	static char data[80000];
	char path[PATH_BYTES];
	ssize_t length;
	int file;

	choose_file(stress, path);
	file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	judge(stress, "open", path, file);
	if (file < 0)
		return;
	length = read(file, data, sizeof(data) - 1);
	data[length > 0 ? length : 0] = '\0';
	if (length < 0 && errno != EISDIR)
		stress_complain(stress->shared, "reading %s: %s", path, strerror(errno));
	else if (length >= 0 && !stress_content_is_whole(data, length))
		stress_complain(
		        stress->shared, "%s is not whole: %zd bytes, %.30s", path, length, data);
	close(file);
}

static void work_rename(struct stress *stress)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	static const unsigned flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};

	choose_file(stress, from);
	choose_file(stress, to);
	judge(stress, "rename", from,
	        renameat2(AT_FDCWD, from, AT_FDCWD, to, flags[choose_below(&stress->random, 4)]));
}

static void work_move_directory(struct stress *stress)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	choose_directory(stress, from);
	choose_directory(stress, to);
	if (strlen(from) < strlen(stress->directory) + 5 ||
	        strlen(to) < strlen(stress->directory) + 5)
		return;
	judge(stress, "rename", from,
	        renameat2(AT_FDCWD, from, AT_FDCWD, to,
	                choose_percent(&stress->random, 30) ? RENAME_EXCHANGE : 0));
}

static void work_directory(struct stress *stress)
{
	char path[PATH_BYTES];

	choose_directory(stress, path);
	if (choose_percent(&stress->random, 70))
		judge(stress, "mkdir", path, mkdir(path, 0755));
	else if (strlen(path) > strlen(stress->directory) + 5)
		judge(stress, "rmdir", path, rmdir(path));
}

static void work_link(struct stress *stress)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	choose_file(stress, from);
	choose_file(stress, to);
	if (choose_percent(&stress->random, 60))
		judge(stress, "link", from, link(from, to));
	else
		judge(stress, "symlink", to, symlink("../d1/f2", to));
}

static void work_unlink(struct stress *stress)
{
	char path[PATH_BYTES];

	choose_file(stress, path);
	judge(stress, "unlink", path, unlink(path));
}

static void work_list(struct stress *stress)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	DIR *stream;

	choose_directory(stress, path);
	stream = opendir(path);
	judge(stress, "opendir", path, stream ? 0 : -1);
	for (errno = 0; stream && (entry = readdir(stream)); errno = 0)
		if (entry->d_name[0] == '\0' || strchr(entry->d_name, '/'))
			stress_complain(stress->shared, "%s lists a bad name", path);
	if (stream)
		judge(stress, "readdir", path, errno ? -1 : 0);
	if (stream)
		closedir(stream);
}

/* All try to make the same name: one may. */
static void work_race(struct stress *stress)
{
	unsigned token = atomic_load(&stress->shared->token) % STRESS_TOKENS;
	char path[PATH_BYTES], own[PATH_BYTES];
	int returned = -1;

	snprintf(path, sizeof(path), "%s/tokens/%u", stress->directory, token);
	snprintf(own, sizeof(own), "%s/tokens/own%d", stress->directory, stress->number);
	if (token % 4 == 0)
		returned = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	else if (token % 4 == 1)
		returned = mkdir(path, 0700);
	else if (token % 4 == 2)
		returned = symlink("nowhere", path);
	else if (mkdir(own, 0700) == 0)
		returned = renameat2(AT_FDCWD, own, AT_FDCWD, path, RENAME_NOREPLACE);
	judge(stress, "making", path, returned);
	if (returned >= 0) {
		atomic_fetch_add(&stress->shared->winners[token], 1);
		if (token % 4 == 0)
			close(returned);
	}
	rmdir(own);
	/* The next race, unless it began already. */
	if (token + 1 < STRESS_TOKENS)
		atomic_compare_exchange_strong(&stress->shared->token, &token, token + 1);
}

static void work_append(struct stress *stress)
{
	char path[PATH_BYTES], record[RECORD_BYTES + 1];
	int file;

	snprintf(path, sizeof(path), "%s/log", stress->directory);
	snprintf(record, sizeof(record), "%-*s\n", RECORD_BYTES - 1, "a record of the log");
	file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file < 0 || write(file, record, RECORD_BYTES) != RECORD_BYTES)
		stress_complain(stress->shared, "appending to %s: %s", path, strerror(errno));
	else
		atomic_fetch_add(&stress->shared->appended, 1);
	close(file);
}

static void work_count(struct stress *stress)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_BYTES], text[32] = "";
	int file, length;

	snprintf(path, sizeof(path), "%s/counter", stress->directory);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (file < 0 || fcntl(file, F_SETLKW, &lock) < 0 ||
	        pread(file, text, sizeof(text) - 1, 0) < 0) {
		stress_complain(stress->shared, "counting in %s: %s", path, strerror(errno));
	} else {
		length = snprintf(text, sizeof(text), "%lu\n", strtoul(text, NULL, 10) + 1);
		if (pwrite(file, text, length, 0) == length)
			atomic_fetch_add(&stress->shared->counted, 1);
	}
	close(file);
}

static const struct {
	int weight;
	void (*work)(struct stress *stress);
} works[] = {{25, work_make}, {15, work_read}, {12, work_rename}, {8, work_move_directory},
        {12, work_directory}, {8, work_link}, {8, work_unlink}, {4, work_list}, {6, work_race},
        {4, work_append}, {3, work_count}};

void stress_work(struct stress *stress)
{
	long chosen;
	size_t i;

	while (!atomic_load(&stress->shared->stop)) {
		chosen = choose_below(&stress->random, 105);
		for (i = 0; chosen >= works[i].weight; i++)
			chosen -= works[i].weight;
		works[i].work(stress);
		atomic_fetch_add(&stress->shared->steps, 1);
	}
}
