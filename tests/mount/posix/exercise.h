/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An exercise works on a few files and knows what must be in them: `model` is the content, `writers`
 * the step that wrote each byte last. A step is made on the file and on the model; what is read is
 * compared.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EXERCISE_HISTORY 40
#define EXERCISE_VIEWS   2

struct mismatch {
	char what[160];
	size_t place, length; /* length 0: it is not about bytes */
	unsigned char found, expected;
	uint32_t writer;
};

struct exercise_file {
	char path[4000];
	char other[4000]; /* another name it may get */
	unsigned char *model;
	uint32_t *writers;
	size_t size;
	int handles[EXERCISE_VIEWS];
	int appender;
	unsigned char *maps[EXERCISE_VIEWS]; /* of the greatest size, or NULL */
};

struct exercise_plan {
	const char *directory;
	uint64_t seed;
	size_t size; /* the greatest a file may have */
	int files;
	bool lie; /* change a byte behind the exercise's back, to prove that it is found */
};

struct exercise {
	struct exercise_plan plan;
	uint64_t random;
	unsigned long step;
	unsigned long compared; /* bytes */
	struct exercise_file *files;
	unsigned char *scratch;
	bool no_punch, no_zero, no_copy; /* the file system does not know it */
	char history[EXERCISE_HISTORY][120];
	struct mismatch *mismatch;
};

struct exercise *exercise_new(const struct exercise_plan *plan);
void exercise_free(struct exercise *exercise);

/* 0, 1 with the mismatch filled in, or a negative errno of setting up. */
int exercise_run(struct exercise *exercise, unsigned long steps, struct mismatch *mismatch);

/* Used by the steps, in exercise_steps.c. Each returns 0, or 1 after a mismatch. */
typedef int (*exercise_fn)(struct exercise *exercise, struct exercise_file *file);

struct exercise_kind {
	const char *name;
	int weight;
	exercise_fn run;
};
extern const struct exercise_kind exercise_kinds[];

/* Says in the history what the step does. */
void exercise_note(struct exercise *exercise, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
int exercise_wrong(struct exercise *exercise, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Are these bytes, read from `offset`, those of the model? */
int exercise_compare(struct exercise *exercise, const struct exercise_file *file, const char *what,
        const unsigned char *bytes, size_t offset, size_t length);

/* Fills the scratch with new bytes and the model likewise; the model grows as the file will. */
void exercise_invent(
        struct exercise *exercise, struct exercise_file *file, size_t offset, size_t length);

/* The model's size becomes `size`; what is new is zero. */
void exercise_resize(struct exercise *exercise, struct exercise_file *file, size_t size);

/* Zeros in the model. */
void exercise_erase(
        struct exercise *exercise, struct exercise_file *file, size_t offset, size_t length);
int exercise_open(struct exercise_file *file, int view, int flags);
int exercise_close(struct exercise *exercise, struct exercise_file *file, int view);
