/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a daemon, it counts what the daemon does to its disk, and at a chosen step ends it as kill -9 does; or
 * holds up the fsync of packs, as a slow disk does. Whoever watches shares a page with it: the file that FNFS_DISK
 * names. Other programs that inherit it are left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic uint64_t steps;
	_Atomic uint64_t die_at;  /* 0: never */
	_Atomic uint64_t gate;    /* not 0: no pack reaches the disk */
	_Atomic uint64_t waiting; /* at the gate */
};

static struct control *control;

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("FNFS_DISK");
	int fd = path && strcmp(program_invocation_short_name, "fnfsd") == 0
	                 ? open(path, O_RDWR | O_CLOEXEC)
	                 : -1;
	void *page =
	        fd < 0 ? MAP_FAILED
	               : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	control = page == MAP_FAILED ? NULL : page;
}

/* Before the step is done; the one before it was. */
static void step(void)
{
	uint64_t number = control ? atomic_fetch_add(&control->steps, 1) + 1 : 0;
	uint64_t last = control ? atomic_load(&control->die_at) : 0;

	if (last && number >= last) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
}

static void wait_at_gate(int fd)
{
	char link[64], path[4096];
	ssize_t length;

	if (!control || !atomic_load(&control->gate))
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = 0;
	if (!strstr(path, "/packs/"))
		return;
	atomic_fetch_add(&control->waiting, 1);
	while (atomic_load(&control->gate))
		nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
	atomic_fetch_sub(&control->waiting, 1);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int fsync(int fd)
{
	wait_at_gate(fd);
	step();
	return REAL(int, "fsync", int)(fd);
}

int fdatasync(int fd)
{
	wait_at_gate(fd);
	step();
	return REAL(int, "fdatasync", int)(fd);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
	step();
	return REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)(
	        fd, data, length, offset);
}

int ftruncate64(int fd, off64_t length)
{
	step();
	return REAL(int, "ftruncate64", int, off64_t)(fd, length);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	step();
	return REAL(int, "renameat", int, const char *, int, const char *)(
	        from_fd, from, to_fd, to);
}

int unlinkat(int fd, const char *name, int flags)
{
	step();
	return REAL(int, "unlinkat", int, const char *, int)(fd, name, flags);
}

int unlink(const char *path)
{
	step();
	return REAL(int, "unlink", const char *)(path);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	step();
	return REAL(int, "linkat", int, const char *, int, const char *, int)(
	        from_fd, from, to_fd, to, flags);
}
