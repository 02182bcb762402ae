/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row per setting: its place in the struct, its form (model/config_form.h), its bounds, its default
 * as a text, and the sentence that a refusal gives. A new setting is one row and one member.
 */
#include "model/config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/quantity.h"
#include "model/config_form.h"
#include "model/config_text.h"
#include "model/why.h"

static int64_t machine_memory(void)
{
	return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) & ~(MEBI(1) - 1);
}

#define AT(member) \
	.offset = offsetof(struct config, member), .size = sizeof(((struct config *)NULL)->member)
#define TEXT(kind, longest) \
	.parse = parse_text, .format = format_text, .least = (kind), .most = (longest)
#define COUNT       .parse = parse_count, .format = format_count
#define DURATION    .parse = parse_duration, .format = format_duration
#define DESTINATION .parse = parse_destination, .format = format_destination

static const struct setting settings[CONFIG_KEYS] = {
        [CONFIG_RUNTIME] = {.name = "runtime",
                AT(runtime),
                TEXT(CONFIG_TEXT_NAME, 63),
                .initial = "auto",
                .redeploys = true,
                .rule = "runtime is auto or a name in runtimes/, like python"},
        [CONFIG_HANDLER] = {.name = "handler",
                AT(handler),
                TEXT(CONFIG_TEXT_PATH, 128),
                .initial = "",
                .redeploys = true,
                .may_be_empty = true,
                .rule = "handler is a path below code/ of at most 128 characters, "
                        "like index.handler or lib/task.run, or empty for the runtime's own"},
        [CONFIG_INITIALIZER] = {.name = "initializer",
                AT(initializer),
                TEXT(CONFIG_TEXT_ENTRY, 128),
                .initial = "",
                .redeploys = true,
                .may_be_empty = true,
                .rule = "initializer is file.function with at most 128 characters, "
                        "like index.initializer, or empty"},
        [CONFIG_TIMEOUT] = {.name = "timeout",
                AT(timeout_ms),
                DURATION,
                .least = 1,
                .most = HOURS(72),
                .initial = "3s",
                .redeploys = true,
                .rule = "timeout is 1ms to 72h, like 3, 500ms or 15m"},
        [CONFIG_INIT_TIMEOUT] = {.name = "init_timeout",
                AT(init_timeout_ms),
                DURATION,
                .least = 1,
                .most = HOURS(1),
                .initial = "10s",
                .redeploys = true,
                .rule = "init_timeout is 1ms to 1h, like 10, 500ms or 5m"},
        [CONFIG_MEMORY] = {.name = "memory",
                AT(memory_bytes),
                .parse = parse_size,
                .format = format_size,
                .least = MEBI(16),
                .most = MEBI(1) << 30,
                .most_here = machine_memory,
                .initial = "128M",
                .redeploys = true,
                .rule = "memory is 16M up to what the machine has, like 128M or 1G"},
        [CONFIG_CPU] = {.name = "cpu",
                AT(cpu_millicores),
                .parse = parse_cpu,
                .format = format_cpu,
                .least = 10,
                .most = 1000 * 1000,
                .initial = "max",
                .redeploys = true,
                .rule = "cpu is a number of cores from 0.01 to 1000, like 0.5 or 2, or max"},
        [CONFIG_CONCURRENCY] = {.name = "concurrency",
                AT(concurrency),
                COUNT,
                .least = 1,
                .most = 1000,
                .initial = "1",
                .redeploys = true,
                .rule = "concurrency is 1 to 1000 calls at once in one instance, like 10"},
        [CONFIG_MAX_INSTANCES] = {.name = "max_instances",
                AT(max_instances),
                COUNT,
                .least = 0,
                .most = 1000,
                .initial = "100",
                .stays_writable = true,
                .redeploys = true,
                .rule = "max_instances is 0 (disabled) to 1000, like 100"},
        [CONFIG_MIN_INSTANCES] = {.name = "min_instances",
                AT(min_instances),
                COUNT,
                .least = 0,
                .most = 1000,
                .initial = "0",
                .stays_writable = true,
                .redeploys = true,
                .rule = "min_instances is 0 to 1000, like 2"},
        [CONFIG_IDLE_TIMEOUT] = {.name = "idle_timeout",
                AT(idle_timeout_ms),
                .parse = parse_idle_timeout,
                .format = format_idle_timeout,
                .least = 0,
                .most = HOURS(72),
                .initial = "auto",
                .stays_writable = true,
                .redeploys = true,
                .rule = "idle_timeout is 0 to 72h, like 60, 90s or 15m, or auto"},
        [CONFIG_NETWORK] = {.name = "network",
                AT(network),
                .parse = parse_network,
                .format = format_network,
                .initial = "none",
                .redeploys = true,
                .rule = "network is none, outbound or host"},
        [CONFIG_MAX_RETRIES] = {.name = "max_retries",
                AT(max_retries),
                COUNT,
                .least = 0,
                .most = 8,
                .initial = "1",
                .rule = "max_retries is 0 to 8 further tries, like 1"},
        [CONFIG_MAX_EVENT_AGE] = {.name = "max_event_age",
                AT(max_event_age_ms),
                DURATION,
                .least = 1000,
                .most = DAYS(30),
                .initial = "1h",
                .rule = "max_event_age is 1s to 30d, like 90s or 1h"},
        [CONFIG_QUEUE_LIMIT] = {.name = "queue_limit",
                AT(queue_limit),
                COUNT,
                .least = 1,
                .most = 1000 * 1000,
                .initial = "100000",
                .rule = "queue_limit is 1 to 1000000 calls that may wait, like 100000"},
        [CONFIG_ON_SUCCESS] = {.name = "on_success",
                AT(on_success),
                DESTINATION,
                .initial = "nowhere",
                .rule = "on_success is a link to a queue"},
        [CONFIG_ON_FAILURE] = {.name = "on_failure",
                AT(on_failure),
                DESTINATION,
                .initial = "nowhere",
                .rule = "on_failure is a link to a queue"},
        [CONFIG_LOG_FORMAT] = {.name = "log_format",
                AT(log_format),
                .parse = parse_log_format,
                .format = format_log_format,
                .initial = "text",
                .redeploys = true,
                .rule = "log_format is text or json"},
        [CONFIG_LOG_RETENTION] = {.name = "log_retention",
                AT(log_retention_ms),
                .parse = parse_retention,
                .format = format_retention,
                .least = MINUTES(1),
                .most = DAYS(3650),
                .initial = "30d 1G",
                .rule = "log_retention is a duration of 1m to 3650d and a size of 1M to 1T, "
                        "like 30d 1G"},
        [CONFIG_DESCRIPTION] = {.name = "description",
                AT(description),
                TEXT(CONFIG_TEXT_LINE, 512),
                .initial = "",
                .may_be_empty = true,
                .stays_writable = true,
                .rule = "description is one line of at most 512 characters of UTF-8"},
        [CONFIG_BUILD] = {.name = "build",
                AT(build),
                TEXT(CONFIG_TEXT_LINE, 1024),
                .initial = "",
                .redeploys = true,
                .may_be_empty = true,
                .rule = "build is a command of the shell, one line of at most 1024 characters, "
                        "like make or cc -O2 -o bootstrap main.c; or empty"},
        [CONFIG_IMAGE] = {.name = "image",
                AT(image),
                .parse = parse_image,
                .format = format_text,
                .initial = "",
                .redeploys = true,
                .may_be_empty = true,
                .rule = "image is the name of an image in a registry, like "
                        "docker://registry.example.com/team/web:1.0, of at most 300 letters, "
                        "digits and . _ - / : @, or empty"},
        /* No file shows it: written beside `image`. */
        [CONFIG_IMAGE_USER] = {AT(image_user), .name = "image_user", TEXT(CONFIG_TEXT_LINE, 255),
                .initial = "", .may_be_empty = true, .rule = "image_user is numbers"},
};

