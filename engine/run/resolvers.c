/* SPDX-License-Identifier: Apache-2.0 */
#include "run/resolvers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/outbound.h"

#define RESOLVERS_MAX 3 /* as many as the C library reads */
#define FILE_MAX      (64 << 10)
#define BLANKS        " \t\r"

/* Of the form `key value...`; kept as it stands. */
static bool is_kept(const char *line, size_t length)
{
	static const char *const keys[] = {"search", "domain", "options", "sortlist"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t key = strlen(keys[i]);

		if (length > key && memcmp(line, keys[i], key) == 0 && strchr(BLANKS, line[key]))
			return true;
	}
	return false;
}

/* The address of a `nameserver` line; false when it is another line. */
static bool take_address(const char *line, size_t length, char address[INET6_ADDRSTRLEN + 20])
{
	static const char key[] = "nameserver";
	const char *text = line + sizeof(key) - 1, *end = line + length;
	size_t size;

	if (length < sizeof(key) || memcmp(line, key, sizeof(key) - 1) != 0 ||
	        !strchr(BLANKS, *text))
		return false;
	while (text < end && strchr(BLANKS, *text))
		text++;
	for (size = 0; text + size < end && !strchr(BLANKS, text[size]);)
		size++;
	if (!size || size >= INET6_ADDRSTRLEN + 20)
		return false;
	memcpy(address, text, size);
	address[size] = 0;
	return true;
}

/* A resolver on a link (`fe80::1%eth0`) is on a link that is not there. */
static bool is_reachable(const char *address, bool (*is_here)(const char *address))
{
	struct in_addr ip4;
	struct in6_addr ip6;

	if (inet_pton(AF_INET, address, &ip4) == 1)
		return ip4.s_addr && (ntohl(ip4.s_addr) >> 24) != 127 && !is_here(address);
	return inet_pton(AF_INET6, address, &ip6) == 1 && !IN6_IS_ADDR_LOOPBACK(&ip6) &&
	       !IN6_IS_ADDR_UNSPECIFIED(&ip6) && !IN6_IS_ADDR_LINKLOCAL(&ip6) && !is_here(address);
}

bool resolvers_write(struct buf *out, const char *host, bool (*is_here)(const char *address))
{
	char address[INET6_ADDRSTRLEN + 20];
	int count = 0;

	for (const char *line = host; *line;) {
		size_t length = strcspn(line, "\n");

		if (is_kept(line, length))
			buf_printf(out, "%.*s\n", (int)length, line);
		else if (count < RESOLVERS_MAX && take_address(line, length, address) &&
		         is_reachable(address, is_here) && ++count)
			buf_printf(out, "nameserver %s\n", address);
		line += length + (line[length] == '\n');
	}
	if (!count)
		buf_puts(out, "nameserver " OUTBOUND_RESOLVER "\n");
	return !count;
}

static bool is_same(const struct sockaddr *have, const char *address)
{
	char text[INET6_ADDRSTRLEN];
	const void *bytes;

	if (have->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)have)->sin_addr;
	else if (have->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)have)->sin6_addr;
	else
		return false;
	return inet_ntop(have->sa_family, bytes, text, sizeof(text)) && strcmp(text, address) == 0;
}

static bool is_on_this_machine(const char *address)
{
	struct ifaddrs *all = NULL, *one;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (one = all; one && !found; one = one->ifa_next)
		found = one->ifa_addr && is_same(one->ifa_addr, address);
	freeifaddrs(all);
	return found;
}

bool resolvers_read(struct buf *out)
{
	CLEANUP(close_p) int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	char text[FILE_MAX];
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[length > 0 ? length : 0] = 0;
	return resolvers_write(out, text, is_on_this_machine);
}
