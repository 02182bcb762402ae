/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Asynchronous calls whose result is posted to a URL when they have ended (OpenFaaS's X-Callback-Url). Which call
 * that is stands in STATE/callbacks/NAME, NAME being the entry's in its queue, from before it is accepted until
 * the result was taken, or given up: so each is posted at least once, whoever is killed meanwhile. It is done by a
 * process without rights (fnfs-fetch --call-back). Loop thread only. Internal to engine/.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "events/queue.h"

struct engine;

struct callbacks {
	struct list all; /* struct callback */
	unsigned running, reading;
	bool stopping;
};

void callbacks_init(struct engine *engine);
void callbacks_resume(struct engine *engine); /* what an earlier daemon did not finish */
void callbacks_stop(struct engine *engine);
bool callbacks_idle(const struct engine *engine);

/* Before the entry is accepted. 0; -EINVAL: no such URL, -EACCES: there are no call-backs here; with a sentence; -EIO. */
int callback_note(struct engine *engine, const char *name, const struct queue_target *target,
        const char *url, struct buf *why);
void callback_begin(struct engine *engine, const char *name); /* it was accepted */
void callback_forget(struct engine *engine, const char *name);
