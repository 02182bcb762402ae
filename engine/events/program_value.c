/* SPDX-License-Identifier: Apache-2.0 */
#include "events/program_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/percent.h"
#include "base/utf8.h"
#include "model/why.h"

enum { VALUE_MOST = 16 << 10 };

static const struct known {
	const char *kind;
	const char *schemes[3];
	const char *sample;
	bool hostless; /* the server may be one of this machine that has no address */
} known[] = {
        {"mqtt", {"mqtt", "mqtts"}, "mqtt://broker:1883 FILTER"},
        {"amqp", {"amqp", "amqps"}, "amqp://USER:PASSWORD@broker/VHOST QUEUE"},
        {"redis", {"redis", "rediss"}, "redis://server:6379 STREAM"},
        {"nats", {"nats", "tls"}, "nats://server:4222 SUBJECT"},
        {"kafka", {"kafka", "kafkas"}, "kafka://broker:9092 TOPIC"},
        {"postgres", {"postgres", "postgresql"}, "postgres://USER:PASSWORD@server/DATABASE TABLE",
                true},
};

const char *program_kind(size_t number)
{
	return number < ARRAY_SIZE(known) ? known[number].kind : NULL;
}

static const struct known *find(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].kind, kind) == 0)
			return &known[i];
	return NULL;
}

static bool has_scheme(const struct known *row, const char *value)
{
	size_t length = strcspn(value, ":");

	if (strncmp(value + length, "://", 3) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(row->schemes) && row->schemes[i]; i++)
		if (strlen(row->schemes[i]) == length &&
		        strncasecmp(value, row->schemes[i], length) == 0)
			return true;
	return false;
}

static int refuse(struct buf *why, const struct known *row, const char *what)
{
	why_say(why, "%s: as in %s", what, row->sample);
	return -EINVAL;
}

int program_value_check(const char *kind, const char *value, struct buf *why)
{
	const struct known *row = find(kind);
	size_t length = strlen(value);
	const char *host;

	if (length > VALUE_MOST) {
		why_say(why, "a source's value has at most %d bytes", VALUE_MOST);
		return -EINVAL;
	}
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f) {
			why_say(why, "a source's value holds no control characters");
			return -EINVAL;
		}
	if (!row)
		return 0;
	if (!has_scheme(row, value))
		return refuse(why, row, "it begins with the scheme of its server's URL");
	host = strstr(value, "://") + 3;
	if (host[strcspn(host, "@/?#")] == '@')
		host += strcspn(host, "@") + 1;
	if (!row->hostless && (!*host || strchr("/?# ", *host)))
		return refuse(why, row, "its URL names a server");
	return 0;
}

/* --- passwords -------------------------------------------------------------------------------- */

enum { SECRETS_MOST = 8 };

struct secrets {
	char *text[2 * SECRETS_MOST]; /* as it stands, and decoded */
	size_t count;
};

static void secrets_deinit(struct secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++)
		free(secrets->text[i]);
}

static void add(struct secrets *secrets, const char *text, size_t length)
{
	char *plain;

	if (!length || secrets->count + 2 > ARRAY_SIZE(secrets->text))
		return;
	secrets->text[secrets->count] = strndup(text, length);
	secrets->count += secrets->text[secrets->count] != NULL;
	plain = strndup(text, length);
	if (plain && percent_decode(plain, false) == 0 && *plain)
		secrets->text[secrets->count++] = plain;
	else
		free(plain);
}

static void add_token(
        struct secrets *secrets, const char *value, const char *token, const char *end)
{
	if (strncasecmp(value, "nats:", 5) == 0 || strncasecmp(value, "tls:", 4) == 0)
		add(secrets, token, (size_t)(end - token));
}

/* `scheme://USER:PASSWORD@`, of each URL; an at sign may be in it that is not escaped. */
static void add_passwords(struct secrets *secrets, const char *value)
{
	for (const char *begin = strstr(value, "://"); begin; begin = strstr(begin + 3, "://")) {
		const char *end = begin + 3 + strcspn(begin + 3, " ?");
		const char *colon = memchr(begin + 3, ':', (size_t)(end - begin - 3));
		const char *first = colon ? memchr(colon, '@', (size_t)(end - colon)) : NULL;
		const char *last = memrchr(begin, '@', (size_t)(end - begin));

		/* NATS takes a token in place of a user. */
		if (!colon && last && begin - value <= 4)
			add_token(secrets, value, begin + 3, last);
		if (!first)
			continue;
		add(secrets, colon + 1, (size_t)(first - colon - 1));
		if (last != first)
			add(secrets, colon + 1, (size_t)(last - colon - 1));
	}
}

static void add_parameters(struct secrets *secrets, const char *value)
{
	static const char *const names[] = {"password", "passwd", "pass", "token", "secret"};

	for (const char *at = value; *at; at++) {
		if (!strchr("?& ", *at))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			/* sslpassword, sasl.password ... */
			const char *name = at + 1 + strcspn(at + 1, "=& ");
			size_t length = strlen(names[i]);

			if (*name == '=' && (size_t)(name - at - 1) >= length &&
			        strncasecmp(name - length, names[i], length) == 0)
				add(secrets, name + 1, strcspn(name + 1, "& "));
		}
	}
}

static size_t secret_at(const struct secrets *secrets, const char *text)
{
	size_t longest = 0;

	for (size_t i = 0; i < secrets->count; i++) {
		size_t length = strlen(secrets->text[i]);

		if (length > longest && strncmp(text, secrets->text[i], length) == 0)
			longest = length;
	}
	return longest;
}

void program_value_hide(const char *value, const char *text, struct buf *out)
{
	CLEANUP(secrets_deinit) struct secrets secrets = {};
	size_t left = strlen(text), width;

	add_passwords(&secrets, value);
	add_parameters(&secrets, value);
	for (; left; text += width, left -= width) {
		width = secret_at(&secrets, text);
		if (width) {
			buf_puts(out, "***");
			continue;
		}
		width = utf8_width(text, left);
		if (!width || (unsigned char)*text < ' ' || *text == 0x7f) {
			width = 1;
			buf_puts(out, "?");
		} else {
			buf_append(out, text, width);
		}
	}
}
