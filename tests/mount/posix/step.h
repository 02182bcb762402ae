/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A step is one system call with its arguments, made by one of the actors under one of the users. It
 * has a written form, in which a failing sequence is reported and the fixed cases are kept:
 *
 *	p1 u2 open 0 a/b O_RDWR|O_CREAT 0644 = EACCES
 *
 * p1 is the actor and u2 the user (p0 and u0 when absent), what stands behind `=` is what the local
 * disk must answer, so that a case cannot silently test something else than it says. `&` before the
 * call starts it without waiting for its end; `wait` by the same actor collects it.
 */
#include <stdbool.h>
#include <stddef.h>

#define STEP_ARGUMENTS 6
#define STEP_ACTORS    2
#define STEP_USERS     3

struct argument {
	long number;
	char text[64];
};

struct call; /* see call.h */

struct step {
	const struct call *call;
	unsigned char actor;
	unsigned char user;
	bool begun;   /* started, not waited for */
	bool wordy;   /* the answer also describes the descriptor that was worked on */
	bool expects; /* `expected` is what the local disk must answer */
	struct argument arguments[STEP_ARGUMENTS];
	char expected[32]; /* an errno's name, `ok`, or the number returned */
};

void step_print(const struct step *step, char *out, size_t size);

/* Parses one step; the text is changed. false, with a sentence in `error`, when it is no step. */
bool step_parse(struct step *step, char *text, char *error, size_t error_size);

/* Does the answer fit what the step expects of the local disk? */
bool step_met(const struct step *step, long returned, int error);

const char *errno_name(int error); /* "EACCES", or "0" */
