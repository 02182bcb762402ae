/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The statements behind entries.c; its thread only. */
#include "store/entries.h"
#include "store/store_private.h"

struct entry_file;

int entry_file_open(struct entry_file **out, const char *state_dir);
struct entry_file *entry_file_close(struct entry_file *file);

/* All commits in one transaction; where that fails, each in its own. Leaves each one's status. */
void entry_file_commit(struct entry_file *file, struct list *commits);
void entry_file_read(struct entry_file *file, struct entry_read *read);
int entry_file_each(struct entry_file *file,
        int (*each)(void *userdata, const struct entry_row *row), void *userdata, uint64_t *last);
