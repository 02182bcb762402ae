/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guardian's state, of which there is one, and what its files do for each other. Only the guardian
 * itself includes this.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "run/guardian_errand.h"
#include "run/guardian_message.h"
#include "run/guardian_spares.h"
#include "run/guardian_ward.h"

struct guardian {
	int epoll, signals;
	struct sandbox sandbox;
	struct limits limits;
	struct list wards;
	struct map by_id;
	struct outbox outbox;
	struct buf message;
	char *incoming;
	int64_t memory_look_until_us; /* after the kernel spoke of memory */
	int sample_ms;
	int64_t sampled_us;
	bool daemon_gone;
	struct errand_view view; /* of the file system, as it was at our start */
	struct spares spares;
};

/* guardian.c: wards are watched by their ids, of which a spare gets another when it is taken */
void guardian_take_in(struct guardian *guardian, struct ward *ward, uint64_t id);
void guardian_rename(struct guardian *guardian, struct ward *ward, uint64_t id);
void guardian_tell(struct guardian *guardian, enum message_type type, uint64_t id, const void *body,
        size_t length);

/* guardian_start.c: what messages order; of each the daemon hears in the end */
void guardian_start(struct guardian *guardian, uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS]);
void guardian_run_errand(struct guardian *guardian, uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS]);
void guardian_cancel(struct guardian *guardian, uint64_t id); /* of what has not begun yet */
/* In no spare. The daemon hears of it in any case. */
void guardian_start_alone(struct guardian *guardian, uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS]);
/* The runtime runs; with descriptors as MESSAGE_STARTED has them, or NULL. */
void guardian_tell_started(struct guardian *guardian, struct ward *ward, const int *descriptors);

/* guardian_process.c: the process itself */
void guardian_prepare_process(void);
int guardian_try_sandbox(
        void); /* becomes the smallest sandbox: whether it ends with 0; 127: no bwrap */
void guardian_kill_orphans(const struct guardian *guardian);

/* guardian_root.c: as root in a mount namespace of its own; does nothing where there is no chroot */
void guardian_leave_chroot(void);

/* guardian_memory.c: who exceeds what; look() and sample() do nothing when it is not time */
void guardian_hear_memory(struct guardian *guardian, struct ward *ward);
void guardian_look_at_memory(struct guardian *guardian);
void guardian_sample_memory(struct guardian *guardian);
void guardian_sample_at_last(struct guardian *guardian); /* before a kill, unless it was just now */
int guardian_memory_patience_ms(const struct guardian *guardian); /* -1: for ever */
