/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A part of THE TABLE, for tree.c alone: triggers and topics. */
#include "fs/row.h"
#include "fs/row_ids.h"
#include "fs/views/topics.h"
#include "fs/views/triggers.h"
#include "model/trigger.h"

#define TRIGGER_SETTING(row_id, row_name, trigger_key, row_help, ...) \
	KNOB(row_id, row_name, trigger_show, trigger_set_text, row_help, .key = trigger_key, \
	        __VA_ARGS__)

static const struct row trigger_rows[] = {
        TRIGGER_SETTING(ROW_TRIGGER_ENABLED, "enabled", TRIGGER_ENABLED,
                "`1`, or `0`: nothing fires, and nothing is made up for later"),
        KNOB(ROW_TRIGGER_TARGET, "target", trigger_show_target, trigger_set_target_text,
                "what is called: `latest`, an alias or a version"),
        TRIGGER_SETTING(ROW_TRIGGER_PAYLOAD, "payload", TRIGGER_PAYLOAD,
                "text that a timer's events carry; at most 64K", .flags = ROW_LINES),
        TRIGGER_SETTING(ROW_TRIGGER_FORMAT, "format", TRIGGER_FORMAT,
                "of its events: `functiongraph`, `cloudevents`, `lambda`, `raw`; `default` "
                "goes back"),
        TRIGGER_SETTING(ROW_TRIGGER_MISSED, "missed", TRIGGER_MISSED,
                "what a timer missed while nothing ran: `skip` it, or fire `once` for all"),
        TRIGGER_SETTING(ROW_TRIGGER_RATE, "rate", TRIGGER_RATE,
                "events let out, as `10/s` or `30/m`; others wait in the queue; `max`: all"),
        TRIGGER_SETTING(ROW_TRIGGER_CONCURRENCY, "concurrency", TRIGGER_CONCURRENCY,
                "its calls that run at once; others wait in the queue; `max`: no limit"),
        {.id = ROW_TRIGGER_AUTH,
                .name = "auth",
                .behaviour = &knob_behaviour,
                .mode = S_IFREG | 0600,
                .show = trigger_show,
                .set = trigger_set_text,
                .key = TRIGGER_AUTH,
                .help = "who may ask for a route: `token`, `none`, `basic USER:SECRET ...`, "
                        "`hmac SECRET [HEADER]`"},
        EACH_KNOB(ROW_TRIGGER_TIMER, &source_timer_each, source_show, source_set,
                "timer: when it fires: `@every 5m`, or cron with 5 or 6 fields; `rm` unsets it"),
        EACH_KNOB(ROW_TRIGGER_HTTP, &source_http_each, source_show, source_set,
                "http: a route of the gateway: `/path/{name}`, or `GET,POST /path`"),
        EACH_KNOB(ROW_TRIGGER_WATCH, &source_watch_each, source_show, source_set,
                "watch: a directory of this machine, perhaps a glob, perhaps changes: "
                "`/srv/in *.csv created,changed`"),
        EACH_KNOB(ROW_TRIGGER_TOPIC, &source_topic_each, source_show, source_set,
                "topic: a name in `topics/`"),
        {.id = ROW_TRIGGER_PROGRAM,
                .behaviour = &knob_behaviour,
                .mode = S_IFREG | 0600,
                .flags = ROW_SECRET,
                .each = &source_program_each,
                .show = source_show,
                .set = source_set,
                .help = "KIND: `mqtt`, `amqp`, `redis`, `nats`, `kafka`, `postgres`, where they "
                        "are installed, and programs of one's own: a URL, or what the program "
                        "takes; may hold passwords"},
        TEXT(ROW_TRIGGER_STATUS, "status", trigger_show_status,
                "what it does, and what keeps it from that"),
        TEXT(ROW_TRIGGER_FIRED, "fired", trigger_show_fired, "events queued so far"),
        TEXT(ROW_TRIGGER_LAST, "last", trigger_show_last, "when the last one was; `-`: none"),
        TEXT(ROW_TRIGGER_NEXT, "next", trigger_show_next,
                "when a timer fires next; `-`: nobody knows"),
        TEXT(ROW_TRIGGER_ERRORS, "errors", trigger_show_errors,
                "how often an event could not be queued"),
        {},
};

static const struct row triggers_rows[] = {
        EACH(ROW_TRIGGER, &triggers_each, trigger_rows,
                "NAME: one trigger: `mkdir` makes it; then write one source"),
        {},
};

static const struct row topic_rows[] = {
        {.id = ROW_TOPIC_PUBLISH,
                .name = "publish",
                .behaviour = &publish_behaviour,
                .mode = S_IFREG | 0644,
                .help = "write events: one a write, or one a line; `close` waits for the disk"},
        TEXT(ROW_TOPIC_SUBSCRIBERS, "subscribers", topic_show_subscribers_text,
                "FUNCTION/TRIGGER of each trigger that subscribes"),
        TEXT(ROW_TOPIC_COUNT, "count", topic_show_count, "events published so far"),
        TEXT(ROW_TOPIC_STATUS, "status", topic_show_status_text,
                "events on their way, subscribers, followers"),
        FOLLOW(ROW_TOPIC_FOLLOW, "follow", &topic_events_follow,
                "events as they come, a line each; waits for them"),
        {},
};

static const struct row topics_rows[] = {
        EACH(ROW_TOPIC, &topics_each, topic_rows, "NAME: one topic: `mkdir` makes it"),
        {},
};
