/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/quantity.h"
#include "engine/build_job_private.h"
#include "engine/engine_state.h"
#include "run/watch.h"
#include "store/snapshot.h"
#include "store/worktree.h"

#define ENTRIES 500000

/* --- the end ---------------------------------------------------------------------------------- */

void build_job_free(struct build_job *job)
{
	list_unlink(&job->link);
	watch_free(job->watch);
	close_fd(job->output);
	close_fd(job->directory);
	close_fd(job->owner);
	checkout_unref(job->source);
	build_log_deinit(&job->log);
	build_spec_free(job->spec);
	free(job->path);
	free(job);
}

static void remark_end(struct build_job *job, const char *how)
{
	CLEANUP(buf_deinit) struct buf took = BUF_INIT;

	quantity_format_duration(&took, (alarm_now_us() - job->begun_us) / 1000);
	build_log_remark(&job->log, "%s after %s", how, took.data ? took.data : "");
}

/* Whoever waits is told while all is still there; then nothing of it is left. */
void build_job_finish(
        struct build_job *job, int status, const struct blob_id *root, const char *why)
{
	struct engine *engine = job->engine;

	alarm_clear(&engine->host.alarms, &job->limit);
	alarm_clear(&engine->host.alarms, &job->weighing);
	if (job->unwanted)
		remark_end(job, "given up");
	else if (status == 0)
		remark_end(job, "done");
	else if (status != -ENOEXEC)
		remark_end(job, why);
	if (!job->unwanted)
		job->ended(job->userdata, status, root, job->weight.bytes, why);
	if (job->number)
		removal_begin(&engine->removal, BUILDS, job->number);
	if (job->step.state != STEP_WAITING)
		engine->jobs.running--;
	build_job_free(job);
	build_jobs_pump(engine);
	engine_settle(engine);
}

void build_job_finish_failing(struct build_job *job, int error, const char *what)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;

	buf_printf(&why, "%s: %s", what, strerror(-error));
	build_job_finish(job, error == -ENOEXEC ? -EIO : error, NULL, why.data ? why.data : what);
}

/* The error of the calls that wait: the last lines say more than the sentence does. */
void build_job_finish_broken(struct build_job *job, const char *sentence)
{
	CLEANUP(buf_deinit) struct buf message = BUF_INIT;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	remark_end(job, sentence);
	buf_printf(&message, "The build %s: %s", sentence, job->spec->command);
	buf_puts(&body, "{\"errorMessage\":");
	json_quote(&body, message.data ? message.data : sentence, message.length);
	buf_puts(&body, ",\"errorType\":\"BuildFailed\",\"stackTrace\":[");
	build_log_last_lines(&job->log, &body);
	buf_puts(&body, "]}");
	if (body.failed)
		build_job_finish(
		        job, -ENOMEM, NULL, "The build failed, and there is no memory to say why");
	else
		build_job_finish(job, -ENOEXEC, NULL, body.data);
}

static void say_size(
        char *sentence, size_t size, const char *before, uint64_t bytes, const char *behind)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	quantity_format_size(&text, (int64_t)bytes);
	snprintf(sentence, size, "%s %s %s", before, text.data ? text.data : "", behind);
}

static void finish_by_verdict(struct build_job *job)
{
	CLEANUP(buf_deinit) struct buf time = BUF_INIT;
	char sentence[160] = "";

	switch (job->verdict) {
	case VERDICT_TIME:
		quantity_format_duration(&time, job->engine->jobs.time_us / 1000);
		snprintf(sentence, sizeof(sentence), "ran longer than %s", time.data);
		break;
	case VERDICT_BYTES:
		say_size(sentence, sizeof(sentence), "left more than", job->engine->jobs.bytes,
		        "on the disk");
		break;
	case VERDICT_ENTRIES:
		snprintf(sentence, sizeof(sentence), "left more than %d files", ENTRIES);
		break;
	case VERDICT_DEPTH:
		snprintf(sentence, sizeof(sentence), "left directories deeper than %d",
		        BUILD_TREE_DEPTH);
		break;
	case VERDICT_DISK:
		snprintf(sentence, sizeof(sentence), "left too little room on the disk");
		break;
	case VERDICT_NONE:
		break;
	}
	build_job_finish_broken(job, sentence);
}

