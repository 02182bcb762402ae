/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What this shim needs of FRAME_INIT. The JSON comes from the daemon, which we trust to be our own; a
 * scanner of the topmost object is enough, and keeps the shim free of libraries.
 */
#include <stddef.h>

struct settings {
	char *code;
	char *handler;
	char *initializer; /* "" = none */
	long concurrency;
};

/* 0, -EPROTO when it is not an object of JSON, or -ENOMEM. */
int settings_init(struct settings *settings, const char *json, size_t length);
void settings_deinit(struct settings *settings);
