/* SPDX-License-Identifier: Apache-2.0 */
#include "base/load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int load_open(void)
{
	return open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

/* Three averages come before it: the fourth word is RUNNING/ALL. */
long load_running(int fd)
{
	char text[128], *at = text;
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
	int i;

	text[length > 0 ? length : 0] = 0;
	for (i = 0; i < 3 && at; i++)
		at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
	return at ? strtol(at, NULL, 10) : -1;
}
