/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An allocator that fails on demand: the n-th allocation from now, and the m - 1 that follow it. It
 * catches the allocations of code linked statically into the test (ours), by the linker's --wrap;
 * a test takes `heap_dep` for it. heap_sqlite.h puts SQLite's own under the same rule.
 *
 *	for (n = 0; ; n++) {
 *		heap_fail(n, 1);
 *		r = what_is_tested();
 *		if (!heap_end())
 *			break;       the n-th allocation was not reached: every one has failed once
 *		CHECK_INT(r, -ENOMEM); ...
 *	}
 *
 * Not thread-safe; allocations of other threads count too.
 */
#include <stdbool.h>
#include <stddef.h>

void heap_fail(unsigned long delay, unsigned long repeat);
bool heap_end(void); /* back to normal; whether an allocation was made to fail since heap_fail() */

/* Whether the next allocation is one that fails; for allocators of other libraries. */
bool heap_fails_now(void);
