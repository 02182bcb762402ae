/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: that what runs is what was saved, whole and of one moment. Random operations are
 * made on a tree and on a model of it, checkouts are taken all the while, and each has to be what the
 * model says at the moment it is handed over; and has to stay so for as long as it is held.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "worktree_fixture.h"
#include "worktree_model.h"

#define FILES_OPEN 6
#define HELD       5
#define NODES      6
#define PATH_SIZE  128

struct open_file {
	struct worktree_file *file;
	struct model_file *model;
	unsigned wrote; /* 1 + commits of the model then */
};

struct held {
	struct checkout *checkout;
	unsigned long digest;
};

struct run {
	struct fixture fixture;
	struct model_directory *model;
	uint64_t random;
	struct open_file files[FILES_OPEN];
	struct held held[HELD];
	struct worktree_node *nodes[NODES];
	struct checkout_request *request;
	unsigned later;     /* checkouts that came later */
	unsigned checkouts; /* and all */
	size_t large;       /* one file in so many is large */
	bool failed;
};

static unsigned pick(struct run *run, unsigned below)
{
	return (unsigned)(test_random(&run->random) % below);
}

static const char *const names[] = {
        "a", "b", "c", "index.py", "d", "e", ".git", "x~", "__pycache__", ".a.swp"};

/* A random directory of the model, and its path. */
static struct model_directory *pick_directory(struct run *run, char path[PATH_SIZE])
{
	struct model_directory *directory = run->model;
	struct model_entry *entry;
	unsigned depth;

	path[0] = 0;
	for (depth = pick(run, 4); depth && directory->count; depth--) {
		entry = &directory->entries[pick(run, (unsigned)directory->count)];
		if (!entry->directory)
			continue;
		snprintf(path + strlen(path), PATH_SIZE - strlen(path), "%s/", entry->name);
		directory = entry->directory;
	}
	return directory;
}

/* A random place: a directory, a name in it (often of something that is there), the path. */
struct spot {
	struct model_directory *directory;
	const char *name;
	struct model_entry *entry; /* NULL: nothing is there */
	char path[PATH_SIZE];
};

static void pick_spot(struct run *run, struct spot *spot)
{
	spot->directory = pick_directory(run, spot->path);
	spot->name = names[pick(run, sizeof(names) / sizeof(names[0]))];
	spot->entry = model_find(spot->directory, spot->name);
	strcat(spot->path, spot->name);
}

static size_t pick_size(struct run *run)
{
	if (run->large && pick(run, (unsigned)run->large) == 0)
		return pick(run, 3 << 20);
	return pick(run, 4) == 0 ? pick(run, 100000) : pick(run, 300);
}

static char *pick_data(struct run *run, size_t size)
{
	char *data = malloc(size + 8);
	uint64_t seed = test_random(&run->random);
	size_t i;

	for (i = 0; i < size; i += 8, seed = seed * 6364136223846793005UL + 1)
		memcpy(data + i, &seed, 8);
	return data;
}

/* --- operations --- */

static void op_write(struct run *run, struct open_file *file)
{
	size_t size = pick_size(run) + 1;
	size_t offset = pick(run, (unsigned)file->model->now_size + 200);
	char *data = pick_data(run, size);

	CHECK_INT(
	        worktree_write(file->file, data, size, (off_t)offset, &run->fixture.caller, false),
	        (ssize_t)size);
	model_file_write(file->model, data, size, offset);
	file->wrote = file->model->commits + 1;
	free(data);
}

static void op_truncate_open(struct run *run, struct open_file *file)
{
	size_t size = pick(run, 2) ? 0 : pick(run, (unsigned)file->model->now_size + 100);
	struct stat attr;

	if (size != file->model->now_size)
		file->wrote = file->model->commits + 1;
	model_file_truncate(file->model, size);
	CHECK_INT(worktree_setattr(NULL, file->file, WORKTREE_SET_SIZE,
	                  &(struct stat){.st_size = (off_t)size}, &run->fixture.caller, &attr),
	        0);
	CHECK_INT(attr.st_size, (off_t)size);
}

/* Whether this open file was written through since the last commit. */
static bool wrote(const struct open_file *file)
{
	return file->wrote == file->model->commits + 1;
}

static void op_flush(struct open_file *file)
{
	worktree_flush(file->file);
	if (wrote(file))
		model_file_commit(file->model);
}

static void op_release(struct open_file *file)
{
	worktree_release(file->file);
	file->model->writers--;
	if (wrote(file) || file->model->writers == 0)
		model_file_commit(file->model);
	model_file_drop(file->model);
	*file = (struct open_file){0};
}

static void on_synced(void *userdata, ssize_t status)
{
	CHECK_INT(status, 0);
}

