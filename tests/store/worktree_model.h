/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A working tree as a thing in memory, by the letter of the contract and with no regard to cost: what
 * checkouts have to show is read off it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MODEL_NAME    16
#define MODEL_ENTRIES 16

struct model_file {
	unsigned names;
	unsigned writers;
	mode_t mode;
	char *now, *committed;
	size_t now_size, committed_size;
	bool absent;  /* never committed */
	bool changed; /* since the last commit */
	unsigned commits;
};

struct model_directory;

struct model_entry {
	char name[MODEL_NAME];
	struct model_file *file; /* one of the three */
	struct model_directory *directory;
	char target[MODEL_NAME];
};

struct model_directory {
	mode_t mode;
	size_t count;
	struct model_entry entries[MODEL_ENTRIES];
};

struct model_directory *model_directory_new(mode_t mode);
struct model_directory *model_directory_free(struct model_directory *directory);
struct model_entry *model_find(struct model_directory *directory, const char *name);
struct model_entry *model_add(struct model_directory *directory, const char *name);
void model_remove(struct model_directory *directory, const char *name); /* drops what it leads to */
void model_take(struct model_directory *directory, const char *name);   /* only the name goes */
bool model_contains(const struct model_directory *directory, const struct model_directory *inner);

struct model_file *model_file_new(bool absent);
void model_file_write(struct model_file *file, const char *data, size_t size, size_t offset);
void model_file_truncate(struct model_file *file, size_t size);
void model_file_commit(struct model_file *file);
void model_file_drop(struct model_file *file); /* when nothing leads to it any more */

/* Compares with what is on disk in this directory; prints each difference and says whether it was. */
bool model_equals(const struct model_directory *directory, int fd, const char *path);

/* A number for all that is in a directory on disk: names, types, modes, contents. */
unsigned long model_digest(int fd);
