/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs do to the mount what they like, in any order. An input is a list of requests: opcode, node,
 * open file, length, payload. What the kernel vouches for is kept: names without slashes that end, and
 * open files that are open. Each request must be answered once, at the latest when it is interrupted,
 * and at the end everything can be closed and one function is still there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/behaviour.h"
#include "fs/node.h"
#include "fuzz.h"
#include "kernel.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

#define REQUESTS_MOST 24
#define NODES_MOST    256
#define FILES_MOST    32
#define INPUTS_EACH   2000 /* then a new file system: state must not pile up */

struct open_file {
	uint64_t node;
	uint64_t handle;
	bool directory;
	uint32_t flags;
};

struct walk {
	struct kernel kernel;
	uint64_t nodes[NODES_MOST];
	uint64_t lookups[NODES_MOST]; /* of nodes in working trees */
	size_t node_count;
	struct open_file files[FILES_MOST];
	size_t file_count;
	unsigned inputs;
};

static struct walk walk;

/* What stands before the names in a payload, and where the open file's handle is. */
struct shape {
	uint32_t opcode;
	size_t head;
	int handle; /* offset; -1 = about a node */
	int names;  /* how many follow */
	bool directory;
};

static const struct shape shapes[] = {
        {FUSE_LOOKUP, 0, -1, 1},
        {FUSE_GETATTR, sizeof(struct fuse_getattr_in), -1, 0},
        {FUSE_SETATTR, sizeof(struct fuse_setattr_in), -1, 0},
        {FUSE_READLINK, 0, -1, 0},
        {FUSE_SYMLINK, 0, -1, 2},
        {FUSE_MKNOD, sizeof(struct fuse_mknod_in), -1, 1},
        {FUSE_MKDIR, sizeof(struct fuse_mkdir_in), -1, 1},
        {FUSE_UNLINK, 0, -1, 1},
        {FUSE_RMDIR, 0, -1, 1},
        {FUSE_RENAME2, sizeof(struct fuse_rename2_in), -1, 2},
        {FUSE_LINK, sizeof(struct fuse_link_in), -1, 1},
        {FUSE_STATFS, 0, -1, 0},
        {FUSE_OPEN, sizeof(struct fuse_open_in), -1, 0},
        {FUSE_OPENDIR, sizeof(struct fuse_open_in), -1, 0},
        {FUSE_CREATE, sizeof(struct fuse_create_in), -1, 1},
        {FUSE_READ, sizeof(struct fuse_read_in), 0, 0},
        {FUSE_WRITE, sizeof(struct fuse_write_in), 0, 0},
        {FUSE_FLUSH, sizeof(struct fuse_flush_in), 0, 0},
        {FUSE_FSYNC, sizeof(struct fuse_fsync_in), 0, 0},
        {FUSE_RELEASE, sizeof(struct fuse_release_in), 0, 0},
        {FUSE_POLL, sizeof(struct fuse_poll_in), 0, 0},
        {FUSE_LSEEK, sizeof(struct fuse_lseek_in), 0, 0},
        {FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), 0, 0},
        {FUSE_READDIR, sizeof(struct fuse_read_in), 0, 0, true},
        {FUSE_READDIRPLUS, sizeof(struct fuse_read_in), 0, 0, true},
        {FUSE_FSYNCDIR, sizeof(struct fuse_fsync_in), 0, 0, true},
        {FUSE_RELEASEDIR, sizeof(struct fuse_release_in), 0, 0, true},
        {FUSE_COPY_FILE_RANGE, sizeof(struct fuse_copy_file_range_in), 0, 0},
};

/* --- what the kernel would know --------------------------------------------------------------- */

static void learn_node(uint64_t node)
{
	size_t i;

	for (i = 0; i < walk.node_count && walk.nodes[i] != node; i++)
		continue;
	if (i == NODES_MOST)
		return;
	if (i == walk.node_count) {
		walk.nodes[walk.node_count++] = node;
		walk.lookups[i] = 0;
	}
	walk.lookups[i] += node >> NODE_OBJECT_BITS == 0 && node != NODE_ROOT;
}

