/* SPDX-License-Identifier: Apache-2.0 */
#include "run/host.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/load.h"
#include "run/pool.h"

int host_init(
        struct host *host, uv_loop_t *loop, const struct clock *clock, struct launcher *launcher)
{
	memset(host, 0, sizeof(*host));
	host->loop = loop;
	host->clock = clock;
	host->launcher = launcher;
	host->processors = uv_available_parallelism();
	/* One half computes while the other waits for sandbox and disk. */
	host->starting_max = host->processors < 2 ? 4 : host->processors * 2;
	host->load_fd = load_open();
	map_init(&host->instances);
	list_init(&host->start_queue);
	list_init(&host->start_first);
	kept_init(&host->kept, &host->alarms);
	return alarms_init(&host->alarms, loop);
}

void host_deinit(struct host *host)
{
	assert(!host->instances.count);
	assert(list_empty(&host->start_queue) && list_empty(&host->start_first));
	close_fd(host->load_fd);
	map_deinit(&host->instances);
	buf_deinit(&host->scratch);
	kept_deinit(&host->kept);
	alarms_deinit(&host->alarms);
}

bool host_may_start(struct host *host, struct pool *pool)
{
	if (host->starting < host->starting_max) {
		list_unlink(&pool->start_link);
		host->starting++;
		return true;
	}
	if (list_empty(&pool->start_link))
		list_append(
		        pool->live ? &host->start_queue : &host->start_first, &pool->start_link);
	return false;
}

static struct pool *next_to_start(const struct host *host)
{
	struct pool *pool = list_first(&host->start_first, struct pool, start_link);

	return pool ? pool : list_first(&host->start_queue, struct pool, start_link);
}

/* A pool that wants no start any more, for an instance became free, passes its turn on. */
void host_started(struct host *host)
{
	struct pool *pool;

	assert(host->starting);
	host->starting--;
	while (host->starting < host->starting_max && (pool = next_to_start(host))) {
		list_unlink(&pool->start_link);
		pool_dispatch(pool);
	}
}

bool host_has_room(const struct host *host)
{
	long running = load_running(host->load_fd); /* one of which is this thread */

	return running >= 0 && running <= sysconf(_SC_NPROCESSORS_ONLN);
}
