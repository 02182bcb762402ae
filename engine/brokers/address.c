/* SPDX-License-Identifier: Apache-2.0 */
#include "brokers/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/percent.h"
#include "brokers/source.h"

#define WHITE " \t\r\n\v\f"

static int refuse(struct buf *why, const char *sentence)
{
	buf_puts(why, sentence);
	return why->failed ? -ENOMEM : -EINVAL;
}

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

/* Cuts the next word off; NULL when there is none. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, WHITE);

	if (!*word)
		return NULL;
	*rest = word + strcspn(word, WHITE);
	if (**rest)
		*(*rest)++ = 0;
	return word;
}

static int parse_port(const char *text, int *port)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number < 1 || number > 65535)
		return -EINVAL;
	*port = (int)number;
	return 0;
}

/* One host of the list, changed: [::1]:80 has its name in brackets. */
static int parse_host(char *text, int otherwise, char **host, int *port)
{
	char *colon;

	*host = text;
	*port = otherwise;
	if (*text == '[') {
		colon = strchr(text, ']');
		if (!colon)
			return -EINVAL;
		*host = text + 1;
		*colon++ = 0;
		if (*colon && *colon != ':')
			return -EINVAL;
	} else {
		colon = strchr(text, ':');
	}
	if (colon && *colon) {
		*colon = 0;
		if (parse_port(colon + 1, port) < 0)
			return -EINVAL;
	}
	/* What else could stand in a name would be read as something else by a library. */
	if (!**host || (*host)[strcspn(*host, "@?#'\"\\ =")])
		return -EINVAL;
	return 0;
}

static int parse_hosts(
        struct address *out, const struct address_form *form, char *text, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf all = BUF_INIT;

	for (char *next = text, *one; (one = strsep(&next, ","));) {
		char *host;
		int port;

		if (parse_host(one, form->port, &host, &port) < 0)
			return refuse(why, "the host and port of its URL make no sense");
		if (out->host && !form->many_hosts)
			return refuse(why, "its URL has several hosts");
		if (!out->host) {
			out->host = host;
			out->port = port;
		}
		buf_printf(&all, strchr(host, ':') ? "%s[%s]:%d" : "%s%s:%d", all.length ? "," : "",
		        host, port);
	}
	if (all.failed)
		return -ENOMEM;
	out->hosts = buf_take(&all);
	return 0;
}

static int parse_url(
        struct address *out, const struct address_form *form, char *url, struct buf *why)
{
	char *rest = strstr(url, "://"), *path, *at, *colon;

	out->path = "";
	if (!rest)
		return refuse(why, "it begins with no URL, as in scheme://host");
	*rest = 0;
	rest += 3;
	for (char *letter = url; *letter; letter++)
		if (*letter >= 'A' && *letter <= 'Z')
			*letter += 'a' - 'A';
	out->scheme = url;
	if (!listed(form->schemes, url))
		return refuse(why, "this source knows no such scheme");
	path = strchr(rest, '/');
	if (path) {
		*path++ = 0;
		out->path = path;
		if (percent_decode(path, false) < 0)
			return refuse(why, "the path of its URL has a bad escape");
	}
	at = strrchr(rest, '@');
	if (at) {
		*at = 0;
		out->user = rest;
		colon = strchr(rest, ':');
		if (colon) {
			*colon = 0;
			out->password = colon + 1;
		}
		if (percent_decode(rest, false) < 0 ||
		        (colon && percent_decode(colon + 1, false) < 0))
			return refuse(why, "user or password have a bad escape");
		rest = at + 1;
	}
	return parse_hosts(out, form, rest, why);
}

static int parse_option(
        struct address *out, const struct address_form *form, char *word, struct buf *why)
{
	char *value = strchr(word, '=');
	size_t i = 0;

	if (!value || value == word)
		return refuse(why, "behind the subject stand options only, as in key=value");
	*value++ = 0;
	if (!listed(form->options, word)) {
		buf_printf(why, "this source has no option %.40s", word);
		return refuse(why, "");
	}
	while (i < ADDRESS_OPTIONS && out->options[i].key && strcmp(out->options[i].key, word) != 0)
		i++;
	if (i == ADDRESS_OPTIONS || out->options[i].key)
		return refuse(why, "it has an option twice");
	out->options[i].key = word;
	out->options[i].value = value;
	return 0;
}

int address_parse(
        struct address *out, const struct address_form *form, const char *value, struct buf *why)
{
	char *rest, *word;
	int r;

	*out = (struct address){.text = strdup(value)};
	if (!out->text)
		return -ENOMEM;
	rest = out->text;
	word = next_word(&rest);
	r = word ? parse_url(out, form, word, why) : refuse(why, "it is empty");
	if (r == 0) {
		out->subject = next_word(&rest);
		if (!out->subject)
			r = refuse(why, "behind the URL its subject is missing");
	}
	while (r == 0 && (word = next_word(&rest)))
		r = parse_option(out, form, word, why);
	if (r < 0)
		address_deinit(out);
	return r;
}

void address_deinit(struct address *address)
{
	free(address->text);
	free(address->hosts);
	*address = (struct address){0};
}

const char *address_option(const struct address *address, const char *key, const char *otherwise)
{
	for (size_t i = 0; i < ADDRESS_OPTIONS && address->options[i].key; i++)
		if (strcmp(address->options[i].key, key) == 0)
			return address->options[i].value;
	return otherwise;
}

struct address address_read(const char *value, const struct address_form *form)
{
	struct buf why = BUF_INIT;
	struct address address;

	if (address_parse(&address, form, value, &why) < 0)
		source_refuse("%s", why.length ? why.data : "there is no memory");
	return address;
}

int address_choice(const struct address *address, const char *key, const char *const *choices)
{
	const char *value = address_option(address, key, choices[0]);

	for (int i = 0; choices[i]; i++)
		if (strcmp(choices[i], value) == 0)
			return i;
	source_refuse("%.60s is none of the values of %s", value, key);
}

int address_number(const struct address *address, const char *key, int otherwise, int most)
{
	const char *value = address_option(address, key, NULL);
	char *end;
	long number;

	if (!value)
		return otherwise;
	number = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || number < 1 || number > most)
		source_refuse("%s is a whole number from 1 to %d", key, most);
	return (int)number;
}
