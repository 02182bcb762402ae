/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was appended during a turn of the loop is told to the followers in its next. Whoever reads the log sees it
 * at once, for what is not written yet is read from memory; so little is written later, with what comes
 * in the next milliseconds: of a thousand calls a second each would else pay for two writes. That little
 * is written right here, for a hop to another thread costs more than the page cache; much is written by
 * a worker, one piece at a time, for a disk that lags makes write(2) wait. While a worker writes one piece the next
 * is filled, in memory that is kept while the flood lasts.
 *
 * A write that fails (the disk is full) is tried again each second. Meanwhile a little is kept to be
 * written first, and what comes on top of it is dropped and counted. The same happens to a source that
 * does not pause when told so (logbook_congested).
 */
#include "engine/logbook_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"

#define INLINE_BYTES    (64u << 10)  /* more than this is a worker's */
#define PIECE_BYTES     (256u << 10) /* worth a worker before its time */
#define TROUBLE_BYTES   (64u << 10)  /* kept while nothing can be written */
#define CONGESTED_BYTES (1u << 20)   /* the source should pause */
#define DRAINED_BYTES   (768u << 10) /* and go on */
#define REFUSED_BYTES \
	(64u << 20) /* it did not pause: a full pipe at a call's end is up to 40 MB of lines */
#define KEEP_BYTES (128u << 10) /* of an empty buffer */
#define RETRY_MS   1000
#define LAG_MS     5 /* what a daemon that is killed has not written */

struct flusher {
	uv_idle_t idle;
	uv_timer_t retry;
	uv_timer_t lag; /* runs while something is to be written */
	int handles;    /* not yet closed */
	struct logbook *logbook;
};

struct write_job {
	uv_work_t work;
	uv_sem_t ended;
	bool ran;                /* settled by worker_stop() or the loop */
	struct logbook *logbook; /* NULL once nobody waits for the result */
	struct segment *segment;
	struct segment_file *file;
	int64_t offset;
	size_t done;
	int error;
};

static void flush(struct logbook *logbook);
static void idle(uv_idle_t *handle);
static void retry(uv_timer_t *handle);
static void late(uv_timer_t *handle);

bool logbook_congested(const struct logbook *logbook)
{
	return logbook->congested;
}

void logbook_on_drained(struct logbook *logbook, void (*drained)(void *userdata), void *userdata)
{
	logbook->drained = drained;
	logbook->drained_userdata = userdata;
}

void flusher_wake(struct logbook *logbook)
{
	if (logbook->unwritten > CONGESTED_BYTES && !logbook->trouble)
		logbook->congested = true;
	if (logbook->unwritten > PIECE_BYTES || !list_empty(&logbook->followers))
		uv_idle_start(&logbook->flusher->idle, idle);
	if (logbook->unwritten && !uv_is_active((uv_handle_t *)&logbook->flusher->lag))
		uv_timer_start(&logbook->flusher->lag, late, LAG_MS, 0);
}

static void tell_drained(struct logbook *logbook)
{
	if (!logbook->congested || logbook->unwritten > DRAINED_BYTES)
		return;
	logbook->congested = false;
	if (logbook->drained)
		logbook->drained(logbook->drained_userdata);
}

static void say_lost(struct logbook *logbook)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;
	char text[96];
	int length;

	length = snprintf(text, sizeof(text),
	        "[%" PRIu64 " lines lost: the disk could not take them]", logbook->lost);
	logbook->lost = 0;
	log_format_message(&logbook->format, &line, clock_wall_us(logbook->clock), NULL, NULL,
	        "WARNING", text, (size_t)length);
	if (!line.failed)
		logbook_append(logbook, line.data, line.length);
}

/* Says how many lines were lost, once there is room for saying it. */
static void tell_lost(struct logbook *logbook)
{
	if (logbook->lost && logbook->unwritten <= DRAINED_BYTES)
		say_lost(logbook);
}

static size_t count_lines(const char *text, size_t length)
{
	const char *end = text + length;
	size_t lines = 0;

	while (text < end && (text = memchr(text, '\n', (size_t)(end - text)))) {
		lines++;
		text++;
	}
	return lines;
}

