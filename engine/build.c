/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sha256.h"
#include "engine/build_job.h"
#include "engine/engine_state.h"
#include "model/dependency.h"
#include "model/function.h"
#include "model/version.h"
#include "run/layers.h"
#include "store/build_tree.h"
#include "store/checkout_merge.h"
#include "store/snapshot_cache.h"

/* Whatever changes the result of the same command on the same code in a later release changes this. */
#define FORMAT "fnfs build 1"

/* A job, and those who wait for it. */
struct building {
	struct list link; /* engine->buildings */
	struct engine *engine;
	struct list requests;
	struct build_job *job;
	uint64_t function;
	char digest[BUILD_DIGEST_SIZE];
};

struct build_request {
	struct list all;  /* engine->build_requests */
	struct list link; /* building->requests, or none */
	struct engine *engine;
	uint64_t version;        /* 0: latest */
	struct build_spec *spec; /* NULL once a job has it */
	uint64_t function;
	struct checkout *code;
	int directory;
	struct merge_request *merge;
	uv_work_t work;
	bool works;
	atomic_bool canceled;
	int status;
	char digest[BUILD_DIGEST_SIZE];
	struct building *building;
	struct snapshot_cache_request *bringing;
	bool bringing_known; /* what was built before */
	bool starting;       /* whoever asked has not got us yet */
	built_fn done;
	void *userdata;
};

/* --- life ------------------------------------------------------------------------------------- */

static void request_free(struct build_request *request)
{
	struct engine *engine = request->engine;

	list_unlink(&request->all);
	list_unlink(&request->link);
	checkout_unref(request->code);
	build_spec_free(request->spec);
	close_fd(request->directory);
	free(request);
	engine_settle(engine);
}

/* Takes over the reference. */
static void finish(
        struct build_request *request, int status, struct checkout *checkout, const char *why)
{
	built_fn done = request->done;
	void *userdata = request->userdata;

	request_free(request);
	done(userdata, status, checkout, why);
}

static void building_free(struct building *building)
{
	list_unlink(&building->link);
	free(building);
}

/* --- the result comes to disk ----------------------------------------------------------------- */

static void make(struct build_request *request);

static void brought(void *userdata, int status, struct checkout *checkout)
{
	struct build_request *request = userdata;
	struct engine *engine = request->engine;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct built *known;

	request->bringing = NULL;
	if ((status == -ENOENT || status == -EIO) && request->bringing_known) {
		/* Damaged: it can be made again. */
		known = builds_use(&engine->builds, request->function, request->digest);
		if (known)
			builds_drop(&engine->builds, known);
		make(request);
		return;
	}
	if (status < 0)
		buf_printf(&why, "What was built could not be read: %s", strerror(-status));
	finish(request, status, checkout, why.data ? why.data : "");
}

static void bring(struct build_request *request, const struct blob_id *root, bool known)
{
	struct snapshot_cache_request *bringing;

	request->bringing_known = known;
	bringing = snapshot_cache_checkout(request->engine->snapshot_cache, root, brought, request);
	/* NULL: it is over. */
	if (bringing)
		request->bringing = bringing;
}

static void keep_for_version(const struct build_request *request, const struct blob_id *root,
        uint64_t bytes, const char *error)
{
	if (request->version)
		builds_keep_version(&request->engine->builds, request->version, request->digest,
		        root, bytes, error);
}

/* --- the job ---------------------------------------------------------------------------------- */

/* The rows are stored before anybody is told: what they name is safe from then on. */
static void keep(const struct building *building, int status, const struct blob_id *root,
        uint64_t bytes, const char *why)
{
	const struct build_request *request;

	if (status == 0)
		builds_keep(&building->engine->builds, building->function, building->digest, root,
		        bytes);
	if (status == 0 || status == -ENOEXEC)
		list_each(request, &building->requests, link)
			keep_for_version(request, root, bytes, status ? why : NULL);
}

static void job_ended(
        void *userdata, int status, const struct blob_id *root, uint64_t bytes, const char *why)
{
	struct building *building = userdata;
	struct build_request *request;
	struct list waiting;

	keep(building, status, root, bytes, why);
	list_each(request, &building->requests, link)
		request->building = NULL; /* whoever is told may cancel another */
	list_move_all(&building->requests, &waiting);
	building_free(building);
	while ((request = list_first(&waiting, struct build_request, link))) {
		list_unlink(&request->link);
		if (status == 0)
			bring(request, root, false);
		else
			finish(request, status, NULL, why);
	}
}

static struct building *find(const struct build_request *request)
{
	struct building *building;

	list_each(building, &request->engine->buildings, link)
		if (building->function == request->function &&
		        strcmp(building->digest, request->digest) == 0)
			return building;
	return NULL;
}

static struct building *building_new(struct build_request *request)
{
	struct building *building = calloc(1, sizeof(*building));

	if (!building)
		return NULL;
	building->engine = request->engine;
	building->function = request->function;
	memcpy(building->digest, request->digest, sizeof(building->digest));
	list_init(&building->requests);
	list_append(&request->engine->buildings, &building->link);
	building->job = build_job_start(request->engine, take(request->spec), take(request->code),
	        request->directory, job_ended, building);
	if (building->job)
		return building;
	building_free(building);
	return NULL;
}

