/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation on every row: whatever a program does to whatever it finds is answered once, with an
 * errno that makes sense, and changes nothing that it should not.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/packages.h"
#include "fs/behaviour.h"
#include "fs/row_ids.h"
#include "kernel.h"
#include "test.h"

/* Operations that name no open file, with a payload each that is well-formed. */
struct question {
	uint32_t opcode;
	const char *name;
	size_t head; /* bytes of the fixed part; zeros */
	const char *tail;
	size_t tail_length;
};

#define BEHIND(text) text, sizeof(text)

static const struct question questions[] = {
        {FUSE_GETATTR, "getattr", sizeof(struct fuse_getattr_in), NULL, 0},
        {FUSE_LOOKUP, "lookup", 0, BEHIND("nothing")},
        {FUSE_READLINK, "readlink", 0, NULL, 0},
        {FUSE_STATFS, "statfs", 0, NULL, 0},
        {FUSE_SETATTR, "setattr", sizeof(struct fuse_setattr_in), NULL, 0},
        {FUSE_MKNOD, "mknod", sizeof(struct fuse_mknod_in), BEHIND(".x~")},
        {FUSE_MKDIR, "mkdir", sizeof(struct fuse_mkdir_in), BEHIND(".x~")},
        {FUSE_UNLINK, "unlink", 0, BEHIND("nothing")},
        {FUSE_RMDIR, "rmdir", 0, BEHIND("nothing")},
        {FUSE_SYMLINK, "symlink", 0, BEHIND(".l~\0target")},
        {FUSE_RENAME2, "rename", sizeof(struct fuse_rename2_in), BEHIND("a\0b")},
        {FUSE_LINK, "link", sizeof(struct fuse_link_in), BEHIND("link")},
        {FUSE_GETXATTR, "getxattr", sizeof(struct fuse_getxattr_in), BEHIND("user.x")},
        {FUSE_ACCESS, "access", sizeof(struct fuse_access_in), NULL, 0},
};

static bool makes_sense(int error)
{
	static const int errors[] = {
	        0, -ENOENT, -EPERM, -EINVAL, -EXDEV, -ENOTDIR, -EROFS, -ENOSYS, -ESTALE, -EEXIST};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (error == errors[i])
			return true;
	return false;
}

static void ask(struct kernel *kernel, uint64_t node, const struct question *question)
{
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
	char *head = buf_reserve(&payload, question->head);
	int r;

	memset(head, 0, question->head);
	buf_added(&payload, question->head);
	buf_append(&payload, question->tail, question->tail_length);
	r = kernel_ask(kernel, question->opcode, node, payload.data, payload.length, NULL);
	if (!CHECK(makes_sense(r)))
		fprintf(stderr, "%s of %llx: %s\n", question->name, (unsigned long long)node,
		        strerror(-r));
}

/* What an open file is asked. Reads do not end here when they wait, so only what is listed is read. */
static void use_file(struct kernel *kernel, uint64_t node, uint64_t handle, bool read)
{
	struct fuse_lseek_in seek = {.fh = handle, .whence = SEEK_HOLE};
	struct fuse_fallocate_in allocate = {.fh = handle, .length = 10};
	struct fuse_fsync_in sync = {.fh = handle};
	struct fuse_poll_in poll = {.fh = handle};
	struct fuse_copy_file_range_in copy = {
	        .fh_in = handle, .fh_out = handle, .nodeid_out = node, .len = 1};
	int r;

	if (read) {
		CHECK_INT(kernel_read(kernel, node, handle, 0, 4096, NULL), 0);
		CHECK_INT(kernel_read(kernel, node, handle, UINT64_C(1) << 40, 4096, NULL), 0);
	}
	r = kernel_ask(kernel, FUSE_LSEEK, node, &seek, sizeof(seek), NULL);
	CHECK(r == 0 || r == -ENXIO || r == -EINVAL);
	r = kernel_ask(kernel, FUSE_FALLOCATE, node, &allocate, sizeof(allocate), NULL);
	CHECK(r == -EOPNOTSUPP); /* ENOSYS would turn it off for the whole mount */
	r = kernel_ask(kernel, FUSE_COPY_FILE_RANGE, node, &copy, sizeof(copy), NULL);
	CHECK(r == -EOPNOTSUPP);
	CHECK_INT(kernel_ask(kernel, FUSE_FSYNC, node, &sync, sizeof(sync), NULL), 0);
	CHECK_INT(kernel_ask(kernel, FUSE_POLL, node, &poll, sizeof(poll), NULL), 0);
	CHECK_INT(kernel_flush(kernel, node, handle), 0);
}

static void open_and_use(struct kernel *kernel, const struct row *row, uint64_t node, int flags)
{
	uint64_t handle;
	int r = kernel_open_file(kernel, node, flags, &handle);

	if (r < 0) {
		CHECK(r == -EACCES || r == -EROFS || r == -ENOENT || r == -EAGAIN || r == -ESTALE);
		return;
	}
	use_file(kernel, node, handle,
	        (flags & O_ACCMODE) == O_RDONLY && !(row->flags & ROW_HIDDEN));
	CHECK_INT(kernel_release(kernel, node, handle), 0);
}

