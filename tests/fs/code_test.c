/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Working trees as the kernel sees them. Without this a user would see old sizes in a listing, lose what is written in
 * large pieces, or wait longer for each file than the disk takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "fs/init_flags.h"
#include "kernel.h"
#include "test.h"

#define LARGE (100 << 10)

struct scene {
	struct kernel kernel;
	uint64_t code, node, handle;
};

static void scene_open(struct scene *scene)
{
	kernel_open(&scene->kernel);
	kernel_function(&scene->kernel, "f");
	scene->code = kernel_path(&scene->kernel, "functions/f/code");
	REQUIRE(scene->code);
	REQUIRE(kernel_create(&scene->kernel, scene->code, "a", &scene->node, &scene->handle) == 0);
}

static void scene_close(struct scene *scene)
{
	kernel_close(&scene->kernel);
}

/* What a listing with attributes tells of the file `a`: its node, 0 for no attributes; and the size. */
static uint64_t listed(struct scene *scene, uint64_t *size)
{
	struct kernel *kernel = &scene->kernel;
	struct fuse_open_in open_in = {.flags = O_RDONLY | O_DIRECTORY};
	struct fuse_read_in in = {.size = 4096};
	struct fuse_release_in release_in;
	const struct answer_of_fs *answer;
	const struct fuse_direntplus *entry;
	uint64_t node = UINT64_MAX;
	size_t at;

	REQUIRE(kernel_ask(kernel, FUSE_OPENDIR, scene->code, &open_in, sizeof(open_in), &answer) ==
	        0);
	in.fh = release_in.fh = ((struct fuse_open_out *)answer->data.data)->fh;
	REQUIRE(kernel_ask(kernel, FUSE_READDIRPLUS, scene->code, &in, sizeof(in), &answer) == 0);
	for (at = 0; at < answer->data.length; at += FUSE_DIRENTPLUS_SIZE(entry)) {
		entry = (const void *)(answer->data.data + at);
		if (entry->dirent.namelen != 1 || entry->dirent.name[0] != 'a')
			continue;
		node = entry->entry_out.nodeid;
		*size = entry->entry_out.attr.size;
	}
	release_in = (struct fuse_release_in){.fh = in.fh};
	CHECK_INT(kernel_ask(kernel, FUSE_RELEASEDIR, scene->code, &release_in, sizeof(release_in),
	                  NULL),
	        0);
	return node;
}

static void what_is_known_is_listed_without_attributes(void)
{
	struct scene scene;
	uint64_t size = 0;

	scene_open(&scene);
	CHECK_INT(listed(&scene, &size), 0);
	CHECK_INT(kernel_write(&scene.kernel, scene.node, scene.handle, 0, "text", 4), 0);
	CHECK_INT(listed(&scene, &size), scene.node);
	CHECK_INT(size, 4);
	CHECK_INT(listed(&scene, &size), 0);
	CHECK_INT(kernel_release(&scene.kernel, scene.node, scene.handle), 0);
	scene_close(&scene);
}

static void what_was_forgotten_is_listed_with_attributes(void)
{
	struct fuse_forget_in forget = {.nlookup = 1};
	struct scene scene;
	uint64_t size = 0;

	scene_open(&scene);
	CHECK_INT(kernel_release(&scene.kernel, scene.node, scene.handle), 0);
	kernel_send(&scene.kernel, FUSE_FORGET, scene.node, &forget, sizeof(forget));
	CHECK(listed(&scene, &size) > scene.node);
	CHECK_INT(listed(&scene, &size), 0);
	scene_close(&scene);
}

static void a_large_write_is_answered_when_it_is_done(void)
{
	CLEANUP(free_p) char *text = malloc(LARGE);
	const struct answer_of_fs *answer;
	struct scene scene;
	uint64_t handle;

	memset(text, 'x', LARGE);
	scene_open(&scene);
	CHECK_INT(kernel_write(&scene.kernel, scene.node, scene.handle, 0, text, LARGE),
	        -EINPROGRESS);
	while (!kernel_answer(&scene.kernel, scene.kernel.unique))
		kernel_turn(&scene.kernel);
	CHECK_INT(kernel_answer(&scene.kernel, scene.kernel.unique)->error, 0);
	REQUIRE(kernel_open_file(&scene.kernel, scene.node, O_RDONLY, &handle) == 0);
	CHECK_INT(kernel_read(&scene.kernel, scene.node, handle, 0, LARGE, &answer), 0);
	CHECK_INT(answer->data.length, LARGE);
	CHECK(memcmp(answer->data.data, text, LARGE) == 0);
	CHECK_INT(kernel_release(&scene.kernel, scene.node, handle), 0);
	CHECK_INT(kernel_release(&scene.kernel, scene.node, scene.handle), 0);
	scene_close(&scene);
}

/* The caller is gone before it is done: nothing is left behind. */
static void a_close_overtakes_a_large_write(void)
{
	CLEANUP(free_p) char *payload = calloc(1, sizeof(struct fuse_write_in) + LARGE);
	struct fuse_write_in *in = (void *)payload;
	struct scene scene;
	uint64_t unique;

	scene_open(&scene);
	*in = (struct fuse_write_in){.fh = scene.handle, .size = LARGE};
	unique = kernel_send(&scene.kernel, FUSE_WRITE, scene.node, payload, sizeof(*in) + LARGE);
	CHECK(!kernel_answer(&scene.kernel, unique));
	CHECK_INT(kernel_release(&scene.kernel, scene.node, scene.handle), 0);
	while (!kernel_answer(&scene.kernel, unique))
		kernel_turn(&scene.kernel);
	CHECK_INT(kernel_answer(&scene.kernel, unique)->error, 0);
	scene_close(&scene);
}

/* Once, into what is long enough to be the answer to INIT. */
static void flags_are_added_to_the_answer_to_init(void)
{
	struct fuse_out_header header = {.unique = 1};
	struct fuse_init_out init = {.flags = FUSE_ASYNC_READ};
	struct iovec pieces[] = {{&header, sizeof(header)}, {&init, sizeof(init)}};
	struct fs fs = {};

	init_flags_add(&fs, FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV);
	init_flags_put(&fs, pieces, 1);
	CHECK_INT(init.flags, FUSE_ASYNC_READ);
	init_flags_add(&fs, FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV);
	init_flags_put(&fs, pieces, 2);
	CHECK_INT(init.flags,
	        FUSE_ASYNC_READ |
	                (INIT_FLAGS_ADDED ? FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV : 0));
	init.flags = FUSE_ASYNC_READ;
	init_flags_put(&fs, pieces, 2);
	CHECK_INT(init.flags, FUSE_ASYNC_READ);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(what_is_known_is_listed_without_attributes),
	        TEST(what_was_forgotten_is_listed_with_attributes),
	        TEST(a_large_write_is_answered_when_it_is_done),
	        TEST(a_close_overtakes_a_large_write), TEST(flags_are_added_to_the_answer_to_init),
	        {}};

	return test_main(tests, argc, argv);
}
