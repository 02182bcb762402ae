/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/verdict.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

#define VERDICT_FILE "verdict"

void verdict_keep(int directory, const struct buf *error)
{
	CLEANUP(close_p)
	int fd = openat(directory, VERDICT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && error->length && write(fd, error->data, error->length) < 0)
		verdict_forget(directory);
}

bool verdict_load(int directory, struct buf *error)
{
	CLEANUP(close_p) int fd = openat(directory, VERDICT_FILE, O_RDONLY | O_CLOEXEC);
	char text[16 * 1024];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0)
		return false;
	buf_append(error, text, (size_t)n);
	return true;
}

void verdict_forget(int directory)
{
	unlinkat(directory, VERDICT_FILE, 0);
}
