/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory is what is private to a process (anonymous) and what it has mapped of shared memory; pages of
 * programs and libraries belong to everybody. Copies shared after a fork count once for each process:
 * sampling errs on the strict side.
 */
#include "run/process_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define EXITING 0x4 /* of the flags in /proc/PID/stat: PF_EXITING */

struct seen {
	pid_t pid, parent;
	int64_t ticks;
};

struct processes {
	struct seen *all; /* by pid, for /proc lists them so */
	size_t count, room;
};

static ssize_t read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	CLEANUP(close_p) int fd = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, size - 1);
	if (length >= 0)
		text[length] = 0;
	return length;
}

static void add_process(struct processes *processes, pid_t pid)
{
	char text[1024], *tail;
	long user, system, children_user, children_system;
	int parent;
	void *more;

	if (processes->count == processes->room) {
		processes->room = processes->room ? 2 * processes->room : 256;
		more = realloc(processes->all, processes->room * sizeof(*processes->all));
		if (!more) {
			processes->room = processes->count;
			return;
		}
		processes->all = more;
	}
	if (read_file(pid, "stat", text, sizeof(text)) <= 0 || !(tail = strrchr(text, ')')) ||
	        sscanf(tail, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
	                &parent, &user, &system, &children_user, &children_system) != 5)
		return;
	processes->all[processes->count++] =
	        (struct seen){pid, parent, user + system + children_user + children_system};
}

static void look(struct processes *processes)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]))
			add_process(processes, atoi(entry->d_name));
	if (directory)
		closedir(directory);
}

static int compare(const void *a, const void *b)
{
	const struct seen *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static const struct seen *find(const struct processes *processes, pid_t pid)
{
	const struct seen key = {.pid = pid};

	return bsearch(&key, processes->all, processes->count, sizeof(key), compare);
}

static struct process_tree *tree_of(const struct processes *processes, const struct seen *process,
        struct process_tree *trees, size_t count)
{
	for (int depth = 0; process && process->pid > 1 && depth < 4096; depth++) {
		for (size_t i = 0; i < count; i++)
			if (trees[i].root == process->pid)
				return &trees[i];
		process = find(processes, process->parent);
	}
	return NULL;
}

static int64_t status_kilobytes(const char *text, const char *key)
{
	const char *place = strstr(text, key);

	return place ? strtoll(place + strlen(key), NULL, 10) : 0;
}

static int64_t memory_of(pid_t pid)
{
	char text[4096];

	if (read_file(pid, "status", text, sizeof(text)) <= 0)
		return 0;
	return 1024 *
	       (status_kilobytes(text, "\nRssAnon:") + status_kilobytes(text, "\nRssShmem:"));
}

void process_tree_sample(struct process_tree *trees, size_t count)
{
	struct processes processes = {0};
	const long ticks = sysconf(_SC_CLK_TCK);

	for (size_t i = 0; i < count; i++)
		trees[i].usage = (struct limits_usage){0, -1, 0, -1};
	look(&processes);
	for (size_t i = 0; i < processes.count; i++) {
		const struct seen *process = &processes.all[i];
		struct process_tree *tree = tree_of(&processes, process, trees, count);

		if (!tree)
			continue;
		tree->usage.memory_bytes += memory_of(process->pid);
		tree->usage.cpu_us += process->ticks * 1000000 / ticks;
	}
	free(processes.all);
}

bool process_lives(pid_t pid, const char *name)
{
	char text[1024], *begin, *end;

	if (read_file(pid, "stat", text, sizeof(text)) <= 0)
		return false;
	begin = strchr(text, '(');
	end = strrchr(text, ')');
	if (!begin || !end || strlen(end) < 3)
		return false;
	*end = 0;
	return !strcmp(begin + 1, name) && end[2] != 'Z' && end[2] != 'X';
}

bool process_ends(pid_t pid)
{
	char text[1024], *end, state = 0;
	unsigned flags = 0;

	if (read_file(pid, "stat", text, sizeof(text)) <= 0)
		return true;
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return false;
	return state == 'Z' || state == 'X' || (flags & EXITING);
}
