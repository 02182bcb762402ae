/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool armed;
	unsigned long delay;  /* allocations that still succeed */
	unsigned long repeat; /* failures that follow */
	unsigned long failed;
} heap;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);

void heap_fail(unsigned long delay, unsigned long repeat)
{
	heap.armed = true;
	heap.delay = delay;
	heap.repeat = repeat;
	heap.failed = 0;
}

bool heap_end(void)
{
	heap.armed = false;
	return heap.failed > 0;
}

bool heap_fails_now(void)
{
	if (!heap.armed || !heap.repeat)
		return false;
	if (heap.delay) {
		heap.delay--;
		return false;
	}
	heap.repeat--;
	heap.failed++;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return heap_fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return heap_fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return heap_fails_now() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return heap_fails_now() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return heap_fails_now() ? NULL : __real_strndup(text, length);
}
