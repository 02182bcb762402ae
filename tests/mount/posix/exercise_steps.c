/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of steps: one function each, which makes the step on the file and on the model.
 */
#include "exercise.h"
#include "choose.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct span {
	size_t offset, length;
};

/* Small and large, often at the edge of a page. */
static size_t choose_length(struct exercise *exercise, size_t most)
{
	static const size_t edges[] = {1, 2, 511, 512, 4095, 4096, 4097, 8192, 65536};
	size_t length;

	if (choose_percent(&exercise->random, 30))
		length = edges[choose_below(&exercise->random, 9)];
	else
		length = 1 + choose_below(&exercise->random,
		                     choose_percent(&exercise->random, 10) ? 100000 : 6000);
	return length < most ? length : most;
}

static struct span choose_span(struct exercise *exercise, size_t limit)
{
	struct span span = {.offset = choose_below(&exercise->random, limit)};

	if (choose_percent(&exercise->random, 25))
		span.offset -= span.offset % 4096;
	span.length = choose_length(exercise, limit - span.offset);
	return span;
}

/* Where a file may be written: mostly near its end, so that it does not always grow to the limit. */
static struct span choose_writable(struct exercise *exercise, const struct exercise_file *file)
{
	size_t limit = file->size + 20000;

	if (limit > exercise->plan.size || choose_percent(&exercise->random, 3))
		limit = exercise->plan.size;
	return choose_span(exercise, limit);
}

static int choose_view(struct exercise *exercise)
{
	return (int)choose_below(&exercise->random, EXERCISE_VIEWS);
}

static int failed(struct exercise *exercise, const char *call)
{
	return exercise_wrong(exercise, "%s: %s", call, strerror(errno));
}

static ssize_t write_some(int handle, unsigned char *bytes, const struct span *span, int way)
{
	struct iovec parts[2] = {{bytes, span->length / 2},
	        {bytes + span->length / 2, span->length - span->length / 2}};

	if (way == 0)
		return pwrite(handle, bytes, span->length, span->offset);
	if (lseek(handle, span->offset, SEEK_SET) < 0)
		return -1;
	return way == 1 ? write(handle, bytes, span->length) : writev(handle, parts, 2);
}

static int step_write(struct exercise *exercise, struct exercise_file *file)
{
	struct span span = choose_writable(exercise, file);
	int view = choose_view(exercise), way = (int)choose_below(&exercise->random, 3);
	ssize_t written;

	exercise_note(exercise, "%s: write %d at %zu, %zu bytes", file->path, view, span.offset,
	        span.length);
	exercise_invent(exercise, file, span.offset, span.length);
	written = write_some(file->handles[view], exercise->scratch, &span, way);
	if (written != (ssize_t)span.length)
		return written < 0 ? failed(exercise, "write")
		                   : exercise_wrong(exercise, "only %zd were written", written);
	return 0;
}

static int step_append(struct exercise *exercise, struct exercise_file *file)
{
	size_t length = choose_length(exercise, exercise->plan.size - file->size);

	if (length == 0)
		return 0;
	exercise_note(exercise, "%s: append %zu bytes at %zu", file->path, length, file->size);
	exercise_invent(exercise, file, file->size, length);
	if (write(file->appender, exercise->scratch, length) != (ssize_t)length)
		return failed(exercise, "append");
	return 0;
}

static ssize_t read_some(int handle, unsigned char *bytes, const struct span *span, int way)
{
	struct iovec parts[2] = {{bytes, span->length / 2},
	        {bytes + span->length / 2, span->length - span->length / 2}};

	if (way == 0)
		return pread(handle, bytes, span->length, span->offset);
	if (lseek(handle, span->offset, SEEK_SET) < 0)
		return -1;
	return way == 1 ? read(handle, bytes, span->length) : readv(handle, parts, 2);
}

