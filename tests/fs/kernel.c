/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fs/ops.h"
#include "test.h"

/* --- the wire --------------------------------------------------------------------------------- */

/* What is required here ends the program: a test counts only its own checks. */

/* The test has one kernel at a time; libfuse gives these no userdata that is ours. */
static struct kernel *current;

static ssize_t catch_answer(int fd, struct iovec *pieces, int count, void *userdata)
{
	struct fuse_out_header header;
	CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
	struct answer_of_fs *answer;
	int i;

	for (i = 0; i < count; i++)
		buf_append(&whole, pieces[i].iov_base, pieces[i].iov_len);
	REQUIRE(whole.length >= sizeof(header));
	memcpy(&header, whole.data, sizeof(header));
	REQUIRE(header.len == whole.length);
	if (!header.unique ||
	        header.unique & 1) /* a notification; to an interrupt that came too late */
		return (ssize_t)whole.length;
	REQUIRE(map_remove(&current->expecting, header.unique)); /* a second one, or to nobody */
	answer = calloc(1, sizeof(*answer));
	answer->unique = header.unique;
	answer->error = header.error;
	buf_append(&answer->data, whole.data + sizeof(header), whole.length - sizeof(header));
	REQUIRE(map_put(&current->answers, answer->unique, answer) == 0);
	return (ssize_t)whole.length;
}

static ssize_t nothing_to_read(int fd, void *data, size_t size, void *userdata)
{
	errno = EAGAIN;
	return -1;
}

static bool has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

static void send_as(struct kernel *kernel, uint64_t unique, uint32_t opcode, uint64_t node,
        const void *payload, size_t length)
{
	struct fuse_in_header header = {
	        .len = (uint32_t)(sizeof(header) + length),
	        .opcode = opcode,
	        .unique = unique,
	        .nodeid = node,
	        .uid = kernel->caller.uid,
	        .gid = kernel->caller.gid,
	        .pid = (uint32_t)kernel->caller.pid,
	};
	char *whole = malloc(header.len);
	struct fuse_buf buf = {.size = header.len, .mem = whole};

	REQUIRE(whole);
	memcpy(whole, &header, sizeof(header));
	if (length)
		memcpy(whole + sizeof(header), payload, length);
	current = kernel;
	if (has_answer(opcode))
		REQUIRE(map_put(&kernel->expecting, unique, kernel) == 0);
	fuse_session_process_buf(kernel->fuse, &buf);
	free(whole);
}

uint64_t kernel_send(
        struct kernel *kernel, uint32_t opcode, uint64_t node, const void *payload, size_t length)
{
	kernel->unique += 2;
	send_as(kernel, kernel->unique, opcode, node, payload, length);
	return kernel->unique;
}

void kernel_interrupt(struct kernel *kernel, uint64_t unique)
{
	struct fuse_interrupt_in in = {.unique = unique};

	send_as(kernel, unique | 1, FUSE_INTERRUPT, 0, &in, sizeof(in));
}

void kernel_turn(struct kernel *kernel)
{
	current = kernel;
	uv_run(&kernel->loop, UV_RUN_NOWAIT);
}

const struct answer_of_fs *kernel_answer(struct kernel *kernel, uint64_t unique)
{
	return map_get(&kernel->answers, unique);
}

int kernel_ask(struct kernel *kernel, uint32_t opcode, uint64_t node, const void *payload,
        size_t length, const struct answer_of_fs **out)
{
	uint64_t unique = kernel_send(kernel, opcode, node, payload, length);
	const struct answer_of_fs *answer = kernel_answer(kernel, unique);

	if (!answer)
		return -EINPROGRESS;
	if (out)
		*out = answer;
	return answer->error;
}

/* --- birth and death -------------------------------------------------------------------------- */

static void say_hello(struct kernel *kernel)
{
	struct fuse_init_in in = {
	        .major = 7,
	        .minor = 38,
	        .max_readahead = 128 << 10,
	        .flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS |
	                 FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
	                 FUSE_ATOMIC_O_TRUNC,
	};

	REQUIRE(kernel_ask(kernel, FUSE_INIT, 0, &in, sizeof(in), NULL) == 0);
}

static void start_session(struct kernel *kernel)
{
	static const struct fuse_custom_io io = {.read = nothing_to_read, .writev = catch_answer};
	char *arguments[] = {"kernel", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	kernel->fuse = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), kernel->fs);
	REQUIRE(kernel->fuse && fd >= 0);
	REQUIRE(fuse_session_custom_io(kernel->fuse, &io, fd) == 0);
	fuse_opt_free_args(&args);
}

