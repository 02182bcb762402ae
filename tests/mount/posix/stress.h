/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the processes of a stress share, and the end of it: the check of the tree they leave.
 *
 * A file under a common name always is a whole one: it is written under a name of the process's own
 * and moved or linked into the tree. Its first line says who it is and how long; what follows can be
 * computed from that.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STRESS_PROCESSES 16
#define STRESS_TOKENS    4096
#define RECORD_BYTES     48

struct stress_shared {
	atomic_uint next_file;
	atomic_uint token;                  /* the name that all try to make */
	atomic_uint winners[STRESS_TOKENS]; /* how many were told that they made it */
	atomic_uint appended;               /* records in the common log */
	atomic_uint counted;                /* increments of the common counter */
	atomic_ulong steps, errors;
	atomic_bool stop;
};

struct stress {
	const char *directory;
	struct stress_shared *shared;
	uint64_t random;
	int number; /* of this process */
};

/* One process's work until shared->stop. */
void stress_work(struct stress *stress);

/* Looks at everything that is left; returns the number of things that are wrong, each told. */
unsigned stress_check(const struct stress *stress);

/* The content of the file with a number; returns its length (at most 70000). */
size_t stress_content(unsigned number, char *out);

/* Is this the whole content of one of the files? */
bool stress_content_is_whole(const char *data, size_t length);

void stress_complain(struct stress_shared *shared, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
