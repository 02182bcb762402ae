/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chart.svg: calls a minute above, how long they took below. A column stands for one, five or twenty
 * minutes, whichever is the least that shows all there is of the last day. Coordinates are whole pixels and each
 * colour is one path, so that the text is short: it is padded to a fixed size, for a file of this
 * tree has its size before it is drawn.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/metrics_private.h"

#include "base/cleanup.h"

#define COLUMNS_MOST 72

enum {
	WIDTH = 880,
	HEIGHT = 430,
	LEFT = 70,
	RIGHT = WIDTH - 24,
	CALLS_TOP = 92,
	CALLS_BOTTOM = 232,
	TIMES_TOP = 276,
	TIMES_BOTTOM = 396,
};

/* What is drawn over one stretch of minutes. */
struct column {
	double calls, errors; /* sums */
	double p50, p99;      /* us: weighted by calls, the worst */
	double timed;         /* calls that p50 is weighted by */
};

struct chart {
	const char *span;     /* "last hour" */
	int columns, minutes; /* a column's */
	int64_t now, end;     /* minutes; `end` is the first behind the last column */
	struct column column[COLUMNS_MOST];
	double calls, errors; /* of all */
	double most_calls, most_us;
};

static const struct {
	const char *name;
	int columns, minutes;
} spans[] = {{"last hour", 60, 1}, {"last 6 hours", 72, 5}, {"last 24 hours", 72, 20}};

/* The shortest span that reaches back to the first minute. */
static void choose_span(struct chart *chart, const struct metrics *metrics)
{
	struct minute first = {.number = UINT32_MAX};
	size_t i;

	chart->now = metrics_minute_now(metrics);
	if (metrics_minutes(metrics))
		metrics_minute_at(metrics, 0, &first);
	for (i = 0; i < ARRAY_SIZE(spans); i++) {
		chart->span = spans[i].name;
		chart->columns = spans[i].columns;
		chart->minutes = spans[i].minutes;
		chart->end = (chart->now / chart->minutes + 1) * chart->minutes;
		if (first.number >= chart->end - chart->columns * chart->minutes)
			return;
	}
}

static void add_minute(struct chart *chart, const struct minute *minute)
{
	int64_t index = chart->columns - 1 - (chart->end - 1 - minute->number) / chart->minutes;
	double calls = minute->values[METRIC_COUNT];
	struct column *column;

	if (minute->number >= chart->end || index < 0)
		return;
	column = &chart->column[index];
	column->calls += calls;
	column->errors += minute->values[METRIC_FAIL];
	if (minute->values[METRIC_MAX_DURATION] > 0) {
		column->p50 = (column->p50 * column->timed + minute->values[METRIC_P50] * calls) /
		              (column->timed + calls);
		column->timed += calls;
	}
	if (minute->values[METRIC_P99] > column->p99)
		column->p99 = minute->values[METRIC_P99];
}

/* How many minutes of a column are over or begun: the last one is not full yet. */
static double minutes_of(const struct chart *chart, int column)
{
	int64_t rest = column == chart->columns - 1 ? chart->end - 1 - chart->now : 0;

	return (double)(chart->minutes - rest);
}

static void collect(struct chart *chart, const struct metrics *metrics)
{
	size_t count = metrics_minutes(metrics), i;
	struct minute minute;
	int c;

	for (i = 0; i < count; i++) {
		metrics_minute_at(metrics, i, &minute);
		add_minute(chart, &minute);
	}
	for (c = 0; c < chart->columns; c++) {
		const struct column *column = &chart->column[c];
		double rate = column->calls / minutes_of(chart, c);
		chart->calls += column->calls;
		chart->errors += column->errors;
		if (rate > chart->most_calls)
			chart->most_calls = rate;
		if (column->p99 > chart->most_us)
			chart->most_us = column->p99;
	}
}

/* A step of 1, 2 or 5 times a power of ten, at least `least`, of which four or fewer reach `most`. */
static double nice_step(double most, double least)
{
	static const double factors[] = {1, 2, 5, 10};
	double power = least;
	size_t i = 0;

	while (power * factors[i] * 4 < most)
		if (++i == ARRAY_SIZE(factors)) {
			power *= 10;
			i = 1;
		}
	return power * factors[i];
}

static void text_escaped(struct buf *out, const char *text)
{
	static const char special[] = "<>&\"'";
	int room = 200;

	for (; *text && room--; text++) {
		if (strchr(special, *text) || (unsigned char)*text < 0x20)
			buf_printf(out, "&#%d;", *text > 0x1f ? *text : '?');
		else
			buf_append(out, text, 1);
	}
}

