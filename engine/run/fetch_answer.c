/* SPDX-License-Identifier: Apache-2.0 */
#include "run/fetch_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { LINE_LONGEST = 1024 };

void fetch_answer_init(struct fetch_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
}

void fetch_answer_deinit(struct fetch_answer *answer)
{
	buf_deinit(&answer->line);
}

/* Whole characters only: it comes from archives and servers, and goes into files of text. */
static void keep_sentence(char out[FETCH_SENTENCE], const char *text)
{
	size_t left = strlen(text), used = 0, width;

	while (left) {
		width = utf8_width(text, left);
		if (used + (width ? width : 1) >= FETCH_SENTENCE)
			break;
		if (width)
			memcpy(out + used, text, width);
		else
			out[used] = '?';
		width += !width;
		used += width;
		text += width;
		left -= width;
	}
	out[used] = 0;
}

static bool take_line(struct fetch_answer *answer, const char *line)
{
	struct fetch_progress *progress = &answer->progress;
	int64_t a, b, c;
	int layer, layers;
	char sha256[FETCH_SHA256];

	if (sscanf(line, "progress %" SCNd64 " %" SCNd64 " %" SCNd64, &a, &b, &c) == 3) {
		progress->bytes = a;
		progress->total = b;
		progress->speed = c;
		return true;
	}
	if (sscanf(line, "unpacking %" SCNd64 " %" SCNd64, &a, &b) == 2) {
		progress->unpacking = true;
		progress->files = a;
		progress->unpacked = b;
		return true;
	}
	if (sscanf(line, "digest %64[0-9a-f]", sha256) == 1) {
		strcpy(progress->digest, sha256);
		return true;
	}
	if (sscanf(line, "layer %d %d", &layer, &layers) == 2) {
		progress->unpacking = true;
		progress->layer = layer;
		progress->layers = layers;
		return true;
	}
	if (sscanf(line, "done %" SCNd64 " %" SCNd64 " %64[0-9a-f]", &a, &b, sha256) == 3) {
		answer->done = true;
		answer->end.files = a;
		answer->end.bytes = b;
		strcpy(answer->end.sha256, sha256);
	} else if (strncmp(line, "error ", 6) == 0) {
		keep_sentence(answer->end.sentence, line + 6);
	}
	return false;
}

bool fetch_answer_take(struct fetch_answer *answer, const char *data, size_t length)
{
	bool news = false;

	for (size_t i = 0; i < length; i++) {
		if (data[i] != '\n') {
			if (answer->line.length < LINE_LONGEST)
				buf_append(&answer->line, &data[i], 1);
			continue;
		}
		if (answer->line.length)
			news |= take_line(answer, answer->line.data);
		buf_clear(&answer->line);
	}
	return news;
}
