/* SPDX-License-Identifier: Apache-2.0 */
/* What is put into events as JSON: whatever is taken for it, cJSON understands as well. */
#include "base/json_valid.h"

#include <stdlib.h>

#include "base/json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *end = NULL;
	cJSON *json;

	if (!json_valid((const char *)data, size))
		return 0;
	json = cJSON_ParseWithLengthOpts((const char *)data, size, &end, 0);
	if (!json && size < 1 << 20)
		abort();
	cJSON_Delete(json);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "{\"a\": [1.5e-3, \"\\u00e4\\n\", true, null, {}], \"b\": [[]]}");
}
