/* SPDX-License-Identifier: Apache-2.0 */
#include "run/kept.h"

#include <assert.h>

#include "run/instance.h"
#include "run/instance_private.h"
#include "run/memory.h"

#define LOOK_US  (INT64_C(5) * 1000 * 1000)
#define AGAIN_US (INT64_C(1) * 1000 * 1000)

void kept_init(struct kept *kept, struct alarms *alarms)
{
	*kept = (struct kept){.alarms = alarms, .memory_is_short = memory_is_short};
	list_init(&kept->instances);
}

void kept_deinit(struct kept *kept)
{
	assert(list_empty(&kept->instances));
	alarm_clear(kept->alarms, &kept->look);
}

static void end_half(struct kept *kept)
{
	size_t count = (list_count(&kept->instances) + 1) / 2;

	while (count--) {
		struct instance *instance = list_first(&kept->instances, struct instance, kept);

		list_unlink(&instance->kept);
		if (!instance_is_reserved(instance))
			instance_retire(instance);
	}
}

static void look(struct alarm *alarm)
{
	struct kept *kept = container_of(alarm, struct kept, look);
	bool is_short;

	if (list_empty(&kept->instances))
		return;
	is_short = kept->memory_is_short();
	if (is_short)
		end_half(kept);
	alarm_set(kept->alarms, &kept->look, is_short ? AGAIN_US : LOOK_US, look);
}

bool kept_add(struct kept *kept, struct instance *instance)
{
	if (kept->memory_is_short())
		return false;
	if (list_empty(&instance->kept))
		list_append(&kept->instances, &instance->kept);
	if (!alarm_is_set(&kept->look))
		return alarm_set(kept->alarms, &kept->look, LOOK_US, look) == 0;
	return true;
}
