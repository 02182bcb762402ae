/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Instances that their history keeps beyond KEEP_ALIVE_US. That is for memory nobody else needs: while it is
 * short none begins to be kept, and of those that are half end each second, the longest idle first. They
 * are looked at every few seconds, by one alarm for all, and by none while there are none.
 */
#include <stdbool.h>

#include "base/list.h"
#include "run/alarm.h"

struct instance;

struct kept {
	struct alarms *alarms;
	struct list instances; /* the longest kept first */
	struct alarm look;
	bool (*memory_is_short)(void); /* of this machine; tests have their own */
};

void kept_init(struct kept *kept, struct alarms *alarms);
void kept_deinit(struct kept *kept); /* none may be left */

/* Is kept from now on, until it is unlinked. False: memory is short. */
bool kept_add(struct kept *kept, struct instance *instance);
