/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What fnfsd was asked for: its command line, and what follows from it. */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct options {
	char *directory; /* as typed */
	char *state;     /* absolute */
	char *runtimes;  /* search path */
	char *guardian;
	char *fetch;
	char *gateway;
	char *listen[16]; /* as typed; NULL-ended */
	size_t listen_count;
	char *tls_cert, *tls_key; /* absolute; NULL */
	bool open_loopback;
	char *watcher;
	char *sources; /* search path of programs that bring events */
	bool foreground;
	bool allow_other;
	bool auto_unmount;
	bool nonempty;
	bool debug;
	bool print_tree;
	bool doctor;
	bool check_state;
	bool version;
	bool help;
};

extern const char options_usage[];

/* 0, or -EINVAL / -ENOMEM with a sentence in `why`. Deinit in any case. */
int options_parse(struct options *options, int argc, char **argv, struct buf *why);
void options_deinit(struct options *options);
