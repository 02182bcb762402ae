/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The way out of one instance's network (config/network `outbound`): pasta, a process that carries what
 * leaves the instance's network over sockets of its own, with no right that the function's owner has
 * not, and lets nothing in. The guardian starts it as its child beside the sandbox, in a control group of its
 * own, and both end with each other. docs/decisions/015-outbound-network.md says why it is so.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct limits;

#define OUTBOUND_RESOLVER \
	"169.254.1.1" /* answers for the host's resolver, where that is the host itself */
#define OUTBOUND_NEEDS "config/network `outbound` needs pasta; type: sudo apt-get install passt"

struct outbound {
	uid_t uid; /* whom it runs as: the instance's user on the host */
	gid_t gid;
	bool is_root; /* we are, and it must not be */
	char *group;
	pid_t pid;        /* 0: not started, or reaped */
	int words;        /* its standard error; -1 */
	bool ready;       /* the network is as it will be */
	bool killed;      /* by us: its end says nothing */
	bool broken;      /* it ended, or did not get ready in time; `why` says how */
	int64_t until_us; /* ready by then; 0: nothing is waited for */
	struct buf said;
	char why[240];
};

/* pasta's path (FNFS_PASTA names another), or NULL when it is not installed. Borrowed. */
const char *outbound_find(void);

/* `group` is the instance's. NULL: no memory. */
struct outbound *outbound_new(const char *group, uid_t uid, gid_t gid, bool is_root);
struct outbound *outbound_free(struct outbound *outbound);

/* Gives the network (a descriptor of its namespace, borrowed) its way out. Failure is told as `broken`. */
void outbound_start(struct outbound *outbound, const struct limits *limits, int network);

/* Reads what it says; true when it has become ready by it. */
bool outbound_listen(struct outbound *outbound);
void outbound_reaped(struct outbound *outbound, int status);
void outbound_kill(struct outbound *outbound, const struct limits *limits);

/* It had its time to get ready: marks it as broken when that is over. */
void outbound_look_at_clock(struct outbound *outbound);
int outbound_patience_ms(const struct outbound *outbound); /* -1: for ever */

/* Whether nothing is left of it: its process is reaped and its control group gone. */
bool outbound_over(struct outbound *outbound, const struct limits *limits);

/* In the forked child of `guardian`: becomes pasta. Never returns. */
struct outbound_start {
	const struct outbound *outbound;
	const struct limits *limits;
	int network, words;
	pid_t guardian;
};
_Noreturn void outbound_enter(const struct outbound_start *start);

/* The last sentence of what pasta said, "" when there is none. */
void outbound_last_words(const struct buf *said, char *into, size_t size);
