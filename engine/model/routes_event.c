/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of an event, found without taking the event apart: a walk over its bytes that skips what is
 * not asked for, so that a rule costs no memory however large the event is. Only what was found (a name with
 * escapes, a string) is given to the real parser. Whether the event is JSON at all is not judged here: the
 * walk never leaves its bytes, and what makes no sense is not found. Of two members with one name the first counts.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "model/routes_private.h"

struct span { /* of the event; `at` moves towards `end` */
	const char *at;
	const char *end;
};

static void skip_blanks(struct span *rest)
{
	while (rest->at < rest->end &&
	        (*rest->at == ' ' || *rest->at == '\n' || *rest->at == '\t' || *rest->at == '\r'))
		rest->at++;
}

static bool skip_one(struct span *rest, char wanted)
{
	skip_blanks(rest);
	if (rest->at == rest->end || *rest->at != wanted)
		return false;
	rest->at++;
	return true;
}

static bool is_escaped(const char *quote, const char *start)
{
	size_t count = 0;

	while (quote - count > start && quote[-1 - (ptrdiff_t)count] == '\\')
		count++;
	return count % 2;
}

/* Stands at the first quote; ends behind the last. */
static bool skip_string(struct span *rest)
{
	const char *start = rest->at + 1, *quote = start;

	while (quote < rest->end && (quote = memchr(quote, '"', (size_t)(rest->end - quote)))) {
		if (!is_escaped(quote, start)) {
			rest->at = quote + 1;
			return true;
		}
		quote++;
	}
	rest->at = rest->end;
	return false;
}

/* Whatever value stands there; brackets are only counted. */
static bool skip_value(struct span *rest, struct span *value)
{
	size_t depth = 0;

	skip_blanks(rest);
	value->at = rest->at;
	while (rest->at < rest->end) {
		char c = *rest->at;

		if (!depth && (c == ',' || c == '}' || c == ']'))
			break;
		if (c == '"' && !skip_string(rest))
			return false;
		if (c == '"')
			continue;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		rest->at++;
	}
	value->end = rest->at;
	return !depth && value->end > value->at;
}

/* The content of a string with its quotes; NULL when it is none (or there is no memory for it). */
static char *decode(struct span string)
{
	CLEANUP(json_delete_p)
	cJSON *parsed = cJSON_ParseWithLength(string.at, (size_t)(string.end - string.at));

	return cJSON_IsString(parsed) ? take(parsed->valuestring) : NULL;
}

static bool is_name(struct span string, const char *name, bool any_case)
{
	const char *content = string.at + 1;
	size_t length = (size_t)(string.end - string.at) - 2;
	CLEANUP(free_p) char *decoded = NULL;

	if (memchr(content, '\\', length)) {
		decoded = decode(string);
		if (!decoded)
			return false;
		content = decoded;
		length = strlen(decoded);
	}
	if (length != strlen(name))
		return false;
	return (any_case ? strncasecmp : strncmp)(content, name, length) == 0;
}

static bool find_member(struct span object, const char *name, bool any_case, struct span *value)
{
	struct span key;

	object.at++; /* the bracket */
	do {
		skip_blanks(&object);
		key.at = object.at;
		if (object.at == object.end || *object.at != '"' || !skip_string(&object))
			return false;
		key.end = object.at;
		if (!skip_one(&object, ':') || !skip_value(&object, value))
			return false;
		if (is_name(key, name, any_case))
			return true;
	} while (skip_one(&object, ','));
	return false;
}

static bool find_place(struct span list, const char *number, struct span *value)
{
	char *end;
	unsigned long place = strtoul(number, &end, 10);

	if (*end || *number < '0' || *number > '9')
		return false;
	list.at++;
	do {
		if (!skip_value(&list, value))
			return false;
		if (!place--)
			return true;
	} while (skip_one(&list, ','));
	return false;
}

/* What is called so inside of `value` takes its place. */
static bool descend(struct span *value, const char *name, bool any_case)
{
	struct span inner;
	bool found = false;

	skip_blanks(value);
	if (value->at < value->end && *value->at == '{')
		found = find_member(*value, name, any_case, &inner);
	else if (value->at < value->end && *value->at == '[')
		found = find_place(*value, name, &inner);
	if (found)
		*value = inner;
	return found;
}

static void put(struct routes_value *value, const char *text, size_t length)
{
	buf_append(&value->text, text, length);
	buf_puts(&value->text, "");
	value->is_there = !value->text.failed;
}

static void keep(struct span found, struct routes_value *value)
{
	CLEANUP(free_p) char *string = NULL;

	while (found.end > found.at && strchr(" \t\r\n", found.end[-1]))
		found.end--;
	if (found.at == found.end)
		return;
	if (*found.at == '"') {
		string = decode(found);
		if (string)
			put(value, string, strlen(string));
	} else if (*found.at != '{' && *found.at != '[') {
		value->is_number = *found.at == '-' || (*found.at >= '0' && *found.at <= '9');
		put(value, found.at, (size_t)(found.end - found.at));
	}
}

static void trim(struct buf *text)
{
	size_t blanks = strspn(text->data, " \t");

	buf_consume(text, blanks);
	while (text->length && strchr(" \t", text->data[text->length - 1]))
		text->data[--text->length] = 0;
}

void routes_event_find(
        const char *event, size_t length, const struct routes_key *key, struct routes_value *value)
{
	struct span at = {event, event + length};
	size_t i;

	value->is_there = value->is_number = false;
	buf_clear(&value->text);
	if (!length || (key->is_header && !descend(&at, "headers", false)))
		return;
	if (key->is_header && *at.at != '{')
		return;
	for (i = 0; i < key->segments_count; i++)
		if (!descend(&at, key->segments[i], key->is_header))
			return;
	if (key->is_header && *at.at == '[')
		descend(&at, "0", false); /* of several lines with one name the first counts */
	keep(at, value);
	if (key->is_header && value->is_there)
		trim(&value->text);
}

static bool is_whole(const char *text)
{
	text += *text == '-';
	return *text && !text[strspn(text, "0123456789")];
}

/* Whole numbers are compared digit by digit: a double does not hold every long one. */
bool routes_value_is(const struct routes_value *value, const char *wanted)
{
	char *end, *wanted_end;
	double one, other;

	if (!value->is_there)
		return false;
	if (strcmp(value->text.data, wanted) == 0)
		return true;
	if (!value->is_number || (is_whole(value->text.data) && is_whole(wanted)))
		return false;
	one = strtod(value->text.data, &end);
	other = strtod(wanted, &wanted_end);
	return !*end && !*wanted_end && wanted_end != wanted && one == other;
}
