/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs, their followers and the flight recorder as the kernel sees them. Without this a reader of
 * logs/follow could hang, miss lines or get them twice, and a removed segment or call could come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/logbook.h"
#include "engine/recorder.h"
#include "fs/row_ids.h"
#include "kernel.h"
#include "test.h"

struct scene {
	struct kernel kernel;
	struct function *function;
	struct logbook *logbook;
	struct recorder *recorder;
	uint64_t node; /* of logs/follow */
	uint64_t handle;
};

static void scene_open(struct scene *scene)
{
	struct kernel *kernel = &scene->kernel;

	kernel_open(kernel);
	scene->function =
	        functions_get(engine_functions(kernel->engine), kernel_function(kernel, "f"));
	scene->logbook = engine_logbook(kernel->engine, scene->function);
	scene->recorder = engine_recorder(kernel->engine, scene->function);
	scene->node = kernel_path(kernel, "functions/f/logs/follow");
	REQUIRE(scene->logbook && scene->recorder && scene->node);
	REQUIRE(kernel_open_file(kernel, scene->node, O_RDONLY, &scene->handle) == 0);
}

static void scene_close(struct scene *scene)
{
	CHECK_INT(kernel_release(&scene->kernel, scene->node, scene->handle), 0);
	kernel_close(&scene->kernel);
}

static void append(struct scene *scene, const char *text)
{
	logbook_append(scene->logbook, text, strlen(text));
}

static uint64_t send_read(struct scene *scene, uint32_t size, int flags)
{
	struct fuse_read_in in = {.fh = scene->handle, .size = size, .flags = (uint32_t)flags};

	return kernel_send(&scene->kernel, FUSE_READ, scene->node, &in, sizeof(in));
}

static void check_read(struct scene *scene, uint64_t read, const char *expected)
{
	const struct answer_of_fs *answer = kernel_answer(&scene->kernel, read);

	if (!CHECK(answer) || !CHECK_INT(answer->error, 0))
		return;
	CHECK_INT(answer->data.length, strlen(expected));
	if (*expected)
		CHECK_STR(answer->data.data, expected);
}

static void a_reader_waits(void)
{
	struct scene scene;
	uint64_t first, second;

	scene_open(&scene);
	first = send_read(&scene, 4096, 0);
	second = send_read(&scene, 4096, 0);
	kernel_turn(&scene.kernel);
	CHECK(!kernel_answer(&scene.kernel, first));
	append(&scene, "one\n");
	kernel_turn(&scene.kernel);
	check_read(&scene, first, "one\n");
	CHECK(!kernel_answer(&scene.kernel, second));
	append(&scene, "two\n");
	append(&scene, "three\n");
	kernel_turn(&scene.kernel);
	check_read(&scene, second, "two\nthree\n");
	scene_close(&scene);
}

static void lines_wait_too(void)
{
	struct scene scene;

	scene_open(&scene);
	append(&scene, "one\ntwo\n");
	kernel_turn(&scene.kernel);
	check_read(&scene, send_read(&scene, 6, 0), "one\ntw");
	check_read(&scene, send_read(&scene, 4096, O_NONBLOCK), "o\n");
	CHECK_INT(
	        kernel_answer(&scene.kernel, send_read(&scene, 4096, O_NONBLOCK))->error, -EAGAIN);
	scene_close(&scene);
}

static void interrupts(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	read = send_read(&scene, 4096, 0);
	kernel_interrupt(&scene.kernel, read);
	kernel_turn(&scene.kernel);
	REQUIRE(kernel_answer(&scene.kernel, read));
	CHECK_INT(kernel_answer(&scene.kernel, read)->error, -EINTR);
	append(&scene, "not lost\n"); /* with the reader */
	kernel_turn(&scene.kernel);
	check_read(&scene, send_read(&scene, 4096, 0), "not lost\n");
	read = send_read(&scene, 4096, 0);
	kernel_close(&scene.kernel); /* the end of the file system ends the wait, too */
}

