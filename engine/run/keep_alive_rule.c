/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule, asked when an instance has been idle for a while: it looks at what every plan would have cost.
 *
 * To keep an instance for a time costs the idle times that are no longer; of all others that time, and a
 * start that is waited for. To have one back from `back` to `until` saves those starts that were in between,
 * and costs a start that nobody waits for, and what is idle then. As the second does not depend on the first,
 * the best of both is found apart, in one way through the bins for the first, and one for each bin for the second.
 */
#include "run/keep_alive_private.h"

/* A second of a start: that a call waits for, in seconds of an idle instance; that nobody waits for. */
#define WAITED_WORTH 600
#define AHEAD_WORTH  60

/* Not sooner than that is one back: it had better have stayed. */
#define BREAK_US (INT64_C(30) * 1000 * 1000)

/* It saves that part at least: idle times without any rhythm always have some that lie together. */
#define CLEAR 3

struct step { /* a bin that is not empty */
	unsigned bin, count;
	unsigned longer; /* idle times in the bins behind it */
	int64_t end_us;
};

struct steps {
	struct step at[KEEP_ALIVE_LAST];
	unsigned count;
	unsigned all; /* idle times */
};

struct window { /* to have an instance back */
	int64_t gain_us;
	int64_t back_us, until_us;
};

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t end_of_us(unsigned bin)
{
	return at_most(keep_alive_bin_begin_us(bin + 1), KEEP_ALIVE_MOST_US);
}

static void collect(const struct idle_times *times, struct steps *steps)
{
	uint8_t counts[KEEP_ALIVE_BINS] = {};
	unsigned bin, longer = times->count;

	steps->count = 0;
	steps->all = times->count;
	for (unsigned i = 0; i < times->count; i++)
		counts[times->bins[i]]++;
	for (bin = 0; bin < KEEP_ALIVE_LONGER; bin++) {
		if (!counts[bin])
			continue;
		longer -= counts[bin];
		steps->at[steps->count++] = (struct step){bin, counts[bin], longer, end_of_us(bin)};
	}
}

static int64_t start_of(const struct keep_alive *keep_alive)
{
	const int64_t most_us = KEEP_ALIVE_MOST_US / WAITED_WORTH; /* more would change nothing */

	return at_most(keep_alive->start_us, most_us);
}

/* --- one that is there again ------------------------------------------------------------------ */

/* That begins with this step, and ends where it gains most. A bin to spare on either side. */
static struct window best_window(const struct steps *steps, unsigned first, int64_t start_us)
{
	int64_t back_us = keep_alive_bin_begin_us(steps->at[first].bin - 1) - 2 * start_us;
	int64_t waited_us = start_us * WAITED_WORTH, ahead_us = start_us * AHEAD_WORTH, saved = 0;
	struct window best = {};

	for (unsigned i = first; i < steps->count; i++) {
		const struct step *step = &steps->at[i];
		int64_t until_us = end_of_us(step->bin + 1), gain;

		saved += step->count * (waited_us - ahead_us - (step->end_us - back_us));
		gain = saved - step->longer * (until_us - back_us + ahead_us);
		if (gain > best.gain_us)
			best = (struct window){gain, back_us, until_us};
	}
	return best;
}

/* The best of those that begin with a step or behind it, for each step; none behind the last. */
static void find_windows(
        const struct steps *steps, int64_t start_us, struct window windows[KEEP_ALIVE_LAST + 1])
{
	windows[steps->count] = (struct window){};
	for (unsigned i = steps->count; start_us && i-- > 0;) {
		struct window window = best_window(steps, i, start_us);

		windows[i] = window.gain_us > windows[i + 1].gain_us ? window : windows[i + 1];
	}
}

/* --- one that stays --------------------------------------------------------------------------- */

struct choice {
	int64_t least; /* cost so far */
	struct keep_alive_plan *plan;
};

static void consider(
        struct choice *choice, int64_t cost, int64_t end_us, const struct window *window)
{
	bool returns = window->gain_us > cost / CLEAR && window->back_us >= end_us + BREAK_US;

	cost -= returns ? window->gain_us : 0;
	if (cost >= choice->least)
		return; /* of equal ones the shortest */
	choice->least = cost;
	choice->plan->end_us = end_us;
	choice->plan->back_us = returns ? window->back_us : 0;
	choice->plan->until_us = returns ? window->until_us : 0;
}

static void choose(const struct steps *steps, const struct window *windows, int64_t price_us,
        struct keep_alive_plan *plan)
{
	struct choice choice = {INT64_MAX, plan};
	int64_t covered = 0;

	consider(&choice, steps->all * (KEEP_ALIVE_LEAST_US + price_us), KEEP_ALIVE_LEAST_US,
	        &windows[0]);
	for (unsigned i = 0; i < steps->count; i++) {
		const struct step *step = &steps->at[i];

		covered += step->count * step->end_us;
		/* A bin to spare, for those that come a little later than any before. */
		consider(&choice, covered + step->longer * (step->end_us + price_us),
		        end_of_us(step->bin + 1), &windows[i + 1]);
	}
}

bool keep_alive_knows(const struct keep_alive *keep_alive, unsigned depth)
{
	return keep_alive && depth && depth <= KEEP_ALIVE_DEPTHS &&
	       keep_alive->levels[keep_alive_level(depth)].count >= KEEP_ALIVE_ENOUGH;
}

void keep_alive_ask(
        const struct keep_alive *keep_alive, unsigned depth, struct keep_alive_plan *plan)
{
	struct window windows[KEEP_ALIVE_LAST + 1] = {};
	int64_t start_us, price_us;
	struct steps steps;

	*plan = (struct keep_alive_plan){.end_us = KEEP_ALIVE_US};
	if (!keep_alive_knows(keep_alive, depth))
		return;
	start_us = start_of(keep_alive);
	price_us = start_us > KEEP_ALIVE_START_LEAST_US ? start_us : KEEP_ALIVE_START_LEAST_US;
	collect(&keep_alive->levels[keep_alive_level(depth)], &steps);
	if (depth == 1 && start_us >= KEEP_ALIVE_AHEAD_LEAST_US)
		find_windows(&steps, start_us, windows);
	choose(&steps, windows, price_us * WAITED_WORTH, plan);
}
