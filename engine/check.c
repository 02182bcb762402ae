/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/inventory.h"
#include "store/blob.h"
#include "store/store.h"

#define LOOK_AGAIN_US (50 * 1000)

static const char unfinished[] = "the check could not be finished\n";

struct check {
	struct list link; /* engine->checks */
	struct engine *engine;
	uint64_t function; /* 0: everything */
	struct inventory inventory;
	struct alarm looking; /* for the turn to begin, then for what was said */
	uv_work_t work;
	bool works;
	int result;
	pthread_mutex_t lock; /* of text */
	struct buf text;      /* said and not handed on yet */
	check_said_fn said;   /* NULL: nobody listens any more */
	check_ended_fn ended;
	void *userdata;
};

static void check_free(struct check *check)
{
	struct engine *engine = check->engine;

	alarm_clear(&engine->host.alarms, &check->looking);
	list_unlink(&check->link);
	inventory_deinit(&check->inventory);
	pthread_mutex_destroy(&check->lock);
	buf_deinit(&check->text);
	free(check);
	engine_settle(engine);
}

static void end(struct check *check)
{
	check_ended_fn ended = check->said ? check->ended : NULL;
	void *userdata = check->userdata;

	check_free(check);
	if (ended)
		ended(userdata);
}

/* --- on the worker thread --------------------------------------------------------------------- */

static void keep(void *userdata, const char *line, size_t length)
{
	struct check *check = userdata;

	pthread_mutex_lock(&check->lock);
	buf_append(&check->text, line, length);
	pthread_mutex_unlock(&check->lock);
}

static void work(uv_work_t *request)
{
	struct check *check = container_of(request, struct check, work);
	uint64_t problems;

	check->result = inventory_check(
	        &check->inventory, check->engine->blobs, !check->function, keep, check, &problems);
	if (check->result < 0)
		keep(check, unfinished, strlen(unfinished));
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void hand_on(struct check *check)
{
	struct buf text;

	pthread_mutex_lock(&check->lock);
	text = check->text;
	buf_init(&check->text);
	pthread_mutex_unlock(&check->lock);
	if (text.length && check->said)
		check->said(check->userdata, text.data, text.length);
	buf_deinit(&text);
}

static void done(uv_work_t *request, int status)
{
	struct check *check = container_of(request, struct check, work);

	blobs_check_stop(check->engine->blobs, false);
	blobs_sweep_abandon(check->engine->blobs);
	collection_retry(&check->engine->collection);
	hand_on(check);
	end(check);
}

/* What is removed after this is still there when it is looked at: nothing is swept meanwhile. */
static int start(struct check *check)
{
	struct engine *engine = check->engine;
	int r = blobs_sweep_begin(engine->blobs);

	if (r < 0)
		return r;
	r = inventory_read(&check->inventory, engine->store, check->function);
	if (r == 0)
		r = uv_queue_work(engine->host.loop, &check->work, work, done);
	check->works = r == 0;
	if (r < 0)
		blobs_sweep_abandon(engine->blobs);
	return r;
}

static void look(struct alarm *alarm)
{
	struct check *check = container_of(alarm, struct check, looking);
	int r = 0;

	if (check->works)
		hand_on(check);
	else
		r = check->engine->draining ? -ECANCELED : start(check);
	if (r == 0 || r == -EBUSY)
		r = alarm_set(&check->engine->host.alarms, alarm, LOOK_AGAIN_US, look);
	if (r == 0 || check->works)
		return;
	if (check->said)
		check->said(check->userdata, unfinished, strlen(unfinished));
	end(check);
}

int engine_check(struct engine *engine, const struct function *function, check_said_fn said,
        check_ended_fn ended, void *userdata, struct check **out)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		return -ENOMEM;
	*check = (struct check){
	        .engine = engine,
	        .function = function ? function->id : 0,
	        .said = said,
	        .ended = ended,
	        .userdata = userdata,
	};
	list_init(&check->inventory.snapshots);
	pthread_mutex_init(&check->lock, NULL);
	list_append(&engine->checks, &check->link);
	if (alarm_set(&engine->host.alarms, &check->looking, 0, look) < 0) {
		check_free(check);
		return -ENOMEM;
	}
	*out = check;
	return 0;
}

void engine_check_leave(struct check *check)
{
	check->said = NULL;
	if (check->works)
		blobs_check_stop(check->engine->blobs, true);
	else
		check_free(check);
}

void checks_stop(struct engine *engine)
{
	struct check *check, *following;

	list_each_safe(check, following, &engine->checks, link)
		if (check->works)
			blobs_check_stop(engine->blobs, true);
		else
			alarm_set(&engine->host.alarms, &check->looking, 0, look);
}

bool checks_idle(const struct engine *engine)
{
	return list_empty(&engine->checks);
}

int engine_check_state(const char *state_dir, check_said_fn said, void *userdata)
{
	struct inventory inventory = {.snapshots = LIST_INIT(inventory.snapshots)};
	struct store *store = NULL;
	struct blobs *blobs = NULL;
	uint64_t problems = 0;
	int r = store_open(&store, state_dir);

	if (r == 0)
		r = blobs_open(&blobs, state_dir);
	if (r == 0)
		r = inventory_read(&inventory, store, 0);
	if (r == 0)
		r = inventory_check(&inventory, blobs, true, said, userdata, &problems);
	inventory_deinit(&inventory);
	blobs_close(blobs);
	store_close(store);
	return r < 0 ? r : problems > 0;
}
