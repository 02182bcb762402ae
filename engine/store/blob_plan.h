/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which packs are worth writing anew. Packs are merged by size: eight of one class (each class reaches eight
 * times as far as the one below, from 64 KiB) become one of the next, so that there are never many, and
 * what is published once is written again about once for each class. Beyond 512 MiB only garbage counts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PLAN_CLASSES = 6,
	PLAN_CROWD = 8, /* packs of one class are merged */
	PLAN_WASTE = 4  /* a pack of which one in so many bytes is dead is written anew */
};

#define PLAN_FULL (UINT64_C(1) << 30) /* bytes: then another pack is begun */

enum plan_action { PLAN_LEAVE, PLAN_REWRITE, PLAN_REMOVE };

struct plan_pack {
	uint64_t size;    /* of the file */
	uint64_t live;    /* bytes of it that are to stay */
	bool untouchable; /* something of it cannot be read */
	bool repair;      /* to be written anew in any case */
	enum plan_action action;
};

/* Decides on the action of each. */
void plan_packs(struct plan_pack *packs, size_t count);

/* Whether any class is crowded, or a pack is to be repaired; `live` is not looked at. */
bool plan_is_due(const struct plan_pack *packs, size_t count);
