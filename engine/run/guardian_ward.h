/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One sandbox as its guardian sees it: bubblewrap outside, init and the runtime inside. It is *over*
 * when bubblewrap is reaped, init is gone and its control groups could be removed; only then the daemon
 * is told, so "ended" means that nothing of it is left.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "run/guardian_message.h"
#include "run/guardian_order.h"
#include "run/launcher.h"
#include "run/instance_limits.h"
#include "run/outbound.h"
#include "run/sandbox.h"

struct ward {
	struct list link;
	uint64_t id;
	char *group;
	pid_t bubblewrap; /* 0 once reaped */
	pid_t init;       /* 0 until it has said hello */
	pid_t runtime;
	int status;       /* packets of bubblewrap and init */
	int other_status; /* its other end (struct order); -1 */
	int memory_event; /* -1: none */
	bool errand;      /* no sandbox: `bubblewrap` is the program itself (guardian_errand.h) */
	struct outbound *outbound; /* NULL: none is wanted */
	int network;               /* waits for its way out; -1 */
	bool running;
	bool waiting; /* init has no program yet (guardian_spares.h) */
	bool doomed;  /* a kill was asked for or decided */
	bool out_of_memory;
	bool has_end;
	int end;               /* of the runtime, as wait(2) says it */
	int sandbox_end;       /* of bubblewrap, likewise */
	int64_t busy_since_us; /* it is over but for its control group */
	struct buf words;      /* of bubblewrap, when it does not start */
	int64_t memory_limit;
	struct spare *spare; /* nobody's yet; NULL: the daemon's */
	bool was_spare;
	bool born; /* the runtime came from a zygote, and is a child of ours */
	bool born_reaped;
	pid_t inside;              /* the number it has in the sandbox */
	struct limits_usage usage; /* the largest seen, by sampling, at its end, by wait4(2) */
};

/*
 * Starts what the order asks for; the descriptors remain the caller's. On failure the reason is in
 * `why` and there is no instance.
 */
int ward_start(struct ward **out, struct sandbox *sandbox, const struct limits *limits, uint64_t id,
        const struct order *order, const int descriptors[MESSAGE_DESCRIPTORS], struct buf *why);
/* What an order asks for, and how large the /tmp of its sandbox is. */
void ward_limits(const struct order *order, struct limits_values *values);
int64_t ward_tmp_bytes(const struct limits *limits, int64_t memory_bytes);
struct ward *ward_new(uint64_t id, const char *name, int64_t memory_limit);
struct ward *ward_free(struct ward *ward);

/* Packets with their sender's pid: our end, and the end that the child gets. 0 or -errno. */
int ward_open_status(int pair[2]);

/* Reads what bubblewrap and init have said. True when the runtime has begun to run by it. */
bool ward_listen(struct ward *ward, const struct limits *limits);

/* Its way out, when one is wanted and its network is there. True when it was started now. */
bool ward_connect(struct ward *ward, const struct limits *limits);

/* Something happened to its way out: lets the runtime start, or ends what has none any more. */
void ward_look_at_outbound(struct ward *ward, const struct limits *limits);

/* SIGTERM for the runtime: init hands it on. */
void ward_terminate(struct ward *ward);

/* Ends the whole tree. */
void ward_kill(struct ward *ward, const struct limits *limits);

/* What it uses now, as sampled; -1 for what is unknown. */
void ward_used(struct ward *ward, const struct limits_usage *now);

/* A runtime that is a child of ours was reaped: the rest goes with it. `counted`: control groups count its memory. */
void ward_program_reaped(struct ward *ward, int status, const struct rusage *usage, bool counted);

/* bubblewrap was reaped. */
void ward_reaped(struct ward *ward, int status, const struct rusage *usage);

/* Whether nothing is left of it. Then `end` is filled in and its control groups are gone. */
bool ward_over(struct ward *ward, const struct limits *limits, struct process_end *end);

/* The kernel has looked for memory in its group: true when a process was killed for it. */
bool ward_ran_out(struct ward *ward, const struct limits *limits);