void kernel_open(struct kernel *kernel)
{
	struct engine_options engine_options = {
	        .loop = &kernel->loop,
	        .clock = &clock_system,
	        .state_dir = kernel->directory,
	        .runtimes_path = getenv("FNFS_RUNTIMES"),
	        .guardian_path = getenv("FNFS_GUARDIAN"),
	};
	struct fs_options fs_options = {.loop = &kernel->loop, .clock = &clock_system};

	memset(kernel, 0, sizeof(*kernel));
	kernel->caller = (struct caller){getuid(), getgid(), getpid()};
	strcpy(kernel->directory, "/tmp/fnfs-kernel-XXXXXX");
	REQUIRE(mkdtemp(kernel->directory));
	REQUIRE(uv_loop_init(&kernel->loop) == 0);
	REQUIRE(engine_new(&kernel->engine, &engine_options) == 0);
	fs_options.engine = kernel->engine;
	fs_options.state_fd = open(kernel->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(fs_new(&kernel->fs, &fs_options) == 0);
	start_session(kernel);
	say_hello(kernel);
}

static void drained(void *userdata)
{
	struct kernel *kernel = userdata;

	kernel->drained = true;
	uv_stop(&kernel->loop);
}

static void remove_directory(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	REQUIRE(system(command) == 0);
}

void kernel_forget_answers(struct kernel *kernel)
{
	struct answer_of_fs *answer;

	map_each(answer, &kernel->answers, cursor) {
		buf_deinit(&answer->data);
		free(answer);
	}
	map_deinit(&kernel->answers);
}

void kernel_close(struct kernel *kernel)
{
	int state_fd = kernel->fs->state_fd;

	current = kernel;
	fs_stop(kernel->fs);
	while (!fs_idle(kernel->fs))
		uv_run(&kernel->loop, UV_RUN_ONCE);
	engine_drain(kernel->engine, 5000, drained, kernel);
	while (!kernel->drained)
		uv_run(&kernel->loop, UV_RUN_DEFAULT);
	REQUIRE(kernel->expecting.count == 0); /* each of these would hang its process for ever */
	fuse_session_destroy(kernel->fuse);
	fs_free(kernel->fs);
	engine_free(kernel->engine);
	close(state_fd);
	uv_run(&kernel->loop, UV_RUN_DEFAULT);
	REQUIRE(uv_loop_close(&kernel->loop) == 0);
	kernel_forget_answers(kernel);
	map_deinit(&kernel->expecting);
	remove_directory(kernel->directory);
}

uint64_t kernel_function(struct kernel *kernel, const char *name)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct function *function;

	REQUIRE(engine_create_function(kernel->engine, name, &kernel->caller, &function, &why) ==
	        0);
	return function->id;
}

/* --- the usual questions ---------------------------------------------------------------------- */

int kernel_lookup(
        struct kernel *kernel, uint64_t parent, const char *name, struct fuse_entry_out *entry)
{
	const struct answer_of_fs *answer;
	int r = kernel_ask(kernel, FUSE_LOOKUP, parent, name, strlen(name) + 1, &answer);

	if (r == 0) {
		REQUIRE(answer->data.length >= sizeof(*entry));
		memcpy(entry, answer->data.data, sizeof(*entry));
	}
	return r;
}

uint64_t kernel_path(struct kernel *kernel, const char *path)
{
	CLEANUP(free_p) char *copy = strdup(path);
	char *rest = copy, *name;
	struct fuse_entry_out entry = {.nodeid = FUSE_ROOT_ID};

	while ((name = strsep(&rest, "/")))
		if (*name && kernel_lookup(kernel, entry.nodeid, name, &entry) < 0)
			return 0;
	return entry.nodeid;
}

int kernel_getattr(struct kernel *kernel, uint64_t node, struct fuse_attr *attr)
{
	struct fuse_getattr_in in = {};
	const struct answer_of_fs *answer;
	int r = kernel_ask(kernel, FUSE_GETATTR, node, &in, sizeof(in), &answer);

	if (r == 0) {
		REQUIRE(answer->data.length >= sizeof(struct fuse_attr_out));
		*attr = ((struct fuse_attr_out *)answer->data.data)->attr;
	}
	return r;
}

int kernel_open_file(struct kernel *kernel, uint64_t node, int flags, uint64_t *handle)
{
	struct fuse_open_in in = {.flags = (uint32_t)flags};
	const struct answer_of_fs *answer;
	int r = kernel_ask(kernel, FUSE_OPEN, node, &in, sizeof(in), &answer);

	if (r == 0) {
		REQUIRE(answer->data.length >= sizeof(struct fuse_open_out));
		*handle = ((struct fuse_open_out *)answer->data.data)->fh;
	}
	return r;
}

int kernel_release(struct kernel *kernel, uint64_t node, uint64_t handle)
{
	struct fuse_release_in in = {.fh = handle};

	return kernel_ask(kernel, FUSE_RELEASE, node, &in, sizeof(in), NULL);
}

int kernel_read(struct kernel *kernel, uint64_t node, uint64_t handle, uint64_t offset,
        uint32_t size, const struct answer_of_fs **answer)
{
	struct fuse_read_in in = {.fh = handle, .offset = offset, .size = size};

	return kernel_ask(kernel, FUSE_READ, node, &in, sizeof(in), answer);
}

int kernel_write(struct kernel *kernel, uint64_t node, uint64_t handle, uint64_t offset,
        const void *data, size_t length)
{
	struct fuse_write_in in = {.fh = handle, .offset = offset, .size = (uint32_t)length};
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
	const struct answer_of_fs *answer;
	int r;

	buf_append(&payload, &in, sizeof(in));
	buf_append(&payload, data, length);
	r = kernel_ask(kernel, FUSE_WRITE, node, payload.data, payload.length, &answer);
	if (r == 0)
		REQUIRE(((struct fuse_write_out *)answer->data.data)->size == length);
	return r;
}

