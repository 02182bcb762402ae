/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Not in libuv's pool: a thread without rights cannot raise its priority again, and those who wait for the
 * pool's few threads, fsync and publish, must not wait for one that gets no processor.
 */
#include "engine/archivist.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "engine/logbook_archive.h"

struct archivist {
	uv_async_t wake; /* the loop's: the job has ended */
	uv_thread_t thread;
	uv_sem_t more; /* the thread's: there is a job, or it shall end */
	bool runs;
	atomic_bool ending;
	struct list waiting;           /* jobs */
	struct archivist_job *running; /* the thread's, until `ended` */
	atomic_bool ended;
};

/* --- the thread ------------------------------------------------------------------------------- */

static void step_back(void)
{
	const struct sched_param none = {0};

	if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		setpriority(PRIO_PROCESS, 0, 19); /* of this thread alone */
}

/*
 * The text is on the disk before it gets its name: some file systems would else write it in rename(), which
 * is called on the loop.
 */
static int finish(const struct archivist_job *job)
{
	struct timespec times[2] = {
	        {.tv_nsec = UTIME_OMIT}, {.tv_sec = job->modified_us / 1000000,
	                                         .tv_nsec = job->modified_us % 1000000 * 1000}};

	sync_file_range(job->to, 0, 0,
	        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	return futimens(job->to, times) < 0 ? fail(-errno, "dating a log segment") : 0;
}

static void work(void *userdata)
{
	struct archivist *archivist = userdata;
	struct archivist_job *job;

	step_back();
	for (;;) {
		uv_sem_wait(&archivist->more);
		if (atomic_load(&archivist->ending))
			return;
		job = archivist->running;
		job->result = archive_write(job->from, job->size, job->to, &job->canceled);
		if (job->result == 0)
			job->result = finish(job);
		atomic_store(&archivist->ended, true);
		uv_async_send(&archivist->wake);
	}
}

/* --- the loop --------------------------------------------------------------------------------- */

static int hand_over(struct archivist *archivist, struct archivist_job *job)
{
	int r = archivist->runs ? 0 : uv_thread_create(&archivist->thread, work, archivist);

	if (r < 0)
		return fail(r, "starting the thread that compresses logs");
	archivist->runs = true;
	archivist->running = job;
	uv_sem_post(&archivist->more);
	return 0;
}

static void go_on(struct archivist *archivist)
{
	struct archivist_job *job;

	while (!archivist->running &&
	        (job = list_first(&archivist->waiting, struct archivist_job, link))) {
		list_unlink(&job->link);
		job->result = atomic_load(&job->canceled) ? -ECANCELED : job->begin(job);
		if (job->result == 0)
			job->result = hand_over(archivist, job);
		if (job->result < 0)
			job->done(job);
	}
	if (!archivist->running)
		uv_unref((uv_handle_t *)&archivist->wake);
}

static void end_running(struct archivist *archivist)
{
	struct archivist_job *job = archivist->running;

	archivist->running = NULL;
	job->done(job);
}

static void woken(uv_async_t *wake)
{
	struct archivist *archivist = wake->data;

	if (atomic_exchange(&archivist->ended, false))
		end_running(archivist);
	go_on(archivist);
}

void archivist_add(struct archivist *archivist, struct archivist_job *job)
{
	list_append(&archivist->waiting, &job->link);
	uv_ref((uv_handle_t *)&archivist->wake);
	uv_async_send(&archivist->wake); /* it begins on a turn of its own */
}

int archivist_new(struct archivist **out, uv_loop_t *loop)
{
	struct archivist *archivist = calloc(1, sizeof(*archivist));
	int r = archivist ? uv_sem_init(&archivist->more, 0) : -ENOMEM;

	if (r == 0) {
		r = uv_async_init(loop, &archivist->wake, woken);
		if (r < 0)
			uv_sem_destroy(&archivist->more);
	}
	if (r < 0) {
		free(archivist);
		return r;
	}
	archivist->wake.data = archivist;
	uv_unref((uv_handle_t *)&archivist->wake);
	list_init(&archivist->waiting);
	*out = archivist;
	return 0;
}

static void closed(uv_handle_t *wake)
{
	free(wake->data);
}

struct archivist *archivist_free(struct archivist *archivist)
{
	struct archivist_job *job;

	if (!archivist)
		return NULL;
	atomic_store(&archivist->ending, true);
	uv_sem_post(&archivist->more);
	if (archivist->runs)
		uv_thread_join(&archivist->thread);
	if (archivist->running) {
		if (!atomic_load(&archivist->ended)) /* it had not begun */
			archivist->running->result = -ECANCELED;
		end_running(archivist);
	}
	while ((job = list_first(&archivist->waiting, struct archivist_job, link))) {
		list_unlink(&job->link);
		job->result = -ECANCELED;
		job->done(job);
	}
	uv_sem_destroy(&archivist->more);
	uv_close((uv_handle_t *)&archivist->wake, closed);
	return NULL;
}
