/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: the value that was good, to one that is not; or the sentence that says why not. */
#include "model/config.h"

#include <errno.h>

#include "heap.h"
#include "test.h"

struct row {
	const char *name;
	const char *text;
	int answer;
	const char *canonical; /* NULL: the default stays */
};

#define A60  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A120 A60 A60
#define A480 A120 A120 A120 A120

static const struct row rows[] = {
        {"timeout", "3", 0, "3s"},
        {"timeout", "  15m\t", 0, "15m"},
        {"timeout", "500ms", 0, "500ms"},
        {"timeout", "1ms", 0, "1ms"},
        {"timeout", "72h", 0, "3d"},
        {"timeout", "1.5", 0, "1500ms"},
        {"timeout", "5\r", 0, "5s"},
        {"timeout", "99999999", -ERANGE},
        {"timeout", "99999999999999999999999999", -ERANGE},
        {"timeout", "72.001h", -ERANGE},
        {"timeout", "0", -ERANGE},
        {"timeout", "-1", -ERANGE},
        {"timeout", "abc", -EINVAL},
        {"timeout", "3 s", -EINVAL},
        {"timeout", "3\n4", -EINVAL},
        {"timeout", "", -EINVAL},
        {"timeout", "   ", -EINVAL},
        {"timeout", "0x10", -EINVAL},
        {"timeout", "nan", -EINVAL},
        {"timeout", "1e3", -EINVAL},
        {"init_timeout", "1h", 0, "1h"},
        {"init_timeout", "61m", -ERANGE},
        {"memory", "64M", 0, "64M"},
        {"memory", "67108864", 0, "64M"},
        {"memory", "64MiB", 0, "64M"},
        {"memory", "15M", -ERANGE},
        {"memory", "512T", -ERANGE},
        {"memory", "9999T", -ERANGE},
        {"memory", "lots", -EINVAL},
        {"cpu", "max", 0, "max"},
        {"cpu", "1", 0, "1.0"},
        {"cpu", "1.0", 0, "1.0"},
        {"cpu", "0.5", 0, "0.5"},
        {"cpu", "0.05", 0, "0.05"},
        {"cpu", "2.125", 0, "2.125"},
        {"cpu", "0.009", -ERANGE},
        {"cpu", "0", -ERANGE},
        {"cpu", "-1", -ERANGE},
        {"cpu", "1001", -ERANGE},
        {"cpu", "500ms", -EINVAL},
        {"cpu", "1.0005", -EINVAL},
        {"cpu", "all", -EINVAL},
        {"concurrency", "1000", 0, "1000"},
        {"concurrency", "0", -ERANGE},
        {"concurrency", "1001", -ERANGE},
        {"concurrency", "1.0", -EINVAL},
        {"max_instances", "0", 0, "0"},
        {"max_instances", "1001", -ERANGE},
        {"min_instances", "1000", 0, "1000"},
        {"min_instances", "-1", -ERANGE},
        {"idle_timeout", "0", 0, "0s"},
        {"idle_timeout", "60s", 0, "1m"},
        {"idle_timeout", "auto", 0, "auto"},
        {"idle_timeout", "73h", -ERANGE},
        {"idle_timeout", "Auto", -EINVAL},
        {"idle_timeout", "", -EINVAL},
        {"network", "host", 0, "host"},
        {"network", "outbound", 0, "outbound"},
        {"network", "Host", -EINVAL},
        {"log_format", "json", 0, "json"},
        {"log_format", "xml", -EINVAL},
        {"log_retention", "7d 100M", 0, "7d 100M"},
        {"log_retention", "7d   100M", 0, "7d 100M"},
        {"log_retention", "7d", -EINVAL},
        {"log_retention", "100M 7d", -EINVAL},
        {"log_retention", "7d 100M x", -EINVAL},
        {"log_retention", "1s 100M", -ERANGE},
        {"log_retention", "7d 1K", -ERANGE},
        {"log_retention", "7d 2T", -ERANGE},
        {"runtime", "python", 0, "python"},
        {"runtime", "my-own_2", 0, "my-own_2"},
        {"runtime", "auto", 0, "auto"},
        {"runtime", "", -EINVAL},
        {"runtime", "../x", -EINVAL},
        {"runtime", "a b", -EINVAL},
        {"runtime", A120, -ERANGE},
        {"handler", "index.handler", 0, "index.handler"},
        {"handler", "a/b/c.run", 0, "a/b/c.run"},
        {"handler", "main", 0, "main"},
        {"handler", "my script.sh", 0, "my script.sh"},
        {"handler", "größe.handler", 0, "größe.handler"},
        {"handler", A120 "12345678", 0, A120 "12345678"},
        {"handler", A120 "123456789", -ERANGE},
        {"handler", "", 0, ""},
        {"handler", " ", -EINVAL},
        {"handler", "/etc/passwd", -EINVAL},
        {"handler", "a//b", -EINVAL},
        {"handler", "../b.c", -EINVAL},
        {"handler", "a/../b.c", -EINVAL},
        {"handler", "./b.c", -EINVAL},
        {"handler", "a/", -EINVAL},
        {"handler",
                "a\x01"
                "b",
                -EINVAL},
        {"handler", "a\nb", -EINVAL},
        {"handler", "a\xff.b", -EINVAL},
        {"initializer", "index.init", 0, "index.init"},
        {"initializer", "", 0, ""},
        {"initializer", "init", -EINVAL},
        {"initializer", "a.b/init", -EINVAL},
        {"initializer", "a.", -EINVAL},
        {"initializer", ".a", -EINVAL},
        {"image", "docker://registry.example.com:5000/team/web:1.0", 0,
                "docker://registry.example.com:5000/team/web:1.0"},
        {"image", "nginx", 0, "docker://nginx"},
        {"image", "team/web@sha256:00", 0, "docker://team/web@sha256:00"},
        {"image", "", 0, ""},
        {"image", "docker://", -EINVAL},
        {"image", "dir:/etc", -EINVAL},
        {"image", "--help", -EINVAL},
        {"image", "/etc", -EINVAL},
        {"image", "a//b", -EINVAL},
        {"image", "a/", -EINVAL},
        {"image", "a b", -EINVAL},
        {"image", "a:@b", -EINVAL},
        {"image", A480, -ERANGE},
        {"description", "It is äöü, 日本.", 0, "It is äöü, 日本."},
        {"description", A480 "1234567890123456789012345678901", 0,
                A480 "1234567890123456789012345678901"},
        {"description", A480 "123456789012345678901234567890123", -ERANGE},
        {"description", "", 0, ""},
        {"description", "\t \t", -EINVAL},
        {"description",
                "a\x7f"
                "b",
                -EINVAL},
        {"description",
                "a\xc2\x85"
                "b",
                -EINVAL},
        {"description", "a\xc3", -EINVAL},
        {"build", " cc -O2 -o bootstrap 'main.c' ", 0, "cc -O2 -o bootstrap 'main.c'"},
        {"build", "make && make install", 0, "make && make install"},
        {"build", "", 0, ""},
        {"build", "make\nmake", -EINVAL},
        {"build", A480 A480 A480, -ERANGE},
        {"build", " cc -O2 -o bootstrap 'main.c' ", 0, "cc -O2 -o bootstrap 'main.c'"},
        {"build", "make && make install", 0, "make && make install"},
        {"build", "", 0, ""},
        {"build", "make\nmake", -EINVAL},
        {"build", A480 A480 A480, -ERANGE},
};

