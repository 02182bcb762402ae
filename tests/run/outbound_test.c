/* SPDX-License-Identifier: Apache-2.0 */
/* What instances with a way out are told of resolvers, and what is made of what pasta says. */
#include "run/outbound.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/resolvers.h"
#include "test.h"

static bool is_here(const char *address)
{
	return strcmp(address, "10.1.1.1") == 0 || strcmp(address, "fd00::1") == 0;
}

static void check_resolvers(const char *host, const char *inside, bool forwarded)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	bool answer = resolvers_write(&out, host, is_here);

	buf_append(&out, "", 1);
	CHECK_STR(out.data, inside);
	CHECK(answer == forwarded);
}

static void resolvers_elsewhere_are_asked_directly(void)
{
	check_resolvers("nameserver 9.9.9.9\n", "nameserver 9.9.9.9\n", false);
	check_resolvers("nameserver 9.9.9.9", "nameserver 9.9.9.9\n", false);
	check_resolvers("nameserver\t 2620:fe::fe \r\n", "nameserver 2620:fe::fe\n", false);
	check_resolvers(
	        "nameserver 127.0.0.53\nnameserver 9.9.9.9\n", "nameserver 9.9.9.9\n", false);
	check_resolvers("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n"
	                "nameserver 1.1.1.4\n",
	        "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n", false);
}

static void resolvers_of_the_machine_are_asked_for_it(void)
{
	static const char *const here[] = {"127.0.0.1", "127.1.2.3", "::1", "0.0.0.0",
	        "::", "10.1.1.1", "fd00::1", "fe80::1%eth0", "fe80::1", "not an address", "",
	        "1111111111111111111111111111111111111111111111111111111111111111111111111"};
	char text[200];

	for (size_t i = 0; i < ARRAY_SIZE(here); i++) {
		snprintf(text, sizeof(text), "nameserver %s\n", here[i]);
		check_resolvers(text, "nameserver " OUTBOUND_RESOLVER "\n", true);
	}
	check_resolvers("", "nameserver " OUTBOUND_RESOLVER "\n", true);
}

static void how_to_search_is_kept(void)
{
	check_resolvers("# nameserver 8.8.8.8\n; a comment\nsearch a.example b.example\n"
	                "options edns0 trust-ad\nnameservers 8.8.4.4\noptionsx\n\n"
	                "nameserver 9.9.9.9\ndomain c.example\n",
	        "search a.example b.example\noptions edns0 trust-ad\nnameserver 9.9.9.9\n"
	        "domain c.example\n",
	        false);
}

static void check_words(const char *said, const char *last)
{
	CLEANUP(buf_deinit) struct buf words = BUF_INIT;
	char text[200];

	buf_puts(&words, said);
	outbound_last_words(&words, text, sizeof(text));
	CHECK_STR(text, last);
}

static void the_last_sentence_tells(void)
{
	check_words("", "");
	check_words("one\ntwo\n", "two");
	check_words("one\ntwo", "two");
	check_words("one\nFailed to send 12 bytes to syslog\n\n", "one");
	check_words("Failed to send 12 bytes to syslog\n", "");
	check_words("External interface not usable\n",
	        "External interface not usable (this machine has no default route, so there is "
	        "no way out)");
	check_words("opening /dev/net/tun: Permission denied\n",
	        "opening /dev/net/tun: Permission denied (type: sudo modprobe tun && sudo chmod "
	        "0666 /dev/net/tun; a container needs --device /dev/net/tun)");
}

static void pasta_can_be_named(void)
{
	setenv("FNFS_PASTA", "/nowhere", 1);
	CHECK(!outbound_find());
	setenv("FNFS_PASTA", "/bin/sh", 1);
	CHECK_STR(outbound_find(), "/bin/sh");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(resolvers_elsewhere_are_asked_directly),
	        TEST(resolvers_of_the_machine_are_asked_for_it), TEST(how_to_search_is_kept),
	        TEST(the_last_sentence_tells), TEST(pasta_can_be_named), {}};

	return test_main(tests, argc, argv);
}
