/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The kernel forgets what came, went or was replaced by the gateway (engine.h: struct engine_front). */
struct engine_front;

extern const struct engine_front news_front; /* userdata: struct fs */
