/* SPDX-License-Identifier: Apache-2.0 */
#include "model/config_form.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quantity.h"
#include "model/config.h"
#include "model/config_text.h"

static int in_bounds(const struct setting *setting, int64_t value)
{
	return value < setting->least || value > setting->most ? -ERANGE : 0;
}

int parse_duration(const struct setting *setting, const char *text, void *value)
{
	int64_t milliseconds;
	int r = quantity_parse_duration_ms(text, &milliseconds);

	if (r == 0)
		r = in_bounds(setting, milliseconds);
	if (r == 0)
		*(int64_t *)value = milliseconds;
	return r;
}

void format_duration(const struct setting *setting, const void *value, struct buf *out)
{
	quantity_format_duration(out, *(const int64_t *)value);
}

int parse_idle_timeout(const struct setting *setting, const char *text, void *value)
{
	if (strcmp(text, "auto") != 0)
		return parse_duration(setting, text, value);
	*(int64_t *)value = CONFIG_IDLE_TIMEOUT_AUTO;
	return 0;
}

void format_idle_timeout(const struct setting *setting, const void *value, struct buf *out)
{
	if (*(const int64_t *)value == CONFIG_IDLE_TIMEOUT_AUTO)
		buf_puts(out, "auto");
	else
		format_duration(setting, value, out);
}

int parse_size(const struct setting *setting, const char *text, void *value)
{
	int64_t bytes;
	int r = quantity_parse_size(text, &bytes);

	if (r == 0)
		r = in_bounds(setting, bytes);
	if (r == 0)
		*(int64_t *)value = bytes;
	return r;
}

void format_size(const struct setting *setting, const void *value, struct buf *out)
{
	quantity_format_size(out, *(const int64_t *)value);
}

int parse_count(const struct setting *setting, const char *text, void *value)
{
	int64_t count;
	int r = quantity_parse_count(text, &count);

	if (r == 0)
		r = in_bounds(setting, count);
	if (r == 0)
		*(int *)value = (int)count;
	return r;
}

void format_count(const struct setting *setting, const void *value, struct buf *out)
{
	buf_printf(out, "%d", *(const int *)value);
}

int parse_cpu(const struct setting *setting, const char *text, void *value)
{
	int64_t millicores;
	int r;

	if (strcmp(text, "max") == 0) {
		*(int *)value = 0;
		return 0;
	}
	if (text[strspn(text, "+-0123456789.")])
		return -EINVAL; /* the parser below would take units of time */
	r = quantity_parse_duration_ms(text, &millicores); /* thousandths, both */
	if (r == 0)
		r = in_bounds(setting, millicores);
	if (r == 0)
		*(int *)value = (int)millicores;
	return r;
}

void format_cpu(const struct setting *setting, const void *value, struct buf *out)
{
	int millicores = *(const int *)value, digits = 3, fraction = millicores % 1000;

	if (!millicores) {
		buf_puts(out, "max");
		return;
	}
	for (; digits > 1 && fraction % 10 == 0; digits--)
		fraction /= 10;
	buf_printf(out, "%d.%0*d", millicores / 1000, digits, fraction);
}

int parse_text(const struct setting *setting, const char *text, void *value)
{
	if (!config_text_ok((enum config_text)setting->least, text))
		return -EINVAL;
	if (strlen(text) >= setting->size || config_text_characters(text) > (size_t)setting->most)
		return -ERANGE;
	strcpy(value, text);
	return 0;
}

void format_text(const struct setting *setting, const void *value, struct buf *out)
{
	buf_puts(out, value);
}

#define REGISTRY "docker://"

