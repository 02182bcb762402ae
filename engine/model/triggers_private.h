/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What trigger.c, trigger_source.c and topic.c share. */
#include "base/map.h"
#include "base/ordered.h"
#include "model/trigger.h"
#include "store/store.h"

struct triggers {
	struct store *store;
	struct functions *functions;
	struct triggers_events events;
	void *userdata;
	struct map by_id;
	struct ordered ordered;
	struct map sources; /* by id */
	struct map topics;  /* by id */
	struct names topics_by_name;
	struct ordered topics_ordered;
};

void trigger_changed(struct trigger *trigger);

/* From the store, at start; triggers first. 0 or -ENOMEM. */
int topics_load(struct triggers *triggers);
int trigger_sources_load(struct triggers *triggers);
void topics_free(struct triggers *triggers); /* after the triggers */

/* Out of the maps and freed; the store knows already, or does not care. */
void trigger_source_drop(struct trigger_source *source);
