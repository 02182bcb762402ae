/* SPDX-License-Identifier: Apache-2.0 */
/* Without this a program that logs as fast as it can could fill the daemon's memory, or lose what it logged. */
#include "run/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "test.h"

#define RECORDS      20000
#define RECORD_BYTES 500

struct scene {
	uv_loop_t loop;
	struct channel channel;
	int in, out; /* the runtime's */
	struct buf unwritten;
	int records, ended;
	int pause_at; /* records; 0: never */
};

static void on_frame(void *userdata, const struct frame *frame)
{
	struct scene *scene = userdata;
	int number;

	memcpy(&number, frame->payload, sizeof(number));
	CHECK_INT(number, scene->records);
	CHECK_INT(frame->length, RECORD_BYTES);
	if (++scene->records == scene->pause_at)
		channel_pause(&scene->channel, true);
}

static void on_ended(void *userdata, int status)
{
	struct scene *scene = userdata;

	CHECK_INT(status, 0);
	scene->ended++;
}

static const struct channel_events events = {on_frame, on_ended};

static void scene_start(struct scene *scene)
{
	char payload[RECORD_BYTES] = {0};
	int i;

	*scene = (struct scene){.in = -1};
	REQUIRE(uv_loop_init(&scene->loop) == 0);
	REQUIRE(channel_open(&scene->channel, &scene->loop, &events, scene, &scene->in,
	                &scene->out) == 0);
	fcntl(scene->out, F_SETFL, O_NONBLOCK);
	for (i = 0; i < RECORDS; i++) {
		memcpy(payload, &i, sizeof(i));
		protocol_encode(&scene->unwritten, FRAME_DATA, 0, 1, payload, sizeof(payload));
	}
}

static void scene_end(struct scene *scene)
{
	channel_close(&scene->channel);
	uv_run(&scene->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&scene->loop), 0);
	close_fd(scene->in);
	close_fd(scene->out);
	buf_deinit(&scene->unwritten);
}

/* The runtime writes what its pipe takes; false when it takes nothing. */
static bool write_some(struct scene *scene)
{
	ssize_t n = write(scene->out, scene->unwritten.data, scene->unwritten.length);

	if (n > 0)
		buf_consume(&scene->unwritten, (size_t)n);
	return n > 0;
}

static void turn(struct scene *scene)
{
	write_some(scene);
	uv_run(&scene->loop, UV_RUN_NOWAIT);
}

static void who_is_paused_waits(void)
{
	struct scene scene;
	int before, i;

	scene_start(&scene);
	scene.pause_at = 100;
	while (!scene.channel.paused)
		turn(&scene);
	for (i = 0; i < 50; i++)
		turn(&scene);
	before = scene.records; /* what had been read with the one that paused it is told */
	CHECK(before < 1000);
	CHECK(!write_some(&scene)); /* its pipe is full */
	for (i = 0; i < 50; i++)
		turn(&scene);
	CHECK_INT(scene.records, before);
	channel_pause(&scene.channel, false);
	while (scene.unwritten.length)
		turn(&scene);
	scene.out = close_fd(scene.out);
	while (!scene.ended)
		uv_run(&scene.loop, UV_RUN_ONCE);
	CHECK_INT(scene.records, RECORDS);
	scene_end(&scene);
}

/* A process that ended while it was paused: all it said counts. */
static void draining_is_not_paused(void)
{
	struct scene scene;

	scene_start(&scene);
	buf_consume(&scene.unwritten,
	        scene.unwritten.length - 50 * (PROTOCOL_HEADER_SIZE + RECORD_BYTES));
	scene.records = RECORDS - 50;
	channel_pause(&scene.channel, true);
	turn(&scene);
	turn(&scene);
	CHECK_INT(scene.records, RECORDS - 50);
	channel_drain(&scene.channel);
	CHECK_INT(scene.records, RECORDS);
	scene_end(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(who_is_paused_waits), TEST(draining_is_not_paused), {}};

	return test_main(tests, argc, argv);
}
