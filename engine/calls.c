/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, as the file system makes and cancels them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/account.h"
#include "engine/engine_state.h"
#include "run/host.h"
#include "run/instance.h"

int invocation_start(struct engine *engine, struct function *function, struct buf *request,
        const struct invocation_options *options, const struct invocation_events *events,
        void *userdata, struct invocation **out, struct buf *why)
{
	struct function_state *state = engine_state(engine, function);
	struct invocation *invocation;

	if (engine->draining) {
		buf_puts(why, "the daemon is about to end and takes no more calls");
		return -EAGAIN;
	}
	if (!state) {
		buf_puts(why, "the function's state could not be opened");
		return -EIO;
	}
	if (!function->settings.config.max_instances) {
		account_rejected(&state->latest);
		buf_puts(why, "the function is disabled: config/max_instances is 0");
		return -EAGAIN;
	}
	invocation = invocation_new(
	        &state->latest.pool, &engine->host.ids, request, options, events, userdata);
	if (!invocation) {
		buf_puts(why, "no memory");
		return -ENOMEM;
	}
	account_accepted(&state->latest, invocation);
	*out = invocation;
	deploy_submit(&state->deploy, invocation);
	return 0;
}

const char *invocation_request_id(const struct invocation *invocation)
{
	return invocation->request_id;
}

int engine_cancel_call(struct engine *engine, struct function *function, const char *request_id)
{
	struct function_state *state = engine_state(engine, function);
	struct invocation *invocation;
	struct instance *instance;

	if (!state)
		return -ENOENT;
	list_each(invocation, &state->deploy.waiting, link)
		if (strcmp(invocation->request_id, request_id) == 0)
			goto found;
	list_each(invocation, &state->latest.pool.waiting, link)
		if (strcmp(invocation->request_id, request_id) == 0)
			goto found;
	list_each(instance, &state->latest.pool.instances, link)
		list_each(invocation, &instance->running, link)
			if (strcmp(invocation->request_id, request_id) == 0)
				goto found;
	return -ENOENT;
found:
	invocation_cancel(invocation);
	return 0;
}
