/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Putting a function together from a bundle, by what can be done in the mount. What stands there
 * already is never changed: it has to be what the archive has, which is looked at before anything
 * is done. A function that is not there is made under another name, and gets its own when all of
 * it is there; until then nobody sees half of it.
 */
#include <stdbool.h>

#include "bundle.h"

struct importing {
	const struct bundle *bundle;
	const char *name; /* of the function */
	bool without_triggers;
	int root; /* of the mount */
	bool (*go_on)(void);

	char *made;     /* under what name it is made; NULL: it was there */
	int function;   /* -1 until it is open */
	int code;       /* its working tree, while it is worked on; -1 */
	unsigned there; /* versions that stood there */
	unsigned published;
	unsigned aliases;  /* made */
	unsigned triggers; /* likewise */
	bool touched;      /* code and settings of a function that was there */
};

/* 0, or a COMMAND_* after saying why; then all is as it was before. */
int importing_run(struct importing *importing);
void importing_deinit(struct importing *importing);