/* The interrupt and the line in one turn: one answer, and no line lost. */
static void an_interrupt_and_a_line(void)
{
	struct scene scene;
	uint64_t read;
	bool interrupted;

	scene_open(&scene);
	read = send_read(&scene, 4096, 0);
	append(&scene, "line\n");
	kernel_interrupt(&scene.kernel, read);
	kernel_turn(&scene.kernel);
	REQUIRE(kernel_answer(&scene.kernel, read));
	interrupted = kernel_answer(&scene.kernel, read)->error == -EINTR;
	if (!interrupted)
		check_read(&scene, read, "line\n");
	else
		check_read(&scene, send_read(&scene, 4096, O_NONBLOCK), "line\n");
	scene_close(&scene);
}

static void append_much(struct scene *scene, size_t bytes)
{
	char line[1001];
	size_t i;

	memset(line, 'x', 1000);
	strcpy(line + 999, "\n");
	for (i = 0; i < bytes; i += 1000)
		append(scene, line);
	kernel_turn(&scene->kernel);
}

static void who_is_late_is_told(void)
{
	struct scene scene;
	const struct answer_of_fs *answer;

	scene_open(&scene);
	append(&scene, "begun\n");
	kernel_turn(&scene.kernel);
	check_read(&scene, send_read(&scene, 3, 0), "beg"); /* half a line was read */
	append_much(&scene, 600000);
	append_much(&scene, 600000);
	append(&scene, "end\n");
	kernel_turn(&scene.kernel);
	answer = kernel_answer(&scene.kernel, send_read(&scene, 2 << 20, 0));
	REQUIRE(answer && answer->error == 0);
	CHECK(answer->data.data[0] == '\n'); /* the half line ends */
	CHECK(strstr(answer->data.data, " WARN [601 lines lost: read too slowly]\nxxx"));
	CHECK(strstr(answer->data.data, "xxx\nend\n"));
	CHECK(answer->data.length < 700000);
	scene_close(&scene);
}

static void ends_with_the_function(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	read = send_read(&scene, 4096, 0);
	CHECK_INT(engine_remove_function(scene.kernel.engine, scene.function, &why), 0);
	while (!kernel_answer(&scene.kernel, read))
		kernel_turn(&scene.kernel);
	check_read(&scene, read, "");
	check_read(&scene, send_read(&scene, 4096, 0), "");
	scene_close(&scene);
}

static uint64_t segment_node(struct scene *scene, struct logbook_segment *segment)
{
	char path[64];

	logbook_newest_segment(scene->logbook, segment);
	snprintf(path, sizeof(path), "functions/f/logs/%s", segment->name);
	return kernel_path(&scene->kernel, path);
}

static void a_segment_grows(void)
{
	struct scene scene;
	struct logbook_segment segment;
	struct fuse_attr attr;
	const struct answer_of_fs *answer;
	uint64_t node, handle;

	scene_open(&scene);
	node = segment_node(&scene, &segment);
	REQUIRE(node && kernel_open_file(&scene.kernel, node, O_RDONLY, &handle) == 0);
	CHECK_INT(kernel_open_file(&scene.kernel, node, O_WRONLY, &handle), -EACCES);
	append(&scene, "not written yet\n");
	CHECK_INT(kernel_getattr(&scene.kernel, node, &attr), 0);
	CHECK_INT(attr.size, 16);
	CHECK_INT(kernel_read(&scene.kernel, node, handle, 4, 100, &answer), 0);
	CHECK_STR(answer->data.data, "written yet\n");
	kernel_turn(&scene.kernel);
	CHECK_STR(kernel_text(&scene.kernel, "functions/f/logs/current"), NULL); /* a link */
	CHECK_INT(kernel_release(&scene.kernel, node, handle), 0);
	scene_close(&scene);
}

