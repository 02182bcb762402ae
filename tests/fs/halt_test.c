/* SPDX-License-Identifier: Apache-2.0 */
/* Processors that may not halt: only where it pays, and never for longer than calls come. */
#include "fs/halt.h"

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "test.h"

#define NEVER 2000000000

struct scene {
	uv_loop_t loop;
	char *directory;
	char device[256], driver[256];
	struct halt_machine machine;
	struct halt *halt;
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	REQUIRE(file);
	fputs(text, file);
	fclose(file);
}

static void scene_open(struct scene *scene, const char *driver, long processors)
{
	uv_loop_init(&scene->loop);
	scene->directory = test_directory();
	snprintf(scene->device, sizeof(scene->device), "%s/device", scene->directory);
	snprintf(scene->driver, sizeof(scene->driver), "%s/driver", scene->directory);
	write_file(scene->device, "");
	write_file(scene->driver, driver);
	scene->machine = (struct halt_machine){
	        .device = scene->device, .driver = scene->driver, .processors = processors};
	scene->halt = halt_new(&scene->loop, &scene->machine);
}

static void scene_close(struct scene *scene)
{
	halt_free(scene->halt);
	uv_run(&scene->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&scene->loop), 0);
	scene->directory = test_directory_remove(scene->directory);
}

/* What was asked of the device, one number after the other; the count. */
static size_t asked(const struct scene *scene, int32_t *numbers, size_t most)
{
	FILE *file = fopen(scene->device, "r");
	size_t count;

	REQUIRE(file);
	count = fread(numbers, sizeof(*numbers), most, file);
	fclose(file);
	return count;
}

/* Its timer does not keep the loop alive, so another one does. */
static void tick(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void run_for_ms(struct scene *scene, unsigned ms)
{
	uv_timer_t timer;

	uv_timer_init(&scene->loop, &timer);
	uv_timer_start(&timer, tick, ms, 0);
	uv_run(&scene->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&scene->loop, UV_RUN_NOWAIT);
}

static void holds_for_a_burst_and_lets_go(void)
{
	struct scene scene;
	int32_t numbers[8];

	scene_open(&scene, "haltpoll\n", 2);
	REQUIRE(scene.halt);
	CHECK_INT(asked(&scene, numbers, 8), 0); /* nothing while nothing comes */
	for (int i = 0; i < 100; i++)
		halt_forbid(scene.halt, uv_hrtime());
	REQUIRE(asked(&scene, numbers, 8) == 1); /* once for all of them */
	CHECK_INT(numbers[0], 0);
	run_for_ms(&scene, 100);
	REQUIRE(asked(&scene, numbers, 8) == 2);
	CHECK_INT(numbers[1], NEVER);
	run_for_ms(&scene, 100);
	CHECK_INT(asked(&scene, numbers, 8), 2);
	halt_forbid(scene.halt, uv_hrtime()); /* the next burst */
	REQUIRE(asked(&scene, numbers, 8) == 3);
	CHECK_INT(numbers[2], 0);
	scene_close(&scene);
}

static void not_while_it_goes_on(void)
{
	struct scene scene;
	int32_t numbers[8];

	scene_open(&scene, "haltpoll\n", 2);
	REQUIRE(scene.halt);
	halt_forbid(scene.halt, uv_hrtime() + UINT64_C(3600000000000));
	run_for_ms(&scene, 50);
	CHECK_INT(asked(&scene, numbers, 8), 1);
	scene_close(&scene);
}

static bool is_used(const char *driver, long processors)
{
	struct scene scene;
	bool used;

	scene_open(&scene, driver, processors);
	used = scene.halt != NULL;
	scene_close(&scene);
	return used;
}

static void only_where_it_pays(void)
{
	CHECK(is_used("haltpoll\n", 2));
	CHECK(is_used("haltpoll\n", HALT_PROCESSORS_MOST));
	CHECK(!is_used("haltpoll\n", HALT_PROCESSORS_MOST + 1));
	CHECK(!is_used("haltpoll\n", 1));
	CHECK(!is_used("intel_idle\n", 2));
	CHECK(!is_used("none\n", 2));
	CHECK(!is_used("", 2));
	setenv("FNFS_HALT", "1", 1);
	CHECK(!is_used("haltpoll\n", 2));
	unsetenv("FNFS_HALT");
}

/* As for everybody but root. */
static void nothing_without_the_device(void)
{
	struct scene scene;

	scene_open(&scene, "haltpoll\n", 2);
	scene.halt = halt_free(scene.halt);
	scene.machine.device = "/nonexistent/device";
	CHECK(!halt_new(&scene.loop, &scene.machine));
	scene.machine.device = scene.device;
	scene.machine.driver = "/nonexistent/driver";
	CHECK(!halt_new(&scene.loop, &scene.machine));
	halt_forbid(NULL, 1);
	CHECK(!halt_free(NULL));
	scene_close(&scene);
}

/* A device that takes nothing is asked once. */
static void a_device_that_refuses(void)
{
	struct scene scene;

	scene_open(&scene, "haltpoll\n", 2);
	scene.halt = halt_free(scene.halt);
	scene.machine.device = "/dev/full";
	scene.halt = halt_new(&scene.loop, &scene.machine);
	REQUIRE(scene.halt);
	for (int i = 0; i < 3; i++)
		halt_forbid(scene.halt, uv_hrtime());
	run_for_ms(&scene, 30);
	scene_close(&scene);
}

/* What cannot be taken back ends with the descriptor, and is not asked for again. */
static void a_device_that_refuses_later(void)
{
	struct rlimit before, four = {.rlim_cur = 4};
	struct scene scene;
	int32_t numbers[8];

	scene_open(&scene, "haltpoll\n", 2);
	REQUIRE(scene.halt);
	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
	four.rlim_max = before.rlim_max;
	REQUIRE(setrlimit(RLIMIT_FSIZE, &four) == 0);
	halt_forbid(scene.halt, uv_hrtime());
	run_for_ms(&scene, 100);
	REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
	halt_forbid(scene.halt, uv_hrtime());
	CHECK_INT(asked(&scene, numbers, 8), 1);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(holds_for_a_burst_and_lets_go),
	        TEST(not_while_it_goes_on), TEST(only_where_it_pays),
	        TEST(nothing_without_the_device), TEST(a_device_that_refuses),
	        TEST(a_device_that_refuses_later), {}};

	return test_main(tests, argc, argv);
}
