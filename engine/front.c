/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever shows the tree and remembers what was in it is told of what came and went by another door. */
#include "engine/engine_state.h"

void engine_set_front(struct engine *engine, const struct engine_front *front, void *userdata)
{
	engine->front = front;
	engine->front_userdata = userdata;
}

void engine_tell(struct engine *engine, enum engine_entries where, uint64_t object,
        const struct buf *names, void (*done)(void *userdata), void *userdata)
{
	if (engine->front)
		engine->front->changed(
		        engine->front_userdata, where, object, names, done, userdata);
	else
		done(userdata);
}