static void make(struct build_request *request)
{
	struct building *building = find(request);

	if (!building)
		building = building_new(request);
	if (!building) {
		finish(request, -ENOMEM, NULL, "The build could not be started: no memory");
		return;
	}
	request->code = checkout_unref(request->code);
	request->building = building;
	list_append(&building->requests, &request->link);
}

/* --- the digest ------------------------------------------------------------------------------- */

static void add_string(struct sha256 *sha256, const char *text)
{
	sha256_add(sha256, text, strlen(text) + 1);
}

static int digest(
        const struct build_request *request, struct sha256 *sha256, unsigned char out[SHA256_SIZE])
{
	const struct build_spec *spec = request->spec;
	struct utsname machine;
	int r;

	sha256_begin(sha256);
	add_string(sha256, FORMAT);
	add_string(sha256, uname(&machine) == 0 ? machine.machine : "");
	add_string(sha256, spec->command);
	sha256_add(sha256, &spec->network, sizeof(spec->network));
	for (char **variable = spec->environment; *variable; variable++)
		add_string(sha256, *variable);
	add_string(sha256, "");
	r = build_tree_digest(checkout_fd(request->code), sha256, &request->canceled);
	sha256_end(sha256, out);
	return r;
}

static void digest_work(uv_work_t *work)
{
	struct build_request *request = container_of(work, struct build_request, work);
	struct sha256 *sha256 = sha256_new();
	struct blob_id id;

	request->status = sha256 ? digest(request, sha256, id.bytes) : -ENOMEM;
	sha256_free(sha256);
	if (request->status == 0)
		blob_id_format(request->digest, &id);
}

static void digested(uv_work_t *work, int unused)
{
	struct build_request *request = container_of(work, struct build_request, work);
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct built *known;

	request->works = false;
	if (request->canceled) {
		request_free(request);
		return;
	}
	if (request->status < 0) {
		buf_printf(&why, "The code could not be read for its build: %s",
		        strerror(-request->status));
		finish(request, request->status, NULL, why.data ? why.data : "");
		return;
	}
	known = builds_use(&request->engine->builds, request->function, request->digest);
	if (!known) {
		make(request);
		return;
	}
	keep_for_version(request, &known->root, known->bytes, NULL);
	bring(request, &known->root, true);
}

static int look(struct build_request *request)
{
	int r = uv_queue_work(request->engine->host.loop, &request->work, digest_work, digested);

	request->works = r == 0;
	return r;
}

/* --- what goes in ----------------------------------------------------------------------------- */

static void merged(void *userdata, int status, struct checkout *checkout)
{
	struct build_request *request = userdata;

	request->merge = NULL;
	request->status = status;
	checkout_unref(request->code);
	request->code = checkout;
	if (status == 0)
		request->status = look(request);
	if (request->status < 0 && !request->starting)
		finish(request, request->status, NULL,
		        "The dependencies could not be taken in for the build");
}

/* As instances see it: the dependencies over the code. */
static int begin(struct build_request *request, const struct layers *layers)
{
	struct checkout *sources[DEPENDENCIES_MOST + 1];
	struct merge_request *merge;

	if (layers && layers->merged) {
		checkout_unref(request->code);
		request->code = checkout_ref(layers->merged);
	}
	if (!layers || layers->merged || !layers->count)
		return look(request);
	memcpy(sources, layers->checkouts, layers->count * sizeof(*sources));
	sources[layers->count] = request->code;
	request->starting = true;
	merge = merges_checkout(
	        request->engine->merges, sources, layers->count + 1, merged, request);
	request->starting = false;
	if (merge)
		request->merge = merge;
	return request->status;
}

struct build_request *build_start(struct engine *engine, const struct settings *settings,
        struct checkout *code, const struct layers *layers, int directory, built_fn done,
        void *userdata)
{
	struct build_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	list_init(&request->link);
	list_append(&engine->build_requests, &request->all);
	request->engine = engine;
	request->version = settings->version ? settings->version->id : 0;
	request->function = settings->function->id;
	request->code = checkout_ref(code);
	request->done = done;
	request->userdata = userdata;
	request->spec = build_spec_new(settings);
	request->directory = fcntl(directory, F_DUPFD_CLOEXEC, 3);
	if (request->spec && request->directory >= 0 && begin(request, layers) == 0)
		return request;
	request_free(request);
	return NULL;
}

static void leave(struct build_request *request)
{
	struct building *building = request->building;

	list_unlink(&request->link);
	request->building = NULL;
	if (!list_empty(&building->requests))
		return;
	build_job_cancel(building->job);
	building_free(building);
}

void build_cancel(struct build_request *request)
{
	request->canceled = true;
	if (request->merge)
		merge_request_cancel(request->merge);
	if (request->bringing)
		snapshot_cache_request_cancel(request->bringing);
	if (request->building)
		leave(request);
	if (!request->works)
		request_free(request);
}

/* --- what is seen of it ----------------------------------------------------------------------- */

bool build_works(const struct build_request *request)
{
	return request->building;
}

void build_show(const struct build_request *request, struct buf *out)
{
	if (request->building)
		build_job_show(request->building->job, out);
}

bool builds_idle(const struct engine *engine)
{
	return list_empty(&engine->build_requests) && list_empty(&engine->jobs.all);
}
