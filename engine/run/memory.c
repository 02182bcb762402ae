/* SPDX-License-Identifier: Apache-2.0 */
#include "run/memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"

static int64_t memory_kb(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoll(line + strlen(name), NULL, 10) : -1;
}

bool memory_is_short(void)
{
	CLEANUP(close_p) int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length <= 0)
		return false;
	text[length] = 0;
	return memory_kb(text, "MemAvailable:") < memory_kb(text, "MemTotal:") / 5;
}
