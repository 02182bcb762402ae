/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "store/worktree_copy.h"

struct job {
	uv_work_t work;
	int trash_fd;
	char name[32];
};

static void work(uv_work_t *request)
{
	struct job *job = request->data;

	copy_remove(job->trash_fd, job->name);
}

static void done(uv_work_t *request, int status)
{
	struct job *job = request->data;

	close(job->trash_fd);
	free(job);
}

static void start_job(struct removal *removal, int trash_fd, const char *name)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		close_fd(trash_fd);
		return; /* the next daemon removes it */
	}
	job->work.data = job;
	job->trash_fd = trash_fd;
	snprintf(job->name, sizeof(job->name), "%s", name);
	if (uv_queue_work(removal->loop, &job->work, work, done) < 0)
		done(&job->work, -EIO);
}

static int open_trash(struct removal *removal)
{
	return openat(removal->state_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void removal_init(struct removal *removal, uv_loop_t *loop, int state_fd)
{
	/* Names in the trash are told apart from those of earlier daemons. */
	*removal = (struct removal){
	        .loop = loop, .state_fd = state_fd, .last = (uint64_t)time(NULL) << 20};
	mkdirat(state_fd, "trash", 0700);
}

void removal_begin(struct removal *removal, const char *place, uint64_t id)
{
	char from[64], to[64];

	snprintf(from, sizeof(from), "%s/%" PRIu64, place, id);
	snprintf(to, sizeof(to), "trash/%" PRIu64 "-%" PRIu64, id, ++removal->last);
	if (renameat(removal->state_fd, from, removal->state_fd, to) < 0) {
		if (errno != ENOENT)
			log_line(LOG_WARNING, "%s stays behind: %s", from, strerror(errno));
		return;
	}
	start_job(removal, open_trash(removal), to + strlen("trash/"));
}

void removal_sweep(struct removal *removal, const char *place,
        int (*exists)(void *userdata, uint64_t id), void *userdata)
{
	int fd = openat(removal->state_fd, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		uint64_t id = strtoull(entry->d_name, NULL, 10);

		if (id && !exists(userdata, id))
			removal_begin(removal, place, id);
	}
	if (directory)
		closedir(directory);
}

void removal_resume(struct removal *removal)
{
	int fd = open_trash(removal);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			start_job(removal, open_trash(removal), entry->d_name);
	if (directory)
		closedir(directory);
}
