/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Content by number, the same in every process, and a disk that fails on demand, calls back before it
 * does something, or writes down what it was asked.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/blob.h"
#include "store/blob_disk.h"

void content_of(uint64_t number, struct buf *out); /* replaces what is in `out` */
void content_id(const struct buf *content, struct blob_id *out);
struct blob_id id_of(uint64_t number);
void name_of(char text[BLOB_TEXT_SIZE], uint64_t number);

/* 1: there and right; 0: -ENOENT; any other answer is returned, wrong bytes are -EILSEQ. */
int has_content(struct blobs *blobs, uint64_t number);

int put_number(struct blob_batch *batch, uint64_t number);

/* A whole publish of the numbers from `first` on: 0 or what failed. */
int publish(struct blobs *blobs, uint64_t first, uint64_t count);

/* A sweep with everything live of `count` numbers from `first` on. */
int sweep_keeping(
        struct blobs *blobs, uint64_t first, uint64_t count, struct blob_sweep_result *result);

/* How many problems a check finds; a failure of it counts as one. */
uint64_t problems_of(struct blobs *blobs);

/* Files in STATE/packs whose name ends so. */
int count_files(const char *state, const char *end);

enum disk_verb {
	DISK_CREATE,
	DISK_WRITE,
	DISK_SYNC,
	DISK_RENAME,
	DISK_REMOVE,
	DISK_SYNC_DIRECTORY
};

struct disk_event {
	enum disk_verb verb;
	uint64_t file; /* by the order of creation */
	uint64_t place;
	struct buf data;
	char name[40], to[40];
	uint64_t mark; /* how far the test was */
};

struct test_disk {
	struct blob_disk disk;
	/* The n-th change from now and all after it fail with `error`; negative: none. */
	int64_t failing_in;
	bool failed; /* one has */
	int error;
	uint64_t changes;
	/* Called before a rename, once. */
	void (*before_rename)(void *userdata);
	void *userdata;
	bool recording;
	struct disk_event *events;
	size_t count, capacity;
	uint64_t files;
	uint64_t files_by_fd[1024]; /* 0: not ours */
	uint64_t mark;
};

void test_disk_init(struct test_disk *disk);
void test_disk_deinit(struct test_disk *disk);

/* A state directory with the store of blobs in it, on a disk of the test's. */
struct place {
	char *state;
	struct blobs *blobs;
	struct test_disk disk;
};

void place_init(struct place *place);
void place_reopen(struct place *place);
void place_deinit(struct place *place);
