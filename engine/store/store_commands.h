/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each command does to the tables: at most STORE_STEPS statements, run in one transaction. */
#include "store/store_private.h"

enum gives { GIVES_NOTHING, GIVES_OBJECT, GIVES_CHILD };

struct step {
	const char *sql;
	bool must; /* it has to meet exactly one row, or what the command names is not there: -ENOENT */
	enum gives gives; /* what the row that comes back is */
};

extern const struct step store_commands[COMMAND_KINDS][STORE_STEPS];

/* Runs the steps of the command inside a transaction that is open; the caller ends it. */
int store_run_command(
        struct store *store, const struct command *command, struct command_result *result);
