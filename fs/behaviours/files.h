/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Read-only trees of files on disk: runtimes/NAME/template. A tree is listed once, at its first use,
 * and taken as immutable from then on; its nodes are (runtime, index in that list).
 */
#include "fs/view.h"

struct fs;
struct files;

extern const struct each files_each;

struct files *files_new(struct fs *fs);
struct files *files_free(struct files *files);