bool flusher_refuses(struct logbook *logbook, const char *text, size_t length)
{
	size_t room = logbook->trouble ? TROUBLE_BYTES : REFUSED_BYTES;

	/* On a full disk dropping goes on until there is room again: it tells of one gap. Else what fits
	 * comes, as the Finish line after what was too much. */
	if (logbook->unwritten + length <= room && (!logbook->lost || !logbook->trouble)) {
		if (logbook->lost)
			say_lost(logbook);
		return false;
	}
	logbook->lost += count_lines(text, length);
	return true;
}

static void begin_trouble(struct logbook *logbook, int error)
{
	if (!logbook->trouble)
		fail(error, "writing the log in %s", logbook->directory);
	logbook->trouble = error;
	uv_timer_start(&logbook->flusher->retry, retry, RETRY_MS, 0);
	if (logbook->congested) { /* pausing would not help: lines will be dropped */
		logbook->congested = false;
		if (logbook->drained)
			logbook->drained(logbook->drained_userdata);
	}
}

static int open_for_writing(struct logbook *logbook, struct segment *segment)
{
	if (segment->file)
		return 0;
	return segment_file_open(
	        &segment->file, segment, logbook->parent_fd, logbook->directory, O_RDWR | O_CREAT);
}

static void give_back(struct buf *buf)
{
	if (!buf->length && buf->capacity > KEEP_BYTES)
		buf_deinit(buf);
}

/* A closed segment whose text is all written needs its file only for those who read it. */
static void written(struct logbook *logbook, struct segment *segment)
{
	if (segment_unwritten(segment))
		return;
	if (segment->closed || !uv_is_active((uv_handle_t *)&logbook->flusher->lag)) {
		give_back(&segment->writing);
		give_back(&segment->waiting);
	}
	if (!segment->closed)
		return;
	if (segment->references == 1)
		segment->file = segment_file_unref(segment->file);
	compressor_look(logbook);
}

static void account(struct logbook *logbook, struct segment *segment, struct buf *from, size_t done)
{
	segment->written += (int64_t)done;
	if (!list_empty(&segment->link))
		logbook->unwritten -= done;
	buf_consume(from, done);
}

static int write_inline(struct logbook *logbook, struct segment *segment)
{
	struct buf *pieces[] = {&segment->writing, &segment->waiting};
	size_t i, done;
	int r = open_for_writing(logbook, segment);

	for (i = 0; r == 0 && i < ARRAY_SIZE(pieces); i++) {
		r = segment_write(segment->file->fd, pieces[i]->data, pieces[i]->length,
		        segment->written, &done);
		account(logbook, segment, pieces[i], done);
	}
	return r;
}

static void run(uv_work_t *work)
{
	struct write_job *job = container_of(work, struct write_job, work);
	const struct buf *text = &job->segment->writing; /* the loop only reads it meanwhile */

	job->error =
	        segment_write(job->file->fd, text->data, text->length, job->offset, &job->done);
	uv_sem_post(&job->ended);
}

static void settle(struct write_job *job)
{
	struct logbook *logbook = job->logbook;

	logbook->writing = NULL;
	account(logbook, job->segment, &job->segment->writing, job->ran ? job->done : 0);
	if (job->ran && job->error)
		begin_trouble(logbook, job->error);
	else
		logbook->trouble = 0;
}

/* What came meanwhile goes on at once where it is much or its time is over; else it waits for its time. */
static void go_on(struct logbook *logbook)
{
	if (logbook->unwritten > PIECE_BYTES ||
	        !uv_is_active((uv_handle_t *)&logbook->flusher->lag))
		flush(logbook);
	else
		tell_drained(logbook);
}

static void after(uv_work_t *work, int status)
{
	struct write_job *job = container_of(work, struct write_job, work);
	struct logbook *logbook = job->logbook;
	struct segment *segment = job->segment;
	bool listed;

	if (logbook)
		settle(job);
	segment_file_unref(job->file);
	uv_sem_destroy(&job->ended);
	free(job);
	listed = logbook && !list_empty(&segment->link);
	segment_unref(segment);
	if (listed)
		written(logbook, segment);
	if (logbook && !logbook->trouble)
		go_on(logbook);
}