static void learn_file(uint64_t node, uint64_t handle, bool directory, uint32_t flags)
{
	HOLDS(walk.file_count < FILES_MOST);
	walk.files[walk.file_count++] = (struct open_file){node, handle, directory, flags};
}

static void start(void)
{
	size_t id;

	kernel_open(&walk.kernel);
	walk.node_count = walk.file_count = 0;
	kernel_function(&walk.kernel, "kept");
	learn_node(NODE_ROOT);
	for (id = 1; id < TREE_ROWS; id++) {
		const struct row *row = walk.kernel.fs->tree.rows[id];

		if (row && walk.node_count < NODES_MOST / 2)
			learn_node(node_of(row, 1).ino);
	}
}

/* --- one request ------------------------------------------------------------------------------ */

static bool allows(const struct open_file *file, uint32_t opcode)
{
	uint32_t mode = file->flags & O_ACCMODE;

	if (opcode == FUSE_READ || opcode == FUSE_LSEEK)
		return mode == O_RDONLY || mode == O_RDWR;
	if (opcode == FUSE_WRITE || opcode == FUSE_FALLOCATE)
		return mode == O_WRONLY || mode == O_RDWR;
	return opcode != FUSE_COPY_FILE_RANGE || mode == O_RDWR;
}

static struct open_file *pick_file(uint8_t number, bool directory, uint32_t opcode)
{
	size_t i;

	for (i = 0; i < walk.file_count; i++) {
		struct open_file *file = &walk.files[(number + i) % walk.file_count];

		if (file->directory == directory && allows(file, opcode))
			return file;
	}
	return NULL;
}

/* A name the kernel could send: no slash, not empty, neither "." nor "..". */
static void add_name(struct buf *payload, const uint8_t **data, size_t *left)
{
	size_t length = strnlen((const char *)*data, *left), i;
	char *place = buf_reserve(payload, length + 2);

	memcpy(place, *data, length);
	if (!length || place[0] == '.')
		place[0] = 'n';
	length += !length;
	for (i = 0; i < length; i++)
		if (place[i] == '/')
			place[i] = '_';
	place[length] = 0;
	buf_added(payload, length + 1);
	length = length < *left ? length + 1 : *left;
	*data += length;
	*left -= length;
}

static void fit_head(const struct shape *shape, struct buf *payload, size_t rest)
{
	struct fuse_read_in *read = (struct fuse_read_in *)payload->data;
	struct fuse_write_in *write = (struct fuse_write_in *)payload->data;
	struct fuse_getattr_in *getattr = (struct fuse_getattr_in *)payload->data;
	struct fuse_setattr_in *setattr = (struct fuse_setattr_in *)payload->data;
	struct fuse_rename2_in *rename = (struct fuse_rename2_in *)payload->data;
	struct fuse_link_in *link = (struct fuse_link_in *)payload->data;

	if (shape->opcode == FUSE_READ || shape->directory)
		read->size %= 1 << 16;
	if (shape->opcode == FUSE_WRITE)
		write->size = (uint32_t)rest;
	if (shape->opcode == FUSE_GETATTR)
		getattr->getattr_flags = 0;
	if (shape->opcode == FUSE_SETATTR)
		setattr->valid &= ~(uint32_t)FATTR_FH;
	if (shape->opcode == FUSE_RENAME2)
		rename->newdir = walk.nodes[rename->newdir % walk.node_count];
	if (shape->opcode == FUSE_LINK)
		link->oldnodeid = walk.nodes[link->oldnodeid % walk.node_count];
}