static void check_row(const struct row *row)
{
	struct config config, before;
	struct buf text = BUF_INIT, why = BUF_INIT;
	int key = config_key_find(row->name);

	REQUIRE(key >= 0);
	config_defaults(&config);
	if (config_may_be_empty((enum config_key)key) && row->answer == 0)
		CHECK_INT(config_parse(&config, (enum config_key)key, "before.that", NULL), 0);
	before = config;
	if (!CHECK_INT(config_parse(&config, (enum config_key)key, row->text, &why), row->answer))
		printf("%s '%s'\n", row->name, row->text);
	if (row->answer < 0) {
		CHECK(memcmp(&config, &before, sizeof(config)) == 0);
		CHECK(why.data && strncmp(why.data, row->name, strlen(row->name)) == 0);
		CHECK(why.data && strstr(why.data, "; not ") && !strchr(why.data, '\n'));
	} else {
		config_format(&config, (enum config_key)key, &text);
		CHECK_STR(text.data ? text.data : "", row->canonical);
		/* The canonical text is read back as the same value. */
		before = config;
		CHECK_INT(config_parse(&config, (enum config_key)key, row->canonical, NULL), 0);
		CHECK(memcmp(&config, &before, sizeof(config)) == 0);
	}
	buf_deinit(&text);
	buf_deinit(&why);
}