static void list_and_use(struct kernel *kernel, uint64_t node)
{
	struct fuse_open_in open_in = {.flags = O_RDONLY | O_DIRECTORY};
	struct fuse_read_in in = {.size = 1 << 16};
	struct fuse_release_in release = {};
	const struct answer_of_fs *answer;
	int r = kernel_ask(kernel, FUSE_OPENDIR, node, &open_in, sizeof(open_in), &answer);

	if (r < 0) {
		CHECK(r == -ENOENT || r == -ESTALE);
		return;
	}
	release.fh = in.fh = ((struct fuse_open_out *)answer->data.data)->fh;
	for (in.offset = 0; in.offset < 3; in.offset++) {
		r = kernel_ask(kernel, FUSE_READDIR, node, &in, sizeof(in), NULL);
		CHECK(r == 0 || r == -ENOENT);
		r = kernel_ask(kernel, FUSE_READDIRPLUS, node, &in, sizeof(in), NULL);
		CHECK(r == 0 || r == -ENOENT);
	}
	in.offset = (uint64_t)INT64_MAX;
	r = kernel_ask(kernel, FUSE_READDIR, node, &in, sizeof(in), NULL);
	CHECK(r == 0 || r == -ENOENT);
	CHECK_INT(kernel_ask(kernel, FUSE_RELEASEDIR, node, &release, sizeof(release), NULL), 0);
}

static void every_operation_on(struct kernel *kernel, const struct row *row, uint64_t object)
{
	uint64_t node = node_of(row, object).ino;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(questions); i++)
		ask(kernel, node, &questions[i]);
	if (S_ISDIR(row->mode)) {
		list_and_use(kernel, node);
	} else if (S_ISREG(row->mode)) {
		open_and_use(kernel, row, node, O_RDONLY);
		open_and_use(kernel, row, node, O_WRONLY);
		open_and_use(kernel, row, node, O_RDWR | O_TRUNC | O_NONBLOCK);
	}
}

static uint64_t make_package(struct kernel *kernel)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct package *package;

	REQUIRE(engine_create_package(kernel->engine, "p", &kernel->caller, &package, &why) == 0);
	return package->id;
}

static void every_operation_on_every_row(void)
{
	struct kernel kernel;
	uint64_t function, package;
	unsigned id, rows = 0;

	kernel_open(&kernel);
	function = kernel_function(&kernel, "a");
	package = make_package(&kernel);
	for (id = 1; id < TREE_ROWS; id++) {
		const struct row *row = kernel.fs->tree.rows[id];

		if (!row || row->behaviour == &code_behaviour)
			continue;
		every_operation_on(&kernel, row, function);
		every_operation_on(&kernel, row, package);
		every_operation_on(&kernel, row, node_child(function, 1));
		every_operation_on(&kernel, row, 0);
		every_operation_on(&kernel, row, NODE_OBJECT_MASK);
		rows++;
	}
	CHECK(rows > 30);
	CHECK(functions_get(engine_functions(kernel.engine), function));
	CHECK_INT(functions_count(engine_functions(kernel.engine)), 1);
	CHECK_INT(packages_count(engine_packages(kernel.engine)), 1);
	CHECK_STR(kernel_text(&kernel, "functions/a/config/timeout"), "3s\n");
	kernel_close(&kernel);
}

/* The table itself. */
static void rows_are_well_formed(void)
{
	struct kernel kernel;
	unsigned id;

	kernel_open(&kernel);
	for (id = 1; id < TREE_ROWS; id++) {
		const struct row *row = kernel.fs->tree.rows[id];

		if (!row || id == ROW_SCRATCH || id == ROW_VERSION_FILE)
			continue;
		CHECK_INT(row->id, id);
		CHECK(row->behaviour && row->behaviour->name);
		CHECK(row->help && *row->help);
		CHECK(row->name || row->each);
		CHECK(!row->children || S_ISDIR(row->mode));
		CHECK(id == ROW_ROOT || kernel.fs->tree.parents[id]);
		if (row->behaviour == &dir_behaviour)
			CHECK(row->children);
		if (row->behaviour == &text_behaviour || row->behaviour == &knob_behaviour)
			CHECK(row->show);
		if (row->behaviour == &knob_behaviour)
			CHECK(row->set && (row->mode & 0200 || (row->mode & 0777) == 0444));
		if (row->behaviour == &text_behaviour)
			CHECK_INT(row->mode & 0777, 0444); /* the mode is the manual */
	}
	kernel_close(&kernel);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(rows_are_well_formed), TEST(every_operation_on_every_row), {}};

	return test_main(tests, argc, argv);
}
