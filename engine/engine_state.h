/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The inside of `struct engine`, for the files of engine/ only. */
#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "engine/build_job.h"
#include "engine/builds.h"
#include "engine/callbacks.h"
#include "engine/check.h"
#include "engine/code_upload.h"
#include "engine/collection.h"
#include "engine/engine.h"
#include "engine/function_state.h"
#include "engine/glance.h"
#include "engine/images.h"
#include "engine/package_fetch.h"
#include "engine/removal.h"
#include "engine/sweep.h"
#include "engine/uploads.h"
#include "run/host.h"

struct engine {
	struct host host;
	const struct clock *clock;
	uid_t owner; /* who runs the daemon */
	char *state_dir;
	char *log_path;
	char *fetch_path; /* NULL: none */
	char *mount_path; /* NULL: nowhere */
	int state_fd;
	int functions_fd;
	struct store *store;
	struct blobs *blobs;
	struct snapshot_cache *snapshot_cache; /* versions on disk, to run from */
	struct images *images;
	struct merges *merges; /* dependencies over code, where sandboxes cannot */
	struct snapshot_recent *snapshot_recent; /* manifests and chunks read lately */
	struct functions *functions;
	struct packages *packages;
	struct http_routes *http_routes; /* of triggers */
	struct triggers *triggers;
	struct sources *sources;
	struct attributes *attributes;
	struct queue *queue; /* asynchronous calls */
	struct tokens *tokens;
	struct runtimes *runtimes;
	struct launcher *launcher;
	struct archivist *archivist;
	struct door *door; /* NULL: calls come by files alone */
	struct removal removal;
	struct sweep sweep;
	struct collection collection;
	struct list checks; /* struct check, in check.c */
	struct last_error last_error;
	struct list states;   /* of functions touched so far */
	struct glance glance; /* at those that were not */
	struct list package_states;
	struct package_fetches fetches;
	struct uploads uploads;
	struct code_uploads code_uploads;
	struct callbacks callbacks;
	struct builds builds;             /* what was built */
	struct build_jobs jobs;           /* and what is, */
	struct list buildings;            /* for whom: struct building, in build.c */
	struct list build_requests;       /* struct build_request, there, too */
	const struct engine_front *front; /* NULL: nobody remembers anything */
	void *front_userdata;
	int64_t started_us;     /* wall time */
	struct buf openmetrics; /* rendered at most once a second */
	int64_t openmetrics_us;
	struct alarm saving;   /* of metrics, once a minute */
	struct alarm trimming; /* of functions in memory */
	bool draining;
	struct alarm drain_limit;
	void (*drained)(void *userdata);
	void *drained_userdata;
};

/* The function's state, made when needed; NULL is a failure that was logged. */
struct function_state *engine_state(struct engine *engine, struct function *function);

/* Tells the front; `done` comes at once when there is none. */
void engine_tell(struct engine *engine, enum engine_entries where, uint64_t object,
        const struct buf *names, void (*done)(void *userdata), void *userdata);

/* Something ended: a drain may be complete. */
void engine_settle(struct engine *engine);
