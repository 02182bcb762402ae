/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings. A store does not reach behind the end of the file within its last page, where what is
 * found later depends on the kernel's version; behind that page it raises SIGBUS, told as ENXIO.
 */
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sigjmp_buf fault_return;

static void on_fault(int number)
{
	siglongjmp(fault_return, 1);
}

static struct mapping *mapping(struct hands *hands, long slot)
{
	return slot >= 0 && slot < HANDS_MAPS ? &hands->maps[slot] : NULL;
}

static int protection(long rights)
{
	return (rights & R_OK ? PROT_READ : 0) | (rights & W_OK ? PROT_WRITE : 0) |
	       (rights & X_OK ? PROT_EXEC : 0);
}

static long run_mmap(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct mapping *map = mapping(hands, arguments[0].number);
	int file = hand(hands, arguments[1].number);
	void *address;

	if (!map || map->address)
		return skip(answer);
	address = mmap(NULL, arguments[5].number, protection(arguments[2].number),
	        arguments[3].number, file, arguments[4].number);
	if (address == MAP_FAILED)
		return -1;
	map->address = address;
	map->length = arguments[5].number;
	map->offset = arguments[4].number;
	map->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
	return 0;
}

/* How much of the span lies within the mapping. */
static size_t within(const struct mapping *map, long offset, long length)
{
	if (offset < 0 || length < 0 || (size_t)offset >= map->length)
		return 0;
	return (size_t)length < map->length - offset ? (size_t)length : map->length - offset;
}

static size_t before_end(const struct mapping *map, long offset, size_t length)
{
	struct stat status;
	off_t end, last;

	if (fstat(map->file, &status) < 0)
		return 0;
	end = status.st_size - map->offset;
	last = (end + 4095) / 4096 * 4096;
	if (offset >= last)
		return length;
	if (offset >= end)
		return 0;
	return offset + (off_t)length > end ? (size_t)(end - offset) : length;
}

static long faulted(void)
{
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	errno = ENXIO;
	return -1;
}

static long run_store(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct mapping *map = mapping(hands, arguments[0].number);
	size_t length;

	if (!map || !map->address)
		return skip(answer);
	length = within(map, arguments[1].number, arguments[2].number);
	length = before_end(map, arguments[1].number, length);
	if (sigsetjmp(fault_return, 1))
		return faulted();
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	memset(map->address + arguments[1].number, (int)arguments[3].number, length);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return length;
}

static long run_load(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct mapping *map = mapping(hands, arguments[0].number);
	size_t length;
	unsigned value;

	if (!map || !map->address)
		return skip(answer);
	length = within(map, arguments[1].number, arguments[2].number);
	if (sigsetjmp(fault_return, 1))
		return faulted();
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	value = digest(map->address + arguments[1].number, length);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	tell(answer, " %08x", value);
	return length;
}

static long run_msync(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct mapping *map = mapping(hands, arguments[0].number);

	if (!map || !map->address)
		return skip(answer);
	return msync(map->address, map->length, arguments[1].number ? MS_SYNC : MS_ASYNC);
}

static long run_munmap(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct mapping *map = mapping(hands, arguments[0].number);
	void *address;

	if (!map || !map->address)
		return skip(answer);
	address = map->address;
	map->address = NULL;
	close(map->file);
	return munmap(address, map->length);
}

const struct call calls_on_maps[] = {
        {"mmap", "nfaMnn", run_mmap, 2},
        {"store", "nnnn", run_store, 0},
        {"load", "nnn", run_load, 0},
        {"msync", "nn", run_msync, 0},
        {"munmap", "n", run_munmap, 0},
        {},
};
