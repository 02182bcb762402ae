/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Asks the kernel to let idle processors look for work instead of halting, while calls follow one another
 * closely (docs/decisions/030-halting.md). In a virtual machine a halted processor is given back to the
 * host, and waking it takes longer than all that a warm call does. The kernel offers this to root as
 * /dev/cpu_dma_latency (its Documentation/power/pm_qos_interface.rst); it holds for the whole machine, so it
 * is asked for at most some milliseconds beyond the last call, as long as the loop turns, and not at all on
 * machines with more than HALT_PROCESSORS_MOST processors or where halting one is cheap. What was asked ends
 * with the process.
 */
#include <stdint.h>
#include <uv.h>

#define HALT_PROCESSORS_MOST 4
#define HALT_CHECK_MS        5
#define HALT_AFTER_NS        2000000 /* so long after the last halt_forbid() they may halt again */

struct halt;

/* What it needs to know of the machine; the defaults are the kernel's. */
struct halt_machine {
	const char
	        *device; /* takes a number of microseconds, 32 bits, as /dev/cpu_dma_latency does */
	const char *driver; /* a file with the name of what puts processors to sleep */
	long processors;    /* of the machine */
};

struct halt_machine halt_machine_here(void);

/* NULL where it cannot be asked for or would not pay, or no memory; all below accept NULL. */
struct halt *halt_new(uv_loop_t *loop, const struct halt_machine *machine);
struct halt *halt_free(struct halt *halt); /* the loop must turn once more */

/* From now on, until HALT_AFTER_NS to that and two HALT_CHECK_MS after the last time this was said. */
void halt_forbid(struct halt *halt, uint64_t now_ns);
