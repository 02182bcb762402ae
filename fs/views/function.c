/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/function.h"

#include "engine/engine.h"

int function_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_function_status(subject->engine, subject->function, out);
	return 0;
}

int function_show_last_error(const struct subject *subject, struct buf *out)
{
	struct last_error *last =
	        engine_function_last_error(subject->engine, subject->function, false);
	const char *sentence = last ? last_error_get(last, subject->caller.uid) : "";

	if (*sentence)
		buf_printf(out, "%s\n", sentence);
	return 0;
}
