/* SPDX-License-Identifier: Apache-2.0 */
/* A place in the table for working trees, until they come. */
#include "fs/behaviours/code.h"

#include "fs/behaviour.h"

int code_new(struct code **out, struct fs *fs)
{
	*out = NULL;
	return 0;
}

struct code *code_free(struct code *code)
{
	return NULL;
}

const struct behaviour code_behaviour = {.name = "code"};
