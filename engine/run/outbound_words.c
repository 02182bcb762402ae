/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/outbound.h"

const char *outbound_find(void)
{
	static const char *const places[] = {
	        "/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta"};
	const char *given = getenv("FNFS_PASTA");

	if (given)
		return access(given, X_OK) == 0 ? given : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* What it says of the system log that it cannot reach is no reason for anything. */
static bool is_noise(const char *line, size_t length)
{
	static const char noise[] = "Failed to send ";

	return !length ||
	       (length >= sizeof(noise) - 1 && memcmp(line, noise, sizeof(noise) - 1) == 0);
}

static const char *explain(const char *words)
{
	if (strstr(words, "External interface not usable"))
		return " (this machine has no default route, so there is no way out)";
	if (strstr(words, "/dev/net/tun"))
		return " (type: sudo modprobe tun && sudo chmod 0666 /dev/net/tun; a container "
		       "needs --device /dev/net/tun)";
	return "";
}

void outbound_last_words(const struct buf *said, char *into, size_t size)
{
	const char *text = said->length ? said->data : "", *end = text + said->length;
	char last[100] = "";

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline ? newline : end) - text);

		if (!is_noise(text, length))
			snprintf(last, sizeof(last), "%.*s", (int)length, text);
		text += length + 1;
	}
	snprintf(into, size, "%s%s", last, explain(last));
}
