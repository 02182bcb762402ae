/* SPDX-License-Identifier: Apache-2.0 */
#include "exercise.h"
#include "choose.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The whole content is compared after so many steps. */
#define COMPARE_EVERY 1000

void exercise_note(struct exercise *exercise, const char *format, ...)
{
	char *line = exercise->history[exercise->step % EXERCISE_HISTORY];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(exercise->history[0]), format, arguments);
	va_end(arguments);
}

int exercise_wrong(struct exercise *exercise, const char *format, ...)
{
	struct mismatch *mismatch = exercise->mismatch;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(mismatch->what, sizeof(mismatch->what), format, arguments);
	va_end(arguments);
	return 1;
}

int exercise_compare(struct exercise *exercise, const struct exercise_file *file, const char *what,
        const unsigned char *bytes, size_t offset, size_t length)
{
	struct mismatch *mismatch = exercise->mismatch;
	size_t i, end;

	exercise->compared += length;
	if (memcmp(bytes, file->model + offset, length) == 0)
		return 0;
	for (i = 0; bytes[i] == file->model[offset + i];)
		i++;
	for (end = i; end < length && bytes[end] != file->model[offset + end];)
		end++;
	mismatch->place = offset + i;
	mismatch->length = end - i;
	mismatch->found = bytes[i];
	mismatch->expected = file->model[offset + i];
	mismatch->writer = file->writers[offset + i];
	return exercise_wrong(exercise, "%s of %zu bytes at %zu (the file has %zu)", what, length,
	        offset, file->size);
}

void exercise_resize(struct exercise *exercise, struct exercise_file *file, size_t size)
{
	if (size > file->size)
		exercise_erase(exercise, file, file->size, size - file->size);
	file->size = size;
}

void exercise_erase(
        struct exercise *exercise, struct exercise_file *file, size_t offset, size_t length)
{
	size_t i;

	memset(file->model + offset, 0, length);
	for (i = 0; i < length; i++)
		file->writers[offset + i] = (uint32_t)exercise->step;
}

void exercise_invent(
        struct exercise *exercise, struct exercise_file *file, size_t offset, size_t length)
{
	uint64_t seed = choose_random(&exercise->random);
	size_t i;

	if (offset + length > file->size)
		exercise_resize(exercise, file, offset + length);
	for (i = 0; i < length; i++) {
		exercise->scratch[i] = (unsigned char)((seed >> (i % 8 * 8)) + i / 8);
		file->writers[offset + i] = (uint32_t)exercise->step;
	}
	memcpy(file->model + offset, exercise->scratch, length);
}

int exercise_open(struct exercise_file *file, int view, int flags)
{
	file->handles[view] = open(file->path, O_RDWR | O_CLOEXEC | flags, 0644);
	return file->handles[view] < 0 ? -errno : 0;
}

int exercise_close(struct exercise *exercise, struct exercise_file *file, int view)
{
	if (file->maps[view])
		munmap(file->maps[view], exercise->plan.size);
	file->maps[view] = NULL;
	if (file->handles[view] >= 0 && close(file->handles[view]) < 0)
		return exercise_wrong(exercise, "close: %s", strerror(errno));
	file->handles[view] = -1;
	return 0;
}

static int open_file(struct exercise *exercise, struct exercise_file *file, int number)
{
	int view, result = 0;

	snprintf(file->path, sizeof(file->path), "%s/file%d", exercise->plan.directory, number);
	snprintf(file->other, sizeof(file->other), "%s/other%d", exercise->plan.directory, number);
	file->model = calloc(1, exercise->plan.size);
	file->writers = calloc(exercise->plan.size, sizeof(*file->writers));
	if (!file->model || !file->writers)
		return -ENOMEM;
	for (view = 0; view < EXERCISE_VIEWS && result == 0; view++)
		result = exercise_open(file, view, view == 0 ? O_CREAT | O_TRUNC : 0);
	file->appender = open(file->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return file->appender < 0 ? -errno : result;
}

struct exercise *exercise_new(const struct exercise_plan *plan)
{
	struct exercise *exercise = calloc(1, sizeof(*exercise));
	int i, result = 0;

	exercise->plan = *plan;
	exercise->random = plan->seed;
	exercise->files = calloc(plan->files, sizeof(*exercise->files));
	exercise->scratch = malloc(plan->size);
	for (i = 0; i < plan->files && result == 0; i++)
		result = open_file(exercise, &exercise->files[i], i);
	if (result == 0)
		return exercise;
	exercise_free(exercise);
	errno = -result;
	return NULL;
}

void exercise_free(struct exercise *exercise)
{
	struct mismatch ignored;
	struct exercise_file *file;
	int i, view;

	for (i = 0; exercise && i < exercise->plan.files; i++) {
		file = &exercise->files[i];
		exercise->mismatch = &ignored;
		for (view = 0; view < EXERCISE_VIEWS; view++)
			exercise_close(exercise, file, view);
		close(file->appender);
		unlink(file->path);
		unlink(file->other);
		free(file->model);
		free(file->writers);
	}
	if (exercise) {
		free(exercise->files);
		free(exercise->scratch);
	}
	free(exercise);
}

/* The whole content, by a descriptor of its own. */
static int compare_file(struct exercise *exercise, const struct exercise_file *file)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return exercise_wrong(exercise, "opening it again: %s", strerror(errno));
	length = pread(fd, exercise->scratch, exercise->plan.size, 0);
	close(fd);
	if (length != (ssize_t)file->size)
		return exercise_wrong(
		        exercise, "the file has %zd bytes instead of %zu", length, file->size);
	return exercise_compare(exercise, file, "the whole", exercise->scratch, 0, file->size);
}

static const struct exercise_kind *choose_kind(struct exercise *exercise)
{
	const struct exercise_kind *kind;
	int all = 0;
	long chosen;

	for (kind = exercise_kinds; kind->name; kind++)
		all += kind->weight;
	chosen = choose_below(&exercise->random, all);
	for (kind = exercise_kinds; chosen >= kind->weight; kind++)
		chosen -= kind->weight;
	return kind;
}

/* Changes a byte behind the exercise's back. */
static void lie(struct exercise *exercise, struct exercise_file *file)
{
	unsigned char byte = (unsigned char)(file->model[file->size / 2] + 1);

	if (!exercise->plan.lie || exercise->step % 100 != 0 || file->size == 0)
		return;
	if (pwrite(file->handles[0], &byte, 1, file->size / 2) != 1)
		perror("lie");
}

int exercise_run(struct exercise *exercise, unsigned long steps, struct mismatch *mismatch)
{
	struct exercise_file *file;
	int result = 0;

	exercise->mismatch = mismatch;
	while (result == 0 && exercise->step < steps) {
		exercise->step++;
		file = &exercise->files[choose_below(&exercise->random, exercise->plan.files)];
		lie(exercise, file);
		result = choose_kind(exercise)->run(exercise, file);
		if (result == 0 && (exercise->step % COMPARE_EVERY == 0 || exercise->step == steps))
			result = compare_file(exercise, file);
	}
	return result;
}