static int step_read(struct exercise *exercise, struct exercise_file *file)
{
	struct span span = choose_span(exercise, exercise->plan.size);
	size_t rest = span.offset < file->size ? file->size - span.offset : 0;
	int view = choose_view(exercise), way = (int)choose_below(&exercise->random, 3);
	ssize_t length;

	exercise_note(exercise, "%s: read %d at %zu, %zu bytes", file->path, view, span.offset,
	        span.length);
	length = read_some(file->handles[view], exercise->scratch, &span, way);
	if (length < 0)
		return failed(exercise, "read");
	if ((size_t)length != (rest < span.length ? rest : span.length))
		return exercise_wrong(exercise, "read returns %zd of %zu at %zu (the file has %zu)",
		        length, span.length, span.offset, file->size);
	return exercise_compare(exercise, file, "read", exercise->scratch, span.offset, length);
}

static unsigned char *mapped(struct exercise *exercise, struct exercise_file *file, int view)
{
	void *address;

	if (file->maps[view])
		return file->maps[view];
	address = mmap(NULL, exercise->plan.size, PROT_READ | PROT_WRITE, MAP_SHARED,
	        file->handles[view], 0);
	file->maps[view] = address == MAP_FAILED ? NULL : address;
	return file->maps[view];
}

static int step_store(struct exercise *exercise, struct exercise_file *file)
{
	int view = choose_view(exercise);
	unsigned char *map = mapped(exercise, file, view);
	struct span span;

	if (!map)
		return failed(exercise, "mmap");
	if (file->size == 0)
		return 0;
	span = choose_span(exercise, file->size);
	exercise_note(exercise, "%s: store %d at %zu, %zu bytes", file->path, view, span.offset,
	        span.length);
	exercise_invent(exercise, file, span.offset, span.length);
	memcpy(map + span.offset, exercise->scratch, span.length);
	return 0;
}

static int step_load(struct exercise *exercise, struct exercise_file *file)
{
	int view = choose_view(exercise);
	unsigned char *map = mapped(exercise, file, view);
	struct span span;

	if (!map)
		return failed(exercise, "mmap");
	if (file->size == 0)
		return 0;
	span = choose_span(exercise, file->size);
	exercise_note(exercise, "%s: load %d at %zu, %zu bytes", file->path, view, span.offset,
	        span.length);
	return exercise_compare(
	        exercise, file, "load", map + span.offset, span.offset, span.length);
}

/* A private mapping shows the file, and what is stored in it stays out of the file. */
static int step_private(struct exercise *exercise, struct exercise_file *file)
{
	unsigned char *map;
	struct span span;
	int result;

	if (file->size == 0)
		return 0;
	span = choose_span(exercise, file->size);
	exercise_note(exercise, "%s: private mapping, %zu bytes at %zu", file->path, span.length,
	        span.offset);
	map = mmap(NULL, exercise->plan.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->handles[0],
	        0);
	if (map == MAP_FAILED)
		return failed(exercise, "mmap");
	result = exercise_compare(
	        exercise, file, "private load", map + span.offset, span.offset, span.length);
	memset(map + span.offset, 0xee, span.length);
	munmap(map, exercise->plan.size);
	return result;
}

static int step_truncate(struct exercise *exercise, struct exercise_file *file)
{
	size_t size = choose_below(&exercise->random, exercise->plan.size / 2);
	int view = choose_view(exercise), result;

	if (choose_percent(&exercise->random, 70))
		size = file->size ? (size_t)choose_below(&exercise->random, file->size) : 0;
	exercise_note(
	        exercise, "%s: truncate %d from %zu to %zu", file->path, view, file->size, size);
	exercise_resize(exercise, file, size);
	if (choose_percent(&exercise->random, 30))
		result = truncate(file->path, size);
	else
		result = ftruncate(file->handles[view], size);
	return result < 0 ? failed(exercise, "truncate") : 0;
}

