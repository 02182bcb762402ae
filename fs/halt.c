/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/halt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"

#define ANY_LATENCY 2000000000 /* the kernel's PM_QOS_CPU_LATENCY_DEFAULT_VALUE */

struct halt {
	uv_timer_t timer; /* runs while it is forbidden */
	int device;
	bool forbidden;
	uint64_t last_ns;
};

struct halt_machine halt_machine_here(void)
{
	return (struct halt_machine){
	        .device = "/dev/cpu_dma_latency",
	        .driver = "/sys/devices/system/cpu/cpuidle/current_driver",
	        .processors = sysconf(_SC_NPROCESSORS_ONLN),
	};
}

/* The driver of guests whose host takes halted processors away; elsewhere it was not measured. */
static bool is_dear(const char *driver)
{
	CLEANUP(close_p) int fd = open(driver, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length < 0)
		return false;
	text[length] = 0;
	return strcmp(text, "haltpoll\n") == 0;
}

static bool is_wanted(const struct halt_machine *machine)
{
	const char *given = getenv("FNFS_HALT");

	return machine->processors > 1 && machine->processors <= HALT_PROCESSORS_MOST &&
	       !(given && strcmp(given, "1") == 0) && is_dear(machine->driver);
}

/* Until a number is written the open device asks for nothing. */
struct halt *halt_new(uv_loop_t *loop, const struct halt_machine *machine)
{
	int device = is_wanted(machine) ? open(machine->device, O_WRONLY | O_CLOEXEC) : -1;
	struct halt *halt = device < 0 ? NULL : calloc(1, sizeof(*halt));

	if (!halt) {
		close_fd(device);
		return NULL;
	}
	halt->device = device;
	uv_timer_init(loop, &halt->timer);
	uv_unref((uv_handle_t *)&halt->timer);
	halt->timer.data = halt;
	return halt;
}

static bool ask(struct halt *halt, int32_t latency_us)
{
	if (write(halt->device, &latency_us, sizeof(latency_us)) == sizeof(latency_us))
		return true;
	fail(-errno, "asking the kernel how processors may sleep");
	return false;
}

static void check(uv_timer_t *timer)
{
	struct halt *halt = timer->data;

	if (uv_hrtime() < halt->last_ns + HALT_AFTER_NS)
		return;
	if (!ask(halt, ANY_LATENCY)) /* closed, it asks for nothing either */
		halt->device = close_fd(halt->device);
	halt->forbidden = false;
	uv_timer_stop(timer);
}

void halt_forbid(struct halt *halt, uint64_t now_ns)
{
	if (!halt)
		return;
	halt->last_ns = now_ns;
	if (halt->forbidden || halt->device < 0)
		return;
	if (!ask(halt, 0)) {
		halt->device = close_fd(halt->device);
		return;
	}
	halt->forbidden = true;
	uv_timer_start(&halt->timer, check, HALT_CHECK_MS, HALT_CHECK_MS);
}

static void closed(uv_handle_t *timer)
{
	free(timer->data);
}

struct halt *halt_free(struct halt *halt)
{
	if (!halt)
		return NULL;
	halt->device = close_fd(halt->device);
	uv_close((uv_handle_t *)&halt->timer, closed);
	return NULL;
}
