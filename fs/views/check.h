/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * `.fsck`, of the mount and of a function: reading it checks what was published, and tells as it
 * goes.
 */
#include "fs/behaviours/follow.h"

extern const struct follow check_follow;
