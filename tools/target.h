/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a NAME on the command line stands for: `hello` is functions/hello, `hello:1.0.0` one of its
 * versions, `hello@prod` one of its aliases. Each is a directory with `invoke` and `status` in it.
 */
#include <stdbool.h>

struct target {
	const char *name; /* as typed; borrowed */
	int root;         /* of the mount */
	int directory;    /* of the function, version or alias */
	int function;     /* of the function */
};

#define TARGET_INIT \
	{ \
		.root = -1, .directory = -1, .function = -1 \
	}

/* 0, or COMMAND_UNABLE after saying why. */
int target_open(struct target *target, const char *name);
/* The same where only a function will do: no `:` and no `@`. */
int target_open_function(struct target *target, const char *name);
void target_close(struct target *target);

/* Says `WHAT: why`: the sentence in the function's last_error if there is one, else the errno's. */
int target_complain(const struct target *target, int status, int error);
