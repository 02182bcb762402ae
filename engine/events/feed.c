/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a source to the queue. A trigger's rate is kept by when an entry is due: the queue holds a storm on the
 * disk, where there is room for it, and lets it out at that rate; at most one period's worth comes at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "events/sources_private.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/version.h"

struct feed {
	struct source_state *state;
	feed_done_fn done;
	void *userdata;
	bool held; /* it is due when its turn comes (feed_hold.c) */
	struct list link;
};

static int64_t now_us(const struct source_state *state)
{
	return clock_wall_us(state->sources->clock);
}

/* When the next event of the trigger is due, by its rate. 0 = at once. */
int64_t feed_due_us(struct source_state *state)
{
	const struct trigger_settings *settings = &state->trigger->settings;
	int64_t now = now_us(state), price, due;

	if (!settings->rate)
		return 0;
	price = settings->rate_period_us / settings->rate;
	if (state->paid_us < now)
		state->paid_us = now;
	due = state->paid_us - (settings->rate_period_us - price);
	state->paid_us += price;
	return due > now ? due : 0;
}

bool feed_is_early(const struct source_state *state)
{
	const struct trigger_settings *settings = &state->trigger->settings;
	int64_t now = now_us(state);

	return settings->rate &&
	       state->paid_us - now >
	               settings->rate_period_us - settings->rate_period_us / settings->rate;
}

static void count_error(struct source_state *state, int status, const char *why)
{
	state->trigger->errors++;
	snprintf(state->error, sizeof(state->error), "%s", *why ? why : strerror(-status));
	source_dirty(state);
}

static void accepted(void *userdata, int status, const struct queue_accepted *entries, size_t count)
{
	struct feed *feed = userdata;
	struct source_state *state = feed->state;

	list_unlink(&feed->link);
	state->pending--;
	if (state->trigger && status == 0) {
		state->trigger->fired++;
		state->trigger->last_us = now_us(state);
		state->error[0] = 0;
		source_dirty(state);
	} else if (state->trigger && status != -EEXIST) {
		count_error(state, status, "");
	}
	feed_reserved(state, feed->held, status == 0 ? entries[0].entry : 0);
	feed->done(state, feed->userdata, status);
	free(feed);
	if (!state->trigger && !state->pending) {
		list_unlink(&state->link);
		free(state);
	}
}

static struct queue_target target_of(const struct trigger *trigger)
{
	return (struct queue_target){
	        .function = trigger->function->id,
	        .version = trigger->version ? trigger->version->id : 0,
	        .alias = trigger->alias ? trigger->alias->id : 0,
	};
}

static int enqueue(struct source_state *state, const char *name, struct buf *body, unsigned hops,
        struct feed *feed, struct buf *why)
{
	struct sources *sources = state->sources;
	const struct trigger *trigger = state->trigger;
	char source[64];
	struct queue_event event = {
	        .target = target_of(trigger),
	        .name = name,
	        .source = source,
	        .body = *body,
	        .due_us = feed_reserve(state, &feed->held),
	        .max_retries = -1,
	        .max_event_age_ms = -1,
	        .uid = trigger->function->uid,
	        .gid = trigger->function->gid,
	        .hops = hops,
	};
	int r;

	snprintf(source, sizeof(source), "trigger %s", trigger->name);
	r = sources->host->enqueue(sources->userdata, &event, 1, accepted, feed, why);
	*body = event.body;
	if (r < 0)
		feed_reserved(state, feed->held, 0);
	return r;
}

int feed_hand_on(struct source_state *state, const char *name, struct buf *body, unsigned hops,
        feed_done_fn done, void *userdata)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	struct buf why = BUF_INIT;
	int r = feed && !body->failed ? 0 : fail(-ENOMEM, "making an event");

	if (r == 0) {
		*feed = (struct feed){.state = state, .done = done, .userdata = userdata};
		r = enqueue(state, name, body, hops, feed, &why);
	}
	if (r == 0) {
		list_append(&state->sources->feeds, &feed->link);
		state->pending++;
	} else {
		count_error(state, r, why.data ? why.data : "");
		free(feed);
	}
	buf_deinit(&why);
	return r;
}

int feed_send(struct source_state *state, const char *name, struct buf *body, feed_done_fn done,
        void *userdata)
{
	return feed_hand_on(state, name, body, 0, done, userdata);
}

void feeds_free(struct sources *sources)
{
	struct feed *feed;

	while ((feed = list_first(&sources->feeds, struct feed, link))) {
		list_unlink(&feed->link);
		feed->state->pending--;
		free(feed);
	}
}