/* Letters and digits, and between them what names are made of: HOST:PORT/NAME:TAG@DIGEST. */
static bool is_image_name(const char *text)
{
	static const char words[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	bool joined = true;

	for (; *text; text++) {
		if (strchr(words, *text))
			joined = false;
		else if (joined || !strchr("._-/:@", *text))
			return false;
		else
			joined = strchr("/:@", *text);
	}
	return !joined;
}

/* Only from registries: other places that images come from are this machine's. */
int parse_image(const struct setting *setting, const char *text, void *value)
{
	size_t length;

	if (strncmp(text, REGISTRY, strlen(REGISTRY)) == 0)
		text += strlen(REGISTRY);
	length = strlen(text);
	if (!is_image_name(text))
		return -EINVAL;
	if (strlen(REGISTRY) + length >= setting->size)
		return -ERANGE;
	sprintf(value, REGISTRY "%s", text);
	return 0;
}

static const char *const network_names[] = {
        [NETWORK_NONE] = "none",
        [NETWORK_HOST] = "host",
        [NETWORK_OUTBOUND] = "outbound",
};

static const char *const log_format_names[] = {
        [LOG_FORMAT_TEXT] = "text",
        [LOG_FORMAT_JSON] = "json",
};

static int find_choice(const char *const *names, size_t count, const char *text)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(names[i], text) == 0)
			return (int)i;
	return -EINVAL;
}

int parse_network(const struct setting *setting, const char *text, void *value)
{
	int found = find_choice(network_names, ARRAY_SIZE(network_names), text);

	if (found >= 0)
		*(enum config_network *)value = (enum config_network)found;
	return found < 0 ? found : 0;
}

void format_network(const struct setting *setting, const void *value, struct buf *out)
{
	buf_puts(out, network_names[*(const enum config_network *)value]);
}

int parse_log_format(const struct setting *setting, const char *text, void *value)
{
	int found = find_choice(log_format_names, ARRAY_SIZE(log_format_names), text);

	if (found >= 0)
		*(enum config_log_format *)value = (enum config_log_format)found;
	return found < 0 ? found : 0;
}

void format_log_format(const struct setting *setting, const void *value, struct buf *out)
{
	buf_puts(out, log_format_names[*(const enum config_log_format *)value]);
}

static const struct setting retention_size = {
        .least = MEBI(1),
        .most = MEBI(1) << 20,
};

/* `30d 1G`: the value is log_retention_ms, and log_retention_bytes follows it. */
int parse_retention(const struct setting *setting, const char *text, void *value)
{
	char duration[32];
	size_t length = strcspn(text, " \t");
	int64_t values[2];
	int r;

	if (!text[length] || length >= sizeof(duration))
		return -EINVAL;
	memcpy(duration, text, length);
	duration[length] = 0;
	text += length + strspn(text + length, " \t");
	r = parse_duration(setting, duration, &values[0]);
	if (r == 0)
		r = parse_size(&retention_size, text, &values[1]);
	if (r == 0)
		memcpy(value, values, sizeof(values));
	return r;
}

void format_retention(const struct setting *setting, const void *value, struct buf *out)
{
	const int64_t *values = value;

	quantity_format_duration(out, values[0]);
	buf_puts(out, " ");
	quantity_format_size(out, values[1]);
}

_Static_assert(offsetof(struct config, log_retention_bytes) ==
                       offsetof(struct config, log_retention_ms) + sizeof(int64_t),
        "parse_retention writes both");

/* `12`, a function's id; `12/34` with an alias's; `topic 56`; `nowhere`. Nobody but the store sees it. */
int parse_destination(const struct setting *setting, const char *text, void *value)
{
	struct config_destination parsed = {};
	int length = 0;

	if (sscanf(text, "topic %" SCNu64 "%n", &parsed.topic, &length) == 1) {
		if (text[length] || !parsed.topic)
			return -EINVAL;
	} else if (strcmp(text, "nowhere") != 0) {
		if (sscanf(text, "%" SCNu64 "%n/%" SCNu64 "%n", &parsed.function, &length,
		            &parsed.alias, &length) < 1 ||
		        text[length] || !parsed.function)
			return -EINVAL;
	}
	*(struct config_destination *)value = parsed;
	return 0;
}

void format_destination(const struct setting *setting, const void *value, struct buf *out)
{
	const struct config_destination *destination = value;

	if (destination->topic)
		buf_printf(out, "topic %" PRIu64, destination->topic);
	else if (!destination->function)
		buf_puts(out, "nowhere");
	else if (!destination->alias)
		buf_printf(out, "%" PRIu64, destination->function);
	else
		buf_printf(out, "%" PRIu64 "/%" PRIu64, destination->function, destination->alias);
}
