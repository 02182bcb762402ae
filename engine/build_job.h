/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One run of a build's command: a private copy of the code is made in STATE/builds/NUMBER/, the command works on it
 * in a sandbox, and what the directory is then becomes a snapshot. Bounded in time, memory, processes and
 * room on the disk; nothing of it is left afterwards. Only a few run at once, the others wait. What a dead
 * daemon left goes at the next start; its processes went with it. Internal to engine/.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "store/blob.h"

struct build_job;
struct checkout;
struct engine;
struct settings;

struct build_jobs {
	struct list all;     /* begun ones */
	struct list waiting; /* for others to end */
	unsigned running;
	uint64_t last;   /* number */
	int64_t time_us; /* bounds of each */
	uint64_t bytes;
};

/* What a build is made from beside the code; a copy, for settings change. */
struct build_spec {
	uint64_t function;
	uid_t uid;
	gid_t gid;
	char *label; /* "latest" or the name of a version */
	char *command;
	char **environment;
	int64_t memory_bytes;
	int cpu_millicores;
	int network; /* enum config_network */
};
struct build_spec *build_spec_new(const struct settings *settings); /* NULL: no memory */
struct build_spec *build_spec_free(struct build_spec *spec);        /* NULL */

/*
 * status 0: what was made, kept from being swept until this returns. -ENOEXEC: the build failed, `why` is JSON.
 * Else it could not be done, and `why` is a sentence. Comes once, on the loop, never from inside
 * build_job_start(); the job is gone then.
 */
typedef void (*build_job_ended_fn)(
        void *userdata, int status, const struct blob_id *root, uint64_t bytes, const char *why);

void build_jobs_init(struct engine *engine);

/* Takes over the spec and the reference to the code, on failure, too; the log is made in `directory`. NULL: no memory. */
struct build_job *build_job_start(struct engine *engine, struct build_spec *spec,
        struct checkout *code, int directory, build_job_ended_fn ended, void *userdata);
void build_job_cancel(struct build_job *job); /* `ended` will not run */

/* Lines of `key value`: what it does, since when, and the last line of its output. */
void build_job_show(const struct build_job *job, struct buf *out);
