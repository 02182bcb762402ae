/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A kernel for tests: it speaks the FUSE protocol to a file system over a real engine, without a mount
 * and without root. Requests are built by hand, answers are caught, and each request must be answered
 * exactly once; a second answer, or one to nobody, ends the program with an error.
 */
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/map.h"
#include "engine/engine.h"
#include "fs/fs.h"

struct answer_of_fs {
	uint64_t unique;
	int error;       /* 0 or a negative errno */
	struct buf data; /* behind the header */
};

struct kernel {
	uv_loop_t loop;
	char directory[64];
	struct engine *engine;
	struct fs *fs;
	struct fuse_session *fuse;
	uint64_t unique;      /* of the last request */
	struct map answers;   /* by unique; struct answer_of_fs */
	struct map expecting; /* by unique */
	struct caller caller; /* who asks; tests may change it */
	bool drained;
};

void kernel_open(struct kernel *kernel);
void kernel_close(struct kernel *kernel); /* everything must have been answered */

/* Makes a function; its id. */
uint64_t kernel_function(struct kernel *kernel, const char *name);

/* Sends a request and returns its number; the answer may be there already. */
uint64_t kernel_send(
        struct kernel *kernel, uint32_t opcode, uint64_t node, const void *payload, size_t length);
void kernel_interrupt(struct kernel *kernel, uint64_t unique);

/* Lets the loop turn once without waiting: interrupts are told. */
void kernel_turn(struct kernel *kernel);

/* The answer, or NULL while there is none. Stays until kernel_close() or kernel_forget_answers(). */
const struct answer_of_fs *kernel_answer(struct kernel *kernel, uint64_t unique);

void kernel_forget_answers(struct kernel *kernel);

/* Sends and returns the error (0 or negative); what was answered is in *answer when not NULL. */
int kernel_ask(struct kernel *kernel, uint32_t opcode, uint64_t node, const void *payload,
        size_t length, const struct answer_of_fs **answer);

/* The usual questions. Each returns 0 or a negative errno. */
int kernel_lookup(
        struct kernel *kernel, uint64_t parent, const char *name, struct fuse_entry_out *entry);
uint64_t kernel_path(struct kernel *kernel, const char *path); /* node id, 0 = not found */
int kernel_getattr(struct kernel *kernel, uint64_t node, struct fuse_attr *attr);
int kernel_open_file(struct kernel *kernel, uint64_t node, int flags, uint64_t *handle);
int kernel_release(struct kernel *kernel, uint64_t node, uint64_t handle);
int kernel_read(struct kernel *kernel, uint64_t node, uint64_t handle, uint64_t offset,
        uint32_t size, const struct answer_of_fs **answer);
int kernel_write(struct kernel *kernel, uint64_t node, uint64_t handle, uint64_t offset,
        const void *data, size_t length);
int kernel_flush(struct kernel *kernel, uint64_t node, uint64_t handle);
int kernel_named(struct kernel *kernel, uint32_t opcode, uint64_t parent, const char *name);
int kernel_mkdir(struct kernel *kernel, uint64_t parent, const char *name);
int kernel_create(
        struct kernel *kernel, uint64_t parent, const char *name, uint64_t *node, uint64_t *handle);
int kernel_rename(struct kernel *kernel, uint64_t parent, const char *name, uint64_t to_parent,
        const char *to_name);

/* Opens, reads all, closes: the text, or NULL. Valid until the next call. */
const char *kernel_text(struct kernel *kernel, const char *path);
int kernel_set_text(struct kernel *kernel, const char *path, const char *text);
/* Names in a directory, each followed by a space, read `size` bytes at a time. */
const char *kernel_list(struct kernel *kernel, const char *path, uint32_t size);