static const struct setting *setting_at(enum config_key key)
{
	assert((unsigned)key < CONFIG_KEYS && settings[key].name);
	return &settings[key];
}

const char *config_key_name(enum config_key key)
{
	return setting_at(key)->name;
}

int config_key_find(const char *name)
{
	int key;

	for (key = 0; key < CONFIG_KEYS; key++)
		if (strcmp(settings[key].name, name) == 0)
			return key;
	return -ENOENT;
}

bool config_redeploys(enum config_key key)
{
	return setting_at(key)->redeploys;
}

bool config_stays_writable(enum config_key key)
{
	return setting_at(key)->stays_writable;
}

bool config_may_be_empty(enum config_key key)
{
	return setting_at(key)->may_be_empty;
}

void config_format(const struct config *config, enum config_key key, struct buf *out)
{
	const struct setting *setting = setting_at(key);

	setting->format(setting, (const char *)config + setting->offset, out);
}

void config_show_value(const struct config *config, enum config_key key, struct buf *out)
{
	if (key == CONFIG_IDLE_TIMEOUT && config->idle_timeout_ms == CONFIG_IDLE_TIMEOUT_AUTO)
		quantity_format_duration(out, CONFIG_IDLE_TIMEOUT_MS);
	else
		config_format(config, key, out);
}

static void refuse(const struct setting *setting, const char *text, struct buf *why)
{
	if (!why)
		return;
	why_say(why, "%s", setting->rule);
	if (setting->most_here) {
		buf_puts(why, " (here ");
		quantity_format_size(why, setting->most_here());
		buf_puts(why, ")");
	}
	buf_puts(why, "; not ");
	if (*text)
		why_quote(why, text);
	else
		buf_puts(why, "nothing");
}

int config_load(struct config *config, enum config_key key, const char *text)
{
	const struct setting *setting = setting_at(key);
	char *value = (char *)config + setting->offset;

	if (!*text && setting->may_be_empty) {
		*value = 0; /* all that may be empty are texts */
		return 0;
	}
	return *text ? setting->parse(setting, text, value) : -EINVAL;
}

int config_parse(struct config *config, enum config_key key, const char *text, struct buf *why)
{
	const struct setting *setting = setting_at(key);
	CLEANUP(free_p) char *bare = config_text_trim(text);
	struct config changed = *config;
	int r;

	if (!bare)
		return why_store(why, fail(-ENOMEM, "setting %s", setting->name));
	if (*text && !*bare)
		r = -EINVAL; /* only blanks */
	else
		r = config_load(&changed, key, bare);
	if (r == 0 && setting->most_here &&
	        *(int64_t *)((char *)&changed + setting->offset) > setting->most_here())
		r = -ERANGE;
	if (r == 0)
		*config = changed;
	else
		refuse(setting, bare, why);
	return r;
}

void config_defaults(struct config *config)
{
	int key;

	memset(config, 0, sizeof(*config));
	for (key = 0; key < CONFIG_KEYS; key++)
		if (config_load(config, (enum config_key)key, settings[key].initial) < 0)
			assert(!"a default is within its own bounds");
}
