/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The ways a caller reaches an echo: one call is one event out and the whole response back, blocking. The
 * same client drives them all, so that what differs is what is measured.
 */
#include <stddef.h>

struct transport {
	const char *name;
	/* A descriptor that is kept from call to call, or -1 with errno; NULL: none is kept. */
	int (*connect)(const char *target);
	/* The response's length, or -1 with errno. */
	long (*call)(int fd, const char *target, const char *event, size_t length, char *response,
	        size_t size);
};

/* NULL when there is none of that name. */
const struct transport *transport_find(const char *name);
