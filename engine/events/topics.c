/* SPDX-License-Identifier: Apache-2.0 */
#include "events/topics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "events/sources_private.h"
#include "model/function.h"
#include "model/why.h"

/* What a topic has beside its subscribers, once somebody asked for it. */
struct topic_state {
	struct list followers;
	uint64_t under_way; /* events that are not on the disk for all yet */
};

struct publishing {
	struct sources *sources;
	uint64_t topic;
	size_t waits; /* subscribers, and one for whoever still adds some */
	int status;
	published_fn done;
	void *userdata;
	struct list link;
};

static struct topic_state *state_of(struct topic *topic)
{
	struct topic_state *state = topic->runtime_state;

	if (state)
		return state;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	list_init(&state->followers);
	topic->runtime_state = state;
	return state;
}

/* --- publishing ------------------------------------------------------------------------------- */

static void step(struct publishing *publishing)
{
	struct topic *topic;

	if (--publishing->waits)
		return;
	topic = topics_get(publishing->sources->triggers, publishing->topic);
	if (topic && topic->runtime_state)
		((struct topic_state *)topic->runtime_state)->under_way--;
	list_unlink(&publishing->link);
	if (publishing->done)
		publishing->done(publishing->userdata, publishing->status);
	free(publishing);
}

static void settle(struct publishing *publishing, int status)
{
	if (status < 0 && status != -EEXIST && publishing->status == 0)
		publishing->status = status;
	step(publishing);
}

static void delivered(struct source_state *state, void *userdata, int status)
{
	settle(userdata, status);
}

static void send_to(struct publishing *publishing, struct source_state *state,
        const struct topic *topic, const struct topic_event *event)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	struct event_about about =
	        source_about(state, event->id, clock_wall_us(publishing->sources->clock));
	char name[96];
	int r;

	snprintf(name, sizeof(name), "topic-%" PRIu64 "-%s", state->trigger->id, event->id);
	event_topic(&body, &about, topic->name, event->data, event->length);
	publishing->waits++;
	r = feed_hand_on(state, name, &body, event->hops, delivered, publishing);
	if (r < 0)
		settle(publishing, r);
}

static void send_to_all(
        struct publishing *publishing, const struct topic *topic, const struct topic_event *event)
{
	struct trigger_source *source, *following;

	list_each_safe(source, following, &topic->sources, topic_link) {
		struct source_state *state = source->trigger->runtime_state;

		if (state && state->started == source->id)
			send_to(publishing, state, topic, event);
	}
}

/* Nobody is told inside the call that publishes: with no subscriber the end would come at once. */
static void ends(struct alarm *alarm)
{
	struct sources *sources = container_of(alarm, struct sources, publishing_ends);
	struct list ready;
	struct publishing *publishing;

	list_move_all(&sources->published, &ready);
	while ((publishing = list_first(&ready, struct publishing, link))) {
		list_unlink(&publishing->link);
		step(publishing);
	}
}

static void tell_followers(const struct topic_state *state, const char *text, size_t length)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;
	struct topic_follower *follower, *following;

	if (list_empty(&state->followers))
		return;
	buf_append(&line, text, length);
	buf_puts(&line, "\n");
	if (line.failed)
		return;
	list_each_safe(follower, following, &state->followers, link)
		follower->line(follower, line.data, line.length);
}

static int check(const struct sources *sources, const char *event, size_t length, struct buf *why)
{
	if (sources->stopping) {
		why_say(why, "the daemon is about to end");
		return -ESHUTDOWN;
	}
	if (!length) {
		why_say(why, "an event is not empty");
		return -EINVAL;
	}
	if (length > TOPIC_EVENT_MOST) {
		why_say(why, "an event of a topic has at most 1M");
		return -EFBIG;
	}
	return 0;
}

int topic_hand_on(struct sources *sources, struct topic *topic, const struct topic_event *event,
        published_fn done, void *userdata, struct buf *why)
{
	struct topic_state *state = state_of(topic);
	struct publishing *publishing;
	int r = check(sources, event->data, event->length, why);

	if (r < 0)
		return r;
	publishing = calloc(1, sizeof(*publishing));
	if (!publishing || !state) {
		free(publishing);
		return fail(-ENOMEM, "publishing to %s", topic->name);
	}
	*publishing = (struct publishing){.sources = sources,
	        .topic = topic->id,
	        .waits = 1,
	        .done = done,
	        .userdata = userdata};
	list_append(&sources->published, &publishing->link);
	topic->published += !event->again;
	state->under_way++;
	sources_store_soon(sources);
	send_to_all(publishing, topic, event);
	if (!event->again)
		tell_followers(state, event->data, event->length);
	alarm_set(sources->alarms, &sources->publishing_ends, 0, ends);
	return 0;
}

int topic_publish(struct sources *sources, struct topic *topic, const char *data, size_t length,
        published_fn done, void *userdata, struct buf *why)
{
	char id[UUID_TEXT_SIZE];

	uuid_make(&sources->ids, id);
	return topic_hand_on(sources, topic,
	        &(struct topic_event){.id = id, .data = data, .length = length}, done, userdata,
	        why);
}

void publishings_free(struct sources *sources)
{
	struct publishing *publishing;

	while ((publishing = list_first(&sources->published, struct publishing, link))) {
		list_unlink(&publishing->link);
		if (publishing->done)
			publishing->done(publishing->userdata, -ESHUTDOWN);
		free(publishing);
	}
}

/* --- followers -------------------------------------------------------------------------------- */

void topic_follow(struct sources *sources, struct topic *topic, struct topic_follower *follower)
{
	struct topic_state *state = state_of(topic);

	list_init(&follower->link);
	if (state)
		list_append(&state->followers, &follower->link);
	else
		follower->ended(follower);
}

void topic_unfollow(struct topic_follower *follower)
{
	list_unlink(&follower->link);
}

void topic_was_removed(struct sources *sources, struct topic *topic)
{
	struct topic_state *state = topic->runtime_state;
	struct topic_follower *follower;

	if (!state)
		return;
	while ((follower = list_first(&state->followers, struct topic_follower, link))) {
		list_unlink(&follower->link);
		follower->ended(follower);
	}
	topic->runtime_state = NULL;
	free(state);
}

/* --- showing ---------------------------------------------------------------------------------- */

void topic_show_subscribers(const struct topic *topic, struct buf *out)
{
	struct trigger_source *source;

	list_each(source, &topic->sources, topic_link)
		buf_printf(out, "%s/%s\n", source->trigger->function->name, source->trigger->name);
}

static size_t count_active(const struct topic *topic, size_t *all)
{
	struct trigger_source *source;
	size_t active = 0;

	*all = 0;
	list_each(source, &topic->sources, topic_link) {
		const struct source_state *state = source->trigger->runtime_state;

		++*all;
		active += state && state->started == source->id;
	}
	return active;
}

void topic_show_status(struct sources *sources, struct topic *topic, struct buf *out)
{
	const struct topic_state *state = topic->runtime_state;
	size_t all, active = count_active(topic, &all), followers = 0;
	const struct list *link;

	if (state)
		for (link = state->followers.next; link != &state->followers; link = link->next)
			followers++;
	buf_printf(out, "published %" PRIu64 "\nunder_way %" PRIu64 "\n", topic->published,
	        state ? state->under_way : 0);
	buf_printf(out, "subscribers %zu\nactive %zu\nfollowers %zu\n", all, active, followers);
}