static void op_sync(struct open_file *file)
{
	CHECK_INT(worktree_fsync(file->file, true, on_synced, NULL), 0);
	model_file_commit(file->model);
}

static void on_worked(void *userdata, ssize_t status)
{
	ssize_t *result = userdata;

	*result = status;
}

/* While a worker changes the file, checkouts go on and see what was committed. */
static ssize_t wait_for_worker(struct run *run, ssize_t *result)
{
	while (*result == SSIZE_MAX)
		uv_run(&run->fixture.loop, UV_RUN_ONCE);
	return *result;
}

static void op_punch(struct run *run, struct open_file *file)
{
	size_t offset = pick(run, (unsigned)file->model->now_size + 100), i;
	size_t length = pick(run, 5000) + 1;
	ssize_t result = SSIZE_MAX;

	CHECK_INT(worktree_allocate(file->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                  (off_t)offset, (off_t)length, &run->fixture.caller, on_worked, &result),
	        0);
	CHECK_INT(wait_for_worker(run, &result), 0);
	for (i = offset; i < offset + length && i < file->model->now_size; i++)
		file->model->now[i] = 0;
	file->model->changed = true;
	file->wrote = file->model->commits + 1;
}

static void op_allocate(struct run *run, struct open_file *file)
{
	size_t offset = pick(run, (unsigned)file->model->now_size + 100);
	size_t length = pick(run, 5000) + 1;
	ssize_t result = SSIZE_MAX;

	CHECK_INT(worktree_allocate(file->file, 0, (off_t)offset, (off_t)length,
	                  &run->fixture.caller, on_worked, &result),
	        0);
	CHECK_INT(wait_for_worker(run, &result), 0);
	if (offset + length > file->model->now_size)
		model_file_truncate(file->model, offset + length);
	file->model->changed = true;
	file->wrote = file->model->commits + 1;
}

static void op_copy(struct run *run, struct open_file *to)
{
	struct open_file *from = &run->files[pick(run, FILES_OPEN)];
	size_t offset, to_offset, length;
	ssize_t result = SSIZE_MAX;

	if (!from->file || from->model == to->model || !from->model->now_size)
		return;
	offset = pick(run, (unsigned)from->model->now_size);
	to_offset = pick(run, (unsigned)to->model->now_size + 100);
	length = pick(run, (unsigned)(from->model->now_size - offset)) + 1;
	CHECK_INT(worktree_copy(from->file, (off_t)offset, to->file, (off_t)to_offset, length,
	                  &run->fixture.caller, on_worked, &result),
	        0);
	if (!CHECK_INT(wait_for_worker(run, &result), (ssize_t)length))
		return;
	model_file_write(to->model, from->model->now + offset, length, to_offset);
	to->wrote = to->model->commits + 1;
}

static void op_on_open_file(struct run *run)
{
	struct open_file *file = &run->files[pick(run, FILES_OPEN)];

	if (!file->file)
		return;
	switch (pick(run, 11)) {
	case 0:
		op_flush(file);
		break;
	case 1:
		op_release(file);
		break;
	case 2:
		op_sync(file);
		break;
	case 3:
		op_truncate_open(run, file);
		break;
	case 4:
		op_punch(run, file);
		break;
	case 5:
		op_allocate(run, file);
		break;
	case 6:
		op_copy(run, file);
		break;
	default:
		op_write(run, file);
	}
}

static void op_open(struct run *run)
{
	struct open_file *file = &run->files[pick(run, FILES_OPEN)];
	bool empty = pick(run, 2);
	struct spot spot;

	pick_spot(run, &spot);
	if (file->file || (spot.entry && !spot.entry->file))
		return;
	REQUIRE(fixture_file(&run->fixture, spot.path, O_RDWR | O_CREAT | (empty ? O_TRUNC : 0),
	                &file->file) == 0);
	if (spot.entry) {
		file->model = spot.entry->file;
		if (empty)
			model_file_truncate(file->model, 0);
	} else {
		file->model = model_file_new(true);
		model_add(spot.directory, spot.name)->file = file->model;
	}
	file->model->writers++;
}

static void op_save(struct run *run)
{
	size_t size = pick_size(run);
	char *data = pick_data(run, size);
	struct open_file file = {0};
	struct spot spot;

	pick_spot(run, &spot);
	if (!spot.entry || spot.entry->file) {
		REQUIRE(fixture_file(&run->fixture, spot.path, O_WRONLY | O_CREAT | O_TRUNC,
		                &file.file) == 0);
		file.model = spot.entry ? spot.entry->file : model_file_new(true);
		if (!spot.entry)
			model_add(spot.directory, spot.name)->file = file.model;
		file.model->writers++;
		model_file_truncate(file.model, 0);
		if (size) {
			CHECK_INT(worktree_write(
			                  file.file, data, size, 0, &run->fixture.caller, false),
			        (ssize_t)size);
			model_file_write(file.model, data, size, 0);
			file.wrote = file.model->commits + 1;
		}
		op_flush(&file);
		op_release(&file);
	}
	free(data);
}

