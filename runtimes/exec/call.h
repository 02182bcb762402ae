/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One call: a run of the handler's program with a pipe at each of its standard descriptors. It lives
 * from FRAME_CALL until its END or ERROR was sent; then it moves to the list of those that are over,
 * to be freed when no event of the current batch can point to it.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "program.h"
#include "run/protocol.h"

enum stream { STDIN, STDOUT, STDERR, END, STREAMS };

/* What an epoll event points to; the channel's own has no call. */
struct watch {
	struct call *call;
	enum stream stream;
	int fd; /* -1 = closed */
};

struct call {
	struct list link;
	uint64_t id;
	pid_t pid;
	struct watch watches[STREAMS];
	struct buf event;
	size_t event_sent;
	size_t response_length;
	struct buf line; /* the beginning of a line of the log, when several calls share it */
	struct buf tail; /* the end of standard error */
	bool wide;       /* its pipe of standard error was made larger */
	bool cancelled, too_large, over;
};

/* What all calls share. */
struct calls {
	const struct program *program;
	struct list running, over;
	int epoll;
	bool several; /* the log has to say whose a line is */
};

void calls_init(struct calls *calls, const struct program *program);
void calls_free_over(struct calls *calls);

void call_begin(struct calls *calls, const struct frame *frame);
void call_cancel(struct calls *calls, uint64_t id);
void call_event(struct calls *calls, struct watch *watch);
