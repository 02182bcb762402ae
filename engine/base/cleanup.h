/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Cleanup variables: a constructor holds its half-made product in one and moves it out, with
 * take(), on its last line, so that every early return frees what was made so far.
 *
 *	CLEANUP(free_p) char *text = strdup("x");
 *	CLEANUP(close_p) int fd = open(...);
 *	return take(text);
 */
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Moves a pointer out of a variable, which is left NULL. */
#define take(pointer) \
	({ \
		__typeof__(pointer) take_old_ = (pointer); \
		(pointer) = NULL; \
		take_old_; \
	})

/* Moves a descriptor out of a variable, which is left -1. */
#define take_fd(fd) \
	({ \
		int take_old_ = (fd); \
		(fd) = -1; \
		take_old_; \
	})

#define ARRAY_SIZE(array) \
	(sizeof(array) / sizeof((array)[0]) + \
	        0 * sizeof(char[1 - 2 * __builtin_types_compatible_p( \
	                                        __typeof__(array), __typeof__(&(array)[0]))]))

static inline void free_p(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

static inline void close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Closes a descriptor unless it is negative; always returns -1: `x->fd = close_fd(x->fd)`. */
static inline int close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}
