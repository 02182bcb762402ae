/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * State machines as rows. A table is indexed by the enum of states with designated initialisers; the
 * row's name is the string shown in `state` files. sm_move() is the one mover: it traces at debug
 * level and asserts that the table allows the step.
 */
#include <stdbool.h>
#include <stdint.h>

struct sm_row {
	const char *name;
	uint32_t next; /* bit set of states allowed to follow: SM_TO(A) | SM_TO(B) */
	bool final;
};

#define SM_TO(state) (UINT32_C(1) << (state))

struct sm {
	const struct sm_row *rows;
	const char *what; /* for the trace, e.g. "instance" */
	unsigned state;
};

void sm_init(struct sm *sm, const char *what, const struct sm_row *rows, unsigned state);
void sm_move(struct sm *sm, unsigned state);
const char *sm_name(const struct sm *sm);
