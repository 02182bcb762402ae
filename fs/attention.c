/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An idle handle that is active lets the loop poll without waiting, for all descriptors alike: requests,
 * and what instances answer.
 *
 * Whether that pays is judged by what came, not by what was looked for, so it is learnt without looking: an event
 * that follows the one before within the window would have been met awake. A miss costs as much as four hits
 * give. How many want a processor the kernel says (/proc/loadavg); it is asked while calls come, at most
 * once in SAMPLE_NS.
 */
#include "fs/attention.h"

#include <sched.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/load.h"
#include "fs/halt.h"

#define SAMPLE_NS   5000000
#define MISS        4
#define CREDIT_MOST 16
#define LOAD_MOST   8

struct attention {
	uv_idle_t idle;
	struct attention_rule rule;
	uint64_t until_ns;
	uint64_t sampled_ns;
	struct halt *halt;
	int load_fd; /* /proc/loadavg; -1: nothing is known, so there is no attention */
};

/* --- the judgement ---------------------------------------------------------------------------- */

void attention_rule_event(struct attention_rule *rule, uint64_t now_ns)
{
	rule->credit += now_ns - rule->last_ns < ATTENTION_NS ? 1 : -MISS;
	if (rule->credit > CREDIT_MOST)
		rule->credit = CREDIT_MOST;
	if (rule->credit < 0)
		rule->credit = 0;
	rule->last_ns = now_ns;
}

void attention_rule_load(struct attention_rule *rule, unsigned running)
{
	if (running > rule->processors)
		rule->load += rule->load < LOAD_MOST;
	else
		rule->load -= rule->load > 0;
}

bool attention_rule_wants(const struct attention_rule *rule)
{
	return rule->processors > 1 && rule->credit >= MISS && rule->load < LOAD_MOST / 2;
}

bool attention_rule_is_sure(const struct attention_rule *rule)
{
	return rule->credit == CREDIT_MOST && attention_rule_wants(rule);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void look(uv_idle_t *idle)
{
	struct attention *attention = idle->data;

	if (uv_hrtime() >= attention->until_ns)
		uv_idle_stop(idle);
}

static void sample(struct attention *attention, uint64_t now_ns)
{
	long running = load_running(attention->load_fd);

	attention->sampled_ns = now_ns;
	attention_rule_load(&attention->rule, running < 0 ? UINT32_MAX : (unsigned)running);
}

static void note(struct attention *attention, uint64_t now_ns)
{
	attention_rule_event(&attention->rule, now_ns);
	if (!attention_rule_wants(&attention->rule))
		return;
	attention->until_ns = now_ns + ATTENTION_NS;
	uv_idle_start(&attention->idle, look);
	if (attention_rule_is_sure(&attention->rule))
		halt_forbid(attention->halt, now_ns);
}

void attention_note(struct attention *attention)
{
	uint64_t now_ns = uv_hrtime();

	/* Not after an answer: instance and caller both run for a moment then. */
	if (attention->rule.credit && now_ns - attention->sampled_ns > SAMPLE_NS)
		sample(attention, now_ns);
	note(attention, now_ns);
}

void attention_note_answer(struct attention *attention)
{
	note(attention, uv_hrtime());
}

static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 0;
}

struct attention *attention_new(uv_loop_t *loop)
{
	struct attention *attention = calloc(1, sizeof(*attention));
	const struct halt_machine machine = halt_machine_here();

	if (!attention)
		return NULL;
	attention->halt = halt_new(loop, &machine);
	attention->load_fd = load_open();
	attention->rule.processors = attention->load_fd < 0 ? 0 : processors();
	attention->idle.data = attention;
	uv_idle_init(loop, &attention->idle);
	uv_unref((uv_handle_t *)&attention->idle);
	return attention;
}

static void closed(uv_handle_t *idle)
{
	free(idle->data);
}

struct attention *attention_free(struct attention *attention)
{
	if (!attention)
		return NULL;
	close_fd(attention->load_fd);
	halt_free(attention->halt);
	uv_close((uv_handle_t *)&attention->idle, closed);
	return NULL;
}
