/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Not in libuv's pool: a thread without rights cannot raise its priority again, and those who wait for the
 * pool's few threads, fsync and publish, must not wait for one that gets no processor. Nor does it tell by
 * uv_async_send(): that wakes the loop in its middle, and the loop then spins until the thread, from which it just took the
 * processor, has done the rest.
 */
#include "engine/archivist.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/logbook_archive.h"
#include "run/watch.h"

struct archivist {
	int wake;            /* an eventfd: the job has ended, or there is a first one */
	struct watch *watch; /* of that, by the loop, while there are jobs */
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

	if (sync_file_range(job->to, 0, 0,
	            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
	                    SYNC_FILE_RANGE_WAIT_AFTER) < 0 &&
	        errno != ENOSYS && errno != EINVAL)
		return fail(-errno, "writing a log segment");
	return futimens(job->to, times) < 0 ? fail(-errno, "dating a log segment") : 0;
}

static void wake(const struct archivist *archivist)
{
	eventfd_write(archivist->wake, 1);
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
		wake(archivist);
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
	int r;

	while (!archivist->running &&
	        (job = list_first(&archivist->waiting, struct archivist_job, link))) {
		list_unlink(&job->link);
		r = atomic_load(&job->canceled) ? -ECANCELED : job->begin(job);
		if (r == 0)
			r = hand_over(archivist, job); /* from here on the result is the thread's */
		if (r == 0)
			continue;
		job->result = r;
		job->done(job);
	}
	if (!archivist->running)
		watch_events(archivist->watch, 0);
}

static void end_running(struct archivist *archivist)
{
	struct archivist_job *job = archivist->running;

	archivist->running = NULL;
	job->done(job);
}

static void woken(void *userdata, int events)
{
	struct archivist *archivist = userdata;
	eventfd_t count;

	eventfd_read(archivist->wake, &count);
	if (atomic_exchange(&archivist->ended, false))
		end_running(archivist);
	go_on(archivist);
}

void archivist_add(struct archivist *archivist, struct archivist_job *job)
{
	list_append(&archivist->waiting, &job->link);
	watch_events(archivist->watch, UV_READABLE);
	wake(archivist); /* it begins on a turn of its own */
}

int archivist_new(struct archivist **out, uv_loop_t *loop)
{
	struct archivist *archivist = calloc(1, sizeof(*archivist));

	if (!archivist || uv_sem_init(&archivist->more, 0) < 0) {
		free(archivist);
		return -ENOMEM;
	}
	list_init(&archivist->waiting);
	archivist->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	archivist->watch =
	        archivist->wake < 0 ? NULL : watch_new(loop, archivist->wake, woken, archivist);
	if (!archivist->watch) {
		archivist_free(archivist);
		return -ENOMEM;
	}
	*out = archivist;
	return 0;
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
	watch_free(archivist->watch);
	close_fd(archivist->wake);
	free(archivist);
	return NULL;
}