static void accepts_and_refuses(void)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
}

static void has_the_documented_defaults(void)
{
	static const char *const documented[CONFIG_KEYS] = {"auto", "", "", "3s", "10s", "128M",
	        "max", "1", "100", "0", "1m", "none", "1", "1h", "100000", "nowhere", "nowhere",
	        "text", "30d 1G", "", "", "", ""};
	struct config config;
	struct buf text = BUF_INIT;
	int key;

	config_defaults(&config);
	for (key = 0; key < CONFIG_KEYS; key++) {
		buf_clear(&text);
		config_show_value(&config, (enum config_key)key, &text);
		CHECK_STR(text.data ? text.data : "", documented[key]);
		CHECK_INT(config_key_find(config_key_name((enum config_key)key)), key);
	}
	CHECK_INT(config_key_find("TIMEOUT"), -ENOENT);
	CHECK_INT(config_key_find(""), -ENOENT);
	buf_deinit(&text);
}

/* `60s` that somebody wrote is another value than the default, which looks the same. */
static void knows_an_idle_timeout_that_was_set(void)
{
	struct buf shown = BUF_INIT, stored = BUF_INIT;
	struct config config;

	config_defaults(&config);
	CHECK_INT(config.idle_timeout_ms, CONFIG_IDLE_TIMEOUT_AUTO);
	CHECK_INT(config_parse(&config, CONFIG_IDLE_TIMEOUT, "60s", NULL), 0);
	CHECK_INT(config.idle_timeout_ms, 60000);
	config_show_value(&config, CONFIG_IDLE_TIMEOUT, &shown);
	config_format(&config, CONFIG_IDLE_TIMEOUT, &stored);
	CHECK_STR(shown.data, "1m");
	CHECK_STR(stored.data, "1m");
	CHECK_INT(config_parse(&config, CONFIG_IDLE_TIMEOUT, " auto ", NULL), 0);
	CHECK_INT(config.idle_timeout_ms, CONFIG_IDLE_TIMEOUT_AUTO);
	buf_deinit(&shown);
	buf_deinit(&stored);
}

static void says_why(void)
{
	struct config config;
	struct buf why = BUF_INIT;

	config_defaults(&config);
	CHECK_INT(config_parse(&config, CONFIG_TIMEOUT, "abc", &why), -EINVAL);
	CHECK_STR(why.data, "timeout is 1ms to 72h, like 3, 500ms or 15m; not 'abc'");
	CHECK_INT(config_parse(&config, CONFIG_TIMEOUT, " ", &why), -EINVAL);
	CHECK_STR(why.data, "timeout is 1ms to 72h, like 3, 500ms or 15m; not nothing");
	CHECK_INT(config_parse(&config, CONFIG_CONCURRENCY, "\x1b[1m\xff" A480, &why), -EINVAL);
	CHECK(strstr(why.data, "not '?[1m?aaaa") && strstr(why.data, "a...'"));
	CHECK(why.length < 200);
	buf_deinit(&why);
}

/* A state directory that moves to a smaller machine still loads. */
static void loads_more_memory_than_there_is(void)
{
	struct config config;

	config_defaults(&config);
	CHECK_INT(config_parse(&config, CONFIG_MEMORY, "1024T", NULL), -ERANGE);
	CHECK_INT(config_load(&config, CONFIG_MEMORY, "1024T"), 0);
	CHECK(config.memory_bytes == INT64_C(1) << 50);
}

static void survives_lack_of_memory(void)
{
	unsigned long n;

	for (n = 0; n < 100; n++) {
		struct config config;
		struct buf why = BUF_INIT;
		int r;

		config_defaults(&config);
		heap_fail(n, 1);
		r = config_parse(&config, CONFIG_TIMEOUT, "4h and more", &why);
		buf_deinit(&why);
		if (!heap_end())
			break;
		CHECK(r == -ENOMEM || r == -EINVAL);
		CHECK_INT(config.timeout_ms, 3000);
	}
	CHECK(n > 1 && n < 100);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(accepts_and_refuses),
	        TEST(has_the_documented_defaults), TEST(knows_an_idle_timeout_that_was_set),
	        TEST(says_why), TEST(loads_more_memory_than_there_is),
	        TEST(survives_lack_of_memory), {}};

	return test_main(tests, argc, argv);
}
