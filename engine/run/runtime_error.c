/* SPDX-License-Identifier: Apache-2.0 */
#include "run/runtime_error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "run/invocation.h"

/* "Runtime.Name" or "Function.Name" somewhere in it. */
static bool is_known_form(const char *type)
{
	static const char *const prefixes[] = {"Runtime.", "Function."};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const char *found = strstr(type, prefixes[i]);

		for (; found; found = strstr(found + 1, prefixes[i])) {
			const char *name = found + strlen(prefixes[i]);

			if (isupper((unsigned char)name[0]) && isalpha((unsigned char)name[1]))
				return true;
		}
	}
	return false;
}

static const char *type_of_header(const char *type)
{
	if (!type || is_known_form(type))
		return type ? type : "Runtime.Unknown";
	return strncmp(type, "Function.", 9) == 0 ? "Function.Unknown" : "Runtime.Unknown";
}

static void supply(cJSON *json, const char *name, const char *value)
{
	if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(json, name)))
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(json, name);
	cJSON_AddStringToObject(json, name, value);
}

/* Node's client says `trace`. */
static void supply_trace(cJSON *json)
{
	cJSON *trace = cJSON_DetachItemFromObjectCaseSensitive(json, "trace");
	bool has = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(json, "stackTrace"));

	if (has) {
		cJSON_Delete(trace);
		return;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(json, "stackTrace");
	if (!cJSON_IsArray(trace)) {
		cJSON_Delete(trace);
		trace = cJSON_CreateArray();
	}
	cJSON_AddItemToObject(json, "stackTrace", trace);
}

void runtime_error_read(
        struct buf *out, const char *body, size_t length, const char *type, bool has_cause)
{
	CLEANUP(json_delete_p) cJSON *json = length ? cJSON_ParseWithLength(body, length) : NULL;
	CLEANUP(free_p) char *text = NULL;

	if (cJSON_IsObject(json)) {
		supply(json, "errorMessage", "");
		supply(json, "errorType", type_of_header(type));
		supply_trace(json);
		if (has_cause)
			cJSON_DeleteItemFromObjectCaseSensitive(json, "errorCause");
		text = cJSON_PrintUnformatted(json);
	}
	if (text)
		buf_puts(out, text);
	else
		error_body(out, type_of_header(type), "%.*s",
		        (int)(length < 65536 ? length : 65536), body ? body : "");
}
