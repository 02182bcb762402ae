/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/triggers/: what else calls a function. */
#include "fs/view.h"

extern const struct each triggers_each;
/* The one source a trigger has stands under the name of its kind. */
extern const struct each source_timer_each, source_http_each, source_topic_each, source_watch_each;
extern const struct each source_program_each; /* all kinds that are programs */

int trigger_show(const struct subject *subject, struct buf *out); /* row->key: enum trigger_key */
int trigger_set_text(const struct subject *subject, const char *text, struct buf *why);
int trigger_show_target(const struct subject *subject, struct buf *out);
int trigger_set_target_text(const struct subject *subject, const char *text, struct buf *why);
int trigger_show_status(const struct subject *subject, struct buf *out);
int trigger_show_fired(const struct subject *subject, struct buf *out);
int trigger_show_last(const struct subject *subject, struct buf *out);
int trigger_show_next(const struct subject *subject, struct buf *out);
int trigger_show_errors(const struct subject *subject, struct buf *out);
int source_show(const struct subject *subject, struct buf *out);
int source_set(const struct subject *subject, const char *text, struct buf *why);
