/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, as the file system makes and cancels them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/account.h"
#include "engine/engine_state.h"
#include "engine/version_state.h"
#include "model/alias.h"
#include "model/routes.h"
#include "model/version.h"
#include "run/host.h"
#include "run/instance.h"

/* Where the call goes: what it names, or what its alias chooses for it. */
static int route(struct function_state *state, const struct buf *request,
        const struct invocation_options *options, struct target **out, struct buf *why)
{
	struct version *version = options->version;
	struct version_state *of_version;

	if (options->alias) {
		const struct routes_target *chosen =
		        alias_choose(options->alias, request->data, request->length);

		if (!chosen) {
			buf_puts(why, "the alias has no routes");
			return -EIO;
		}
		version = chosen->version;
	}
	if (!version) {
		*out = &state->latest;
		return 0;
	}
	of_version = version_state_of(state, version);
	if (!of_version) {
		buf_puts(why, "no memory");
		return -ENOMEM;
	}
	of_version->routed |= options->alias != NULL;
	*out = &of_version->target;
	return 0;
}

static bool is_latest(const struct target *target)
{
	return target == &target->state->latest;
}

static struct version_state *version_of(struct target *target)
{
	return container_of(target, struct version_state, target);
}

static bool disabled(struct target *target)
{
	const struct settings *settings = is_latest(target)
	                                          ? &target->state->function->settings
	                                          : &version_of(target)->version->settings;

	return !settings->config.max_instances;
}

int invocation_start(struct engine *engine, struct function *function, struct buf *request,
        const struct invocation_options *options, const struct invocation_events *events,
        void *userdata, struct invocation **out, struct buf *why)
{
	struct function_state *state = engine_state(engine, function);
	struct invocation *invocation;
	struct target *target;
	int r;

	if (engine->draining) {
		buf_puts(why, "the daemon is about to end and takes no more calls");
		return -EAGAIN;
	}
	if (!state) {
		buf_puts(why, "the function's state could not be opened");
		return -EIO;
	}
	r = route(state, request, options, &target, why);
	if (r < 0)
		return r;
	if (disabled(target)) {
		account_rejected(target, options->alias);
		buf_printf(why, "%s is disabled: config/max_instances is 0",
		        is_latest(target) ? "the function" : "the version");
		return -EAGAIN;
	}
	invocation = invocation_new(
	        &target->pool, &engine->host.ids, request, options, events, userdata);
	if (!invocation) {
		buf_puts(why, "no memory");
		return -ENOMEM;
	}
	account_accepted(target, invocation, options);
	*out = invocation;
	if (is_latest(target))
		deploy_submit(&state->deploy, invocation);
	else
		version_submit(version_of(target), invocation);
	return 0;
}

const char *invocation_version(const struct invocation *invocation)
{
	return container_of(invocation->pool, struct target, pool)->name;
}

const char *invocation_request_id(const struct invocation *invocation)
{
	return invocation->request_id;
}

void engine_call_rejected(struct engine *engine, struct function *function, struct version *version)
{
	struct function_state *state = engine_state(engine, function);
	struct version_state *of_version =
	        state && version ? version_state_of(state, version) : NULL;

	if (state)
		account_rejected(of_version ? &of_version->target : &state->latest, NULL);
}

static struct invocation *find_waiting(const struct list *waiting, const char *request_id)
{
	struct invocation *invocation;

	list_each(invocation, waiting, link)
		if (strcmp(invocation->request_id, request_id) == 0)
			return invocation;
	return NULL;
}

static struct invocation *find_in(struct target *target, const char *request_id)
{
	struct invocation *found;
	struct instance *instance;

	found = find_waiting(
	        is_latest(target) ? &target->state->deploy.waiting : &version_of(target)->waiting,
	        request_id);
	if (!found)
		found = find_waiting(&target->pool.waiting, request_id);
	if (found)
		return found;
	list_each(instance, &target->pool.instances, link)
		if ((found = find_waiting(&instance->running, request_id)))
			return found;
	return NULL;
}

int engine_cancel_call(struct engine *engine, struct function *function, const char *request_id)
{
	struct function_state *state = engine_state(engine, function);
	struct invocation *found;
	struct target *target;

	if (!state)
		return -ENOENT;
	list_each(target, &state->targets, link) {
		found = find_in(target, request_id);
		if (!found)
			continue;
		invocation_cancel(found);
		return 0;
	}
	return -ENOENT;
}
