/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed segments are compressed one at a time, oldest first, by the archivist's thread: into `ID-NAME.tmp`,
 * which is then renamed over the plain text, here on the loop, where nothing can come between. No fsync of the
 * directory: the worst case is a damaged old log. On a failure (a full disk) the segment stays plain until the next
 * rotation tries again.
 */
#include "engine/logbook_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/archivist.h"

struct compress_job {
	struct archivist_job job;
	struct logbook *logbook; /* NULL once nobody wants the result */
	struct segment *segment;
	char path[SEGMENT_PATH_SIZE], temporary[SEGMENT_PATH_SIZE];
};

static void remove_temporary(struct compress_job *job)
{
	if (job->job.to >= 0)
		unlinkat(job->logbook->parent_fd, job->temporary, 0);
}

static int begin(struct archivist_job *archivists)
{
	struct compress_job *job = container_of(archivists, struct compress_job, job);
	int parent_fd = job->logbook->parent_fd;

	job->job.from = openat(parent_fd, job->path, O_RDONLY | O_CLOEXEC);
	if (job->job.from < 0)
		return fail(-errno, "opening %s", job->path);
	job->job.to = openat(parent_fd, job->temporary,
	        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return job->job.to < 0 ? fail(-errno, "creating %s", job->temporary) : 0;
}

static int put_in_place(struct compress_job *job)
{
	int parent_fd = job->logbook->parent_fd;

	if (job->job.result < 0)
		return job->job.result;
	if (renameat(parent_fd, job->temporary, parent_fd, job->path) < 0)
		return fail(-errno, "renaming %s", job->temporary);
	return 0;
}

static void settle(struct compress_job *job)
{
	struct segment *segment = job->segment;

	job->logbook->compressing = NULL;
	if (put_in_place(job) == 0) {
		segment->archived = true;
		if (segment->references == 2) /* ours, and the logbook's: nobody reads the text */
			segment->file = segment_file_unref(segment->file);
		return;
	}
	remove_temporary(job);
	segment->given_up = true;
}

static void done(struct archivist_job *archivists)
{
	struct compress_job *job = container_of(archivists, struct compress_job, job);
	struct logbook *logbook = job->logbook;

	if (logbook) {
		settle(job);
		compressor_look(logbook);
	}
	segment_unref(job->segment);
	close_fd(job->job.from);
	close_fd(job->job.to);
	free(job);
}

static void start(struct logbook *logbook, struct segment *segment)
{
	struct compress_job *job = calloc(1, sizeof(*job));

	if (!job)
		return; /* it stays plain */
	job->job = (struct archivist_job){
	        .size = segment->written,
	        .modified_us = segment->modified_us,
	        .from = -1,
	        .to = -1,
	        .begin = begin,
	        .done = done,
	};
	list_init(&job->job.link);
	job->logbook = logbook;
	job->segment = segment_ref(segment);
	segment_path(segment, logbook->directory, "", job->path);
	segment_path(segment, logbook->directory, ".tmp", job->temporary);
	logbook->compressing = job;
	archivist_add(logbook->archivist, &job->job);
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
	atomic_store(&job->job.canceled, true);
	remove_temporary(job);
	logbook->compressing = NULL;
	job->logbook = NULL;
}
