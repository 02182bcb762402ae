/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keeps the loop awake for a moment after something came, where the next request is about to follow: to
 * wake a sleeping processor takes longer than all that a warm call does (docs/decisions/023-warm-call.md).
 * While it is attentive the loop looks for events without waiting; it never is for longer than
 * ATTENTION_NS after the last one, never with one processor, and not where others want the processors.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define ATTENTION_NS 100000

struct attention;

struct attention *attention_new(uv_loop_t *loop); /* NULL: no memory */
/* Accepts NULL; the loop must turn once more. */
struct attention *attention_free(struct attention *attention);

/* The kernel's requests that were there have been dealt with. */
void attention_note(struct attention *attention);

/* An answer came that a request waited for: its caller is about to send the next one. */
void attention_note_answer(struct attention *attention);

/* --- the judgement, for tests --- */

struct attention_rule {
	unsigned processors; /* that this process may use */
	int credit;       /* rises with events that follow one another closely, falls with others */
	int load;         /* rises when more run than there are processors, falls when not */
	uint64_t last_ns; /* of the last event */
};

void attention_rule_event(struct attention_rule *rule, uint64_t now_ns);
void attention_rule_load(struct attention_rule *rule, unsigned running); /* ourselves included */
bool attention_rule_wants(const struct attention_rule *rule);
bool attention_rule_is_sure(const struct attention_rule *rule); /* ... after a dozen such events */
