/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trigger_settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quantity.h"
#include "base/utf8.h"
#include "model/trigger_auth.h"
#include "model/why.h"

#define SECOND_US INT64_C(1000000)
#define RATE_MOST 1000000

static const char *const formats[EVENT_FORMATS] = {
        [FORMAT_DEFAULT] = "default",
        [FORMAT_FUNCTIONGRAPH] = "functiongraph",
        [FORMAT_CLOUDEVENTS] = "cloudevents",
        [FORMAT_LAMBDA] = "lambda",
        [FORMAT_RAW] = "raw",
};

static const struct {
	char letter;
	int64_t period_us;
} periods[] = {{'s', SECOND_US}, {'m', 60 * SECOND_US}, {'h', 3600 * SECOND_US}};

const char *event_format_name(enum event_format format)
{
	return formats[format];
}

int trigger_settings_init(struct trigger_settings *settings)
{
	*settings = (struct trigger_settings){
	        .enabled = true, .payload = strdup(""), .auth = strdup("token")};
	if (settings->payload && settings->auth)
		return 0;
	trigger_settings_deinit(settings);
	return -ENOMEM;
}

void trigger_settings_deinit(struct trigger_settings *settings)
{
	free(settings->payload);
	free(settings->auth);
	settings->payload = settings->auth = NULL;
}

/* --- reading --- */

static int parse_enabled(struct trigger_settings *settings, const char *text, struct buf *why)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
		why_say(why, "enabled is 1 or 0");
		return -EINVAL;
	}
	settings->enabled = *text == '1';
	return 0;
}

static int parse_payload(struct trigger_settings *settings, const char *text, struct buf *why)
{
	size_t length = strlen(text);
	char *copy;

	if (length > TRIGGER_PAYLOAD_MOST || !utf8_valid(text, length)) {
		why_say(why, "a payload is UTF-8 of at most 64K");
		return -EINVAL;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(settings->payload);
	settings->payload = copy;
	return 0;
}

static int parse_format(struct trigger_settings *settings, const char *text, struct buf *why)
{
	for (int format = 0; format < EVENT_FORMATS; format++) {
		if (strcmp(formats[format], text) != 0)
			continue;
		settings->format = (enum event_format)format;
		return 0;
	}
	why_say(why, "format is functiongraph, cloudevents, lambda, raw, or default; not ");
	why_quote(why, text);
	return -EINVAL;
}

static int parse_missed(struct trigger_settings *settings, const char *text, struct buf *why)
{
	if (strcmp(text, "skip") != 0 && strcmp(text, "once") != 0) {
		why_say(why, "missed is skip or once");
		return -EINVAL;
	}
	settings->missed_once = *text == 'o';
	return 0;
}

/* The length of `N/s`; 0: no such unit. `N` alone is by the second. */
static int64_t read_period(const char *unit)
{
	if (!*unit)
		return SECOND_US;
	for (size_t i = 0; i < ARRAY_SIZE(periods); i++)
		if (unit[0] == '/' && unit[1] == periods[i].letter && !unit[2])
			return periods[i].period_us;
	return 0;
}

static int parse_rate(struct trigger_settings *settings, const char *text, struct buf *why)
{
	size_t digits = strspn(text, "0123456789");
	int64_t period = read_period(text + digits), rate = 0;
	char number[8];

	if (strcmp(text, "max") == 0) {
		settings->rate = settings->rate_period_us = 0;
		return 0;
	}
	if (digits && digits < sizeof(number)) {
		snprintf(number, sizeof(number), "%.*s", (int)digits, text);
		rate = atoll(number);
	}
	if (!period || rate < 1 || rate > RATE_MOST) {
		why_say(why, "rate is max, or 1 to %d events by s, m or h, as 10/s or 30/m",
		        RATE_MOST);
		return digits && period ? -ERANGE : -EINVAL;
	}
	settings->rate = rate;
	settings->rate_period_us = period;
	return 0;
}

static int parse_concurrency(struct trigger_settings *settings, const char *text, struct buf *why)
{
	int64_t count = 0;
	int r = strcmp(text, "max") == 0 ? 0 : quantity_parse_count(text, &count);

	if (r == 0 && (count < 0 || count > TRIGGER_CONCURRENCY_MOST))
		r = -ERANGE;
	if (r < 0)
		why_say(why, "concurrency is max, or 1 to %d calls", TRIGGER_CONCURRENCY_MOST);
	else
		settings->concurrency = (unsigned)count;
	return r;
}

static int parse_auth(struct trigger_settings *settings, const char *text, struct buf *why)
{
	struct trigger_auth auth;
	int r = trigger_auth_parse(&auth, text, why);
	char *copy = r == 0 ? strdup(text) : NULL;

	trigger_auth_deinit(&auth);
	if (r < 0 || !copy)
		return r < 0 ? r : -ENOMEM;
	free(settings->auth);
	settings->auth = copy;
	return 0;
}

/* --- showing --- */

static void show_enabled(const struct trigger_settings *settings, struct buf *out)
{
	buf_puts(out, settings->enabled ? "1" : "0");
}

static void show_payload(const struct trigger_settings *settings, struct buf *out)
{
	buf_puts(out, settings->payload);
}

static void show_format(const struct trigger_settings *settings, struct buf *out)
{
	buf_puts(out, formats[settings->format]);
}

static void show_missed(const struct trigger_settings *settings, struct buf *out)
{
	buf_puts(out, settings->missed_once ? "once" : "skip");
}

static void show_rate(const struct trigger_settings *settings, struct buf *out)
{
	if (!settings->rate) {
		buf_puts(out, "max");
		return;
	}
	buf_printf(out, "%" PRId64, settings->rate);
	for (size_t i = 0; i < ARRAY_SIZE(periods); i++)
		if (periods[i].period_us == settings->rate_period_us)
			buf_printf(out, "/%c", periods[i].letter);
}

static void show_concurrency(const struct trigger_settings *settings, struct buf *out)
{
	if (settings->concurrency)
		buf_printf(out, "%u", settings->concurrency);
	else
		buf_puts(out, "max");
}

static void show_auth(const struct trigger_settings *settings, struct buf *out)
{
	buf_puts(out, settings->auth);
}

/* --- the table --- */

static const struct {
	const char *name;
	int (*parse)(struct trigger_settings *settings, const char *text, struct buf *why);
	void (*show)(const struct trigger_settings *settings, struct buf *out);
} keys[TRIGGER_KEYS] = {
        [TRIGGER_ENABLED] = {"enabled", parse_enabled, show_enabled},
        [TRIGGER_PAYLOAD] = {"payload", parse_payload, show_payload},
        [TRIGGER_FORMAT] = {"format", parse_format, show_format},
        [TRIGGER_MISSED] = {"missed", parse_missed, show_missed},
        [TRIGGER_RATE] = {"rate", parse_rate, show_rate},
        [TRIGGER_CONCURRENCY] = {"concurrency", parse_concurrency, show_concurrency},
        [TRIGGER_AUTH] = {"auth", parse_auth, show_auth},
};

const char *trigger_key_name(enum trigger_key key)
{
	return keys[key].name;
}

int trigger_key_find(const char *name)
{
	for (int key = 0; key < TRIGGER_KEYS; key++)
		if (strcmp(keys[key].name, name) == 0)
			return key;
	return -1;
}

int trigger_settings_parse(
        struct trigger_settings *settings, enum trigger_key key, const char *text, struct buf *why)
{
	return keys[key].parse(settings, text, why);
}

void trigger_settings_show(
        const struct trigger_settings *settings, enum trigger_key key, struct buf *out)
{
	keys[key].show(settings, out);
}
