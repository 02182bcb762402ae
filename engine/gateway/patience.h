/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How long clients may take. libmicrohttpd ends connections that are silent; one that sends a byte now and
 * then it would keep for ever. So a head, a body, and the taking of an answer each have a time of their own.
 */
#include <stdint.h>

#include "base/list.h"

enum patience_phase {
	PHASE_HEAD,   /* from the end of the request before */
	PHASE_BODY,   /* from the end of the head */
	PHASE_RESTS,  /* it waits for us: as long as it likes */
	PHASE_ANSWER, /* from the answer's last byte */
	PHASES,
};

struct patience {
	struct list waits[PHASES]; /* in the order of their deadlines */
	int64_t swept_ms;
};

/* One client, embedded. */
struct patience_wait {
	struct list link;
	int64_t since_ms;
};

enum { PATIENCE_SWEEP_MS = 1000 };

void patience_init(struct patience *patience);
void patience_wait_init(struct patience_wait *wait);
void patience_enter(struct patience *patience, struct patience_wait *wait,
        enum patience_phase phase, int64_t now_ms);
void patience_leave(struct patience_wait *wait);

/* Tells of all who took too long, again and again until they leave; at most once a second. */
void patience_sweep(
        struct patience *patience, int64_t now_ms, void (*late)(struct patience_wait *));