/* --- keeping the result ----------------------------------------------------------------------- */

static void taken(void *userdata, int status, const struct snapshot_summary *summary,
        struct snapshot_pins *pins, const char *why)
{
	struct build_job *job = userdata;
	CLEANUP(free_p) char *sentence = why ? strdup(why) : NULL;

	job->taking = NULL;
	if (status == 0)
		job->weight.bytes = summary->bytes;
	if (status < 0)
		build_job_finish(
		        job, status, NULL, sentence ? sentence : "the result cannot be kept");
	else
		build_job_finish(job, 0, &summary->root, "");
	snapshot_pins_release(pins);
}

enum build_verdict build_job_judge(
        const struct build_job *job, const struct build_tree_weight *weight)
{
	if (weight->too_deep)
		return VERDICT_DEPTH;
	if (weight->bytes > job->engine->jobs.bytes)
		return VERDICT_BYTES;
	return weight->entries > ENTRIES ? VERDICT_ENTRIES : VERDICT_NONE;
}

static void settle_work(uv_work_t *work)
{
	struct build_job *job = container_of(work, struct build_job, work);

	job->status = build_tree_settle(job->directory, &job->weight, &job->canceled);
}

static void settled(uv_work_t *work, int unused)
{
	struct build_job *job = container_of(work, struct build_job, work);

	if (job->unwanted) {
		build_job_finish(job, -ECANCELED, NULL, "");
		return;
	}
	job->verdict = job->status == -ELOOP ? VERDICT_DEPTH : build_job_judge(job, &job->weight);
	if (job->verdict) {
		finish_by_verdict(job);
		return;
	}
	if (job->status < 0) {
		build_job_finish_failing(job, job->status, "looking at what was built");
		return;
	}
	sm_move(&job->step, STEP_KEEPING);
	job->taking = snapshot_take_directory(
	        job->engine->host.loop, job->directory, job->engine->blobs, taken, job);
	if (!job->taking)
		build_job_finish_failing(job, -ENOMEM, "keeping what was built");
}

/* --- judging ------------------------------------------------------------------------------- */

static void describe_end(const struct build_job *job, char *sentence, size_t size)
{
	const struct process_end *end = &job->end;

	if (end->out_of_memory)
		say_size(sentence, size, "needs more than", (uint64_t)job->spec->memory_bytes,
		        "of memory");
	else if (end->exit_status >= 0)
		snprintf(sentence, size, "failed with exit status %d", end->exit_status);
	else
		snprintf(sentence, size, "was ended by signal %d (%s)", end->signal,
		        strsignal(end->signal));
}

/* Neither the command nor somebody who looks at its directory is at work any more. */
void build_job_ran(struct build_job *job)
{
	const struct process_end *end = &job->end;
	char sentence[160];

	build_log_end(&job->log);
	if (job->unwanted) {
		build_job_finish(job, -ECANCELED, NULL, "");
	} else if (end->failed_to_start) {
		build_job_finish(job, -EIO, NULL, end->reason);
	} else if (job->verdict) {
		finish_by_verdict(job);
	} else if (end->signal == SIGKILL && !end->out_of_memory) {
		build_job_finish(
		        job, -EIO, NULL, "the build was killed"); /* by whom? The guardian died. */
	} else if (end->exit_status != 0 || end->out_of_memory) {
		describe_end(job, sentence, sizeof(sentence));
		build_job_finish_broken(job, sentence);
	} else {
		sm_move(&job->step, STEP_SETTLING);
		uv_queue_work(job->engine->host.loop, &job->work, settle_work, settled);
	}
}
