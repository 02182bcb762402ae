/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait, and interrupts that come before, during and after: a request answered twice
 * corrupts libfuse's memory, one that is never answered hangs a process for ever.
 */
#include "fs/request.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/behaviour.h"
#include "fs/row_ids.h"
#include "kernel.h"
#include "test.h"

/* A file whose reads wait until the test says so. It takes README's place in the index. */
static struct request *parked;
static unsigned interruptions;
static bool answer_interrupts;
static bool answer_at_once;

static void interrupted(struct request *request, void *userdata)
{
	CHECK(userdata == &parked);
	interruptions++;
	if (answer_interrupts)
		request_end(request, -EINTR);
}

static int park(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	int r = request_adopt(request, interrupted, &parked);

	parked = request;
	if (answer_at_once)
		request_data(request, "at once", 7);
	return r;
}

static int twice(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	request_written(request, size);
	return request_written(request, size);
}

/* What it says of itself when it is opened. */
static bool open_parallel;

static int open_so(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	info->direct_io = 1;
	info->noflush = 1;
	if (open_parallel)
		request->parallel = true;
	return 0;
}

static const struct behaviour parking = {
        .name = "parking", .open = open_so, .read = park, .write = twice};
static const struct row parking_row = {
        .id = ROW_README, .name = "README", .behaviour = &parking, .mode = S_IFREG | 0644};

struct scene {
	struct kernel kernel;
	uint64_t node;
	uint64_t handle;
};

static void scene_open(struct scene *scene)
{
	parked = NULL;
	interruptions = 0;
	answer_interrupts = true;
	answer_at_once = false;
	kernel_open(&scene->kernel);
	scene->kernel.fs->tree.rows[ROW_README] = &parking_row;
	scene->node = (uint64_t)ROW_README << NODE_OBJECT_BITS;
	REQUIRE(kernel_open_file(&scene->kernel, scene->node, O_RDWR, &scene->handle) == 0);
}

static void scene_close(struct scene *scene)
{
	CHECK_INT(kernel_release(&scene->kernel, scene->node, scene->handle), 0);
	kernel_close(&scene->kernel);
}

static uint64_t send_read(struct scene *scene)
{
	struct fuse_read_in in = {.fh = scene->handle, .size = 4096};

	return kernel_send(&scene->kernel, FUSE_READ, scene->node, &in, sizeof(in));
}

static void waits_and_is_answered(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	read = send_read(&scene);
	kernel_turn(&scene.kernel);
	CHECK(!kernel_answer(&scene.kernel, read));
	request_data(parked, "later", 5);
	REQUIRE(kernel_answer(&scene.kernel, read));
	CHECK_STR(kernel_answer(&scene.kernel, read)->data.data, "later");
	scene_close(&scene);
}

static void answered_before_it_returns(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	answer_at_once = true;
	read = send_read(&scene);
	REQUIRE(kernel_answer(&scene.kernel, read));
	CHECK_STR(kernel_answer(&scene.kernel, read)->data.data, "at once");
	kernel_interrupt(&scene.kernel, read); /* too late, and harmless */
	kernel_turn(&scene.kernel);
	CHECK_INT(interruptions, 0);
	scene_close(&scene);
}

static void an_interrupt_ends_it(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	read = send_read(&scene);
	kernel_interrupt(&scene.kernel, read);
	CHECK(!kernel_answer(&scene.kernel, read)); /* never inside libfuse's callback */
	CHECK_INT(interruptions, 0);
	kernel_turn(&scene.kernel);
	CHECK_INT(interruptions, 1);
	REQUIRE(kernel_answer(&scene.kernel, read));
	CHECK_INT(kernel_answer(&scene.kernel, read)->error, -EINTR);
	scene_close(&scene);
}

static void an_interrupt_overtakes_its_request(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	kernel_interrupt(&scene.kernel, scene.kernel.unique + 2);
	read = send_read(&scene);
	CHECK(!kernel_answer(&scene.kernel, read));
	kernel_turn(&scene.kernel);
	CHECK_INT(interruptions, 1);
	REQUIRE(kernel_answer(&scene.kernel, read));
	CHECK_INT(kernel_answer(&scene.kernel, read)->error, -EINTR);
	scene_close(&scene);
}

