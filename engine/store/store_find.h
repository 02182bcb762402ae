/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The questions of store_find.c, and how rows are read, which store_walk.c knows. */
#include "store/store_private.h"

extern const char *const store_finds[STORE_FINDS];

/* `each` is a pointer to the callback, so that its type is lost and found without a cast. */
typedef int (*store_row_fn)(sqlite3_stmt *row, void *each, void *userdata);

int store_walk(struct store *store, const char *sql, store_row_fn row, void *each, void *userdata);

int store_function_row(sqlite3_stmt *row, void *each, void *userdata);
int store_version_row(sqlite3_stmt *row, void *each, void *userdata);
int store_alias_row(sqlite3_stmt *row, void *each, void *userdata);
int store_setting_row(sqlite3_stmt *row, void *each, void *userdata);
int store_variable_row(sqlite3_stmt *row, void *each, void *userdata);