static void format_us(char *text, size_t size, double us)
{
	if (us < 1000)
		snprintf(text, size, "%.3g µs", us);
	else if (us < 1e6)
		snprintf(text, size, "%.3g ms", us / 1e3);
	else
		snprintf(text, size, us < 1e9 ? "%.3g s" : "%.0f s", us / 1e6);
}

static void format_calls(char *text, size_t size, double calls)
{
	if (calls < 1e6)
		snprintf(text, size, "%.0f", calls);
	else
		snprintf(text, size, "%.3g M", calls / 1e6);
}

/* One panel's scale: the step between two lines and how many steps there are. */
struct axis {
	int top, bottom;
	double step;
	int steps;
	void (*format)(char *text, size_t size, double value);
};

static double place(const struct axis *axis, double value)
{
	return axis->bottom - value / (axis->step * axis->steps) * (axis->bottom - axis->top);
}

static struct axis axis_for(int top, int bottom, double most, double least,
        void (*format)(char *text, size_t size, double value))
{
	struct axis axis = {top, bottom, nice_step(most, least), 1, format};

	while (axis.step * axis.steps < most)
		axis.steps++;
	return axis;
}

static void draw_grid(struct buf *out, const struct axis *axis)
{
	char text[32];
	int i;

	for (i = 0; i <= axis->steps; i++) {
		double y = place(axis, axis->step * i);
		axis->format(text, sizeof(text), axis->step * i);
		buf_printf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, RIGHT);
		buf_printf(out, "<text x=\"%d\" y=\"%.1f\" class=\"e\">%s</text>\n", LEFT - 8,
		        y + 4, i || axis->format == format_calls ? text : "0");
	}
}

static double column_x(const struct chart *chart, int column)
{
	return LEFT + (double)(RIGHT - LEFT) * column / chart->columns;
}

/* Labels where the hour or a part of it begins. */
static void draw_clock(struct buf *out, const struct chart *chart, int y)
{
	int every = chart->minutes == 1 ? 10 : chart->minutes == 5 ? 60 : 240, c;

	for (c = 0; c < chart->columns; c++) {
		int64_t minute = chart->end - (int64_t)(chart->columns - c) * chart->minutes;
		if (minute % every)
			continue;
		buf_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"m\">%02d:%02d</text>\n",
		        column_x(chart, c), y, (int)(minute / 60 % 24), (int)(minute % 60));
	}
}

/* The bars of one colour: from `below` upwards. */
static void draw_bars(
        struct buf *out, const struct chart *chart, const struct axis *axis, bool errors)
{
	double width = column_x(chart, 1) - column_x(chart, 0) - 2, low, high;
	int c;

	buf_printf(out, "<path class=\"%s\" d=\"", errors ? "bad" : "good");
	for (c = 0; c < chart->columns; c++) {
		const struct column *column = &chart->column[c];
		if (!(errors ? column->errors : column->calls - column->errors))
			continue;
		low = errors ? 0 : column->errors / minutes_of(chart, c);
		high = (errors ? column->errors : column->calls) / minutes_of(chart, c);
		low = place(axis, low);
		high = place(axis, high);
		if (low - high < 1)
			high = low - 1; /* little is not nothing */
		buf_printf(out, "M%.1f %.1fV%.1fh%.1fV%.1fz", column_x(chart, c) + 1, low, high,
		        width, low);
	}
	buf_puts(out, "\"/>\n");
}

/* A line through the columns that have calls; a lone one is a dot. */
static void draw_line(
        struct buf *out, const struct chart *chart, const struct axis *axis, bool worst)
{
	double half = (column_x(chart, 1) - column_x(chart, 0)) / 2;
	bool before = false;
	int c;

	buf_printf(out, "<path class=\"%s\" d=\"", worst ? "worst" : "median");
	for (c = 0; c < chart->columns; c++) {
		const struct column *column = &chart->column[c];
		if (column->timed > 0) {
			buf_printf(out, "%s%.1f %.1f", before ? "L" : "M",
			        column_x(chart, c) + half,
			        place(axis, worst ? column->p99 : column->p50));
			buf_puts(out, before ? "" : "h0");
		}
		before = column->timed > 0;
	}
	buf_puts(out, "\"/>\n");
}