static void the_answer_overtakes_the_interrupt(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	read = send_read(&scene);
	kernel_interrupt(&scene.kernel, read);
	request_data(parked, "won", 3);
	kernel_turn(&scene.kernel);
	CHECK_INT(interruptions, 0);
	REQUIRE(kernel_answer(&scene.kernel, read));
	CHECK_INT(kernel_answer(&scene.kernel, read)->error, 0);
	scene_close(&scene);
}

static void an_interrupt_may_be_passed_over(void)
{
	struct scene scene;
	uint64_t read;

	scene_open(&scene);
	answer_interrupts = false;
	read = send_read(&scene);
	kernel_interrupt(&scene.kernel, read);
	kernel_turn(&scene.kernel);
	CHECK_INT(interruptions, 1);
	CHECK(!kernel_answer(&scene.kernel, read));
	request_end(parked, -EIO);
	CHECK_INT(kernel_answer(&scene.kernel, read)->error, -EIO);
	scene_close(&scene);
}

/* A thousand at once, answered and interrupted in a random order. */
static void many_in_any_order(void)
{
	enum { COUNT = 1000 };
	static uint64_t reads[COUNT];
	static struct request *requests[COUNT];
	uint64_t seed = test_seed();
	unsigned answered = 0;
	struct scene scene;
	int i;

	scene_open(&scene);
	for (i = 0; i < COUNT; i++) {
		reads[i] = send_read(&scene);
		requests[i] = parked;
	}
	for (i = COUNT - 1; i >= 0; i--) {
		int other = (int)(test_random(&seed) % (unsigned)(i + 1));
		uint64_t read = reads[other];
		struct request *request = requests[other];

		reads[other] = reads[i];
		requests[other] = requests[i];
		if (test_random(&seed) % 2) {
			kernel_interrupt(&scene.kernel, read);
			if (test_random(&seed) % 2)
				kernel_turn(&scene.kernel);
			else
				request_data(request, "", 0);
		} else {
			request_data(request, "", 0);
		}
		kernel_turn(&scene.kernel);
		answered += kernel_answer(&scene.kernel, read) != NULL;
	}
	CHECK_INT(answered, COUNT);
	scene_close(&scene);
}

static void the_end_interrupts_all(void)
{
	struct scene scene;
	uint64_t first, second;

	scene_open(&scene);
	first = send_read(&scene);
	second = send_read(&scene);
	fs_stop(scene.kernel.fs); /* closes the handle, too */
	CHECK(fs_idle(scene.kernel.fs));
	CHECK_INT(kernel_answer(&scene.kernel, first)->error, -EINTR);
	CHECK_INT(kernel_answer(&scene.kernel, second)->error, -EINTR);
	kernel_close(&scene.kernel);
}

static void a_second_answer_is_impossible(void)
{
	struct scene scene;
	int status;
	pid_t child;

	scene_open(&scene);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		kernel_write(&scene.kernel, scene.node, scene.handle, 0, "x", 1);
		_exit(0);
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status));
	scene_close(&scene);
}

static uint32_t flags_of_open(struct scene *scene)
{
	struct fuse_open_in in = {.flags = O_RDWR};
	const struct answer_of_fs *answer;
	struct fuse_open_out out;

	REQUIRE(kernel_ask(&scene->kernel, FUSE_OPEN, scene->node, &in, sizeof(in), &answer) == 0);
	REQUIRE(answer->data.length == sizeof(out));
	memcpy(&out, answer->data.data, sizeof(out));
	CHECK_INT(kernel_release(&scene->kernel, scene->node, out.fh), 0);
	return out.open_flags;
}

/* libfuse does not know of it everywhere; what it does know must arrive all the same. */
static void opens_for_writes_side_by_side(void)
{
	struct scene scene;

	scene_open(&scene);
	CHECK_INT(flags_of_open(&scene), FOPEN_DIRECT_IO | FOPEN_NOFLUSH);
	open_parallel = true;
	CHECK_INT(flags_of_open(&scene),
	        FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES);
	open_parallel = false;
	CHECK_INT(flags_of_open(&scene), FOPEN_DIRECT_IO | FOPEN_NOFLUSH);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(waits_and_is_answered),
	        TEST(opens_for_writes_side_by_side), TEST(answered_before_it_returns),
	        TEST(an_interrupt_ends_it), TEST(an_interrupt_overtakes_its_request),
	        TEST(the_answer_overtakes_the_interrupt), TEST(an_interrupt_may_be_passed_over),
	        TEST(many_in_any_order), TEST(the_end_interrupts_all),
	        TEST(a_second_answer_is_impossible), {}};

	return test_main(tests, argc, argv);
}
