/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Publishing to topics (model/topic.h). An event goes to the queue of each trigger that subscribes and is enabled;
 * it is published when it is on the disk for all of them. Followers get it at once, as a line. Whoever publishes
 * an event on behalf of somebody else (a destination) does the same. Loop thread only.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/list.h"

struct sources;
struct topic;
struct publishing;

enum { TOPIC_EVENT_MOST = 1 << 20 }; /* bytes: six times that still fits a queue */

/*
 * 0: `done` comes once, later, when all subscribers have it, with 0 or the first -errno that one of them refused it
 * with; then others may have it. -errno at once, with a sentence: -EINVAL (it is empty), -EFBIG, -ENOMEM,
 * -ESHUTDOWN.
 */
typedef void (*published_fn)(void *userdata, int status);
int topic_publish(struct sources *sources, struct topic *topic, const char *event, size_t length,
        published_fn done, void *userdata, struct buf *why);

/*
 * Likewise, of an event that has an id already: those subscribers that got it under that id before do not get it
 * again (while its entry is there, and for an hour after).
 */
struct topic_event {
	const char *id, *data;
	size_t length;
	unsigned hops; /* queue.h */
	bool again;    /* it was tried before: not counted, and no news for followers */
};
int topic_hand_on(struct sources *sources, struct topic *topic, const struct topic_event *event,
        published_fn done, void *userdata, struct buf *why);

/* Embedded in whoever follows. */
struct topic_follower {
	struct list link;
	void (*line)(struct topic_follower *follower, const char *text, size_t length);
	void (*ended)(struct topic_follower *follower); /* the topic was removed */
};
void topic_follow(struct sources *sources, struct topic *topic, struct topic_follower *follower);
void topic_unfollow(struct topic_follower *follower); /* harmless when it has ended */

void topic_was_removed(struct sources *sources, struct topic *topic);

/* FUNCTION/TRIGGER, a line each. */
void topic_show_subscribers(const struct topic *topic, struct buf *out);
void topic_show_status(struct sources *sources, struct topic *topic, struct buf *out);