static void op_mkdir(struct run *run)
{
	struct spot spot;

	pick_spot(run, &spot);
	CHECK_INT(fixture_mkdir(&run->fixture, spot.path), spot.entry ? -EEXIST : 0);
	if (!spot.entry)
		model_add(spot.directory, spot.name)->directory = model_directory_new(0755);
}

static void op_symlink(struct run *run)
{
	struct spot spot;

	pick_spot(run, &spot);
	CHECK_INT(fixture_symlink(&run->fixture, "a", spot.path), spot.entry ? -EEXIST : 0);
	if (!spot.entry)
		strcpy(model_add(spot.directory, spot.name)->target, "a");
}

static void op_remove(struct run *run)
{
	struct spot spot;

	pick_spot(run, &spot);
	if (!spot.entry)
		return;
	if (spot.entry->directory) {
		bool empty = spot.entry->directory->count == 0;
		CHECK_INT(fixture_rmdir(&run->fixture, spot.path), empty ? 0 : -ENOTEMPTY);
		if (!empty)
			return;
	} else {
		CHECK_INT(fixture_unlink(&run->fixture, spot.path), 0);
	}
	model_remove(spot.directory, spot.name);
}

static void op_link(struct run *run)
{
	struct spot from, to;

	pick_spot(run, &from);
	pick_spot(run, &to);
	if (!from.entry || !from.entry->file || to.entry)
		return;
	CHECK_INT(fixture_link(&run->fixture, from.path, to.path), 0);
	from.entry->file->names++;
	model_add(to.directory, to.name)->file = from.entry->file;
}

static void op_chmod(struct run *run)
{
	static const mode_t modes[] = {0644, 0755, 0600, 0700, 0444};
	mode_t mode = modes[pick(run, 5)];
	struct spot spot;

	pick_spot(run, &spot);
	if (!spot.entry || (!spot.entry->file && !spot.entry->directory))
		return;
	if (spot.entry->directory)
		mode |= 0700;
	CHECK_INT(fixture_chmod(&run->fixture, spot.path, mode), 0);
	if (spot.entry->file)
		spot.entry->file->mode = mode;
	else
		spot.entry->directory->mode = mode;
}

static void op_truncate(struct run *run)
{
	struct spot spot;
	size_t size;

	pick_spot(run, &spot);
	if (!spot.entry || !spot.entry->file)
		return;
	size = pick(run, (unsigned)spot.entry->file->now_size + 50);
	CHECK_INT(fixture_truncate(&run->fixture, spot.path, (off_t)size), 0);
	model_file_truncate(spot.entry->file, size);
	model_file_commit(spot.entry->file);
}

static void op_exchange(struct run *run, struct spot *from, struct spot *to)
{
	struct model_entry kept = *from->entry;

	if ((from->entry->directory && model_contains(from->entry->directory, to->directory)) ||
	        (to->entry->directory && model_contains(to->entry->directory, from->directory)))
		return;
	CHECK_INT(fixture_rename(&run->fixture, from->path, to->path, RENAME_EXCHANGE), 0);
	*from->entry = *to->entry;
	strcpy(from->entry->name, from->name);
	*to->entry = kept;
	strcpy(to->entry->name, to->name);
}

static bool may_replace(const struct spot *from, const struct spot *to)
{
	if (!to->entry)
		return true;
	if (from->entry->directory)
		return to->entry->directory && to->entry->directory->count == 0;
	return !to->entry->directory;
}

static void op_rename(struct run *run)
{
	struct model_entry moved;
	struct spot from, to;

	pick_spot(run, &from);
	pick_spot(run, &to);
	if (!from.entry || (from.directory == to.directory && from.name == to.name) ||
	        (from.entry->directory && model_contains(from.entry->directory, to.directory)))
		return;
	if (to.entry && pick(run, 4) == 0) {
		op_exchange(run, &from, &to);
		return;
	}
	if (!may_replace(&from, &to)) {
		CHECK(fixture_rename(&run->fixture, from.path, to.path, 0) < 0);
		return;
	}
	CHECK_INT(fixture_rename(&run->fixture, from.path, to.path, 0), 0);
	if (to.entry && to.entry->file && to.entry->file == from.entry->file)
		return; /* two names of one file */
	if (to.entry)
		model_remove(to.directory, to.name);
	moved = *model_find(from.directory, from.name);
	model_take(from.directory, from.name);
	strcpy(moved.name, to.name);
	*model_add(to.directory, to.name) = moved;
}