static void draw_style(struct buf *out)
{
	buf_puts(out, "<style>\n"
	              "svg{background:#fff}text{font:12px system-ui,'DejaVu "
	              "Sans',sans-serif;fill:#57606a}\n"
	              ".t{font-size:17px;font-weight:600;fill:#1f2328}.p{fill:#1f2328}\n"
	              ".e{text-anchor:end}.m{text-anchor:middle}.grid{stroke:#d8dee4;fill:none}\n"
	              ".good{fill:#4a9d77}.bad{fill:#d1495b}\n"
	              ".median,.worst{fill:none;stroke-width:2;stroke-linejoin:round;"
	              "stroke-linecap:round}\n"
	              ".median{stroke:#2f6fbf}.worst{stroke:#e08e2b}\n"
	              "@media(prefers-color-scheme:dark){svg{background:#16191d}text{fill:#9aa4af}"
	              ".t,.p{fill:#e6edf3}.grid{stroke:#30363d}}\n"
	              "</style>\n");
}

static void draw_head(struct buf *out, const struct chart *chart, const char *title)
{
	char calls[32], errors[32];

	format_calls(calls, sizeof(calls), chart->calls);
	format_calls(errors, sizeof(errors), chart->errors);
	buf_printf(out, "<text x=\"24\" y=\"34\" class=\"t\">");
	text_escaped(out, title);
	buf_printf(out,
	        "</text>\n<text x=\"24\" y=\"56\">%s: %s calls, %s errors. "
	        "Times are UTC.</text>\n",
	        chart->span, calls, errors);
}

/* What a panel shows: its name, and two colours at its right. */
static void draw_legend(struct buf *out, int y, const char *name, const char *const classes[2],
        const char *const words[2], const int x[2])
{
	int i;

	buf_printf(out, "<text x=\"24\" y=\"%d\" class=\"p\">%s</text>\n", y, name);
	for (i = 0; i < 2; i++)
		buf_printf(out,
		        "<path class=\"%s\" d=\"M%d %dh10v2h-10z\"/>"
		        "<text x=\"%d\" y=\"%d\">%s</text>\n",
		        classes[i], x[i], y - 5, x[i] + 16, y, words[i]);
}

static void draw_calls(struct buf *out, const struct chart *chart)
{
	struct axis axis = axis_for(CALLS_TOP, CALLS_BOTTOM, chart->most_calls, 1, format_calls);

	draw_legend(out, CALLS_TOP - 14, "Calls a minute", (const char *[]){"good", "bad"},
	        (const char *[]){"succeeded", "failed"}, (int[]){RIGHT - 150, RIGHT - 52});
	draw_grid(out, &axis);
	draw_bars(out, chart, &axis, true);
	draw_bars(out, chart, &axis, false);
}

static void draw_times(struct buf *out, const struct chart *chart)
{
	struct axis axis = axis_for(TIMES_TOP, TIMES_BOTTOM, chart->most_us, 100, format_us);

	draw_legend(out, TIMES_TOP - 14, "Duration", (const char *[]){"median", "worst"},
	        (const char *[]){"p50", "p99"}, (int[]){RIGHT - 110, RIGHT - 42});
	draw_grid(out, &axis);
	draw_line(out, chart, &axis, true);
	draw_line(out, chart, &axis, false);
	draw_clock(out, chart, TIMES_BOTTOM + 20);
}

/* Spaces up to the fixed size; a document that would not fit (it cannot) is an empty one. */
static void pad(struct buf *out, size_t start)
{
	char *place;
	size_t used = out->length - start;

	assert(used < METRICS_CHART_BYTES);
	place = buf_reserve(out, METRICS_CHART_BYTES - used);
	if (!place)
		return;
	memset(place, ' ', METRICS_CHART_BYTES - used);
	place[METRICS_CHART_BYTES - used - 1] = '\n';
	buf_added(out, METRICS_CHART_BYTES - used);
}

void metrics_show_chart(const struct metrics *metrics, const char *title, struct buf *out)
{
	struct chart chart = {0};
	size_t start = out->length;

	choose_span(&chart, metrics);
	collect(&chart, metrics);
	buf_printf(out,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	        "viewBox=\"0 0 %d %d\">\n",
	        WIDTH, HEIGHT, WIDTH, HEIGHT);
	draw_style(out);
	draw_head(out, &chart, title);
	draw_calls(out, &chart);
	draw_times(out, &chart);
	buf_puts(out, "</svg>\n");
	if (!out->failed)
		pad(out, start);
}
