/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further instance helps those who wait if it is there before their turn comes anyway, or if it finds an idle processor. Of
 * calls that are over in a moment hundreds are through until one has started, and what is busy with them are the
 * processors: spread over more instances each call takes several times as long. Should calls take longer than the last
 * ones did, whoever stands first will soon have waited for half as long as a start takes.
 */
#include "run/host.h"
#include "run/instance.h"
#include "run/pool.h"

/* A start is not taken for quicker than this: what was ready for it has to be made anew. */
#define START_US (INT64_C(30) * 1000)

/* Nor is anybody left waiting for longer, however long a start takes. */
#define HALF_MOST_US (INT64_C(250) * 1000)

#define IDLE_SEEN_LEAST 4 /* times, one after the other */

/* Some wait: do processors stand idle meanwhile? That they do now and then says nothing. */
static void grow(struct alarm *alarm)
{
	struct pool *pool = container_of(alarm, struct pool, growth);

	pool->idle_seen =
	        pool->waiting_count && host_has_room(pool->host) ? pool->idle_seen + 1 : 0;
	pool->grows = pool->idle_seen >= IDLE_SEEN_LEAST;
	pool_dispatch(pool);
}

/* Runs, or will, the code that calls get now. */
static bool has_current(const struct pool *pool)
{
	const struct instance *instance;

	list_each(instance, &pool->instances, link)
		if (instance->deployment == pool->deployment &&
		        instance->state.state < INSTANCE_DRAINING)
			return true;
	return false;
}

bool pool_start_would_help(struct pool *pool)
{
	const struct invocation *first = list_first(&pool->waiting, struct invocation, link);
	int64_t start_us = pool->start_us > START_US ? pool->start_us : START_US;
	int64_t since_us = first->created_us > pool->ready_us ? first->created_us : pool->ready_us;
	int64_t half_us = start_us / 2 < HALF_MOST_US ? start_us / 2 : HALF_MOST_US;
	unsigned few = pool->host->processors;

	if (pool->grows || pool->live < few || (!pool->ready_us && pool->starting < few))
		return true;
	if (pool->call_us * pool->waiting_count >= start_us * (pool->running + 1) ||
	        alarm_now_us() - since_us >= half_us || !has_current(pool))
		return true;
	if (!alarm_is_set(&pool->growth))
		alarm_set(&pool->host->alarms, &pool->growth, half_us, grow);
	return false;
}

void pool_call_took(struct pool *pool, int64_t us)
{
	pool->call_us += (us - pool->call_us) / (pool->call_us ? 8 : 1);
}