static void a_segment_is_removed(void)
{
	struct scene scene;
	struct logbook_segment old, fresh;
	struct fuse_attr attr;
	const struct answer_of_fs *answer;
	uint64_t node, again, handle, logs;

	scene_open(&scene);
	append(&scene, "text\n");
	node = segment_node(&scene, &old);
	logs = kernel_path(&scene.kernel, "functions/f/logs");
	CHECK_INT(kernel_open_file(&scene.kernel, node, O_RDONLY, &handle), 0);
	CHECK_INT(kernel_named(&scene.kernel, FUSE_UNLINK, logs, old.name), 0);
	CHECK_INT(kernel_named(&scene.kernel, FUSE_UNLINK, logs, old.name), -ENOENT);
	CHECK_INT(kernel_getattr(&scene.kernel, node, &attr), -ENOENT);
	CHECK_INT(kernel_read(&scene.kernel, node, handle, 0, 100, &answer), 0);
	CHECK_STR(answer->data.data, "text\n"); /* who has it open goes on */
	again = segment_node(&scene, &fresh);
	CHECK(again && again != node);
	CHECK_INT(kernel_named(&scene.kernel, FUSE_UNLINK, logs, fresh.name), 0);
	CHECK_INT(segment_node(&scene, &fresh), again); /* an empty one stays */
	CHECK_INT(kernel_release(&scene.kernel, node, handle), 0);
	scene_close(&scene);
}

static void calls_go(void)
{
	struct scene scene;
	struct call_record *running, *ended;
	struct fuse_attr attr;
	uint64_t calls, node;

	scene_open(&scene);
	CHECK_INT(kernel_path(&scene.kernel, "functions/f/calls/last"), 0);
	ended = recorder_begin(scene.recorder, "a-call");
	call_record_append(&ended->request, "{}", 2);
	recorder_end(scene.recorder, ended, "succeeded");
	running = recorder_begin(scene.recorder, "b-call");
	CHECK_STR(kernel_text(&scene.kernel, "functions/f/calls/a-call/request"), "{}");
	calls = kernel_path(&scene.kernel, "functions/f/calls");
	node = kernel_path(&scene.kernel, "functions/f/calls/b-call");
	CHECK_INT(kernel_named(&scene.kernel, FUSE_RMDIR, calls, "b-call"), 0);
	CHECK_INT(kernel_path(&scene.kernel, "functions/f/calls/b-call"), 0);
	CHECK_INT(kernel_getattr(&scene.kernel, node, &attr), -ENOENT);
	CHECK_INT(kernel_named(&scene.kernel, FUSE_RMDIR, calls, "a-call"), 0);
	CHECK(kernel_path(&scene.kernel, "functions/f/calls/last")); /* leads nowhere, and stays */
	CHECK_INT(kernel_named(&scene.kernel, FUSE_UNLINK, calls, "last"), 0);
	recorder_end(scene.recorder, running, "canceled");
	CHECK_INT(kernel_path(&scene.kernel, "functions/f/calls/b-call"), 0);
	scene_close(&scene);
}

/* Ids beyond what an inode number has room for: each call is found by its own. */
static void many_calls(void)
{
	struct scene scene;
	char id[UUID_TEXT_SIZE], path[80];
	uint64_t i, last = (UINT64_C(1) << NODE_CHILD_BITS) + 10;

	scene_open(&scene);
	for (i = 1; i <= last; i++) {
		snprintf(id, sizeof(id), "c%llu", (unsigned long long)i);
		recorder_end(scene.recorder, recorder_begin(scene.recorder, id), "succeeded");
	}
	for (i = last - RECORDER_CALLS + 1; i <= last; i++) {
		struct call_record *record = recorder_get(scene.recorder, i);
		call_record_append(&record->request, record->request_id, 8);
		snprintf(path, sizeof(path), "functions/f/calls/c%llu/request",
		        (unsigned long long)i);
		CHECK_STR(kernel_text(&scene.kernel, path), record->request_id);
	}
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(a_reader_waits), TEST(lines_wait_too),
	        TEST(interrupts), TEST(an_interrupt_and_a_line), TEST(who_is_late_is_told),
	        TEST(ends_with_the_function), TEST(a_segment_grows), TEST(a_segment_is_removed),
	        TEST(calls_go), TEST(many_calls), {}};

	return test_main(tests, argc, argv);
}
