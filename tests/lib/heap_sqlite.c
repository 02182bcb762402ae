/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "heap.h"

/* Such tests open a store thousands of times, and do not ask about power cuts. */
int fsync(int fd)
{
	return 0;
}

int fdatasync(int fd)
{
	return 0;
}

static sqlite3_mem_methods original;

static void *allocate(int size)
{
	return heap_fails_now() ? NULL : original.xMalloc(size);
}

static void *reallocate(void *old, int size)
{
	return heap_fails_now() ? NULL : original.xRealloc(old, size);
}

void heap_wrap_sqlite(void)
{
	sqlite3_mem_methods wrapped;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &original) != SQLITE_OK)
		abort();
	wrapped = original;
	wrapped.xMalloc = allocate;
	wrapped.xRealloc = reallocate;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped) != SQLITE_OK)
		abort();
}
