/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build_job.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/build_job_private.h"
#include "engine/engine_state.h"
#include "model/config.h"
#include "run/sandbox.h"
#include "run/watch.h"
#include "store/snapshot.h"
#include "store/worktree.h"

#define AT_ONCE        2
#define TIME_US        (INT64_C(15) * 60 * 1000 * 1000)
#define BYTES          (UINT64_C(4) << 30)
#define PROCESSES      512
#define WEIGH_AFTER_US (300 * 1000)
#define WEIGH_REST     10                  /* times what the last weighing took, until the next */
#define ROOM_BYTES     (UINT64_C(1) << 30) /* of the disk stays free, */
#define ROOM_PART      50                  /* or this part of it, whichever is less */
#define READ_SIZE      (64 * 1024)
#define READS_AT_ONCE  4

static const struct sm_row steps[] = {
        [STEP_WAITING] = {"waiting", SM_TO(STEP_COPYING)},
        [STEP_COPYING] = {"copying", SM_TO(STEP_RUNNING)},
        [STEP_RUNNING] = {"running", SM_TO(STEP_SETTLING)},
        [STEP_SETTLING] = {"settling", SM_TO(STEP_KEEPING)},
        [STEP_KEEPING] = {"keeping"},
};

/* --- running ---------------------------------------------------------------------------------- */