int kernel_flush(struct kernel *kernel, uint64_t node, uint64_t handle)
{
	struct fuse_flush_in in = {.fh = handle};

	return kernel_ask(kernel, FUSE_FLUSH, node, &in, sizeof(in), NULL);
}

int kernel_named(struct kernel *kernel, uint32_t opcode, uint64_t parent, const char *name)
{
	return kernel_ask(kernel, opcode, parent, name, strlen(name) + 1, NULL);
}

int kernel_mkdir(struct kernel *kernel, uint64_t parent, const char *name)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;

	buf_append(&payload, &in, sizeof(in));
	buf_append(&payload, name, strlen(name) + 1);
	return kernel_ask(kernel, FUSE_MKDIR, parent, payload.data, payload.length, NULL);
}

int kernel_create(
        struct kernel *kernel, uint64_t parent, const char *name, uint64_t *node, uint64_t *handle)
{
	struct fuse_create_in in = {.flags = O_RDWR | O_CREAT, .mode = 0644};
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
	const struct answer_of_fs *answer;
	struct fuse_entry_out entry;
	struct fuse_open_out opened;
	int r;

	buf_append(&payload, &in, sizeof(in));
	buf_append(&payload, name, strlen(name) + 1);
	r = kernel_ask(kernel, FUSE_CREATE, parent, payload.data, payload.length, &answer);
	if (r < 0)
		return r;
	REQUIRE(answer->data.length == sizeof(entry) + sizeof(opened));
	memcpy(&entry, answer->data.data, sizeof(entry));
	memcpy(&opened, answer->data.data + sizeof(entry), sizeof(opened));
	*node = entry.nodeid;
	*handle = opened.fh;
	return 0;
}

int kernel_rename(struct kernel *kernel, uint64_t parent, const char *name, uint64_t to_parent,
        const char *to_name)
{
	struct fuse_rename2_in in = {.newdir = to_parent};
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;

	buf_append(&payload, &in, sizeof(in));
	buf_append(&payload, name, strlen(name) + 1);
	buf_append(&payload, to_name, strlen(to_name) + 1);
	return kernel_ask(kernel, FUSE_RENAME2, parent, payload.data, payload.length, NULL);
}

const char *kernel_text(struct kernel *kernel, const char *path)
{
	const struct answer_of_fs *answer;
	uint64_t node = kernel_path(kernel, path), handle;
	int r;

	if (!node || kernel_open_file(kernel, node, O_RDONLY, &handle) < 0)
		return NULL;
	r = kernel_read(kernel, node, handle, 0, 1 << 20, &answer);
	REQUIRE(kernel_release(kernel, node, handle) == 0);
	return r < 0 ? NULL : answer->data.data ? answer->data.data : "";
}

int kernel_set_text(struct kernel *kernel, const char *path, const char *text)
{
	uint64_t node = kernel_path(kernel, path), handle;
	int r = node ? kernel_open_file(kernel, node, O_WRONLY | O_TRUNC, &handle) : -ENOENT;

	if (r < 0)
		return r;
	r = kernel_write(kernel, node, handle, 0, text, strlen(text));
	if (r == 0)
		r = kernel_flush(kernel, node, handle);
	REQUIRE(kernel_release(kernel, node, handle) == 0);
	return r;
}

static uint64_t append_names(const struct buf *data, struct buf *names, uint64_t cursor)
{
	size_t at = 0;

	while (at + FUSE_NAME_OFFSET < data->length) {
		const struct fuse_dirent *entry = (const struct fuse_dirent *)(data->data + at);

		buf_printf(names, "%.*s ", (int)entry->namelen, entry->name);
		cursor = entry->off;
		at += FUSE_DIRENT_SIZE(entry);
	}
	return cursor;
}

const char *kernel_list(struct kernel *kernel, const char *path, uint32_t size)
{
	static struct buf names;
	uint64_t node = kernel_path(kernel, path);
	struct fuse_open_in open_in = {.flags = O_RDONLY | O_DIRECTORY};
	struct fuse_read_in in = {.size = size};
	struct fuse_release_in release_in;
	const struct answer_of_fs *answer;

	buf_deinit(&names);
	if (!node || kernel_ask(kernel, FUSE_OPENDIR, node, &open_in, sizeof(open_in), &answer) < 0)
		return NULL;
	in.fh = ((struct fuse_open_out *)answer->data.data)->fh;
	while (kernel_ask(kernel, FUSE_READDIR, node, &in, sizeof(in), &answer) == 0 &&
	        answer->data.length)
		in.offset = append_names(&answer->data, &names, in.offset);
	release_in = (struct fuse_release_in){.fh = in.fh};
	REQUIRE(kernel_ask(kernel, FUSE_RELEASEDIR, node, &release_in, sizeof(release_in), NULL) ==
	        0);
	return names.data ? names.data : "";
}
