/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_monotonic_us(const struct clock *clock)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall_us(const struct clock *clock)
{
	return read_clock(CLOCK_REALTIME);
}

const struct clock clock_system = {system_monotonic_us, system_wall_us};

void clock_format(char text[CLOCK_TEXT_SIZE], int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	unsigned milliseconds = (unsigned)(wall_us / 1000 % 1000);
	char fraction[8];
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(text, CLOCK_TEXT_SIZE - 5, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(fraction, sizeof(fraction), ".%03uZ", milliseconds % 1000);
	strcat(text, fraction);
}
