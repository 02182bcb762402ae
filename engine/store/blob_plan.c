/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_plan.h"

static const uint64_t class_limits[PLAN_CLASSES] = {
        UINT64_C(64) << 10,
        UINT64_C(512) << 10,
        UINT64_C(4) << 20,
        UINT64_C(32) << 20,
        UINT64_C(256) << 20,
        UINT64_C(512) << 20,
};

/* PLAN_CLASSES: too large to be merged. */
static size_t class_of(uint64_t size)
{
	size_t class = 0;

	while (class < PLAN_CLASSES && size >= class_limits[class])
		class ++;
	return class;
}

static bool is_wasteful(const struct plan_pack *pack)
{
	return pack->live < pack->size && (pack->size - pack->live) >= pack->size / PLAN_WASTE;
}

static void decide_alone(struct plan_pack *pack)
{
	if (pack->untouchable)
		pack->action = PLAN_LEAVE;
	else if (pack->live == 0)
		pack->action = PLAN_REMOVE;
	else if (pack->repair || is_wasteful(pack))
		pack->action = PLAN_REWRITE;
	else
		pack->action = PLAN_LEAVE;
}

void plan_packs(struct plan_pack *packs, size_t count)
{
	size_t crowds[PLAN_CLASSES + 1] = {0}, i;

	for (i = 0; i < count; i++) {
		decide_alone(&packs[i]);
		if (!packs[i].untouchable && packs[i].action != PLAN_REMOVE)
			crowds[class_of(packs[i].live)]++;
	}
	crowds[PLAN_CLASSES] = 0;
	for (i = 0; i < count; i++)
		if (!packs[i].untouchable && packs[i].action == PLAN_LEAVE &&
		        crowds[class_of(packs[i].live)] >= PLAN_CROWD)
			packs[i].action = PLAN_REWRITE;
}

bool plan_is_due(const struct plan_pack *packs, size_t count)
{
	size_t crowds[PLAN_CLASSES + 1] = {0}, i;

	for (i = 0; i < count; i++) {
		size_t class = class_of(packs[i].size);
		if (packs[i].untouchable)
			continue;
		if (packs[i].repair || (++crowds[class] >= PLAN_CROWD && class < PLAN_CLASSES))
			return true;
	}
	return false;
}
