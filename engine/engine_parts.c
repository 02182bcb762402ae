/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine consists of, for whoever asks; parts of functions are made when first asked for. */
#include "engine/engine_state.h"

struct functions *engine_functions(struct engine *engine)
{
	return engine->functions;
}

struct attributes *engine_attributes(struct engine *engine)
{
	return engine->attributes;
}

struct runtimes *engine_runtimes(struct engine *engine)
{
	return engine->runtimes;
}

struct last_error *engine_last_error(struct engine *engine)
{
	return &engine->last_error;
}

const struct clock *engine_clock(const struct engine *engine)
{
	return engine->clock;
}

uid_t engine_owner(const struct engine *engine)
{
	return engine->owner;
}

const char *engine_log_path(const struct engine *engine)
{
	return engine->log_path;
}

struct function_state *engine_state(struct engine *engine, struct function *function)
{
	struct function_state *state = function->runtime_state;

	if (!state && !engine->draining && function_state_new(&state, engine, function) < 0)
		return NULL;
	return state;
}

struct worktree *engine_worktree(struct engine *engine, struct function *function)
{
	struct function_state *state = engine_state(engine, function);

	return state ? state->worktree : NULL;
}

struct logbook *engine_logbook(struct engine *engine, struct function *function)
{
	struct function_state *state = engine_state(engine, function);

	return state ? state->logbook : NULL;
}

struct metrics *engine_metrics(struct engine *engine, struct function *function)
{
	const struct function_state *state = function->runtime_state;

	return state ? state->metrics : glance_metrics(engine, function);
}

struct recorder *engine_recorder(struct engine *engine, struct function *function)
{
	const struct function_state *state = function->runtime_state;

	return state ? state->recorder : NULL;
}

struct last_error *engine_function_last_error(
        struct engine *engine, struct function *function, bool wanted)
{
	struct function_state *state =
	        wanted ? engine_state(engine, function) : function->runtime_state;

	return state ? &state->last_error : NULL;
}
