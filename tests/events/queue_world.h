/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A world for the queue in which nothing happens by itself: a disk that takes one commit at a time, a clock that
 * is moved, instances that answer when they are told to. It stands in for store/entries.c and run/alarm.c, by
 * the linker. The disk outlives the daemon: world_crash() ends the one, and world_boot() starts the next.
 */
#include "events/queue_host.h"

#define WORLD_ROWS  64
#define WORLD_CALLS 16

struct world_row { /* on the disk */
	struct entry_row row;
	char name[256], request_id[64], source[64];
	bool has_request, has_answer;
	char request[8192], answer[8192];
};

struct world_call { /* in an instance */
	bool runs;
	char name[256], request_id[64], event[8192];
	struct queue_target target;
	unsigned attempt;
	const struct invocation_events *events;
	queue_done_fn handed; /* of WORLD_TOPIC: it is handed on */
	void *run;
	unsigned hops;
};

/* A target that hands on. World knows what arrived where it led to, each once, for that keeps what it has by id. */
#define WORLD_TOPIC 3

struct world {
	struct queue *queue; /* NULL between two daemons */
	struct queue_limits limits;
	bool version_gone;
	uint64_t unreadable; /* what this function allows cannot be read now */
	struct world_row rows[WORLD_ROWS];
	size_t count;
	uint64_t last_id;
	struct list waiting; /* commits handed in */
	struct list applied; /* and on the disk, but nobody was told */
	struct world_call calls[WORLD_CALLS];
	struct clock clock;
	int64_t now_us;
	int busy; /* the next so many starts are refused */
	char arrived[WORLD_ROWS][64];
	size_t arrived_count;
	/* Told of each call that begins. */
	void (*began)(struct world *world, const struct world_call *call);
	void *userdata;
};

extern struct world world;

void world_init(void);
void world_boot(void);
void world_crash(void);       /* what waits was never written; calls are gone */
void world_turn(void);        /* alarms that are due ring, reads are answered */
bool world_can_apply(void);   /* a commit waits */
void world_apply(void);       /* the first one is on the disk */
void world_refuse(int error); /* the first one cannot be written, and is told so */
bool world_can_tell(void);
void world_tell(void);        /* the first one on the disk is acknowledged */
void world_settle(void);      /* applies and tells all there is */
int64_t world_alarm_us(void); /* until the next alarm; -1 = none */
void world_pass(int64_t us);
void world_end(struct world_call *call, enum outcome outcome, const char *answer);
struct world_row *world_row(const char *name); /* NULL: there is none of this name */
