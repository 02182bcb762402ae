/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: an event that was said to be published, for one of those who subscribe. */
#include "events/topics.h"

#include <errno.h>

#include "sources_fixture.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 0};

static struct topic *topic_made(struct fixture *fixture)
{
	struct topic *topic = NULL;

	REQUIRE(topic_create(fixture->triggers, "news", &alice, &topic, &fixture->why) == 0);
	return topic;
}

static struct trigger *subscribed(struct fixture *fixture, const char *name)
{
	struct trigger *trigger = fixture_trigger(fixture, name);

	REQUIRE(trigger_set(trigger, TRIGGER_FORMAT, "raw", NULL) == 0);
	REQUIRE(fixture_set(fixture, trigger, SOURCE_TOPIC, "news") == 0);
	return trigger;
}

static void note(void *userdata, int status)
{
	*(int *)userdata = status;
}

static int publish(struct fixture *fixture, struct topic *topic, const char *text, int *status)
{
	*status = 1;
	return topic_publish(
	        fixture->sources, topic, text, strlen(text), note, status, &fixture->why);
}

/* Nobody is told inside the call: the loop turns first. */
static void turn(struct fixture *fixture)
{
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void reaches_all_who_are_there(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct topic *topic = topic_made(fixture);
	struct trigger *off;
	int status;

	subscribed(fixture, "a");
	subscribed(fixture, "b");
	off = subscribed(fixture, "off");
	CHECK_INT(trigger_set(off, TRIGGER_ENABLED, "0", NULL), 0);
	CHECK_INT(publish(fixture, topic, "1", &status), 0);
	turn(fixture);
	CHECK_INT(status, 1); /* it is not on the disk yet */
	CHECK_INT(fixture->count, 2);
	CHECK_STR(fixture->queued[0].body, "1");
	CHECK(strcmp(fixture->queued[0].name, fixture->queued[1].name) != 0);
	fixture_tell(fixture, 0);
	turn(fixture);
	CHECK_INT(status, 0);
	CHECK_INT(trigger_set(off, TRIGGER_ENABLED, "1", NULL), 0);
	CHECK_INT(publish(fixture, topic, "2", &status), 0);
	CHECK_INT(fixture->count, 5);
	fixture_tell(fixture, -EIO);
	turn(fixture);
	CHECK_INT(status, -EIO);
	CHECK_INT(off->errors, 1);
	CHECK_INT(topic->published, 2);
	fixture_close(fixture);
}

static void needs_nobody(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct topic *topic = topic_made(fixture);
	int status;

	CHECK_INT(publish(fixture, topic, "1", &status), 0);
	CHECK_INT(status, 1);
	turn(fixture);
	CHECK_INT(status, 0);
	fixture_close(fixture);
}

static void a_full_queue_is_told(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct topic *topic = topic_made(fixture);
	int status;

	subscribed(fixture, "a");
	fixture->refuse = -ENOSPC;
	CHECK_INT(publish(fixture, topic, "1", &status), 0);
	CHECK_INT(status, 1);
	turn(fixture);
	CHECK_INT(status, -ENOSPC);
	fixture_close(fixture);
}

static void what_is_no_event_is_refused(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct topic *topic = topic_made(fixture);
	char *large = calloc(1, TOPIC_EVENT_MOST + 2);
	int status;

	memset(large, 'x', TOPIC_EVENT_MOST + 1);
	CHECK_INT(publish(fixture, topic, "", &status), -EINVAL);
	CHECK_INT(publish(fixture, topic, large, &status), -EFBIG);
	sources_stop(fixture->sources, NULL, NULL);
	CHECK_INT(publish(fixture, topic, "1", &status), -ESHUTDOWN);
	CHECK_INT(topic->published, 0);
	free(large);
	fixture_close(fixture);
}

struct follower {
	struct topic_follower follower;
	struct buf seen;
};

static void see_line(struct topic_follower *follower, const char *text, size_t length)
{
	buf_append(&container_of(follower, struct follower, follower)->seen, text, length);
}

static void see_end(struct topic_follower *follower)
{
	buf_puts(&container_of(follower, struct follower, follower)->seen, "end");
}

static void is_followed(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct topic *topic = topic_made(fixture);
	struct follower one = {{.line = see_line, .ended = see_end}};
	struct follower two = {{.line = see_line, .ended = see_end}};
	int status;

	topic_follow(fixture->sources, topic, &one.follower);
	topic_follow(fixture->sources, topic, &two.follower);
	CHECK_INT(publish(fixture, topic, "1", &status), 0);
	topic_unfollow(&two.follower);
	CHECK_INT(publish(fixture, topic, "2", &status), 0);
	turn(fixture);
	CHECK_INT(topic_remove(topic, NULL), 0);
	CHECK_STR(one.seen.data, "1\n2\nend");
	CHECK_STR(two.seen.data, "1\n");
	topic_unfollow(&one.follower);
	buf_deinit(&one.seen);
	buf_deinit(&two.seen);
	fixture_close(fixture);
}

/* Its subscribers go while an event is on its way to them. */
static void the_end_comes_all_the_same(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct topic *topic = topic_made(fixture);
	struct trigger *trigger = subscribed(fixture, "a");
	int status;

	CHECK_INT(publish(fixture, topic, "1", &status), 0);
	turn(fixture);
	CHECK_INT(trigger_remove(trigger, NULL), 0);
	CHECK_INT(topic_remove(topic, NULL), 0);
	CHECK_INT(fixture_tell(fixture, 0), 1);
	CHECK_INT(status, 0);
	fixture_close(fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(reaches_all_who_are_there), TEST(needs_nobody),
	        TEST(a_full_queue_is_told), TEST(what_is_no_event_is_refused), TEST(is_followed),
	        TEST(the_end_comes_all_the_same), {}};

	return test_main(tests, argc, argv);
}
