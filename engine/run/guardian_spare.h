/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One spare and one kind of them (guardian_spares.h, which owns both). A spare owns the ends by which it is told what
 * it is to be; its ward is the guardian's, as all are, and knows of it while it is a spare.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "run/guardian_message.h"
#include "run/guardian_zygote.h"

struct guardian;
struct order;
struct spare_kind;
struct ward;

/* No daemon numbers its processes so high, nor its functions as high as spares of root's are. */
#define SPARE_IDS          (UINT64_C(1) << 56)
#define SPARE_FUNCTION_IDS 50000000u

/* An order for which a spare is being made: the message behind its header, and descriptors of our own. */
struct pending {
	uint64_t id;
	int descriptors[MESSAGE_DESCRIPTORS];
	size_t length;
	char body[];
};

struct spare {
	struct list link;
	struct spare_kind *kind;
	struct ward *ward;
	unsigned root; /* which of the sandboxes' roots it has */
	bool unwanted; /* we have ended it */
	uid_t uid;     /* on the host */
	gid_t gid;
	int order;                       /* to an init that waits; -1 */
	bool by_zygote;                  /* its program is to come from there */
	bool ordered;                    /* there */
	int theirs[MESSAGE_DESCRIPTORS]; /* ends that it gets with that; -1 */
	int64_t made_us;
	struct pending *pending; /* who gets it; NULL: who comes */
	int ends[MESSAGE_DESCRIPTORS]; /* the daemon's, of a program that runs: to write, to read, output; -1 */
};

struct spare_kind {
	struct list link;
	struct list spares;
	unsigned ready;             /* as many are in that list for whoever comes */
	unsigned wanted;            /* as many should be */
	int64_t used_us, raised_us; /* last started; `wanted` last changed */
	/* what they have in common */
	uid_t uid;
	gid_t gid;
	int64_t tmp_bytes; /* INT64_MAX: memory is counted, and /tmp in it */
	int max_processes;
	bool running; /* the program is */
	char *runtime;
	char *directory;
	char **argv; /* NULL-ended */
	char **zygote_argv;
	struct zygote zygote;
	bool zygote_proven;      /* a program has come of it */
	int64_t zygote_after_us; /* not before that again, for it failed */
};

/* As the order has it. NULL: no memory. */
struct spare_kind *spare_kind_new(const struct order *order, bool running, int64_t tmp_bytes);
void spare_kind_free(struct spare_kind *kind); /* it may have none */

/* The number is never used twice. NULL with the reason in `why`. */
struct spare *spare_start(
        struct guardian *guardian, struct spare_kind *kind, uint64_t number, struct buf *why);
struct spare *spare_free(struct spare *spare); /* NULL; the ward is not touched */
void spare_leave(struct spare *spare);         /* its kind, which counts it no more */

/* The sandbox is ready for its program, or that is there. 0 or -errno. */
int spare_order_program(struct guardian *guardian, struct spare *spare);
int spare_take_program(struct guardian *guardian, struct spare *spare);

struct pending *pending_new(uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS]);   /* NULL: no memory, or no descriptors */
struct pending *pending_free(struct pending *pending); /* NULL */

/* The order as init understands it (sandbox_order.h), and its sending. 0 or -errno. */
void spare_write_order(struct buf *out, const struct order *order);
int spare_send_order(
        struct spare *spare, const struct buf *text, const int descriptors[MESSAGE_DESCRIPTORS]);
