/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* instances/: the running processes of a function. */
#include "fs/view.h"

extern const struct each instances_each;

int instance_show_pid(const struct subject *subject, struct buf *out);
int instance_show_state(const struct subject *subject, struct buf *out);
int instance_show_version(const struct subject *subject, struct buf *out);
int instance_show_started(const struct subject *subject, struct buf *out);
int instance_show_calls(const struct subject *subject, struct buf *out);
int instance_show_memory(const struct subject *subject, struct buf *out);
int instance_show_cpu(const struct subject *subject, struct buf *out);
int instance_show_idle(const struct subject *subject, struct buf *out);