/* 0 when a worker has it, or the reason why not. */
static int write_behind(struct logbook *logbook, struct segment *segment)
{
	struct write_job *job;
	int r = open_for_writing(logbook, segment);

	if (r < 0)
		return r;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	if (!segment->writing.length) {
		struct buf empty = segment->writing;
		segment->writing = segment->waiting;
		segment->waiting = empty;
	}
	job->segment = segment_ref(segment);
	job->file = segment_file_ref(segment->file);
	job->offset = segment->written;
	job->logbook = logbook;
	job->ran = true;
	uv_sem_init(&job->ended, 0);
	logbook->writing = job;
	uv_queue_work(logbook->loop, &job->work, run, after);
	return 0;
}

/* The oldest segment with unwritten text; they are the last ones of the list. */
static struct segment *first_unwritten(const struct logbook *logbook)
{
	const struct list *link = logbook->segments.previous;
	struct segment *found = NULL, *segment;

	for (; link != &logbook->segments; link = link->previous) {
		segment = container_of(link, struct segment, link);
		if (segment_unwritten(segment))
			found = segment;
		else if (segment->closed)
			break;
	}
	return found;
}

static void flush(struct logbook *logbook)
{
	struct segment *segment;
	int r = 0;

	while (r == 0 && !logbook->writing && (segment = first_unwritten(logbook))) {
		if (logbook->unwritten > INLINE_BYTES && !logbook->trouble) {
			r = write_behind(logbook, segment);
		} else {
			r = write_inline(logbook, segment);
			if (r == 0) {
				logbook->trouble = 0;
				written(logbook, segment);
			}
		}
	}
	if (r < 0)
		begin_trouble(logbook, r);
	tell_drained(logbook);
	if (!logbook->trouble)
		tell_lost(logbook);
}

void flusher_tell(struct logbook *logbook)
{
	CLEANUP(buf_deinit) struct buf text = logbook->fresh;
	struct logbook_follower *follower, *following;

	buf_init(&logbook->fresh);
	list_each_safe(follower, following, &logbook->followers, link)
		if (text.length)
			follower->lines(follower, text.data, text.length);
}

static void idle(uv_idle_t *handle)
{
	struct flusher *flusher = handle->data;

	uv_idle_stop(handle);
	flusher_tell(flusher->logbook);
	if (flusher->logbook->unwritten > PIECE_BYTES && !flusher->logbook->trouble)
		flush(flusher->logbook);
}

static void late(uv_timer_t *handle)
{
	struct logbook *logbook = ((struct flusher *)handle->data)->logbook;

	if (!logbook->trouble)
		flush(logbook);
	written(logbook, logbook_newest(logbook)); /* the flood may be over */
}

static void retry(uv_timer_t *handle)
{
	struct flusher *flusher = handle->data;

	flush(flusher->logbook);
}

int flusher_new(struct logbook *logbook)
{
	struct flusher *flusher = calloc(1, sizeof(*flusher));

	if (!flusher)
		return -ENOMEM;
	uv_idle_init(logbook->loop, &flusher->idle);
	uv_timer_init(logbook->loop, &flusher->retry);
	uv_timer_init(logbook->loop, &flusher->lag);
	uv_unref((uv_handle_t *)&flusher->retry);
	flusher->idle.data = flusher->retry.data = flusher->lag.data = flusher;
	flusher->handles = 3;
	flusher->logbook = logbook;
	logbook->flusher = flusher;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct flusher *flusher = handle->data;

	if (--flusher->handles == 0)
		free(flusher);
}

static void write_rest(struct logbook *logbook)
{
	struct segment *segment;
	int r = 0;

	while (r == 0 && (segment = first_unwritten(logbook)))
		r = write_inline(logbook, segment);
	if (r < 0 && !logbook->trouble)
		fail(r, "writing the log in %s", logbook->directory);
}

void flusher_close(struct logbook *logbook)
{
	struct write_job *job = logbook->writing;

	flusher_tell(logbook);
	if (job) {
		if (uv_cancel((uv_req_t *)&job->work) == 0)
			job->ran = false;
		else
			uv_sem_wait(&job->ended);
		settle(job);
		job->logbook = NULL;
	}
	logbook->drained = NULL;
	tell_lost(logbook);
	write_rest(logbook);
	uv_close((uv_handle_t *)&logbook->flusher->idle, handle_closed);
	uv_close((uv_handle_t *)&logbook->flusher->retry, handle_closed);
	uv_close((uv_handle_t *)&logbook->flusher->lag, handle_closed);
}
