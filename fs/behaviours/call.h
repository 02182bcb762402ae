/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The `call` behaviour's memory beyond single opens: fs->answers. */

struct answers;
struct fs;

struct answers *call_answers(struct fs *fs); /* NULL: no memory */
void call_deinit(struct fs *fs);             /* at the end of the file system */
