/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes for a broker: where a part of it ended up elsewhere, a password would be shown, or a wrong server asked. */
#include "brokers/address.h"

#include <errno.h>

#include "test.h"

static const char *const schemes[] = {"redis", "tls", NULL};
static const char *const options[] = {"from", "group", NULL};
static const struct address_form form = {schemes, options, .port = 6379};
static const struct address_form many = {schemes, options, .port = 9092, .many_hosts = true};

static void all_parts(void)
{
	struct buf why = BUF_INIT;
	struct address address;

	REQUIRE(address_parse(&address, &form,
	                " Redis://m%40e:p@ss:w%2Ford@cache:7000/db%2F1\torders from=begin  "
	                "group=a=b ",
	                &why) == 0);
	CHECK_STR(address.scheme, "redis");
	CHECK_STR(address.user, "m@e");
	CHECK_STR(address.password, "p@ss:w/ord");
	CHECK_STR(address.host, "cache");
	CHECK_STR(address.hosts, "cache:7000");
	CHECK_INT(address.port, 7000);
	CHECK_STR(address.path, "db/1");
	CHECK_STR(address.subject, "orders");
	CHECK_STR(address_option(&address, "from", "new"), "begin");
	CHECK_STR(address_option(&address, "group", "new"), "a=b");
	CHECK_STR(address_option(&address, "else", "new"), "new");
	address_deinit(&address);
	buf_deinit(&why);
}

static void few_parts(void)
{
	struct buf why = BUF_INIT;
	struct address address;

	REQUIRE(address_parse(&address, &form, "tls://[::1] a/b?c@d", &why) == 0);
	CHECK(!address.user && !address.password);
	CHECK_STR(address.host, "::1");
	CHECK_STR(address.hosts, "[::1]:6379");
	CHECK_STR(address.path, "");
	CHECK_STR(address.subject, "a/b?c@d");
	address_deinit(&address);
	REQUIRE(address_parse(&address, &form, "redis://token@h x", &why) == 0);
	CHECK_STR(address.user, "token");
	CHECK(!address.password);
	address_deinit(&address);
	REQUIRE(address_parse(&address, &many, "redis://a,b:1,[::2]:3 x", &why) == 0);
	CHECK_STR(address.hosts, "a:9092,b:1,[::2]:3");
	CHECK_STR(address.host, "a");
	CHECK_INT(address.port, 9092);
	address_deinit(&address);
	buf_deinit(&why);
}

static void nonsense(void)
{
	static const char *const values[] = {"", "x", "redis", "redis:/h x", "http://h x",
	        "redis://h", "redis:// x", "redis://:1 x", "redis://h:0 x", "redis://h:65536 x",
	        "redis://h:1x x", "redis://h:+1 x", "redis://a,b x", "redis://[::1 x",
	        "redis://[::1]a x", "redis://u%zz:secret@h x", "redis://u:secret%00@h x",
	        "redis://h/%g x", "redis://h?a=b x", "redis://u:secret@h x from",
	        "redis://u:secret@h x =a", "redis://u:secret@h x to=a",
	        "redis://u:secret@h x from=a from=b", "redis://u:secret@a'b x", NULL};

	for (size_t i = 0; values[i]; i++) {
		struct buf why = BUF_INIT;
		struct address address;

		CHECK_INT(address_parse(&address, &form, values[i], &why), -EINVAL);
		REQUIRE(why.length > 0);
		CHECK(!strstr(why.data, "secret"));
		CHECK(!address.text && !address.hosts);
		buf_deinit(&why);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(all_parts), TEST(few_parts), TEST(nonsense), {}};

	return test_main(tests, argc, argv);
}
