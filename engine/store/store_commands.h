/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each command does to the tables: at most STORE_STEPS statements, run in one transaction. */
#include "store/store_private.h"

/* Runs the steps of the command inside a transaction that is open; the caller ends it. */
int store_run_command(
        struct store *store, const struct command *command, struct command_result *result);
