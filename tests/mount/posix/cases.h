/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The fixed cases: a file per group of calls, a line per case.
 *
 *	over an open file (root): open 0 a O_CREAT|O_RDWR 0644; rename b a replace = ok; fstat 0
 *
 * Before the colon stands what a case is about, and in brackets what it needs: `root` rights to be
 * several users (found by itself where a step has another user), or something that a licence takes
 * away (`xattr`, `tmpfile`, `collapse`, `seek`). Lines that end in `;` go on in the next.
 */
#include "call.h"
#include "sequence.h"

typedef void (*case_fn)(void *userdata, const struct sequence *sequence);

struct case_needs {
	bool privileged;
	struct licence licence;
};

/* Calls `each` for every case that can be played; -EINVAL, told on stderr, for a bad line. */
int cases_read(const char *path, const struct case_needs *given, case_fn each, void *userdata,
        unsigned *skipped);