/* --- nodes somebody holds --- */

static void op_node(struct run *run)
{
	struct worktree_node **node = &run->nodes[pick(run, NODES)];
	struct spot spot;
	struct stat attr;

	if (*node) {
		CHECK_INT(worktree_getattr(*node, NULL, &attr), 0);
		worktree_forget(*node, 1);
		*node = NULL;
		return;
	}
	pick_spot(run, &spot);
	*node = fixture_find(&run->fixture, spot.path);
	CHECK((*node != NULL) == (spot.entry != NULL));
}

/* --- checkouts --- */

static void let_go(struct run *run, struct held *held)
{
	if (!CHECK(model_digest(checkout_fd(held->checkout)) == held->digest)) {
		fprintf(stderr, "%s changed while it was held\n", checkout_path(held->checkout));
		run->failed = true;
	}
	held->checkout = checkout_unref(held->checkout);
}

static void on_checkout(void *userdata, int status, struct checkout *checkout)
{
	struct run *run = userdata;
	struct held *held = &run->held[pick(run, HELD)];

	run->request = NULL;
	run->checkouts++;
	if (!CHECK_INT(status, 0)) {
		run->failed = true;
		return;
	}
	CHECK_INT(checkout_generation(checkout), worktree_generation(run->fixture.tree));
	if (!CHECK(model_equals(run->model, checkout_fd(checkout), "")))
		run->failed = true;
	if (held->checkout)
		let_go(run, held);
	if (pick(run, 3) == 0) {
		checkout_unref(checkout);
		return;
	}
	*held = (struct held){checkout, model_digest(checkout_fd(checkout))};
}

static void op_checkout(struct run *run)
{
	if (run->request)
		return;
	run->request = worktree_checkout(run->fixture.tree, on_checkout, run);
	run->later += run->request != NULL;
}

static void wait_for_checkout(struct run *run)
{
	while (run->request)
		uv_run(&run->fixture.loop, UV_RUN_ONCE);
}

static void let_all_go(struct run *run)
{
	unsigned i;

	wait_for_checkout(run);
	for (i = 0; i < HELD; i++)
		if (run->held[i].checkout)
			let_go(run, &run->held[i]);
	for (i = 0; i < FILES_OPEN; i++)
		if (run->files[i].file)
			op_release(&run->files[i]);
	for (i = 0; i < NODES; i++)
		if (run->nodes[i])
			worktree_forget(run->nodes[i], 1);
	memset(run->nodes, 0, sizeof(run->nodes));
}

static void op_restart(struct run *run)
{
	let_all_go(run);
	fixture_settle(&run->fixture);
	if (pick(run, 2)) {
		op_checkout(run);
		wait_for_checkout(run);
		let_all_go(run);
		fixture_reopen(&run->fixture);
	} else {
		fixture_crash(&run->fixture);
	}
}

static void step(struct run *run)
{
	static void (*const operations[])(struct run *) = {op_on_open_file, op_on_open_file,
	        op_on_open_file, op_on_open_file, op_open, op_save, op_save, op_mkdir, op_symlink,
	        op_remove, op_link, op_chmod, op_truncate, op_rename, op_rename, op_node,
	        op_checkout};

	if (pick(run, 2000) == 0)
		op_restart(run);
	operations[pick(run, sizeof(operations) / sizeof(operations[0]))](run);
	if (pick(run, 4) == 0)
		uv_run(&run->fixture.loop, UV_RUN_NOWAIT);
}

static void run_steps(uint64_t seed, unsigned steps, size_t large)
{
	struct run run = {.random = seed, .large = large};

	fixture_open(&run.fixture);
	run.model = model_directory_new(0755);
	while (steps-- && !run.failed)
		step(&run);
	let_all_go(&run);
	op_checkout(&run);
	wait_for_checkout(&run);
	let_all_go(&run);
	printf("%u checkouts, %u of them later\n", run.checkouts, run.later);
	CHECK(run.checkouts > 0);
	fixture_close(&run.fixture);
	model_directory_free(run.model);
}

static void small_files(void)
{
	uint64_t seed = test_seed();
	unsigned rounds = test_long() ? 200 : 10;

	while (rounds--)
		run_steps(seed + rounds, 3000, 0);
}

static void large_files(void)
{
	uint64_t seed = test_seed();
	unsigned rounds = test_long() ? 50 : 3;

	while (rounds--)
		run_steps(seed + rounds, 1500, 6);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(small_files), TEST(large_files), {}};

	return test_main(tests, argc, argv);
}
