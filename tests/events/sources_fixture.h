/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sources over a clock that stands still unless it is set, and a queue that writes down what it takes:
 * a line `NAME BODY` each, acknowledged when the test says so. A crash is a fixture that is loaded anew.
 */
#include <uv.h>

#include "base/clock.h"
#include "events/sources.h"
#include "model/function.h"
#include "store/store.h"

enum { QUEUED_MOST = 4096 };

struct queued {
	char *name, *source, *body;
	int64_t due_us;
	struct queue_target target;
	queue_accepted_fn done;
	void *userdata;
	bool told, ended;
	struct queue_watch *watch;
};

struct fixture {
	struct clock clock; /* first */
	int64_t now_us;
	char *directory;
	uv_loop_t loop;
	struct alarms alarms;
	struct store *store;
	struct functions *functions;
	struct triggers *triggers;
	struct http_routes *http_routes;
	struct sources *sources;
	struct function *function;
	struct queued queued[QUEUED_MOST];
	size_t count;
	int refuse; /* 0, or what the next is refused with */
	struct buf why;
};

struct fixture *fixture_open(const char *now); /* "2026-03-01T00:00:00" */
void fixture_close(struct fixture *fixture);
void fixture_crash(struct fixture *fixture, int64_t down_us); /* and starts again */
void fixture_set_clock(struct fixture *fixture, const char *now);
void fixture_pass(struct fixture *fixture, int64_t us); /* the sources look at the clock */
int64_t fixture_time(const char *text);

/* Tells everybody who was not told yet; how many. */
size_t fixture_tell(struct fixture *fixture, int status);

/* The call of the entry so many (from 0) has ended. */
void fixture_end(struct fixture *fixture, size_t number);

struct trigger *fixture_trigger(struct fixture *fixture, const char *name);
int fixture_set(
        struct fixture *fixture, struct trigger *trigger, enum source_kind kind, const char *text);
struct trigger *fixture_find(struct fixture *fixture, const char *name);
