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

void error_text_status(struct buf *out, const char *json, size_t length)
{
	CLEANUP(buf_deinit) struct buf trace = BUF_INIT;

	buf_puts(out, "why ");
	error_text_sentence(out, json, length);
	buf_puts(out, "\n");
	error_text_trace(&trace, json, length);
	if (trace.length)
		buf_printf(out, "\n%s", trace.data);
}
