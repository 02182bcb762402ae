/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the parts of a build's job share: build_job.c begins and runs it, build_job_end.c judges and ends it. */
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/sm.h"
#include "engine/build_job.h"
#include "engine/build_log.h"
#include "run/alarm.h"
#include "run/launcher.h"
#include "store/build_tree.h"

#define BUILDS "builds" /* in the state directory */

enum build_step { STEP_WAITING, STEP_COPYING, STEP_RUNNING, STEP_SETTLING, STEP_KEEPING };

/* Why it was ended by us. */
enum build_verdict {
	VERDICT_NONE,
	VERDICT_TIME,
	VERDICT_BYTES,
	VERDICT_ENTRIES,
	VERDICT_DEPTH,
	VERDICT_DISK
};

struct build_job {
	struct list link; /* engine->jobs.waiting or .all */
	struct engine *engine;
	struct build_spec *spec;
	struct sm step;
	build_job_ended_fn ended;
	void *userdata;
	bool unwanted; /* nobody waits any more */
	uint64_t number;
	int directory; /* STATE/builds/NUMBER */
	char *path;
	int owner; /* the function's directory */
	struct checkout *source;
	uv_work_t work;
	struct build_tree_copy copy;
	struct build_tree_weight weight;
	atomic_bool canceled; /* what a worker does */
	int status;           /* of the worker */
	struct process *process;
	struct process_end end;
	int output;
	struct watch *watch;
	struct build_log log;
	int64_t begun_us, begun_wall_us;
	struct alarm limit;
	struct alarm weighing;
	uv_work_t weigh;
	bool weighs;
	struct build_tree_weight running; /* while it runs */
	bool disk_low;
	int64_t weigh_us;
	enum build_verdict verdict;
	struct snapshot_taking *taking;
};

/* --- build_job_end.c --- */
/* Tells whoever waits, and frees it. `why` is a sentence, or with -ENOEXEC JSON. */
void build_job_finish(
        struct build_job *job, int status, const struct blob_id *root, const char *why);
void build_job_finish_failing(struct build_job *job, int error, const char *what);
void build_job_finish_broken(struct build_job *job, const char *sentence);
void build_job_free(struct build_job *job);

/* Whether that is more than it may leave. */
enum build_verdict build_job_judge(
        const struct build_job *job, const struct build_tree_weight *weight);
/* Its command has ended, and nobody looks at its directory any more. */
void build_job_ran(struct build_job *job);

/* --- build_job.c --- */
void build_jobs_pump(struct engine *engine); /* begins those that wait, if they may */