/* False at its end. */
static bool take_output(struct build_job *job)
{
	char data[READ_SIZE];
	ssize_t n = 1;

	for (int turn = 0; turn < READS_AT_ONCE && (n = read(job->output, data, sizeof(data))) > 0;
	        turn++)
		build_log_write(&job->log, data, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void output_ready(void *userdata, int events)
{
	struct build_job *job = userdata;

	if (!take_output(job))
		watch_events(job->watch, 0);
}

static void process_ended(void *userdata, const struct process_end *end)
{
	struct build_job *job = userdata;

	job->process = NULL;
	job->end = *end;
	job->watch = watch_free(job->watch);
	take_output(job); /* a pipe holds no more, and nobody writes any more */
	alarm_clear(&job->engine->host.alarms, &job->limit);
	alarm_clear(&job->engine->host.alarms, &job->weighing);
	job->canceled = true;
	if (job->weighs)
		return;
	job->canceled = job->unwanted;
	build_job_ran(job);
}

static void end_by(struct build_job *job, enum build_verdict verdict)
{
	job->verdict = verdict;
	process_kill(job->process);
}

static void too_long(struct alarm *alarm)
{
	end_by(container_of(alarm, struct build_job, limit), VERDICT_TIME);
}

/* --- weighing while it runs ------------------------------------------------------------------- */

static void weigh_work(uv_work_t *work)
{
	struct build_job *job = container_of(work, struct build_job, weigh);
	int64_t begun_us = alarm_now_us();
	struct statvfs disk;
	uint64_t room, all;

	build_tree_weigh(job->directory, &job->running, &job->canceled);
	if (fstatvfs(job->directory, &disk) == 0) {
		room = (uint64_t)disk.f_bavail * disk.f_frsize;
		all = (uint64_t)disk.f_blocks * disk.f_frsize;
		job->disk_low = room < ROOM_BYTES && room < all / ROOM_PART;
	}
	job->weigh_us = alarm_now_us() - begun_us;
}

static void weigh_later(struct build_job *job);

static void weighed(uv_work_t *work, int status)
{
	struct build_job *job = container_of(work, struct build_job, weigh);

	job->weighs = false;
	if (!job->process) {
		job->canceled = job->unwanted;
		build_job_ran(job);
		return;
	}
	if (!job->verdict)
		job->verdict = job->disk_low ? VERDICT_DISK : build_job_judge(job, &job->running);
	if (job->verdict)
		process_kill(job->process);
	else
		weigh_later(job);
}

static void weigh_now(struct alarm *alarm)
{
	struct build_job *job = container_of(alarm, struct build_job, weighing);

	job->weighs = uv_queue_work(job->engine->host.loop, &job->weigh, weigh_work, weighed) == 0;
}

static void weigh_later(struct build_job *job)
{
	int64_t rest = WEIGH_REST * job->weigh_us;

	alarm_set(&job->engine->host.alarms, &job->weighing,
	        rest > WEIGH_AFTER_US ? rest : WEIGH_AFTER_US, weigh_now);
}

/* --- starting --------------------------------------------------------------------------------- */

static int open_output(struct build_job *job, int *theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	job->output = ends[0];
	*theirs = ends[1];
	fcntl(job->output, F_SETFL, O_NONBLOCK);
	job->watch = watch_new(job->engine->host.loop, job->output, output_ready, job);
	if (!job->watch)
		return -ENOMEM;
	watch_events(job->watch, UV_READABLE);
	return 0;
}

static int launch(struct build_job *job)
{
	const struct build_spec *spec = job->spec;
	const char *const argv[] = {"/bin/sh", "-c", spec->command, NULL};
	CLEANUP(close_p) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CLEANUP(close_p) int output = -1;
	char name[64];
	int r = null < 0 ? -errno : open_output(job, &output);

	snprintf(name, sizeof(name), "f%" PRIu64 "-build%" PRIu64, spec->function, job->number);
	if (r < 0)
		return r;
	return launcher_start(job->engine->launcher,
	        &(struct launch){
	                .name = name,
	                .code_path = job->path,
	                .writable = true,
	                .argv = argv,
	                .environment = (const char *const *)spec->environment,
	                .working_directory = "/opt/function/code",
	                .uid = spec->uid,
	                .gid = spec->gid,
	                .function_id = spec->function,
	                .memory_bytes = spec->memory_bytes,
	                .cpu_millicores = spec->cpu_millicores,
	                .max_processes = PROCESSES,
	                .host_network = spec->network == NETWORK_HOST,
	                .outbound = spec->network == NETWORK_OUTBOUND,
	                .channel_in = null,
	                .channel_out = null,
	                .output = output,
	        },
	        process_ended, job, &job->process);
}

static void copy_work(uv_work_t *work)
{
	struct build_job *job = container_of(work, struct build_job, work);

	job->status = build_tree_copy(&job->copy, checkout_fd(job->source), job->directory);
}

static void copied(uv_work_t *work, int unused)
{
	struct build_job *job = container_of(work, struct build_job, work);
	int r = job->status;

	job->source = checkout_unref(job->source);
	if (job->unwanted) {
		build_job_finish(job, -ECANCELED, NULL, "");
		return;
	}
	if (r == 0)
		r = launch(job);
	if (r < 0) {
		build_job_finish_failing(job, r, "starting the build");
		return;
	}
	sm_move(&job->step, STEP_RUNNING);
	alarm_set(&job->engine->host.alarms, &job->limit, job->engine->jobs.time_us, too_long);
	weigh_later(job);
}

static int make_directory(struct build_job *job)
{
	struct engine *engine = job->engine;
	char path[64];

	job->number = ++engine->jobs.last;
	snprintf(path, sizeof(path), BUILDS "/%" PRIu64, job->number);
	mkdirat(engine->state_fd, BUILDS, 0700);
	if (mkdirat(engine->state_fd, path, 0700) < 0)
		return fail(-errno, "making %s/%s", engine->state_dir, path);
	job->directory = openat(engine->state_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->directory < 0)
		return fail(-errno, "opening %s/%s", engine->state_dir, path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", job->directory);
	job->path = realpath(path, NULL);
	return job->path ? 0 : fail(-errno, "finding %s/%s", engine->state_dir, path);
}

/* Once its worker runs, `status` is the worker's. */
static int begin(struct build_job *job)
{
	struct engine *engine = job->engine;
	const struct build_spec *spec = job->spec;
	int r;

	list_unlink(&job->link);
	list_append(&engine->jobs.all, &job->link);
	sm_move(&job->step, STEP_COPYING);
	engine->jobs.running++;
	job->begun_us = alarm_now_us();
	job->begun_wall_us = clock_wall_us(engine->clock);
	build_log_open(&job->log, job->owner);
	build_log_remark(&job->log, "build of %s: %s", spec->label, spec->command);
	job->copy = (struct build_tree_copy){.uid = (uid_t)-1, .canceled = &job->canceled};
	if (geteuid() == 0) {
		job->copy.uid = sandbox_owner(spec->uid, spec->function);
		job->copy.gid = sandbox_owner_group(spec->uid, spec->gid, spec->function);
	}
	r = make_directory(job);
	if (r == 0)
		r = uv_queue_work(engine->host.loop, &job->work, copy_work, copied);
	if (r < 0)
		job->status = r;
	return r;
}

/* What cannot even begin ends on a turn of its own. */
static void begin_failed(struct alarm *alarm)
{
	struct build_job *job = container_of(alarm, struct build_job, limit);

	build_job_finish_failing(job, job->status, "starting the build");
}

void build_jobs_pump(struct engine *engine)
{
	struct build_job *job;

	while (!engine->draining && engine->jobs.running < AT_ONCE &&
	        (job = list_first(&engine->jobs.waiting, struct build_job, link))) {
		if (begin(job) < 0)
			alarm_set(&engine->host.alarms, &job->limit, 0, begin_failed);
	}
}

struct build_job *build_job_start(struct engine *engine, struct build_spec *spec,
        struct checkout *code, int directory, build_job_ended_fn ended, void *userdata)
{
	struct build_job *job = calloc(1, sizeof(*job));
	int owner = job ? fcntl(directory, F_DUPFD_CLOEXEC, 3) : -1;

	if (owner < 0) {
		free(job);
		checkout_unref(code);
		build_spec_free(spec);
		return NULL;
	}
	job->engine = engine;
	job->spec = spec;
	job->source = code;
	job->owner = owner;
	job->ended = ended;
	job->userdata = userdata;
	job->directory = job->output = job->log.fd = -1;
	sm_init(&job->step, "build", steps, STEP_WAITING);
	list_append(&engine->jobs.waiting, &job->link);
	build_jobs_pump(engine);
	return job;
}

void build_job_cancel(struct build_job *job)
{
	job->unwanted = true;
	job->canceled = true;
	if (job->step.state == STEP_WAITING)
		build_job_free(job);
	else if (job->process)
		process_kill(job->process);
	else if (job->taking)
		snapshot_taking_cancel(job->taking);
}

/* --- what else -------------------------------------------------------------------------------- */

static int64_t bound(const char *variable, int64_t otherwise)
{
	const char *text = getenv(variable);
	int64_t value = text ? strtoll(text, NULL, 10) : 0;

	return value > 0 ? value : otherwise;
}

static int no_build(void *userdata, uint64_t id)
{
	return 0;
}

void build_jobs_init(struct engine *engine)
{
	struct build_jobs *jobs = &engine->jobs;

	list_init(&jobs->all);
	list_init(&jobs->waiting);
	jobs->time_us = bound("FNFS_BUILD_SECONDS", TIME_US / 1000000) * 1000000;
	jobs->bytes = (uint64_t)bound("FNFS_BUILD_BYTES", (int64_t)BYTES);
	removal_sweep(&engine->removal, BUILDS, no_build, NULL);
}

void build_job_show(const struct build_job *job, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;
	char text[CLOCK_TEXT_SIZE];

	buf_printf(out, "build %s\n", sm_name(&job->step));
	if (!job->begun_wall_us)
		return;
	clock_format(text, job->begun_wall_us);
	buf_printf(out, "build_since %s\n", text);
	build_log_last_line(&job->log, &line);
	if (line.length)
		buf_printf(out, "build_says %s\n", line.data);
}
