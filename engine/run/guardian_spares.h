/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sandboxes made before anybody needs them. A *spare* has all that a sandbox has but its code, its host name and its
 * limits, which it gets in well below a millisecond when a function is started in it. In some only init waits (any
 * program can be started there); in others the runtime's program runs already, and waits for FRAME_INIT on a channel
 * whose other ends we keep.
 *
 * Spares are of a *kind*: whose they are, the runtime, and whether its program runs. A kind comes to be when something
 * of it is started for the first time. It keeps one spare ready, one more each time that none was, one fewer
 * for each minute without; and none after ten minutes without a start, or when the machine is short of memory. A spare
 * has never held code of anybody, and holds that of one function, once.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "run/guardian_message.h"

struct guardian;
struct order;
struct ward;

struct spares {
	struct list kinds;
	bool wanted;        /* at all */
	uint64_t made;      /* so many so far */
	int64_t started_us; /* the latest order of the daemon: none is made while it is busy with that */
	int64_t short_until_us; /* of memory */
	int pressure;           /* becomes readable (EPOLLPRI) by the kernel's word for that; -1 */
};

void spares_init(struct guardian *guardian);
void spares_deinit(struct guardian *guardian); /* when there are no wards */

/*
 * A spare becomes what is ordered; true: the ward has that id now. False: there is none that would do, and one is made for
 * the next time. Descriptors remain the caller's. The daemon is told when it has started.
 */
bool spares_take(struct guardian *guardian, const struct order *order, uint64_t id,
        const int descriptors[MESSAGE_DESCRIPTORS]);

/*
 * With none ready, one is made for this order alone, where that is quicker than to start everything anew. `body` is what the
 * order was parsed from. True: it will be started, or refused, later.
 */
bool spares_make_for(struct guardian *guardian, const struct order *order, uint64_t id,
        const char *body, size_t length, const int descriptors[MESSAGE_DESCRIPTORS]);
bool spares_cancel(
        struct guardian *guardian, uint64_t id); /* such an order; false: there is none */

void spares_hear(struct guardian *guardian, struct ward *ward); /* a spare or its sandbox spoke */
void spares_reaped(struct guardian *guardian, pid_t pid);
bool spares_know(const struct guardian *guardian, pid_t pid); /* as one of theirs that is no ward */
bool spares_are_born(const struct guardian *guardian);        /* some, just now */
void spares_lose(struct guardian *guardian, struct ward *ward); /* it is over, by itself or by us */
void spares_turn(struct guardian *guardian);                    /* makes and ends what is due */
void spares_hear_pressure(struct guardian *guardian);           /* ends all for a while */
int spares_patience_ms(const struct guardian *guardian);        /* -1: for ever */
