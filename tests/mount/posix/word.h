/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The vocabulary of a step: each kind of argument is one letter, and most letters have words, so that
 * a step reads like the call it stands for (`open 0 a/b O_RDWR|O_CREAT 0644`). Numbers are understood
 * wherever words are. The letters:
 *
 *	p path			s text		f slot of an open descriptor	n size, offset, count
 *	m mode (octal)		O open flags	R rename flags			w whence
 *	u user			g group		T time				A fallocate mode
 *	a access mode		k kind of node	L kind of lock			F flock operation
 *	M kind of mapping	x AT_ flags	d which actor
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Ids of the two users and of the group they share; the step's user 0 is whoever runs the test. */
#define FIRST_USER   10001
#define SECOND_USER  10002
#define SHARED_GROUP 10003

enum word_time {
	TIME_NOW,
	TIME_OMIT,
	TIME_BAD,
	TIME_ZERO,
	TIME_OLD,
	TIME_2001,
	TIME_2100,
	TIME_NEG
};

struct word {
	const char *name;
	long value;
};

/* The words of a letter, ended by a NULL name, or NULL: the letter has only numbers or text. */
const struct word *words_of(char letter);
bool word_is_text(char letter);

/* Parses `A|B` or a number; false when some part is unknown. */
bool word_parse(char letter, const char *text, long *value);
void word_print(char letter, long value, char *out, size_t size);
