/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/error_text.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

#define SENTENCE_MAX 2048

static cJSON *parse(const char *json, size_t length)
{
	return cJSON_ParseWithLength(json ? json : "", length);
}

void error_text_sentence(struct buf *out, const char *json, size_t length)
{
	CLEANUP(json_delete_p) cJSON *error = parse(json, length);
	const char *type = json_string(error, "errorType", "Error");
	const char *message = json_string(error, "errorMessage", "");

	if (!cJSON_IsObject(error))
		buf_append(out, json, length < SENTENCE_MAX ? length : SENTENCE_MAX);
	else
		buf_printf(out, "%s: %.*s", type, SENTENCE_MAX, message);
}

void error_text_trace(struct buf *out, const char *json, size_t length)
{
	CLEANUP(json_delete_p) cJSON *error = parse(json, length);
	const cJSON *line;

	cJSON_ArrayForEach(line, cJSON_GetObjectItemCaseSensitive(error, "stackTrace")) {
		const char *text = cJSON_IsString(line) ? line->valuestring : "";

		buf_puts(out, text);
		if (!*text || text[strlen(text) - 1] != '\n')
			buf_puts(out, "\n");
	}
}