/* Offsets and lengths are what the kernel lets through; a hole of exabytes would only fill the disk. */
static void tame(const struct shape *shape, struct buf *payload)
{
	struct fuse_write_in *write = (struct fuse_write_in *)payload->data;
	struct fuse_fallocate_in *allocate = (struct fuse_fallocate_in *)payload->data;
	struct fuse_setattr_in *setattr = (struct fuse_setattr_in *)payload->data;
	struct fuse_copy_file_range_in *copy = (struct fuse_copy_file_range_in *)payload->data;
	struct fuse_lseek_in *seek = (struct fuse_lseek_in *)payload->data;

	if (shape->opcode == FUSE_WRITE)
		write->offset %= 1 << 20;
	if (shape->opcode == FUSE_READ)
		write->offset &= INT64_MAX >> 1;
	if (shape->opcode == FUSE_FALLOCATE) {
		allocate->offset %= 1 << 20;
		allocate->length = allocate->length % (1 << 20) + 1;
	}
	if (shape->opcode == FUSE_SETATTR)
		setattr->size %= 1 << 20;
	if (shape->opcode == FUSE_LSEEK)
		seek->whence = seek->whence & 1 ? SEEK_DATA : SEEK_HOLE;
	if (shape->opcode == FUSE_COPY_FILE_RANGE) {
		struct open_file *to = pick_file((uint8_t)copy->fh_out, false, shape->opcode);

		copy->fh_out = to->handle;
		copy->nodeid_out = to->node;
		copy->off_in %= 1 << 20;
		copy->off_out %= 1 << 20;
		copy->len %= 1 << 20;
	}
}

static void learn(const struct shape *shape, uint64_t node, const struct buf *payload,
        const struct answer_of_fs *answer)
{
	const struct fuse_open_in *asked = (const struct fuse_open_in *)payload->data;
	const struct fuse_entry_out *entry = (const struct fuse_entry_out *)answer->data.data;
	const struct fuse_open_out *opened = (const struct fuse_open_out *)answer->data.data;

	switch (shape->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKDIR:
	case FUSE_MKNOD:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		if (entry->nodeid)
			learn_node(entry->nodeid);
		break;
	case FUSE_CREATE:
		learn_node(entry->nodeid);
		learn_file(entry->nodeid, ((const struct fuse_open_out *)(entry + 1))->fh, false,
		        asked->flags);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		learn_file(node, opened->fh, shape->opcode == FUSE_OPENDIR, asked->flags);
		break;
	}
}

static bool opens(const struct shape *shape)
{
	return shape->opcode == FUSE_OPEN || shape->opcode == FUSE_OPENDIR ||
	       shape->opcode == FUSE_CREATE;
}

/* The kernel opens what is a file as a file, and lists directories only. */
static bool suits(const struct shape *shape, uint64_t node)
{
	struct fuse_attr attr;

	if (shape->opcode != FUSE_OPEN && shape->opcode != FUSE_OPENDIR)
		return true;
	if (kernel_getattr(&walk.kernel, node, &attr) < 0)
		return false;
	return shape->opcode == FUSE_OPEN ? S_ISREG(attr.mode) : S_ISDIR(attr.mode);
}

static void ask(const struct shape *shape, uint8_t node_number, uint8_t file_number,
        const uint8_t *data, size_t length)
{
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
	uint64_t node = walk.nodes[node_number % walk.node_count];
	const struct answer_of_fs *answer;
	struct open_file *file = NULL;
	size_t head = shape->head < length ? shape->head : length;
	int i;

	if (opens(shape) && walk.file_count == FILES_MOST)
		return;
	if (shape->handle >= 0) {
		file = pick_file(file_number, shape->directory, shape->opcode);
		if (!file)
			return;
		node = file->node;
	}
	if (!suits(shape, node))
		return;
	memset(buf_reserve(&payload, shape->head), 0, shape->head);
	memcpy(payload.data, data, head);
	buf_added(&payload, shape->head);
	data += head;
	length -= head;
	fit_head(shape, &payload, length);
	tame(shape, &payload);
	if (file)
		memcpy(payload.data + shape->handle, &file->handle, sizeof(file->handle));
	for (i = 0; i < shape->names; i++)
		add_name(&payload, &data, &length);
	if (shape->opcode == FUSE_WRITE)
		buf_append(&payload, data, length);
	if (shape->opcode == FUSE_RELEASE || shape->opcode == FUSE_RELEASEDIR)
		*file = walk.files[--walk.file_count];
	answer = kernel_answer(&walk.kernel,
	        kernel_send(&walk.kernel, shape->opcode, node, payload.data, payload.length));
	if (answer && !answer->error)
		learn(shape, node, &payload, answer);
}

