/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How an image wants to be started, as the pairs of words that the daemon reads (run/image.h): each ended by
 * a zero byte, a key and its value in turn.
 *
 *	argument WORD       of the entrypoint, then of the command
 *	variable KEY=VALUE
 *	directory PATH      to start in
 *	uid NUMBER, gid NUMBER
 */
#include "base/buf.h"
#include "fetch/tree.h"

/* Also looks into the tree, for the user's name and the directory, which is made. 0, or refused. */
int image_config_read(struct tree *tree, const struct buf *json, struct buf *out);

/* What can be judged before anything is unpacked: whether it is made for this machine. 0, or refused. */
int image_config_check(struct tree *tree, const struct buf *json);
