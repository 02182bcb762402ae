/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Values as directories need them: an editor renames a file over one, or one away. */
#include "base/buf.h"
#include "fs/node.h"

struct request;

/* Sets the value from the whole content of a file. Refusals leave their sentence in request->why. */
int knob_set(struct request *request, const struct node *knob, const char *data, size_t length);

/* What reading it gives. */
int knob_get(struct request *request, const struct node *knob, struct buf *out);