static int step_punch(struct exercise *exercise, struct exercise_file *file)
{
	struct span span = choose_span(exercise, exercise->plan.size);
	size_t rest = span.offset < file->size ? file->size - span.offset : 0;

	if (exercise->no_punch)
		return 0;
	exercise_note(
	        exercise, "%s: punch at %zu, %zu bytes", file->path, span.offset, span.length);
	if (fallocate(file->handles[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, span.offset,
	            span.length) < 0) {
		exercise->no_punch = errno == EOPNOTSUPP;
		return exercise->no_punch ? 0 : failed(exercise, "punch");
	}
	exercise_erase(exercise, file, span.offset, rest < span.length ? rest : span.length);
	return 0;
}

static int step_zero(struct exercise *exercise, struct exercise_file *file)
{
	struct span span = choose_writable(exercise, file);
	size_t end = span.offset + span.length;

	if (exercise->no_zero)
		return 0;
	exercise_note(exercise, "%s: zero at %zu, %zu bytes", file->path, span.offset, span.length);
	if (fallocate(file->handles[1], FALLOC_FL_ZERO_RANGE, span.offset, span.length) < 0) {
		exercise->no_zero = errno == EOPNOTSUPP;
		return exercise->no_zero ? 0 : failed(exercise, "zero range");
	}
	if (end > file->size)
		exercise_resize(exercise, file, end);
	exercise_erase(exercise, file, span.offset, span.length);
	return 0;
}

static int step_allocate(struct exercise *exercise, struct exercise_file *file)
{
	struct span span = choose_writable(exercise, file);
	bool keep = choose_percent(&exercise->random, 50);

	exercise_note(exercise, "%s: allocate at %zu, %zu bytes%s", file->path, span.offset,
	        span.length, keep ? ", keeping the size" : "");
	if (fallocate(file->handles[0], keep ? FALLOC_FL_KEEP_SIZE : 0, span.offset, span.length) <
	        0)
		return failed(exercise, "fallocate");
	if (!keep && span.offset + span.length > file->size)
		exercise_resize(exercise, file, span.offset + span.length);
	return 0;
}

static int step_copy(struct exercise *exercise, struct exercise_file *file)
{
	struct exercise_file *to =
	        &exercise->files[choose_below(&exercise->random, exercise->plan.files)];
	struct span span;
	size_t place;
	ssize_t copied;
	loff_t from, into;

	if (file->size == 0 || to == file || exercise->no_copy)
		return 0;
	span = choose_span(exercise, file->size);
	place = choose_below(&exercise->random, exercise->plan.size - span.length + 1);
	from = span.offset;
	into = place;
	exercise_note(exercise, "%s: copy from %zu to %zu of %s, %zu bytes", file->path,
	        span.offset, place, to->path, span.length);
	copied = copy_file_range(file->handles[0], &from, to->handles[1], &into, span.length, 0);
	if (copied < 0) {
		exercise->no_copy = errno == EXDEV || errno == EOPNOTSUPP;
		return exercise->no_copy ? 0 : failed(exercise, "copy_file_range");
	}
	if (place + copied > to->size)
		exercise_resize(exercise, to, place + copied);
	exercise_erase(exercise, to, place, copied);
	memcpy(to->model + place, file->model + span.offset, copied);
	return 0;
}

static int step_reopen(struct exercise *exercise, struct exercise_file *file)
{
	int view = choose_view(exercise), result;
	bool empty = choose_percent(&exercise->random, 5);

	exercise_note(
	        exercise, "%s: close and open %d%s", file->path, view, empty ? ", emptied" : "");
	if (exercise_close(exercise, file, view))
		return 1;
	result = exercise_open(file, view, empty ? O_TRUNC : 0);
	if (result < 0)
		return exercise_wrong(exercise, "opening it again: %s", strerror(-result));
	if (empty)
		exercise_resize(exercise, file, 0);
	return 0;
}

static int step_unmap(struct exercise *exercise, struct exercise_file *file)
{
	int view = choose_view(exercise);

	exercise_note(exercise, "%s: unmap %d", file->path, view);
	if (file->maps[view] && munmap(file->maps[view], exercise->plan.size) < 0)
		return failed(exercise, "munmap");
	file->maps[view] = NULL;
	return 0;
}

static int step_sync(struct exercise *exercise, struct exercise_file *file)
{
	int view = choose_view(exercise), result = 0;
	int way = (int)choose_below(&exercise->random, 3);

	exercise_note(exercise, "%s: sync %d, way %d", file->path, view, way);
	if (way == 0)
		result = fsync(file->handles[view]);
	else if (way == 1)
		result = fdatasync(file->handles[view]);
	else if (file->maps[view])
		result = msync(file->maps[view], exercise->plan.size, MS_SYNC);
	return result < 0 ? failed(exercise, "sync") : 0;
}

/* Makes the kernel forget what it keeps of the file, so that the next read comes from below. */
static int step_forget(struct exercise *exercise, struct exercise_file *file)
{
	int view;

	exercise_note(exercise, "%s: forget", file->path);
	for (view = 0; view < EXERCISE_VIEWS; view++) {
		if (file->maps[view])
			munmap(file->maps[view], exercise->plan.size);
		file->maps[view] = NULL;
	}
	if (fsync(file->handles[0]) < 0)
		return failed(exercise, "fsync");
	posix_fadvise(file->handles[0], 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int step_size(struct exercise *exercise, struct exercise_file *file)
{
	struct stat status;
	int view = choose_view(exercise);
	off_t end;

	exercise_note(exercise, "%s: size %d", file->path, view);
	end = lseek(file->handles[view], 0, SEEK_END);
	if (fstat(file->handles[view], &status) < 0 || end != status.st_size ||
	        (size_t)end != file->size)
		return exercise_wrong(exercise,
		        "the end is at %lld, stat says %lld, it must be %zu", (long long)end,
		        (long long)status.st_size, file->size);
	return 0;
}

/* Where the file system says that there is a hole, the model must have zeros. */
static int step_hole(struct exercise *exercise, struct exercise_file *file)
{
	off_t hole, data;
	size_t i;

	exercise_note(exercise, "%s: holes", file->path);
	if (file->size == 0)
		return 0;
	hole = lseek(file->handles[0], choose_below(&exercise->random, file->size), SEEK_HOLE);
	if (hole < 0 || hole > (off_t)file->size)
		return exercise_wrong(exercise, "the next hole is at %lld", (long long)hole);
	data = lseek(file->handles[0], hole, SEEK_DATA);
	if (data < 0)
		data = file->size;
	for (i = hole; i < (size_t)data && i < file->size; i++)
		if (file->model[i])
			return exercise_wrong(exercise,
			        "hole from %lld to %lld, but %zu was written by step %u",
			        (long long)hole, (long long)data, i, file->writers[i]);
	return 0;
}

static int step_rename(struct exercise *exercise, struct exercise_file *file)
{
	char path[sizeof(file->path)];

	exercise_note(exercise, "%s: rename", file->path);
	if (rename(file->path, file->other) < 0)
		return failed(exercise, "rename");
	memcpy(path, file->path, sizeof(path));
	memcpy(file->path, file->other, sizeof(path));
	memcpy(file->other, path, sizeof(path));
	return 0;
}

/* It gets a second name and loses the first. */
static int step_link(struct exercise *exercise, struct exercise_file *file)
{
	char path[sizeof(file->path)];

	exercise_note(exercise, "%s: link and unlink", file->path);
	if (link(file->path, file->other) < 0 || unlink(file->path) < 0)
		return failed(exercise, "link");
	memcpy(path, file->path, sizeof(path));
	memcpy(file->path, file->other, sizeof(path));
	memcpy(file->other, path, sizeof(path));
	return 0;
}

const struct exercise_kind exercise_kinds[] = {
        {"write", 200, step_write},
        {"append", 40, step_append},
        {"read", 200, step_read},
        {"store", 120, step_store},
        {"load", 150, step_load},
        {"private", 10, step_private},
        {"truncate", 40, step_truncate},
        {"punch", 20, step_punch},
        {"zero", 15, step_zero},
        {"allocate", 15, step_allocate},
        {"copy", 20, step_copy},
        {"reopen", 40, step_reopen},
        {"unmap", 15, step_unmap},
        {"sync", 10, step_sync},
        {"forget", 10, step_forget},
        {"size", 40, step_size},
        {"hole", 20, step_hole},
        {"rename", 5, step_rename},
        {"link", 5, step_link},
        {NULL, 0, NULL},
};
