/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed segments are compressed one at a time, oldest first, in a worker thread: into `ID-NAME.tmp`,
 * which is then renamed over the plain text. No fsync: renaming over a file is what file systems with
 * delayed allocation watch for, and the worst case is a damaged old log. On a failure (a full disk) the
 * segment stays plain until the next rotation tries again.
 */
#include "engine/logbook_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/logbook_archive.h"

struct compress_job {
	struct worker worker;
	struct segment *segment;
	int parent_fd;
	int64_t size, modified_us;
	char path[SEGMENT_PATH_SIZE], temporary[SEGMENT_PATH_SIZE];
	int result;
};

static int compress_to(struct compress_job *job, int to)
{
	CLEANUP(close_p) int from = openat(job->parent_fd, job->path, O_RDONLY | O_CLOEXEC);
	struct timespec times[2] = {
	        {.tv_nsec = UTIME_OMIT}, {.tv_sec = job->modified_us / 1000000,
	                                         .tv_nsec = job->modified_us % 1000000 * 1000}};
	int r;

	if (from < 0)
		return fail(-errno, "opening %s", job->path);
	r = archive_write(from, job->size, to, &job->worker.canceled);
	if (r < 0)
		return r;
	if (futimens(to, times) < 0)
		return fail(-errno, "dating %s", job->path);
	if (renameat(job->parent_fd, job->temporary, job->parent_fd, job->path) < 0)
		return fail(-errno, "renaming %s", job->temporary);
	return 0;
}

static int compress(struct compress_job *job)
{
	CLEANUP(close_p)
	int to = openat(job->parent_fd, job->temporary,
	        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (to < 0)
		return fail(-errno, "creating %s", job->temporary);
	r = compress_to(job, to);
	if (r < 0)
		unlinkat(job->parent_fd, job->temporary, 0);
	return r;
}

static void run(uv_work_t *work)
{
	struct compress_job *job = container_of(work, struct compress_job, worker.work);

	job->result = compress(job);
	worker_finished(&job->worker);
}

static void settle(struct compress_job *job)
{
	struct logbook *logbook = job->worker.logbook;
	struct segment *segment = job->segment;

	logbook->compressing = NULL;
	if (job->worker.ran && job->result == 0) {
		segment->archived = true;
		if (segment->references == 2) /* ours, and the logbook's: nobody reads the text */
			segment->file = segment_file_unref(segment->file);
	} else if (job->worker.ran && job->result != -ECANCELED) {
		segment->given_up = true;
	}
}

static void after(uv_work_t *work, int status)
{
	struct compress_job *job = container_of(work, struct compress_job, worker.work);
	struct logbook *logbook = job->worker.logbook;

	if (logbook) {
		settle(job);
		compressor_look(logbook);
	}
	segment_unref(job->segment);
	uv_sem_destroy(&job->worker.ended);
	free(job);
}

static void start(struct logbook *logbook, struct segment *segment)
{
	struct compress_job *job = calloc(1, sizeof(*job));

	if (!job)
		return; /* it stays plain */
	job->segment = segment_ref(segment);
	job->parent_fd = logbook->parent_fd;
	job->size = segment->written;
	job->modified_us = segment->modified_us;
	segment_path(segment, logbook->directory, "", job->path);
	segment_path(segment, logbook->directory, ".tmp", job->temporary);
	logbook->compressing = job;
	worker_start(&job->worker, logbook, run, after);
}

static bool is_ready(const struct segment *segment)
{
	return segment->closed && !segment->archived && !segment->given_up &&
	       !segment_unwritten(segment) && segment->written;
}

void compressor_look(struct logbook *logbook)
{
	struct segment *segment;

	if (logbook->compressing)
		return;
	list_each(segment, &logbook->segments, link) {
		if (!is_ready(segment))
			continue;
		start(logbook, segment);
		return;
	}
}

void compressor_stop(struct logbook *logbook, const struct segment *segment)
{
	struct compress_job *job = logbook->compressing;

	if (!job || (segment && job->segment != segment))
		return;
	worker_stop(&job->worker);
	settle(job);
	job->worker.logbook = NULL;
}
