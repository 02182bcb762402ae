/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What tests of the launcher need: a *yard*, which is a loop, a launcher and a state directory with code
 * and a runtime, and in it *trials*: processes with their channel, their output and their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "run/launcher.h"
#include "test.h"

struct yard {
	uv_loop_t loop;
	struct launcher *launcher;
	char *state, *code, *runtime;
};

struct trial {
	struct yard *yard;
	struct process *process; /* NULL once ended */
	struct process_end end;
	int ends; /* how often `ended` ran */
	int to, from, output;
	struct buf text; /* what it has printed */
};

/*
 * Exits with 77 (skipped) and says why when no sandbox can be made here. The probe (sandbox_probe.c) is
 * in the sandbox at /opt/fnfs/runtime/probe.
 */
void yard_open(struct yard *yard);
void yard_close(struct yard *yard);
pid_t yard_guardian(struct yard *yard);

/* `sh -c script` with sensible limits; tests change what they are about. */
struct launch yard_launch(struct yard *yard, const char *script);

/* 0 or -errno of launcher_start(); the trial must be ended by trial_deinit() either way. */
int trial_start(struct trial *trial, struct yard *yard, struct launch *launch);
void trial_turn(struct trial *trial); /* of the loop: some milliseconds at most */
void trial_wait(struct trial *trial); /* until it has ended, and its output is read */
void trial_expect(struct trial *trial, const char *text); /* until it runs and has printed this */
void trial_deinit(struct trial *trial);                   /* kills it first if need be */

/* Starts and waits; what there is to see is in the trial, which the caller ends. */
void trial_run(struct trial *trial, struct yard *yard, const char *script);

/* How many processes of this machine have the text in their command line. */
int count_processes(const char *text);
/* The same, once there are none or ten seconds have passed: for those that end by themselves. */
int count_remaining(const char *text);

/* How many control groups this guardian has made and not removed. */
int count_groups(pid_t guardian);
