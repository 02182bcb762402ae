/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Time zones of the tz database, by name. Times are whole seconds since 1970: `utc` as everywhere, `local`
 * as if the clock on the wall there had always shown UTC. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>

struct time_zone;

/* "UTC", "Europe/Berlin"; NULL: no such zone, or its file is not installed. */
struct time_zone *time_zone_open(const char *name);
struct time_zone *time_zone_free(struct time_zone *zone); /* NULL */

int64_t time_zone_local(const struct time_zone *zone, int64_t utc);
/*
 * The first moment at which the clock shows `local`; when it is put forward over `local`, the moment at which
 * that happens. Right where the clock is changed once within two days.
 */
int64_t time_zone_utc(const struct time_zone *zone, int64_t local);
/* The first moment in (after, until] at which the clock is changed, or INT64_MAX. */
int64_t time_zone_change(const struct time_zone *zone, int64_t after, int64_t until);
