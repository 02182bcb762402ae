/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribing to a topic: there is nothing to do but to be there (topics.c looks). */
#include <errno.h>

#include "events/sources_private.h"
#include "model/why.h"

static int check(struct sources *sources, const struct trigger_source *source, const char *text,
        struct buf *canonical, struct topic **topic, struct buf *why)
{
	*topic = topics_find(sources->triggers, text);
	if (!*topic) {
		why_say(why, "there is no topic ");
		why_quote(why, text);
		buf_puts(why, ": mkdir topics/NAME makes one");
		return -EINVAL;
	}
	buf_puts(canonical, text);
	return 0;
}

const struct source_ops source_topic = {.check = check};
