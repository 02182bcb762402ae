/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sm.h"

#include <assert.h>

#include "base/log.h"

void sm_init(struct sm *sm, const char *what, const struct sm_row *rows, unsigned state)
{
	*sm = (struct sm){rows, what, state};
}

void sm_move(struct sm *sm, unsigned state)
{
	const struct sm_row *from = &sm->rows[sm->state];

	log_line(LOG_DEBUG, "%s: %s -> %s", sm->what, from->name, sm->rows[state].name);
	assert(!from->final && (from->next & SM_TO(state)));
	sm->state = state;
}

const char *sm_name(const struct sm *sm)
{
	return sm->rows[sm->state].name;
}