/* --- the end of an input ---------------------------------------------------------------------- */

/* The kernel releases no file while a request for it is under way. */
static void settle(void)
{
	struct kernel *kernel = &walk.kernel;
	uint64_t unique;
	int turns;

	for (turns = 0; kernel->expecting.count; turns++) {
		for (unique = 2; unique <= kernel->unique; unique += 2)
			if (map_get(&kernel->expecting, unique))
				kernel_interrupt(kernel, unique);
		kernel_turn(kernel);
		if (turns > 10)
			poll(NULL, 0, 1);
		HOLDS(turns < 20000);
	}
}

static void close_all(void)
{
	while (walk.file_count) {
		struct open_file file = walk.files[--walk.file_count];
		struct fuse_release_in in = {.fh = file.handle};

		HOLDS(kernel_ask(&walk.kernel, file.directory ? FUSE_RELEASEDIR : FUSE_RELEASE,
		              file.node, &in, sizeof(in), NULL) == 0);
	}
}

static void forget_all(void)
{
	size_t i, kept = 0;

	for (i = 0; i < walk.node_count; i++) {
		struct fuse_forget_in in = {.nlookup = walk.lookups[i]};

		if (walk.nodes[i] >> NODE_OBJECT_BITS || walk.nodes[i] == NODE_ROOT)
			walk.nodes[kept++] = walk.nodes[i];
		else
			kernel_send(&walk.kernel, FUSE_FORGET, walk.nodes[i], &in, sizeof(in));
	}
	walk.node_count = kept < NODES_MOST / 2 ? kept : NODES_MOST / 2;
}

static void check_kept(void)
{
	struct functions *functions = engine_functions(walk.kernel.engine);

	if (functions_count(functions) == 0)
		kernel_function(&walk.kernel, "kept");
	HOLDS(kernel_text(&walk.kernel, "status"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	int i;

	if (!walk.inputs)
		start();
	for (i = 0; i < REQUESTS_MOST && end - data >= 4; i++) {
		size_t length = data[3];

		if (length > (size_t)(end - data) - 4)
			length = (size_t)(end - data) - 4;
		ask(&shapes[data[0] % ARRAY_SIZE(shapes)], data[1], data[2], data + 4, length);
		data += 4 + length;
	}
	settle();
	close_all();
	forget_all();
	check_kept();
	kernel_forget_answers(&walk.kernel);
	walk.kernel.unique = 0;
	if (++walk.inputs == INPUTS_EACH) {
		kernel_close(&walk.kernel);
		walk.inputs = 0;
	}
	return 0;
}

static void add(struct buf *out, uint8_t shape, uint8_t node, uint8_t file, const void *payload,
        uint8_t length)
{
	const uint8_t head[4] = {shape, node, file, length};

	buf_append(out, head, sizeof(head));
	buf_append(out, payload, length);
}

/* Looks around, opens, writes, reads, makes and removes something. */
void fuzz_sample(struct buf *out)
{
	char payload[200] = {};

	add(out, 0, 2, 0, "kept", 5);    /* lookup in functions */
	add(out, 13, 0, 0, payload, 8);  /* opendir of the root */
	add(out, 23, 0, 0, payload, 40); /* readdir */
	memcpy(payload + sizeof(struct fuse_mkdir_in), "made", 5);
	add(out, 6, 2, 0, payload, 13); /* mkdir */
	memset(payload, 0, sizeof(payload));
	payload[0] = O_RDWR;
	add(out, 12, 30, 0, payload, 8); /* open */
	add(out, 16, 0, 1, payload, 60); /* write */
	add(out, 15, 0, 1, payload, 40); /* read */
	add(out, 17, 0, 1, payload, 24); /* flush */
	memcpy(payload + sizeof(struct fuse_create_in), "file.py", 8);
	add(out, 14, 18, 0, payload, 24); /* create */
	memcpy(payload + sizeof(struct fuse_rename2_in), "a\0b", 4);
	add(out, 9, 18, 0, payload, 20); /* rename */
	add(out, 8, 2, 0, "made", 5);    /* rmdir */
	add(out, 19, 0, 0, payload, 24); /* release */
}
