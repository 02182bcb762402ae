/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How clients name a function, each in the manner of its platform: `hello`, `hello:prod`,
 * `123456789012:function:hello`, `arn:aws:lambda:REGION:ACCOUNT:function:hello:1`,
 * `urn:fss:REGION:PROJECT:function:PACKAGE:hello:!prod`. Of all these only name and qualifier say
 * anything here.
 */
struct target_name {
	char function[64];
	char qualifier[64]; /* "" */
};

/* 0 or -EINVAL. */
int target_name_parse(struct target_name *name, const char *text);

/* A qualifier that was given beside the name. 0, or -EINVAL: the name has another one. */
int target_name_qualify(struct target_name *name, const char *qualifier);
