/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole engine without a file system: a state directory of its own, real instances in their
 * sandboxes, calls through the engine's interface. FNFS_GUARDIAN and FNFS_RUNTIMES say where the build
 * has them. Needs python3 and a working sandbox; without, it says so and is skipped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/logbook.h"
#include "engine/metrics.h"
#include "engine/recorder.h"
#include "run/runtime.h"
#include "store/worktree.h"
#include "store/worktree_ops.h"
#include "scene.h"

/* --- tests -------------------------------------------------------------------------------------- */

static void a_function_answers_and_new_code_answers_next(void)
{
	char code[128];
	struct scene scene;
	int i;

	scene_open(&scene);
	CHECK(state_is(&scene, "empty"));
	for (i = 0; i < 5; i++) {
		char number[16];

		snprintf(code, sizeof(code), "def handler(event, context):\n\treturn %d\n", i);
		snprintf(number, sizeof(number), "%d", i);
		save(&scene, "index.py", code);
		expect(&scene, "{}", number);
		expect(&scene, "{}", number);
		CHECK(state_is(&scene, "ready"));
	}
	scene_close(&scene);
}

static void saved_code_is_tried_without_a_call(void)
{
	CLEANUP(buf_deinit) struct buf status = BUF_INIT;
	struct scene scene;

	scene_open(&scene);
	save(&scene, "index.py", "def handler(event, context):\n\treturn 1\n");
	while (!state_is(&scene, "ready"))
		uv_run(&scene.loop, UV_RUN_ONCE);
	save(&scene, "index.py", "def handler(event, context)\n\treturn 1\n");
	while (!state_is(&scene, "broken"))
		uv_run(&scene.loop, UV_RUN_ONCE);
	engine_show_function_status(scene.engine, scene.function, &status);
	CHECK(strstr(status.data, "SyntaxError"));
	expect_error(&scene, "{}", -ENOEXEC, "SyntaxError");
	close_engine(&scene);
	open_engine(&scene); /* the verdict survives */
	scene.function = functions_find(engine_functions(scene.engine), "hello");
	CHECK(state_is(&scene, "broken"));
	scene_close(&scene);
}

static void errors_come_as_body_and_errno(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct scene scene;

	scene_open(&scene);
	expect_error(&scene, "{}", -ENOEXEC, "errorMessage");
	save(&scene, "index.py",
	        "import os, time\n"
	        "def handler(event, context):\n"
	        "\tif event.get('do') == 'raise': raise ValueError('seven')\n"
	        "\tif event.get('do') == 'exit': os._exit(3)\n"
	        "\tif event.get('do') == 'sleep': time.sleep(60)\n"
	        "\tif event.get('do') == 'memory': return len(bytearray(1 << 30))\n"
	        "\treturn event\n");
	expect_error(&scene, "{\"do\":\"raise\"}", -EREMOTEIO, "seven");
	expect_error(&scene, "{\"do\":\"exit\"}", -EREMOTEIO, "exit status 3");
	expect_error(&scene, "this is not JSON", -EBADMSG, "error");
	expect_error(&scene, "{\"do\":\"memory\"}", -ENOMEM, "memory");
	CHECK_INT(settings_set(&scene.function->settings, CONFIG_TIMEOUT, "200ms", &why), 0);
	expect_error(&scene, "{\"do\":\"sleep\"}", -ETIMEDOUT, "timed out");
	expect(&scene, "{\"a\":[1,2]}", "{\"a\":[1,2]}");
	scene_close(&scene);
}

static void log_and_records_tell_of_a_call(void)
{
	struct logbook_segment segment;
	struct logbook_reader *reader;
	struct call_record *record;
	char text[4096] = "";
	struct scene scene;

	scene_open(&scene);
	save(&scene, "index.py",
	        "def handler(event, context):\n"
	        "\tprint('printed')\n"
	        "\tcontext.getLogger().warn('logged')\n"
	        "\tprint('afterwards')\n"
	        "\treturn 'x'\n");
	expect(&scene, "{}", "x");
	record = recorder_last(engine_recorder(scene.engine, scene.function));
	REQUIRE(record);
	CHECK_STR(record->state, "succeeded");
	CHECK(record->cold);
	CHECK_STR(record->response.data, "x");
	REQUIRE(logbook_next(engine_logbook(scene.engine, scene.function), 0, &segment));
	REQUIRE(logbook_reader_new(
	                &reader, engine_logbook(scene.engine, scene.function), segment.id) == 0);
	CHECK(logbook_read(reader, text, sizeof(text) - 1, 0) > 0);
	CHECK(strstr(text, "Start invoke request"));
	CHECK(strstr(text, "printed"));
	CHECK(strstr(text, "latest WARN logged"));
	CHECK(strstr(text, "printed") < strstr(text, "logged"));
	CHECK(strstr(text, "logged") < strstr(text, "afterwards"));
	CHECK(strstr(text, "Finish invoke request"));
	CHECK(strstr(text, record->request_id));
	logbook_reader_free(reader);
	scene_close(&scene);
}

static void a_removed_function_leaves_nothing(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	char path[128];
	struct scene scene;
	struct call call;
	uint64_t id;

	scene_open(&scene);
	id = scene.function->id;
	save(&scene, "index.py", "import time\ndef handler(event, context):\n\ttime.sleep(60)\n");
	begin(&scene, &call, "{}");
	while (!recorder_last(engine_recorder(scene.engine, scene.function))->instance)
		uv_run(&scene.loop, UV_RUN_ONCE);
	CHECK_INT(engine_remove_function(scene.engine, scene.function, &why), -ENOTEMPTY);
	CHECK_INT(function_remove(scene.function, &why), 0);
	await(&scene, &call);
	CHECK(call.error < 0);
	call_free(&call);
	scene_close(&scene);
	snprintf(path, sizeof(path), "%s/functions/%llu", scene.directory, (unsigned long long)id);
	CHECK(access(path, F_OK) < 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(a_function_answers_and_new_code_answers_next),
	        TEST(saved_code_is_tried_without_a_call),
	        TEST(errors_come_as_body_and_errno),
	        TEST(log_and_records_tell_of_a_call),
	        TEST(a_removed_function_leaves_nothing),
	        {},
	};

	if (!getenv("FNFS_GUARDIAN") || !getenv("FNFS_RUNTIMES")) {
		fprintf(stderr, "FNFS_GUARDIAN and FNFS_RUNTIMES are not set\n");
		return 77;
	}
	return test_main(tests, argc, argv);
}
