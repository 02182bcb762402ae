/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The settings of a trigger: a plain value, always whole and within bounds. Each has a text form; what was
 * never set has its default, which is not stored.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum trigger_key {
	TRIGGER_ENABLED,
	TRIGGER_PAYLOAD,
	TRIGGER_FORMAT,
	TRIGGER_MISSED,
	TRIGGER_RATE,
	TRIGGER_CONCURRENCY,
	TRIGGER_AUTH,
	TRIGGER_KEYS,
};

enum event_format {
	FORMAT_DEFAULT, /* what the kind of source says */
	FORMAT_FUNCTIONGRAPH,
	FORMAT_CLOUDEVENTS,
	FORMAT_LAMBDA,
	FORMAT_RAW,
	EVENT_FORMATS,
};

enum { TRIGGER_PAYLOAD_MOST = 64 << 10, TRIGGER_CONCURRENCY_MOST = 1000 };

struct trigger_settings {
	bool enabled;
	char *payload; /* "" = none; owned */
	enum event_format format;
	bool missed_once; /* else they are skipped */
	int64_t rate;     /* events per period; 0 = no limit */
	int64_t rate_period_us;
	unsigned concurrency; /* 0 = no limit */
	char *auth;           /* model/trigger_auth.h; owned */
};

int trigger_settings_init(struct trigger_settings *settings); /* 0 or -ENOMEM */
void trigger_settings_deinit(struct trigger_settings *settings);

const char *trigger_key_name(enum trigger_key key);
int trigger_key_find(const char *name); /* -1: none */
const char *event_format_name(enum event_format format);

/* 0, -EINVAL or -ERANGE with a sentence, -ENOMEM; then nothing changed. */
int trigger_settings_parse(
        struct trigger_settings *settings, enum trigger_key key, const char *text, struct buf *why);
/* The canonical text, without newline. A default format shows as `default`. */
void trigger_settings_show(
        const struct trigger_settings *settings, enum trigger_key key, struct buf *out);
